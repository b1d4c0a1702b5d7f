"""The child process that turns MJML into HTML, kept warm between renderings.

It holds no secret, opens no file and no socket, and may crash: the next rendering starts another.
"""

from __future__ import annotations

import atexit
import contextlib
import subprocess
import sys
import threading
from pathlib import Path

from mailer.errors import RenderingFailed
from mailer.render.wire import receive, send

#: Wall-clock seconds one rendering may take, the start of the process included.
DEADLINE = 30.0
_ROOT = Path(__file__).resolve().parents[2]


class Child:
    """One warm process; used by one thread at a time."""

    def __init__(self, *, deadline: float = DEADLINE) -> None:
        self._deadline = deadline
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def transform(self, mjml: str, css: str, title: str) -> str:
        """HTML with inlined CSS; see `mailer.render.html.transform`.

        Raises RenderingFailed also when the process crashed or took longer than the deadline.
        """
        with self._lock:
            answer = self._ask({"mjml": mjml, "css": css, "title": title})
        if "html" not in answer:
            raise RenderingFailed(answer.get("error"))
        return answer["html"]

    def close(self) -> None:
        """End the process, if it runs."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        for stream in (process.stdin, process.stdout):
            if stream:
                # What was written to a process that has died can't be flushed.
                with contextlib.suppress(OSError):
                    stream.close()
        process.wait()

    def _ask(self, job: dict[str, str]) -> dict[str, str]:
        process = self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        expired = threading.Event()

        def expire() -> None:
            expired.set()
            process.kill()

        timer = threading.Timer(self._deadline, expire)
        timer.daemon = True
        timer.start()
        answer: dict[str, str] | None
        try:
            send(process.stdin, job)
            answer = receive(process.stdout)
        except OSError:
            answer = None
        finally:
            timer.cancel()
        if answer is None:
            self.close()
            why = "took too long" if expired.is_set() else "crashed"
            raise RenderingFailed(f"rendering {why}; make the issue simpler or shorter")
        return answer

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is not None:
            self.close()
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "mailer.render.html"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                # Nothing of our own environment: there may be secrets in it.
                env={"PYTHONPATH": str(_ROOT)},
                cwd=_ROOT,
            )
        return self._process


_shared = Child()
atexit.register(_shared.close)


def transform(mjml: str, css: str, title: str) -> str:
    """`Child.transform` in the process that this process keeps for it."""
    return _shared.transform(mjml, css, title)
