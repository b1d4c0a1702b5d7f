"""Whatever a server does at any moment, the message's verdict is right and nothing is raised."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import pytest
import uvloop

from mailer.delivery.model import Message, Phase, Verdict
from mailer.delivery.smtp import Connection, Handed
from mailer.settings import RelaySettings, SendingSettings
from subscribers.reason import Reason
from tests.services.scripted_smtp import (
    Drop,
    End,
    Hang,
    Read,
    Script,
    ScriptedServer,
    Step,
    Trickle,
    Wait,
)

_T = TypeVar("_T")

TIMEOUTS = SendingSettings(connect_timeout=2.0, command_timeout=0.3, reply_timeout=0.6)
#: More than all socket buffers between two processes hold, so that a part of it must wait.
BIG = b"x" * 70 + b"\r\n"
BIG_BODY = BIG * 200_000


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def loop_factory(request: pytest.FixtureRequest) -> Callable[[], asyncio.AbstractEventLoop]:
    return request.param


def message(number: int = 1, *, body: bytes = b"Hello.\r\n") -> Message:
    return Message(
        delivery_id=number,
        envelope_from="b-abc@news.test",
        envelope_to=f"reader{number}@example.test",
        content=b"Subject: %d\r\n\r\n" % number + body,
    )


async def opened(server: ScriptedServer, timeouts: SendingSettings = TIMEOUTS) -> Connection:
    relay = RelaySettings(host="127.0.0.1", port=server.port)
    return await Connection.open(relay, timeouts, local_hostname="news.test")


async def sent(server: ScriptedServer, *, body: bytes = b"Hello.\r\n") -> Handed:
    async with server:
        connection = await opened(server)
        handed = await connection.send(message(body=body))
        assert connection.usable is handed.reusable
        await connection.close()
        # What a server took after the client had given up would be the second copy.
        await asyncio.sleep(0.05)
    return handed


@dataclass(frozen=True, kw_only=True)
class Row:
    script: Script
    verdict: Verdict
    phase: Phase
    code: int = 0
    reason: Reason | None = None
    reusable: bool = False
    copies: int = 0
    body: bytes = b"Hello.\r\n"


def at(moment: str, *step: Step) -> Script:
    return {moment: [tuple(part for one in step for part in _flat(one))]}


def _flat(step: Step) -> tuple:
    return step if isinstance(step, tuple) else (step,)


SENT, DEFERRED, FAILED, UNKNOWN = Verdict.SENT, Verdict.DEFERRED, Verdict.FAILED, Verdict.UNKNOWN
ROWS = {
    "all well": Row(script={}, verdict=SENT, phase=Phase.REPLY, code=250, reusable=True, copies=1),
    "many lines": Row(
        script={
            "MAIL": [b"250-2.1.0 Sender\r\n250-2.1.0 looks\r\n250 2.1.0 fine\r\n"],
            "DATA": [b"354-Go\r\n354 on\r\n"],
        },
        verdict=SENT,
        phase=Phase.REPLY,
        code=250,
        reusable=True,
        copies=1,
    ),
    "fault 1: refused for now at MAIL": Row(
        script=at("MAIL", b"451 4.3.0 Later\r\n"),
        verdict=DEFERRED,
        phase=Phase.MAIL,
        code=451,
        reason=Reason.SYSTEM,
        reusable=True,
    ),
    "fault 2: lost after MAIL": Row(
        script=at("MAIL", Drop()), verdict=DEFERRED, phase=Phase.MAIL, reason=Reason.NETWORK
    ),
    "fault 3: lost after RCPT": Row(
        script=at("RCPT", b"250 2.1.5 Ok\r\n", Drop()), verdict=DEFERRED, phase=Phase.DATA
    ),
    "fault 3: no reply to RCPT": Row(script=at("RCPT", Drop()), verdict=DEFERRED, phase=Phase.RCPT),
    "fault 4: lost with 354": Row(script=at("DATA", Drop()), verdict=DEFERRED, phase=Phase.DATA),
    # A small body is in the server's buffer, dot and all, whether or not it reads on: no one
    # can tell. With a big one the dot is still here.
    "fault 5: lost in a small body": Row(
        script=at("body", Read(3), Drop()), verdict=UNKNOWN, phase=Phase.REPLY
    ),
    "fault 18: lost in a big body, before the dot": Row(
        script=at("body", Read(100_000), Drop()),
        verdict=DEFERRED,
        phase=Phase.BODY,
        body=BIG_BODY,
    ),
    "fault 18: half closed in a big body": Row(
        script=at("body", Read(100_000), End()),
        verdict=DEFERRED,
        phase=Phase.BODY,
        body=BIG_BODY,
    ),
    "fault 6, 19: lost after the dot, not taken": Row(
        script=at("dot", Drop()), verdict=UNKNOWN, phase=Phase.REPLY, reason=Reason.NETWORK
    ),
    "fault 6, 19: lost after the dot, taken": Row(
        script=at("dot", Drop(), b"250 2.0.0 never said\r\n"),
        verdict=UNKNOWN,
        phase=Phase.REPLY,
        copies=1,
    ),
    "fault 19: half a reply to the dot": Row(
        script=at("dot", b"250 2.0.0 Ok: que", Drop()),
        verdict=UNKNOWN,
        phase=Phase.REPLY,
        copies=1,
    ),
    "fault 17: 421 in the middle of DATA": Row(
        script=at("body", Read(3), b"421 4.3.2 Shutting down\r\n", Drop()),
        verdict=DEFERRED,
        phase=Phase.REPLY,
        code=421,
    ),
    "fault 17: 421 in the middle of a big body": Row(
        script=at("body", Read(100_000), b"421 4.3.2 Shutting down\r\n", Hang()),
        verdict=DEFERRED,
        phase=Phase.BODY,
        code=421,
        body=BIG_BODY,
    ),
    "fault 17: 421 to the dot": Row(
        script=at("dot", b"421 4.3.2 Shutting down\r\n", Drop()),
        verdict=DEFERRED,
        phase=Phase.REPLY,
        code=421,
    ),
    "fault 17: 421 to RCPT": Row(
        script=at("RCPT", b"421 4.7.0 Too many connections\r\n"),
        verdict=DEFERRED,
        phase=Phase.RCPT,
        code=421,
        reason=Reason.RATE,
    ),
    "552 in the middle of a big body": Row(
        script=at("body", Read(100_000), b"552 5.3.4 Message too big\r\n", Hang()),
        verdict=FAILED,
        phase=Phase.BODY,
        code=552,
        reason=Reason.TOO_BIG,
        body=BIG_BODY,
    ),
    "fault 20: 250 comes late": Row(
        script=at("dot", Wait(0.45), b"250 2.0.0 Ok\r\n"),
        verdict=SENT,
        phase=Phase.REPLY,
        code=250,
        reusable=True,
        copies=1,
    ),
    "fault 20: 250 comes too late": Row(
        script=at("dot", Wait(0.8), b"250 2.0.0 Ok\r\n"),
        verdict=UNKNOWN,
        phase=Phase.REPLY,
        copies=1,
    ),
    "fault 21: silence after MAIL": Row(
        script=at("MAIL", Hang()), verdict=DEFERRED, phase=Phase.MAIL
    ),
    "fault 21: a trickled reply": Row(
        script=at("RCPT", Trickle(b"250 2.1.5 Ok, at last, it took a while\r\n", 0.03)),
        verdict=DEFERRED,
        phase=Phase.RCPT,
    ),
    "fault 21: silence after DATA": Row(
        script=at("DATA", Hang()), verdict=DEFERRED, phase=Phase.DATA
    ),
    "fault 21: stops reading": Row(
        script=at("body", Hang()), verdict=DEFERRED, phase=Phase.BODY, body=BIG_BODY
    ),
    "fault 22: greylisted": Row(
        script=at("RCPT", b"450 4.2.0 <reader1@example.test>: Greylisted, wait\r\n"),
        verdict=DEFERRED,
        phase=Phase.RCPT,
        code=450,
        reason=Reason.GREYLISTED,
        reusable=True,
    ),
    "fault 22: 452 to the dot": Row(
        script=at("dot", b"452 4.3.1 Insufficient system storage\r\n"),
        verdict=DEFERRED,
        phase=Phase.REPLY,
        code=452,
        reason=Reason.SYSTEM,
        reusable=True,
    ),
    "fault 24: garbage for a reply": Row(
        script=at("MAIL", b"HTTP/1.1 400 Bad Request\r\n"), verdict=DEFERRED, phase=Phase.MAIL
    ),
    "fault 24: two codes in one reply": Row(
        script=at("RCPT", b"250-Ok\r\n550 no\r\n"), verdict=DEFERRED, phase=Phase.RCPT
    ),
    "fault 24: garbage for the last reply": Row(
        script=at("dot", b"\x00\xff\xfe\r\n"), verdict=UNKNOWN, phase=Phase.REPLY
    ),
    "fault 24: a reply too many before DATA": Row(
        script=at("RCPT", b"250 Ok\r\n250 Ok again\r\n"), verdict=DEFERRED, phase=Phase.DATA
    ),
    "fault 24: a 250 before the dot": Row(
        script=at("DATA", b"354 Go\r\n250 Ok, have it\r\n"), verdict=DEFERRED, phase=Phase.BODY
    ),
    "fault 24: 250 in the middle of a big body": Row(
        script=at("body", Read(100_000), b"250 2.0.0 Ok\r\n", Hang()),
        verdict=DEFERRED,
        phase=Phase.BODY,
        code=250,
        body=BIG_BODY,
    ),
    "fault 24: 250 for DATA": Row(
        script=at("DATA", b"250 Ok\r\n"), verdict=DEFERRED, phase=Phase.DATA, code=250
    ),
    "fault 24: 354 for MAIL": Row(
        script=at("MAIL", b"354 Go\r\n"), verdict=DEFERRED, phase=Phase.MAIL, code=354
    ),
    "fault 24: 354 to the dot": Row(
        script=at("dot", b"354 Go\r\n"), verdict=UNKNOWN, phase=Phase.REPLY, code=354
    ),
    "fault 24: a line without end": Row(
        script=at("RCPT", b"250 " + b"a" * 100_000), verdict=DEFERRED, phase=Phase.RCPT
    ),
    "fault 24: a reply without end": Row(
        script=at("RCPT", b"250-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n" * 10_000),
        verdict=DEFERRED,
        phase=Phase.RCPT,
    ),
    "no such user": Row(
        script=at("RCPT", b"550 5.1.1 <reader1@example.test>: User unknown\r\n"),
        verdict=FAILED,
        phase=Phase.RCPT,
        code=550,
        reason=Reason.NO_SUCH_USER,
        reusable=True,
    ),
    "spam": Row(
        script=at("dot", b"554 5.7.1 This looks like spam\r\n"),
        verdict=FAILED,
        phase=Phase.REPLY,
        code=554,
        reason=Reason.SPAM,
        reusable=True,
    ),
    "no valid recipients": Row(
        script=at("DATA", b"554 5.5.1 No valid recipients\r\n"),
        verdict=DEFERRED,
        phase=Phase.DATA,
        code=554,
        reason=Reason.PROTOCOL,
    ),
    "bad sequence": Row(
        script=at("MAIL", b"503 Nested MAIL\r\n"),
        verdict=DEFERRED,
        phase=Phase.MAIL,
        code=503,
        reason=Reason.PROTOCOL,
    ),
    "our relay wants a login": Row(
        script=at("MAIL", b"530 5.7.0 Authentication required\r\n"),
        verdict=DEFERRED,
        phase=Phase.MAIL,
        code=530,
        reason=Reason.RELAY,
        reusable=True,
    ),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_each_end_has_its_verdict(
    row: Row, loop_factory: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    server = ScriptedServer(row.script, extensions=(b"8BITMIME",))
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        handed = runner.run(sent(server, body=row.body))
    assert (handed.verdict, handed.phase, handed.code) == (row.verdict, row.phase, row.code)
    assert handed.reusable is row.reusable
    assert row.reason in (None, handed.reason)
    assert len(server.taken) == row.copies
    assert "reader1" not in handed.text
    if handed.verdict is not SENT:
        assert handed.text


def test_a_message_after_a_refused_one_begins_with_rset() -> None:
    server = ScriptedServer({"RCPT": [b"550 5.1.1 No such user\r\n"]})

    async def two() -> list[Handed]:
        async with server:
            connection = await opened(server)
            ends = [await connection.send(message(n)) for n in (1, 2, 3)]
            await connection.close()
        return ends

    ends = asyncio.run(two())
    assert [end.verdict for end in ends] == [FAILED, SENT, SENT]
    assert [end.provider_id for end in ends] == [None, "M0001", "M0002"]
    assert server.lines[0].count(b"RSET") == 1
    assert [b"reader2" in taken.rcpt[0] for taken in server.taken] == [True, False]
    assert server.lines[0][-1] == b"QUIT"


def test_a_late_refusal_is_never_taken_for_the_next_message_s() -> None:
    """The server answers the dot twice: the second must not fail the copy of somebody else."""
    twice = b"554 5.7.1 Refused\r\n554 5.7.1 Refused, I said\r\n"
    server = ScriptedServer({"dot": [twice]})

    async def two() -> list[Handed]:
        async with server:
            connection = await opened(server)
            return [await connection.send(message(n)) for n in (1, 2)]

    assert [end.verdict for end in asyncio.run(two())] == [FAILED, DEFERRED]


def test_a_goodbye_between_messages_defers_the_next_with_its_words() -> None:
    server = ScriptedServer(
        {"dot": [(b"250 2.0.0 Ok\r\n", Wait(0.05), b"421 4.4.2 Timeout\r\n", Drop())]}
    )

    async def two() -> tuple[Handed, bool, Handed]:
        async with server:
            connection = await opened(server)
            first = await connection.send(message(1))
            await asyncio.sleep(0.15)
            usable = connection.usable
            return first, usable, await connection.send(message(2))

    first, usable, second = asyncio.run(two())
    assert first.verdict is SENT
    assert usable is False
    assert (second.verdict, second.code, second.reusable) == (DEFERRED, 421, False)


def test_cancelling_drops_the_connection() -> None:
    server = ScriptedServer({"MAIL": [Hang()]})

    async def cancelled() -> bool:
        async with server:
            connection = await opened(server)
            sending = asyncio.create_task(connection.send(message()))
            await asyncio.sleep(0.05)
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
            return connection.usable

    assert asyncio.run(cancelled()) is False


def test_closing_is_bounded_where_the_server_says_no_goodbye(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mailer.delivery.smtp.connection.QUIT_SECONDS", 0.2)
    server = ScriptedServer({"QUIT": [Hang()]})

    async def closed() -> float:
        async with server:
            connection = await opened(server)
            begun = connection.age
            await connection.close()
            return connection.age - begun

    assert asyncio.run(closed()) < 1.0


SMUGGLED = {
    "LF.LF": b"\n.\n",
    "LF.CRLF": b"\n.\r\n",
    "CRLF.LF": b"\r\n.\n",
    "CR.CR": b"\r.\r",
    "CR.LF": b"\r.\n",
    "CR.CRLF": b"\r.\r\n",
    "LF.CR": b"\n.\r",
    "CRLF.CR": b"\r\n.\r",
    "CRLF.CRLF": b"\r\n.\r\n",
}
EVIL = b"MAIL FROM:<ceo@bank.test>\r\nRCPT TO:<victim@x.test>\r\nDATA\r\nPay!\r\n.\r\n"


@pytest.mark.parametrize("lax", [False, True], ids=["strict", "lax"])
@pytest.mark.parametrize("end", SMUGGLED.values(), ids=SMUGGLED)
def test_a_body_can_t_smuggle_a_second_message(end: bytes, lax: bool) -> None:
    server = ScriptedServer(lax=lax)
    handed = asyncio.run(sent(server, body=b"Hello" + end + EVIL))
    assert handed.verdict is SENT
    assert len(server.taken) == 1
    assert not any(b"bank" in line for line in server.lines[0])


@pytest.mark.parametrize(
    "end", [b"no line end", b".\r\n", b"\r\n..\r\n.", b""], ids=["none", "dot", "dots", "empty"]
)
def test_dots_come_out_as_they_went_in(end: bytes) -> None:
    server = ScriptedServer()
    handed = asyncio.run(sent(server, body=b".one\r\n..two\r\n" + end))
    assert handed.verdict is SENT
    unstuffed = (server.taken[0].content + b"\r\n").replace(b"\r\n.", b"\r\n")
    expected = b"Subject: 1\r\n\r\n.one\r\n..two\r\n" + end
    assert unstuffed == (expected if expected.endswith(b"\r\n") else expected + b"\r\n")


ATTACKS = {
    "CRLF": "a@x.test>\r\nRCPT TO:<b@x.test",
    "LF": "a\n@x.test",
    "CR": "a\r@x.test",
    "NUL": "a\0@x.test",
    "AUTH parameter": "a@x.test> AUTH=<root@x.test",
    "blank": "a b@x.test",
    "next line": "a\x85@x.test",
    "line separator": "a\u2028@x.test",
    "surrogate": "a\udc80@x.test",
    "backslash": "a@x.test\\",
    "quoted": '"a b"@x.test',
    "no at": "root",
    "empty": "",
    "endless": "a" * 300 + "@x.test",
}


@pytest.mark.parametrize(
    ("field", "address"),
    [
        pytest.param(field, address, id=f"{field}-{name}")
        for field in ("envelope_to", "envelope_from")
        for name, address in ATTACKS.items()
        # The empty sender is legal: bounces have it.
        if (field, address) != ("envelope_from", "")
    ],
)
def test_an_address_can_t_say_anything_else(field: str, address: str) -> None:
    server = ScriptedServer()
    envelope = {"envelope_from": "me@news.test", "envelope_to": "you@x.test", field: address}

    async def attempt() -> tuple[Handed, Handed]:
        async with server:
            connection = await opened(server)
            evil = Message(delivery_id=1, content=b"Subject: x\r\n\r\n", **envelope)
            return await connection.send(evil), await connection.send(message(2))

    evil, next_one = asyncio.run(attempt())
    assert evil.verdict is FAILED
    assert evil.reason in (Reason.BAD_ADDRESS, Reason.PROTOCOL)
    assert evil.hard is False
    assert evil.text
    assert next_one.verdict is SENT
    assert [line.split()[0] for line in server.lines[0]] == [b"EHLO", b"MAIL", b"RCPT", b"DATA"]


def test_what_the_relay_can_t_take_is_refused_before_a_byte() -> None:
    server = ScriptedServer(extensions=(b"SIZE 100",))
    big = message(body=b"x" * 200 + b"\r\n")
    utf8 = Message(
        delivery_id=1,
        envelope_from="me@news.test",
        envelope_to="用户@例子.test",
        content=b"Subject: x\r\n\r\n",
        smtputf8=True,
    )
    bits = message(body="ü\r\n".encode())

    async def attempt() -> list[Handed]:
        async with server:
            connection = await opened(server)
            return [await connection.send(one) for one in (big, utf8, bits)]

    ends = asyncio.run(attempt())
    assert [end.verdict for end in ends] == [FAILED] * 3
    assert [end.reason for end in ends] == [
        Reason.TOO_BIG,
        Reason.BAD_ADDRESS,
        Reason.PROTOCOL,
    ]
    assert "SMTPUTF8" in ends[1].text
    assert all(end.reusable for end in ends)
    assert [line.split()[0] for line in server.lines[0]] == [b"EHLO"]


def test_smtputf8_is_asked_for_where_it_is_offered() -> None:
    server = ScriptedServer(extensions=(b"SMTPUTF8", b"8BITMIME", b"SIZE"))
    utf8 = Message(
        delivery_id=1,
        envelope_from="",
        envelope_to="用户@例子.test",
        content="Subject: ü\r\n\r\n".encode(),
        smtputf8=True,
    )

    async def attempt() -> Handed:
        async with server:
            return await (await opened(server)).send(utf8)

    assert asyncio.run(attempt()).verdict is SENT
    size = len(utf8.content)
    assert server.taken[0].mail == f"MAIL FROM:<> SIZE={size} BODY=8BITMIME SMTPUTF8".encode()
    assert server.taken[0].rcpt == ["RCPT TO:<用户@例子.test>".encode()]
