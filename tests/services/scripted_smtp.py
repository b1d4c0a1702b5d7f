"""An SMTP server that misbehaves on demand, and keeps what it was told and what it took.

    async with ScriptedServer({"RCPT": [b"451 4.7.1 Greylisted\r\n"]}) as server:
        ...connect to 127.0.0.1, server.port...
        assert server.taken == []

A script says for each moment (`greeting`, a verb, `body` between 354 or BDAT and the end of the
content, `dot` at that end) what to do the first time, the second time and so on; where it says
nothing the server behaves. A `Usual()` step is what it would do anyway.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import re
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import cast


@dataclass(frozen=True)
class Wait:
    """Do nothing for so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Trickle:
    """Say it byte by byte."""

    words: bytes
    gap: float


@dataclass(frozen=True)
class Read:
    """Read so many bytes of the body."""

    size: int


@dataclass(frozen=True)
class Drop:
    """Cut the connection."""


@dataclass(frozen=True)
class End:
    """Close the sending half and read on."""


@dataclass(frozen=True)
class Hang:
    """Neither read nor write until the client is gone."""


@dataclass(frozen=True)
class Usual:
    """Behave."""


Action = bytes | Wait | Trickle | Read | Drop | End | Hang | Usual
Step = Action | tuple[Action, ...]
Script = Mapping[str, Sequence[Step]]

_NOBODY = b"554 5.5.1 No valid recipients\r\n"
_STRICT_END = re.compile(rb"\r\n\.\r\n")
#: What some servers took for the end of a message (SMTP smuggling).
_LAX_END = re.compile(rb"(\r\n|\n|\r)\.(\r\n|\n|\r)")


@dataclass(kw_only=True)
class Taken:
    """A message that was accepted, with the envelope lines as they came."""

    mail: bytes
    rcpt: list[bytes]
    content: bytes
    tls: bool


class _Gone(Exception):
    """The connection is over."""


class ScriptedServer:
    """Listens on a free port of loopback; one script for each connection, in order.

    `taken` holds the accepted messages; `lines` what each connection said, bodies left out.
    With `careless` it says 354 to DATA though it refused the recipient.
    """

    def __init__(
        self,
        *scripts: Script,
        extensions: tuple[bytes, ...] = (b"PIPELINING", b"SIZE 10000000", b"8BITMIME"),
        tls: ssl.SSLContext | None = None,
        implicit: bool = False,
        login: tuple[str, str] | None = None,
        lax: bool = False,
        careless: bool = False,
    ) -> None:
        self.careless = careless
        self.scripts, self.extensions, self.tls = scripts, extensions, tls
        self.implicit, self.login, self.lax = implicit, login, lax
        self.taken: list[Taken] = []
        self.lines: list[list[bytes]] = []
        self._sessions: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> ScriptedServer:
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", 0, ssl=self.tls if self.implicit else None
        )
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._server.close()
        for session in self._sessions:
            session.cancel()
        await asyncio.gather(*self._sessions, return_exceptions=True)

    def ok(self, content: bytes) -> bytes:
        """What is said to the message that is taken next; `content` is as it came."""
        return b"250 2.0.0 Ok: queued as M%04d\r\n" % (len(self.taken) + 1)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._sessions.add(task)
        script = self.scripts[len(self.lines)] if len(self.lines) < len(self.scripts) else {}
        said: list[bytes] = []
        self.lines.append(said)
        try:
            await _Session(self, script, said, reader, writer).run()
        except (_Gone, OSError, EOFError, asyncio.CancelledError):
            pass
        finally:
            self._sessions.discard(task)
            with suppress(RuntimeError):
                writer.transport.abort()


