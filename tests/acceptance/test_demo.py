"""`mailer demo` to its end, interrupted, continued: the Maildir and the ledger agree."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from mailer.cli.demo_content import thinned
from mailer.resources import templates

PEOPLE = 60
DEADLINE = 60.0


class Demo:
    """A demo as a process, in a process group of its own as on a terminal."""

    def __init__(self, folder: Path, *arguments: str, people: int = PEOPLE) -> None:
        self.folder = folder
        self.output = folder.with_suffix(".out")
        command = [sys.executable, "-m", "mailer", "demo", "--dir", str(folder)]
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [*command, "--people", str(people), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def said(self) -> str:
        return self.output.read_text(encoding="utf-8")

    def wait_until(self, seen: Callable[[], bool]) -> None:
        deadline = time.monotonic() + DEADLINE
        while not seen():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.005)

    def family(self) -> list[psutil.Process]:
        parent = psutil.Process(self.process.pid)
        return [parent, *parent.children(recursive=True)]

    def interrupt(self) -> list[psutil.Process]:
        """What Ctrl-C does: a signal to the whole foreground group. Gives who was there."""
        family = self.family()
        os.killpg(self.process.pid, signal.SIGINT)
        return family

    def end(self) -> int:
        return self.process.wait(DEADLINE)


@contextmanager
def running(folder: Path, *arguments: str, people: int = PEOPLE) -> Iterator[Demo]:
    demo = Demo(folder, *arguments, people=people)
    family: list[psutil.Process] = []
    try:
        yield demo
    finally:
        if demo.process.poll() is None:
            family = demo.family()
        for each in family:
            if each.is_running():
                each.kill()
        demo.process.wait(10)


def finish(folder: Path, *arguments: str, people: int = PEOPLE) -> str:
    with running(folder, *arguments, people=people) as demo:
        assert demo.end() == 0, demo.said()
        return demo.said()


def ledger(folder: Path) -> Counter[str]:
    with sqlite3.connect(folder / "pressrun.db") as database:
        return Counter(dict(database.execute("SELECT state, count(*) FROM deliveries GROUP BY 1")))


def addresses(folder: Path, state: str) -> set[str]:
    query = (
        "SELECT address FROM deliveries JOIN subscribers"
        " ON subscribers.id = subscriber_id WHERE state = ?"
    )
    with sqlite3.connect(folder / "pressrun.db") as database:
        return {address for (address,) in database.execute(query, [state])}


def arrived(folder: Path) -> Counter[str]:
    """How many copies each person's mailbox got."""
    heads = (path.read_bytes()[:4096].decode() for path in (folder / "maildir/new").iterdir())
    return Counter(re.findall(r"^Delivered-To: (\S+)", head, re.MULTILINE)[0] for head in heads)


def arrivals(folder: Path) -> int:
    return len(list((folder / "maildir/new").iterdir()))


def subscribed(folder: Path, status: str) -> int:
    with sqlite3.connect(folder / "pressrun.db") as database:
        query = "SELECT count(*) FROM subscriptions WHERE status = ?"
        count: int = database.execute(query, [status]).fetchone()[0]
        return count


def assert_all_gone(family: list[psutil.Process]) -> None:
    _gone, alive = psutil.wait_procs(family, timeout=5)
    assert alive == []


def assert_nobody_doubled_or_missed(folder: Path) -> None:
    states, copies = ledger(folder), arrived(folder)
    assert set(states) <= {"sent", "failed"}
    assert set(copies.values()) == {1}
    # The database keeps what people typed; the wire has domains in ASCII.
    assert len(copies) == states["sent"]
    ascii_sent = {address for address in addresses(folder, "sent") if address.isascii()}
    assert ascii_sent <= copies.keys()
    assert all(address.startswith("no-") for address in addresses(folder, "failed"))


