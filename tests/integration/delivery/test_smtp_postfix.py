"""A real Postfix takes what windows carry: each message once, whole, and nothing else."""

from __future__ import annotations

import asyncio
import os
from collections import Counter

import pytest
import uvloop

from mailer.delivery.fleet import Fleet, Flight
from mailer.delivery.model import Intent, Message, Verdict
from mailer.delivery.smtp import Handed
from mailer.settings import RelaySettings, SendingSettings
from tests.services import postfix
from tests.services.process import ServiceMissing

COUNT = 400
#: What an attacker would write, and dots that must come out as they went in.
BODY = b".\r\n..\r\n.dot\r\nMAIL FROM:<ceo@bank.test>\r\n" + b"x" * 70 + b"\r\n"


def kind(number: int) -> str:
    """One in ten is refused, one in ten is put off."""
    return {3: "no-", 7: "later-"}.get(number % 10, "reader-")


def message(number: int) -> Message:
    content = b"Subject: %d\r\nX-Canary: canary-%d\r\n\r\n" % (number, number)
    return Message(
        delivery_id=number,
        envelope_from="b-abc@news.test",
        envelope_to=f"{kind(number)}{number}@example.test",
        content=content + BODY * (1 + number % 50) + b"end of %d\r\n" % number,
    )


def body(content: bytes) -> bytes:
    return content.partition(b"\n\n")[2]


async def handed_over(port: int) -> tuple[dict[int, Handed], set[str]]:
    relay = RelaySettings(port=port, connections=3, messages_per_connection=50)
    fleet = Fleet(relay, SendingSettings(), local_hostname="news.test")
    await fleet.ready()
    ends: dict[int, Handed] = {}
    done = asyncio.Event()
    ways = set()

    def land(flight: Flight, handed: Handed) -> None:
        assert flight.intent.delivery_id not in ends
        ends[flight.intent.delivery_id] = handed
        ways.update(connection.way.value for connection in fleet._connections)
        if len(ends) == COUNT:
            done.set()

    for number in range(COUNT):
        intent = Intent(delivery_id=number, attempt=1)
        fleet.launch(Flight(intent=intent, message=message(number), landed=land))
    async with asyncio.timeout(60):
        await done.wait()
    await fleet.close()
    return ends, ways


@pytest.mark.parametrize(
    ("discarded", "way"),
    [("", "chunked"), ("chunking", "pipelined"), ("chunking, pipelining", "lockstep")],
    ids=["BDAT", "DATA", "step by step"],
)
def test_postfix_takes_each_message_once(discarded: str, way: str) -> None:
    try:
        with postfix.running(discarded=discarded) as server:
            ends, ways = uvloop.run(handed_over(server.port))
            held = server.held()
    except ServiceMissing as exc:
        pytest.fail(str(exc)) if os.environ.get("CI") == "true" else pytest.skip(str(exc))
    wanted = {"no-": Verdict.FAILED, "later-": Verdict.DEFERRED, "reader-": Verdict.SENT}
    assert {n: end.verdict for n, end in ends.items()} == {
        number: wanted[kind(number)] for number in range(COUNT)
    }
    assert all(end.provider_id for end in ends.values() if end.verdict is Verdict.SENT)
    sent = [message(n) for n, end in ends.items() if end.verdict is Verdict.SENT]
    assert Counter(recipient for one in held for recipient in one.recipients) == Counter(
        one.envelope_to for one in sent
    )
    # It adds headers of its own in between.
    bodies = {one.envelope_to: body(one.content.replace(b"\r\n", b"\n")) for one in sent}
    assert {one.recipients[0]: body(one.content) for one in held} == bodies
    for one in held:
        number = one.recipients[0].removeprefix("reader-").partition("@")[0]
        assert b"canary-%s\n" % number.encode() in one.content
    assert ways == {way}