class _Session:
    """One connection; leaves by raising _Gone."""

    def __init__(
        self,
        server: ScriptedServer,
        script: Script,
        said: list[bytes],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._server, self._said = server, said
        self._reader, self._writer = reader, writer
        self._steps = {moment: list(steps) for moment, steps in script.items()}
        self._buffer = bytearray()
        self._over_tls = server.implicit
        self._mail, self._rcpt = b"", list[bytes]()

    async def run(self) -> None:
        await self._play("greeting", b"220 relay.test ESMTP\r\n")
        while True:
            line = await self._line()
            self._said.append(line)
            await self._answer(line, line.partition(b" ")[0].upper().decode("ascii", "replace"))

    async def _answer(self, line: bytes, verb: str) -> None:
        match verb:
            case "EHLO":
                await self._play(verb, self._hello())
            case "STARTTLS":
                await self._start_tls()
            case "AUTH":
                await self._log_in(line)
            case "MAIL" | "RCPT" | "DATA" | "BDAT":
                await self._transact(line, verb)
            case "QUIT":
                await self._play(verb, b"221 2.0.0 Bye\r\n")
                raise _Gone
            case "RSET":
                self._mail, self._rcpt = b"", []
                await self._play(verb, b"250 2.0.0 Ok\r\n")
            case _:
                await self._play(verb, b"502 5.5.2 What?\r\n")

    async def _transact(self, line: bytes, verb: str) -> None:
        match verb:
            case "MAIL":
                nested = b"503 5.5.1 Nested MAIL\r\n" if self._mail else b""
                if (await self._play(verb, nested or b"250 2.1.0 Ok\r\n")).startswith(b"250"):
                    self._mail, self._rcpt = line, []
            case "RCPT":
                needs_mail = b"" if self._mail else b"503 5.5.1 MAIL first\r\n"
                said = await self._play(verb, needs_mail or b"250 2.1.5 Ok\r\n")
                if said.startswith(b"250"):
                    self._rcpt.append(line)
            case "DATA":
                go_on = b"354 Go on\r\n" if self._rcpt or self._server.careless else _NOBODY
                if (await self._play(verb, go_on)).startswith(b"354"):
                    await self._data()
            case "BDAT":
                await self._bdat(int(line.split()[1]))

    def _hello(self) -> bytes:
        offered = [b"relay.test", *self._server.extensions]
        if self._server.login:
            offered.append(b"AUTH PLAIN LOGIN CRAM-MD5")
        if self._server.tls and not self._over_tls:
            offered.append(b"STARTTLS")
        return b"".join(
            b"250%s%s\r\n" % (b" " if n == len(offered) else b"-", keyword)
            for n, keyword in enumerate(offered, 1)
        )

    async def _data(self) -> None:
        await self._play("body", ())
        await self._judge(await self._until_end())

    async def _bdat(self, size: int) -> None:
        """Read what is owed, whatever becomes of it (RFC 3030 2)."""
        await self._play("body", ())
        while len(self._buffer) < size:
            await self._more()
        content = bytes(self._buffer[:size])
        del self._buffer[:size]
        await self._judge(content)

    async def _judge(self, content: bytes) -> None:
        taken = Taken(mail=self._mail, rcpt=self._rcpt, content=content, tls=self._over_tls)
        step = self._next("dot", self._server.ok(content) if self._rcpt else _NOBODY)
        # Taken is what the server means to keep, whether or not the client hears of it.
        keeps = any(isinstance(part, bytes) and part.startswith(b"250") for part in _parts(step))
        if keeps and self._rcpt:
            self._server.taken.append(taken)
        self._mail, self._rcpt = b"", []
        await self._perform(step)

    async def _until_end(self) -> bytes:
        end = _LAX_END if self._server.lax else _STRICT_END
        # The dot is looked for with the line end before it; an empty body starts with the dot.
        self._buffer[:0] = b"\r\n"
        # Nothing is looked at twice, so that long bodies are read as fast as they come.
        searched = 0
        while not (found := end.search(self._buffer, searched)):
            searched = max(0, len(self._buffer) - 4)
            await self._more()
        body = bytes(self._buffer[2 : found.start()])
        del self._buffer[: found.end()]
        return body

    async def _start_tls(self) -> None:
        said = await self._play("STARTTLS", b"220 2.0.0 Go\r\n")
        if said.startswith(b"220") and self._server.tls is not None:
            await self._writer.start_tls(self._server.tls)
            self._over_tls = True
            self._buffer.clear()

    async def _log_in(self, line: bytes) -> None:
        if "AUTH" in self._steps:
            await self._play("AUTH", b"")
            return
        ok = await self._credentials(line.split())
        await self._perform(b"235 2.7.0 Ok\r\n" if ok else b"535 5.7.8 Bad credentials\r\n")

    async def _credentials(self, words: list[bytes]) -> bool:
        assert self._server.login is not None
        user, password = (part.encode() for part in self._server.login)
        if words[1].upper() == b"PLAIN":
            answer = words[2] if len(words) > 2 else await self._ask(b"")
            return base64.b64decode(answer) == b"\0" + user + b"\0" + password
        if words[1].upper() == b"LOGIN":
            told = words[2] if len(words) > 2 else await self._ask(b"Username:")
            secret = await self._ask(b"Password:")
            return (base64.b64decode(told), base64.b64decode(secret)) == (user, password)
        digest = hmac.new(password, b"<1@relay.test>", hashlib.md5).hexdigest().encode()
        return base64.b64decode(await self._ask(b"<1@relay.test>")) == user + b" " + digest

    async def _ask(self, challenge: bytes) -> bytes:
        await self._perform(b"334 " + base64.b64encode(challenge) + b"\r\n")
        return await self._line()

    def _next(self, moment: str, default: Step) -> Step:
        steps = self._steps.get(moment)
        step = steps.pop(0) if steps else default
        return default if step == Usual() else step

    async def _play(self, moment: str, default: Step) -> bytes:
        return await self._perform(self._next(moment, default))

    async def _perform(self, step: Step) -> bytes:
        """Do it, and return what was said."""
        said = b""
        for part in _parts(step):
            if isinstance(part, bytes):
                said += part
                self._writer.write(part)
                await self._writer.drain()
            else:
                await self._misbehave(part)
        return said

    async def _misbehave(self, action: Action) -> None:
        match action:
            case Trickle():
                for byte in action.words:
                    self._writer.write(bytes([byte]))
                    await asyncio.sleep(action.gap)
            case Wait():
                await asyncio.sleep(action.seconds)
            case Read():
                while len(self._buffer) < action.size:
                    await self._more()
            case Drop():
                raise _Gone
            case End():
                self._writer.write_eof()
            case Hang():
                cast(asyncio.ReadTransport, self._writer.transport).pause_reading()
                await asyncio.sleep(3600)

    async def _line(self) -> bytes:
        while b"\n" not in self._buffer:
            await self._more()
        end = self._buffer.index(b"\n")
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line.rstrip(b"\r")

    async def _more(self) -> None:
        if not (read := await self._reader.read(65_536)):
            raise _Gone
        self._buffer += read


def _parts(step: Step) -> tuple[Action, ...]:
    return step if isinstance(step, tuple) else (step,)