def test_the_demo_runs_to_its_end_and_everything_adds_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What is set for a real installation must not lead the demo there.
    monkeypatch.setenv("PRESSRUN_DATABASE_URL", f"sqlite:///{tmp_path}/real.db")
    monkeypatch.setenv("PRESSRUN_RELAY__PORT", "9")
    folder = tmp_path / "demo"

    said = finish(folder)

    assert "subscribers.csv:52: 'ursula.example.com' has no @" in said
    assert "the Maildir holds exactly the" in said
    assert "Traceback" not in said
    assert not (tmp_path / "real.db").exists()
    assert ledger(folder)["failed"] == 2
    assert_nobody_doubled_or_missed(folder)
    # Two hard bounces in the dialogue and one by webhook; one click.
    assert subscribed(folder, "bounced") == 3
    assert subscribed(folder, "unsubscribed") == 1
    later = [address for address in arrived(folder) if address.startswith("later-")]
    assert len(later) == 2
    assert "<html" in (folder / "issue.html").read_text(encoding="utf-8")
    assert b"List-Unsubscribe-Post" in (folder / "received.eml").read_bytes()

    # A copy that is gone, or there twice, is found and said.
    first, second, *_ = sorted((folder / "maildir/new").iterdir())
    first.rename(folder / "maildir/cur" / first.name)
    (folder / "maildir/new/again").write_bytes(second.read_bytes())
    with running(folder, "--keep") as demo:
        assert demo.end() == 1
        assert (
            "mailer: this does not add up: 1 copies arrived twice;"
            " 1 copies sent by the ledger, but not in the Maildir; see" in demo.said()
        )


def test_interrupted_again_and_again_it_goes_on_where_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    moments: list[tuple[str, Callable[[Demo], bool]]] = [
        ("people are in", lambda demo: "import  " in demo.said()),
        ("the parts start", lambda demo: "serve  " in demo.said()),
        ("mail is flying", lambda demo: "serve  " in demo.said() and arrivals(folder) > 30),
    ]
    for name, reached in moments:
        with running(folder, people=200) as demo:
            demo.wait_until(lambda: reached(demo))  # noqa: B023 - called at once
            family = demo.interrupt()
            assert demo.end() == 130, (name, demo.said())
            assert "goes on where this ended" in demo.said()
            assert "Traceback" not in demo.said()
        assert_all_gone(family)

    said = finish(folder, people=200)

    assert "continued" in said
    assert ledger(folder).total() > 180
    assert_nobody_doubled_or_missed(folder)


def test_a_folder_is_one_demos_and_a_second_ctrl_c_leaves_nothing_running(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    with running(folder) as first:
        first.wait_until(lambda: "serve  " in first.said())
        second = subprocess.run(
            [sys.executable, "-m", "mailer", "demo", "--dir", str(folder)],
            capture_output=True,
            text=True,
            check=False,
        )
        family = first.interrupt()
        os.killpg(first.process.pid, signal.SIGINT)
        assert first.end() == 130, first.said()
        assert "Traceback" not in first.said()
    assert_all_gone(family)
    assert second.returncode == 2
    assert f"another demo works here (processes {first.process.pid}, " in second.stderr
    assert second.stderr.count("\n") == 1


def test_a_folder_that_is_not_a_demos_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "pressrun.db").write_text("mine")
    done = subprocess.run(
        [sys.executable, "-m", "mailer", "demo", "--dir", str(tmp_path), "--fresh"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == (
        f"mailer: {tmp_path}: this is not empty and no demo's folder; choose another with --dir\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["pressrun.db"]


@pytest.mark.parametrize("size", [10, 60, 300])
def test_a_smaller_sample_keeps_every_kind_of_address(size: int) -> None:
    sample = (templates() / "sample" / "subscribers.csv").read_bytes()
    header, *rows = thinned(sample, size).decode().splitlines()
    assert header.startswith("email,")
    assert len(rows) == size
    assert any(row.startswith("no-") for row in rows)
    assert any(row.startswith("later-") for row in rows)


def test_the_whole_sample_is_taken_as_it_is() -> None:
    sample = (templates() / "sample" / "subscribers.csv").read_bytes()
    assert thinned(sample, None) == thinned(sample, 5000) == sample
