"""An SMTP server that takes mail and writes down whose, before it says so.

A program of its own, so that it outlives the workers a test kills:
`python -m tests.services.sink --log FILE` prints its port once it listens. One JSON line per
accepted recipient is appended to the log *before* the 250 is sent: what stands there was
delivered, whatever the sender believes. Joined with the ledger it shows copies doubled or lost.

A local part starting with `no-` is refused with 550 5.1.1; one with `later-` gets 451 4.2.1 the
first time. `--drop-before` and `--drop-after` close that share of connections at the final dot,
before and after the line is written: nobody but the log can tell the two apart.

Files beside the log: `FILE.drops` has a line per connection so closed. With `--holding`, while
`FILE.hold` names a moment of the dialogue, every connection that comes to it is left there for
ever, and `FILE.held` gets a line: time to kill whoever waits for the answer.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.services import process as processes
from tests.services.sink_session import EXTENSIONS, Answer, Session

_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND
_HEADERS = ("subject", "date", "list-id", "list-unsubscribe", "feedback-id", "dkim-signature")


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """One recipient's copy as the sink logged it. `time` is Unix seconds, `size` bytes."""

    time: float
    sender: str
    rcpt: str
    message_id: str
    size: int
    headers: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """How the sink treats its clients. `delay` is seconds before 250; drops are shares of 1."""

    delay: float = 0.0
    drop_before: float = 0.0
    drop_after: float = 0.0
    refuse: str = "no-"
    later: str = "later-"
    extensions: tuple[str, ...] = EXTENSIONS
    #: Look for `FILE.hold` at every moment.
    holding: bool = False


@dataclass(kw_only=True)
class Sink:
    """What all connections share: the log, and who was already put off once."""

    log: Path
    behaviour: Behaviour = field(default_factory=Behaviour)
    put_off: set[bytes] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._log = os.open(self.log, _APPEND, 0o644)
        self._drops = os.open(_beside(self.log, "drops"), _APPEND, 0o644)
        self.extensions = self.behaviour.extensions
        self._answer = Answer(after=self.behaviour.delay)

    def judge(self, recipient: bytes) -> bytes:
        """The reply to a RCPT."""
        local = recipient.decode("utf-8", "replace")
        if local.startswith(self.behaviour.refuse):
            return b"550 5.1.1 no such user\r\n"
        if local.startswith(self.behaviour.later) and recipient not in self.put_off:
            self.put_off.add(recipient)
            return b"451 4.2.1 mailbox busy, try again later\r\n"
        return b"250 2.1.5 ok\r\n"

    def take(self, sender: bytes, recipients: list[bytes], content: bytes) -> Answer | None:
        """Write it down and say so; or cut the connection, before or after it is written down."""
        chance = random.random()
        if chance < self.behaviour.drop_before:
            os.write(self._drops, b"before\n")
            return None
        self._write_down(sender, recipients, content)
        if chance < self.behaviour.drop_before + self.behaviour.drop_after:
            os.write(self._drops, b"after\n")
            return None
        return self._answer

    def holds(self, moment: str) -> bool:
        """Whether the test asked for a hold at this moment; it is told of each."""
        if not self.behaviour.holding:
            return False
        try:
            wanted = _beside(self.log, "hold").read_text()
        except FileNotFoundError:
            return False
        if wanted != moment:
            return False
        with _beside(self.log, "held").open("a") as held:
            held.write(f"{moment}\n")
        return True

    def _write_down(self, sender: bytes, recipients: list[bytes], content: bytes) -> None:
        """Append a line per recipient, in one write, so that a reader never sees half."""
        headers = _read_headers(content)
        lines = [
            json.dumps(
                {
                    "time": time.time(),
                    "sender": sender.decode("utf-8", "replace"),
                    "rcpt": recipient.decode("utf-8", "replace"),
                    "message_id": headers.get("message-id", ""),
                    "size": len(content),
                    "headers": {name: headers[name] for name in _HEADERS if name in headers},
                }
            )
            for recipient in recipients
        ]
        os.write(self._log, ("\n".join(lines) + "\n").encode())


def _beside(log: Path, name: str) -> Path:
    return log.with_name(f"{log.name}.{name}")


def hold(log: Path, moment: str) -> None:
    """Leave whoever comes to this moment waiting from now on; "" is nobody any more."""
    for name in ("hold", "held"):
        _beside(log, name).unlink(missing_ok=True)
    if moment:
        _beside(log, "hold").write_text(moment)


def held(log: Path) -> int:
    """How many connections are left waiting at the moment that was asked for."""
    return _lines(_beside(log, "held")).count(b"\n")


def drops(log: Path, when: str) -> int:
    """How many connections were cut at the final dot, `before` or `after` its copy was taken."""
    return _lines(_beside(log, "drops")).count(when.encode())


def _lines(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def _read_headers(content: bytes) -> dict[str, str]:
    """Names in lower case and unfolded values; the first of each name counts."""
    head = content.split(b"\r\n\r\n", 1)[0].decode("utf-8", "replace")
    headers: dict[str, str] = {}
    for line in re.sub(r"\r\n[ \t]+", " ", head).split("\r\n"):
        name, _, value = line.partition(":")
        headers.setdefault(name.lower(), value.strip())
    return headers


@contextmanager
def running(
    log: Path,
    *,
    port: int = 0,
    behaviour: Behaviour | None = None,
    certificate: Path | None = None,
) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """Run the sink as a process; gives its port and the process (for signals).

    `certificate` is a PEM file with key and certificate: it then speaks TLS from the first byte.
    """
    how = behaviour or Behaviour()
    command = [
        *processes.leash(), sys.executable, "-m", "tests.services.sink",
        "--log", str(log), "--port", str(port),
        "--delay", str(how.delay), "--drop-before", str(how.drop_before),
        "--drop-after", str(how.drop_after), "--refuse", how.refuse, "--later", how.later,
        "--extensions", ",".join(how.extensions), *(["--holding"] if how.holding else []),
        *(["--certificate", str(certificate)] if certificate else []),
    ]  # fmt: skip
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline()), process
        finally:
            process.send_signal(signal.SIGCONT)
            process.terminate()


def read_log(log: Path) -> list[Accepted]:
    """Everything the sink accepted so far, in order; a line still being written is not yet."""
    whole = log.read_bytes().rpartition(b"\n")[0]
    return [Accepted(**json.loads(line)) for line in whole.splitlines()]


async def _serve(sink: Sink, port: int, certificate: Path | None) -> None:
    loop = asyncio.get_running_loop()
    tls = None
    if certificate is not None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificate)
    server = await loop.create_server(
        lambda: Session(sink), "127.0.0.1", port, backlog=512, ssl=tls
    )
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    print(server.sockets[0].getsockname()[1], flush=True)
    await stopped.wait()
    server.close()


def _words(text: str) -> tuple[str, ...]:
    return tuple(word for word in text.split(",") if word)


def _main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.services.sink")
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--drop-before", type=float, default=0.0)
    parser.add_argument("--drop-after", type=float, default=0.0)
    parser.add_argument("--refuse", default="no-")
    parser.add_argument("--later", default="later-")
    parser.add_argument("--extensions", type=_words, default=EXTENSIONS)
    parser.add_argument("--holding", action="store_true")
    parser.add_argument("--certificate", type=Path)
    options = vars(parser.parse_args())
    port, path, certificate = (options.pop(name) for name in ("port", "log", "certificate"))
    sink = Sink(log=path, behaviour=Behaviour(**options))
    asyncio.run(_serve(sink, port, certificate))


if __name__ == "__main__":
    _main()
