"""Whatever happens to one message of a window, every message has the verdict that is true.

A server misbehaves at one step of one of four messages that fly together; what it took is the
oracle: sent means one copy, deferred and failed mean none, unknown means one or none.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Sequence
from functools import partial
from itertools import product

import pytest
import uvloop

from mailer.delivery.model import Message, Verdict
from mailer.delivery.smtp import Connection, Handed, Way
from tests.integration.delivery import wire
from tests.integration.delivery.wire import message
from tests.services.scripted_smtp import (
    Drop,
    Hang,
    Read,
    Script,
    ScriptedServer,
    Step,
    Usual,
    Wait,
)

TIMEOUTS = wire.TIMEOUTS.model_copy(update={"command_timeout": 0.4})
opened = partial(wire.opened, timeouts=TIMEOUTS)
SENT, DEFERRED, FAILED, UNKNOWN = Verdict.SENT, Verdict.DEFERRED, Verdict.FAILED, Verdict.UNKNOWN
EXTENSIONS = {
    Way.LOCKSTEP: (b"8BITMIME",),
    Way.PIPELINED: (b"8BITMIME", b"PIPELINING"),
    Way.CHUNKED: (b"8BITMIME", b"PIPELINING", b"CHUNKING"),
}
#: Messages sent one by one before, so that the window has grown; and those that fly together.
WARM, TOGETHER = 4, 4

REPLIES = {
    "RSET": b"250 2.0.0 Ok\r\n",
    "MAIL": b"250 2.1.0 Ok\r\n",
    "RCPT": b"250 2.1.5 Ok\r\n",
    "DATA": b"354 Go on\r\n",
    "dot": b"250 2.0.0 Ok\r\n",
}
GONE = (Wait(0.02), Drop())
#: What goes wrong, and how: given the reply that would be right.
FAULTS: dict[str, Callable[[bytes], Step]] = {
    "451": lambda right: b"451 4.3.0 Later\r\n",
    "550": lambda right: b"550 5.1.1 No such user\r\n",
    "503": lambda right: b"503 5.5.1 Bad sequence\r\n",
    "421": lambda right: (b"421 4.3.2 Shutting down\r\n", *GONE),
    "421 after": lambda right: (right, b"421 4.3.2 Shutting down\r\n", *GONE),
    "lost": lambda right: GONE,
    "lost after": lambda right: (right, *GONE),
    "half": lambda right: (right[:5], *GONE),
    "silent": lambda right: Hang(),
    "garbage": lambda right: b"HTTP/1.1 400 Bad Request\r\n",
    "odd": lambda right: b"354 Go on\r\n" if right.startswith(b"2") else b"250 2.0.0 Ok\r\n",
    "twice": lambda right: right + right,
}
REFUSALS = {"451": DEFERRED, "550": FAILED}


def expected(way: Way, step: str, fault: str) -> tuple[Verdict, Verdict]:
    """The verdicts of the message it happens to, and of those behind it."""
    chunked, at_end = way is Way.CHUNKED, step == "dot"
    cut = UNKNOWN if chunked else DEFERRED
    if step != "RSET" and fault in REFUSALS:
        return REFUSALS[fault], SENT
    if fault == "503" and step != "RSET":
        return DEFERRED, cut
    if fault == "421":
        return DEFERRED, DEFERRED
    if fault == "421 after":
        return (SENT if at_end else DEFERRED), DEFERRED
    if (step, fault) == ("DATA", "lost after"):
        return UNKNOWN, DEFERRED  # the body was written at once
    if at_end and fault in ("lost after", "twice"):
        return SENT, cut
    return (UNKNOWN if at_end else cut), cut


def steps_of(way: Way) -> list[str]:
    return [step for step in REPLIES if (step, way) != ("DATA", Way.CHUNKED)]


CASES = [
    pytest.param(way, step, fault, id=f"{way}-{step}-{fault}")
    for way in (Way.PIPELINED, Way.CHUNKED)
    for step, fault in product(steps_of(way), FAULTS)
]
LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
Loop = Callable[[], asyncio.AbstractEventLoop]


async def fly(connection: Connection, messages: Sequence[Message]) -> list[Handed]:
    """Feed messages as there is room, as a fleet would, until all have landed."""
    waiting, landed = deque(messages), dict[int, Handed]()
    done = asyncio.Event()

    def land(number: int, handed: Handed) -> None:
        assert number not in landed, "landed twice"
        landed[number] = handed
        if len(landed) == len(messages):
            done.set()

    def feed(connection: Connection) -> None:
        while waiting and (connection.room or not connection.usable):
            one = waiting.popleft()
            connection.carry(one, partial(land, one.delivery_id))

    connection.on_change = feed
    feed(connection)
    await asyncio.wait_for(done.wait(), 5)
    return [landed[one.delivery_id] for one in messages]


async def grown(connection: Connection) -> None:
    for number in range(WARM):
        assert (await connection.send(message(100 + number))).verdict is SENT


def copies(server: ScriptedServer) -> Counter[bytes]:
    return Counter(taken.rcpt[0] for taken in server.taken)


def assert_true(server: ScriptedServer, messages: Sequence[Message], ends: list[Handed]) -> None:
    taken = copies(server)
    for one, end in zip(messages, ends, strict=True):
        number = taken[b"RCPT TO:<%s>" % one.envelope_to.encode()]
        assert number in {SENT: {1}, UNKNOWN: {0, 1}}.get(end.verdict, {0}), (one, end)


@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
@pytest.mark.parametrize(("way", "step", "fault"), CASES)
def test_a_fault_at_every_place_of_a_window(way: Way, step: str, fault: str, loop: Loop) -> None:
    async def at_every_place() -> None:
        # The first has no RSET: nothing is open before it.
        first = 1 if step == "RSET" else 0
        places = range(first, TOGETHER)
        await asyncio.gather(*(fault_at(place, way, step, fault) for place in places))

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(at_every_place())


async def fault_at(place: int, way: Way, step: str, fault: str) -> None:
    before = place - 1 if step == "RSET" else WARM + place
    script: Script = {step: [*[Usual()] * before, FAULTS[fault](REPLIES[step])]}
    messages = [message(number) for number in range(TOGETHER)]
    async with ScriptedServer(script, extensions=EXTENSIONS[way]) as server:
        connection = await opened(server)
        await grown(connection)
        ends = await fly(connection, messages)
        await asyncio.sleep(0.05)  # for what the server takes without telling
        connection.abort("the test is over")
    assert_true(server, messages, ends)
    its, behind = expected(way, step, fault)
    wanted = [SENT] * place + [its] + [behind] * (TOGETHER - place - 1)
    assert [end.verdict for end in ends] == wanted, place
    assert all(end.text for end in ends)


@pytest.mark.parametrize("way", [Way.PIPELINED, Way.CHUNKED])
@pytest.mark.parametrize("careless", [False, True])
def test_refused_recipients_leave_their_neighbours_alone(way: Way, careless: bool) -> None:
    """After a refused RCPT: 554, or a 354 that a lone dot answers, or bytes that are owed."""
    refused = b"550 5.1.1 No such user\r\n"
    script: Script = {"RCPT": [*[Usual()] * WARM, *[refused, Usual()] * 8]}
    server = ScriptedServer(script, extensions=EXTENSIONS[way], careless=careless)
    messages = [message(number) for number in range(16)]

    async def flown() -> list[Handed]:
        async with server:
            connection = await opened(server)
            await grown(connection)
            ends = await fly(connection, messages)
            await connection.close()
        return ends

    ends = asyncio.run(flown())
    assert [end.verdict for end in ends] == [FAILED, SENT] * 8
    assert all(end.hard for end in ends[::2])
    assert_true(server, messages, ends)
    assert len(server.lines) == 1


BIG_BODY = (b"x" * 70 + b"\r\n") * 150_000


@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
@pytest.mark.parametrize(
    ("step", "verdicts"),
    [
        pytest.param((Read(100_000), *GONE), [DEFERRED] * 3, id="lost"),
        pytest.param((Read(100_000), b"421 4.3.2 Bye\r\n", Hang()), [DEFERRED] * 3, id="421"),
        pytest.param((Read(100_000), b"250 2.0.0 Ok\r\n", Hang()), [DEFERRED] * 3, id="250"),
        pytest.param(Hang(), [DEFERRED] * 3, id="stops reading"),
    ],
)
def test_what_has_certainly_not_left_is_deferred(
    step: Step, verdicts: list[Verdict], loop: Loop
) -> None:
    script: Script = {"body": [*[Usual()] * WARM, step]}
    server = ScriptedServer(script, extensions=EXTENSIONS[Way.CHUNKED])
    messages = [message(number, BIG_BODY) for number in range(3)]

    async def flown() -> list[Handed]:
        async with server:
            connection = await opened(server)
            await grown(connection)
            return await fly(connection, messages)

    with asyncio.Runner(loop_factory=loop) as runner:
        ends = runner.run(flown())
    assert [end.verdict for end in ends] == verdicts
    assert copies(server).total() == WARM


def test_the_bytes_of_a_bdat_refused_early_are_still_owed() -> None:
    early = (Read(100_000), b"552 5.3.4 Too big\r\n")
    # The reply is given early, so that none comes at the end.
    script: Script = {"body": [early], "dot": [()]}
    server = ScriptedServer(script, extensions=EXTENSIONS[Way.CHUNKED])
    patient = TIMEOUTS.model_copy(update={"command_timeout": 5.0})

    async def flown() -> list[Handed]:
        async with server:
            connection = await wire.opened(server, patient)
            return [await connection.send(message(n, BIG_BODY)) for n in range(2)]

    ends = asyncio.run(flown())
    assert [end.verdict for end in ends] == [FAILED, SENT]
    assert len(server.lines) == 1
    assert server.lines[0][4] == b"RSET"


def test_a_window_grows_on_250_and_collapses_on_trouble() -> None:
    script: Script = {"RCPT": [*[Usual()] * 5, b"451 4.3.0 Later\r\n"]}
    server = ScriptedServer(script, extensions=EXTENSIONS[Way.CHUNKED])

    async def rooms() -> list[int]:
        async with server:
            connection = await opened(server)
            seen = [connection.room]
            for number in range(7):
                await connection.send(message(number))
                seen.append(connection.room)
            await fly(connection, [message(100 + number) for number in range(50)])
            return [*seen, connection.room]

    assert asyncio.run(rooms()) == [1, 2, 3, 4, 5, 6, 1, 2, 32]


def test_one_write_carries_whole_messages_and_the_next_envelope() -> None:
    """The server sees what RFC 2920 and RFC 3030 allow, in their order."""
    seen = {}
    for way in Way:
        server = ScriptedServer(extensions=EXTENSIONS[way])

        async def flown(server: ScriptedServer = server) -> None:
            async with server:
                connection = await opened(server)
                await fly(connection, [message(number) for number in range(3)])
                await connection.close()

        asyncio.run(flown())
        seen[way] = [line.split()[0].decode() for line in server.lines[0]]
    assert seen == {
        Way.LOCKSTEP: ["EHLO", *["MAIL", "RCPT", "DATA"] * 3, "QUIT"],
        # The window begins at one: the second knows how the first ended, the third does not.
        Way.PIPELINED: [
            *["EHLO", *["MAIL", "RCPT", "DATA"] * 2],
            *["RSET", "MAIL", "RCPT", "DATA", "QUIT"],
        ],
        Way.CHUNKED: [
            *["EHLO", *["MAIL", "RCPT", "BDAT"] * 2],
            *["RSET", "MAIL", "RCPT", "BDAT", "QUIT"],
        ],
    }


def test_a_counted_body_is_never_stuffed_and_can_t_smuggle() -> None:
    evil = b"Hello\r\n.\r\nMAIL FROM:<ceo@bank.test>\r\n.\n..\r\nBDAT 1 LAST\r\n"
    server = ScriptedServer(extensions=EXTENSIONS[Way.CHUNKED])
    messages = [message(number, evil) for number in range(8)]

    async def flown() -> list[Handed]:
        async with server:
            return await fly(await opened(server), messages)

    ends = asyncio.run(flown())
    assert [end.verdict for end in ends] == [SENT] * 8
    assert [taken.content for taken in server.taken] == [one.content for one in messages]
    assert not any(b"bank" in line for line in server.lines[0])


def test_a_server_that_does_not_know_the_bdat_it_offers_fails_nobody() -> None:
    script: Script = {"dot": [b"502 5.5.1 Command not implemented\r\n"]}
    server = ScriptedServer(script, extensions=EXTENSIONS[Way.CHUNKED])

    async def sent() -> tuple[Handed, bool]:
        async with server:
            connection = await opened(server)
            return await connection.send(message(1)), connection.odd

    end, odd = asyncio.run(sent())
    assert (end.verdict, end.code, end.hard, odd) == (DEFERRED, 502, False, True)
