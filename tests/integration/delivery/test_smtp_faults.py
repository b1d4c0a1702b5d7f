"""Whatever a server does at any moment, the message's verdict is right and nothing is raised."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import uvloop

from mailer.delivery.model import Phase, Verdict
from mailer.delivery.smtp import Handed
from subscribers.reason import Reason
from tests.integration.delivery.wire import message, opened, sent
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

#: More than all socket buffers between two processes hold, so that a part of it must wait.
BIG = b"x" * 70 + b"\r\n"
BIG_BODY = BIG * 200_000


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def loop_factory(request: pytest.FixtureRequest) -> Callable[[], asyncio.AbstractEventLoop]:
    return request.param


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
    "fault 22: refused for now at MAIL": Row(
        script=at("MAIL", b"451 4.3.0 Later\r\n"),
        verdict=DEFERRED,
        phase=Phase.MAIL,
        code=451,
        reason=Reason.SYSTEM,
        reusable=True,
    ),
    "fault 18: lost after MAIL": Row(
        script=at("MAIL", Drop()), verdict=DEFERRED, phase=Phase.MAIL, reason=Reason.NETWORK
    ),
    "fault 18: lost after RCPT": Row(
        script=at("RCPT", b"250 2.1.5 Ok\r\n", Drop()), verdict=DEFERRED, phase=Phase.DATA
    ),
    "fault 18: no reply to RCPT": Row(
        script=at("RCPT", Drop()), verdict=DEFERRED, phase=Phase.RCPT
    ),
    "fault 18: lost with 354": Row(script=at("DATA", Drop()), verdict=DEFERRED, phase=Phase.DATA),
    # A small body is in the server's buffer, dot and all, whether or not it reads on: no one
    # can tell. With a big one the dot is still here.
    "fault 19: lost in a small body": Row(
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
    "fault 19: lost after the dot, not taken": Row(
        script=at("dot", Drop()), verdict=UNKNOWN, phase=Phase.REPLY, reason=Reason.NETWORK
    ),
    "fault 19: lost after the dot, taken": Row(
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
