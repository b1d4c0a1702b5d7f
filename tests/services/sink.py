"""An SMTP server that takes mail and writes down whose, before it says so.

A program of its own, so that it outlives the workers a test kills:
`python -m tests.services.sink --log FILE` prints its port once it listens. One JSON line per
accepted recipient is appended to the log *before* the 250 is sent: what stands there was
delivered, whatever the sender believes. Joined with the ledger it shows copies doubled or lost.

A local part starting with `no-` is refused with 550 5.1.1; one with `later-` gets 451 4.2.1 the
first time. `--drop-before` and `--drop-after` close that share of connections at the final dot,
before and after the line is written: nobody but the log can tell the two apart.
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

_EHLO = (
    b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n"
    b"250-ENHANCEDSTATUSCODES\r\n250-CHUNKING\r\n250 SIZE 52428800\r\n"
)
_PATH = re.compile(rb"^[^<]*<([^>]*)>")
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


@dataclass(kw_only=True)
class Sink:
    """What all connections share: the log, and who was already put off once."""

    log: int
    behaviour: Behaviour = field(default_factory=Behaviour)
    put_off: set[bytes] = field(default_factory=set)

    def write_down(self, sender: bytes, recipients: list[bytes], content: bytes) -> None:
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
        os.write(self.log, ("\n".join(lines) + "\n").encode())

    def judge(self, recipient: bytes) -> bytes:
        """The reply to a RCPT."""
        local = recipient.decode("utf-8", "replace")
        if local.startswith(self.behaviour.refuse):
            return b"550 5.1.1 no such user\r\n"
        if local.startswith(self.behaviour.later) and recipient not in self.put_off:
            self.put_off.add(recipient)
            return b"451 4.2.1 mailbox busy, try again later\r\n"
        return b"250 2.1.5 ok\r\n"


class _Session(asyncio.Protocol):
    """One client. Commands may be pipelined (RFC 2920); a body ends at the lone dot, or where
    BDAT said (RFC 3030)."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._buffer = bytearray()
        self._in_body = False
        self._owed = 0
        self._waiting = False
        self._searched = 0
        self._sender: bytes | None = None
        self._recipients: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(b"220 sink ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._proceed()

    def _proceed(self) -> None:
        while not self._waiting and self._take():
            pass

    def _take(self) -> bool:
        if self._owed:
            return self._take_chunk()
        return self._take_body() if self._in_body else self._take_line()

    def _take_line(self) -> bool:
        end = self._buffer.find(b"\r\n")
        if end < 0:
            return False
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        reply = self._answer(line[:4].upper(), line)
        self._transport.write(reply)
        if reply.startswith(b"221"):
            self._transport.close()
        return True

    def _answer(self, verb: bytes, line: bytes) -> bytes:
        match verb:
            case b"EHLO":
                self._forget()
                return _EHLO
            case b"HELO" | b"RSET":
                self._forget()
                return b"250 2.0.0 ok\r\n"
            case b"MAIL":
                return self._mail(line)
            case b"RCPT":
                return self._rcpt(line)
            case b"DATA":
                return self._data()
            case b"BDAT":
                # No reply before the bytes: they are owed even where nobody is to get them.
                self._owed = int(line.split()[1])
                return b""
            case b"NOOP":
                return b"250 2.0.0 ok\r\n"
            case b"QUIT":
                return b"221 2.0.0 bye\r\n"
        return b"500 5.5.1 what?\r\n"

    def _mail(self, line: bytes) -> bytes:
        found = _PATH.match(line)
        if self._sender is not None or found is None:
            return b"503 5.5.1 nested MAIL, or no path\r\n"
        self._sender = found[1]
        return b"250 2.1.0 ok\r\n"

    def _rcpt(self, line: bytes) -> bytes:
        found = _PATH.match(line)
        if self._sender is None or found is None:
            return b"503 5.5.1 MAIL first, and a path\r\n"
        reply = self._sink.judge(found[1])
        if reply.startswith(b"250"):
            self._recipients.append(found[1])
        return reply

    def _data(self) -> bytes:
        if not self._recipients:
            return b"554 5.5.1 no valid recipients\r\n"
        self._in_body = True
        self._searched = 0
        # The dot is looked for with the line end before it; an empty body starts with the dot.
        self._buffer[:0] = b"\r\n"
        return b"354 go ahead\r\n"

    def _take_body(self) -> bool:
        end = self._buffer.find(b"\r\n.\r\n", self._searched)
        if end < 0:
            self._searched = max(0, len(self._buffer) - 4)
            return False
        content = bytes(self._buffer[2 : end + 2]).replace(b"\r\n..", b"\r\n.")
        del self._buffer[: end + 5]
        self._in_body = False
        self._accept(content)
        return True

    def _take_chunk(self) -> bool:
        """Take all of a message's bytes; each BDAT is expected to be the LAST."""
        if len(self._buffer) < self._owed:
            return False
        content = bytes(memoryview(self._buffer)[: self._owed])
        del self._buffer[: self._owed]
        self._owed = 0
        if self._recipients:
            self._accept(content)
        else:
            self._transport.write(b"554 5.5.1 no valid recipients\r\n")
        return True

    def _accept(self, content: bytes) -> None:
        behaviour, chance = self._sink.behaviour, random.random()
        if chance < behaviour.drop_before:
            self._drop()
            return
        self._sink.write_down(self._sender or b"", self._recipients, content)
        if chance < behaviour.drop_before + behaviour.drop_after:
            self._drop()
            return
        self._forget()
        if behaviour.delay:
            self._waiting = True
            asyncio.get_running_loop().call_later(behaviour.delay, self._confirm)
        else:
            self._transport.write(b"250 2.0.0 taken\r\n")

    def _confirm(self) -> None:
        self._waiting = False
        self._transport.write(b"250 2.0.0 taken\r\n")
        self._proceed()

    def _drop(self) -> None:
        self._waiting = True
        self._transport.abort()

    def _forget(self) -> None:
        self._sender = None
        self._recipients = []


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
        lambda: _Session(sink), "127.0.0.1", port, backlog=512, ssl=tls
    )
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    print(server.sockets[0].getsockname()[1], flush=True)
    await stopped.wait()
    server.close()


def _main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.services.sink")
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--drop-before", type=float, default=0.0)
    parser.add_argument("--drop-after", type=float, default=0.0)
    parser.add_argument("--refuse", default="no-")
    parser.add_argument("--later", default="later-")
    parser.add_argument("--certificate", type=Path)
    options = vars(parser.parse_args())
    port, path, certificate = (options.pop(name) for name in ("port", "log", "certificate"))
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    asyncio.run(_serve(Sink(log=log, behaviour=Behaviour(**options)), port, certificate))


if __name__ == "__main__":
    _main()
