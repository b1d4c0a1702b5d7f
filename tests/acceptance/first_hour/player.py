"""Plays a story: types its commands into real processes, and looks at what they say."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.acceptance.first_hour.telling import Edit, Happens, Keep, Run, Step, Write

if TYPE_CHECKING:
    from tests.acceptance.first_hour.world import World

_PATIENCE = 120.0


@dataclass
class Player:
    """Where the reader is (`folder`), and what runs for them."""

    folder: Path
    environment: dict[str, str]
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    #: How many commands were typed until now.
    typed: int = 0

    def play(self, story: Sequence[Step], world: World) -> None:
        """Take one step after the other; a wrong one is an AssertionError."""
        for step in story:
            match step:
                case Run():
                    self._run(step)
                case Write(file=file, content=content):
                    (self.folder / file).write_text(content, encoding="utf-8")
                case Edit():
                    self._edit(step)
                case Keep(command=command, stops=False):
                    self._keep(command)
                case Keep(command=command):
                    self.stop(command)
                case Happens(what=what):
                    getattr(world, what)()
                case _:
                    pass

    def wait(self, until: Callable[[], bool], what: str) -> None:
        """Wait for something to come about; fails with what the running commands said."""
        deadline = time.monotonic() + _PATIENCE
        while not until():
            logs = "\n".join(each.read_text() for each in self.folder.glob("*.log"))
            assert time.monotonic() < deadline, f"{what} does not come about:\n{logs}"
            time.sleep(0.05)

    def ask(self, command: str) -> str:
        """What a command says, that is not part of the story."""
        return self._shell(command).stdout

    def stop(self, command: str) -> None:
        """Ctrl-C."""
        process = self.running.pop(command)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0, self._log(command).read_text()

    def _run(self, step: Run) -> None:
        self.typed += 1
        # Where a command line goes to, and the PATH it exports, is what the next one finds.
        ended = self.folder / ".ended"
        done = self._shell(f'{step.command}\nprintf "%s\\n" $? "$PWD" "$PATH" > "{ended}"')
        code, where, path = ended.read_text().splitlines()
        ended.unlink()
        said = done.stdout + done.stderr
        assert int(code) == step.code, f"$ {step.command}\nended with {code}:\n{said}"
        lines, at = said.splitlines(), 0
        for shown in step.shows:
            found = [
                n for n in range(at, len(lines)) if _pattern(shown).fullmatch(lines[n].strip())
            ]
            assert found, f"$ {step.command}\nsays no line like\n  {shown}\nbut\n{said}"
            at = found[0] + 1
        self.folder = Path(where)
        self.environment["PATH"] = path

    def _shell(self, command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_PATIENCE,
        )

    def _edit(self, step: Edit) -> None:
        path = self.folder / step.file
        text = path.read_text(encoding="utf-8")
        assert step.old in text, f"{step.file} has no {step.old!r}"
        path.write_text(text.replace(step.old, step.new, 1), encoding="utf-8")

    def _keep(self, command: str) -> None:
        with self._log(command).open("ab") as log:
            self.running[command] = subprocess.Popen(
                ["bash", "-c", f"exec {command}"],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _log(self, command: str) -> Path:
        return self.folder / f"{re.sub(r'[^a-z]+', '-', command)}.log"


def _pattern(shown: str) -> re.Pattern[str]:
    """A line of the page as a pattern: runs of blanks are alike, `…` is anything."""
    words = [re.escape(word).replace("…", ".*") for word in shown.split()]
    return re.compile(r"\s+".join(words))


@contextmanager
def playing(folder: Path, environment: dict[str, str]) -> Iterator[Player]:
    """A player, whose commands are gone at the end."""
    player = Player(folder=folder, environment={**os.environ, **environment})
    try:
        yield player
    finally:
        for process in player.running.values():
            process.kill()
            process.wait(10)
