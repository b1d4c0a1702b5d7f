"""What arrives is what was meant for that person, whole, signed, and nobody else's."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default

import dkim
import pytest
from sqlalchemy import update

from mailer.delivery.model import Verdict
from mailer.settings import RelaySettings, Settings
from subscribers.tables import subscribers
from tests.acceptance.installation import rendering
from tests.integration.delivery import wire
from tests.integration.delivery.conftest import Published, World
from tests.integration.delivery.test_send import QUICK, Plant, over
from tests.services.scripted_smtp import ScriptedServer
from tests.services.sink_session import EXTENSIONS
from tests.services.thread_sink import LOST, Kept, ThreadSink
from tests.unit.delivery.letters import ADA, DATE, composer

PEOPLE = 270
DOMAINS = ("gmail.com", "outlook.com", "yahoo.com", "gmx.de", "example.com")
#: What a name may hold that must mean nothing, in front of what it would like to say.
ENDS = ("\r\n.\r\n", "\n.\n", "\r.\r", "\n.\r\n", "\r\n.\n", "\r\n.\r", "\0\r\n.\r\n", "\r", "\0")
EVIL = "MAIL FROM:<ceo@bank.test>\r\nRCPT TO:<victim@bank.test>\r\nDATA\r\nPay!\r\n.\r\n"


def evil_name(number: int) -> str:
    """A canary behind so many dots that one is the first of a line, wherever lines are cut."""
    return f"canary{number}x{'.' * (number % 80)}{ENDS[number % len(ENDS)]}{EVIL}"


@pytest.fixture(params=[EXTENSIONS, ("8BITMIME",)], ids=["BDAT", "DATA"])
def sink(request: pytest.FixtureRequest) -> Iterator[ThreadSink]:
    made = ThreadSink(extensions=request.param)
    made.start()
    yield made
    made.stop()


def texts(content: bytes) -> str:
    """All that can be read in a message: headers, and bodies decoded."""
    mail = message_from_bytes(content, policy=default)
    bodies = [part.get_content() for part in mail.walk() if not part.is_multipart()]
    return "\n".join([*map(str, mail.values()), *bodies])


@pytest.mark.timeout(240)
def test_a_canary_and_two_signatures_in_every_message(
    world: World, sink: ThreadSink, published: Published
) -> None:
    """In all lanes, over windows and retries, while some connections are lost."""
    world.now = datetime.now(UTC)
    names = [f"canary{n}x@{DOMAINS[n % len(DOMAINS)]}" for n in range(PEOPLE)]
    ids = world.add_people(*names)
    with world.database.write() as session:
        for number, person in enumerate(ids):
            named = update(subscribers).where(subscribers.c.id == person)
            session.execute(named.values(name=evil_name(number).replace("\0", "")))
    for number, name in enumerate(names):
        # Nine in a lane: were there ten, they could come in a row and slow it to one a second.
        if number % 30 == 3:
            sink.tell("RCPT", name, "451 4.3.0 later")
        elif number % 30 == 7:
            sink.tell("dot", name, "452 4.3.1 no space")
        elif number % 90 == 89:
            sink.tell("dot", name, LOST)
    campaign = world.add_campaign(rendering=rendering(1))
    told = Settings(
        database_url=world.database.url,
        relay=RelaySettings(port=sink.port, connections=3),
        sending=QUICK,
        dkim=published.settings,
        inbound_domain="in.example.com",
    )
    with Plant(world, told) as plant:
        plant.wait(over(world, campaign), 60)
    states = Counter(world.states(campaign))
    assert set(states) <= {"sent", "unknown"}
    assert len(sink.kept) >= states["sent"] > PEOPLE / 2
    owners: dict[str, str] = {}
    for one in sink.kept:
        assert one.recipient in names
        assert_its_own(one, owners)
        judge = dkim.DKIM(one.content)
        for number in (0, 1):
            assert judge.verify(idx=number, dnsfunc=published.look_up), one.recipient


def assert_its_own(one: Kept, owners: dict[str, str]) -> None:
    """Nothing in it names, or belongs to, somebody else."""
    own = one.recipient.partition("@")[0]
    text = texts(one.content)
    assert set(re.findall(r"canary\d+x", text)) == {own}
    tokens = re.findall(r"/[uvp]/([\w-]+)", text)
    assert tokens
    message_id = message_from_bytes(one.content, policy=default)["Message-ID"]
    for token in (one.sender, message_id, *tokens):
        assert owners.setdefault(token, own) == own


@pytest.mark.parametrize("lax", [False, True], ids=["strict", "lax"])
@pytest.mark.parametrize("extensions", [(b"CHUNKING", b"PIPELINING"), ()], ids=["BDAT", "DATA"])
def test_values_at_every_seam_smuggle_nothing(lax: bool, extensions: tuple[bytes, ...]) -> None:
    """Dots and line ends of a value, wherever it meets a piece or a line is cut."""
    made = composer()
    person = replace(ADA, attributes={"plan": "pro", "site": "https://x.example/.\r\n.\r\n"})
    messages = [
        made.compose(replace(person, name=evil_name(n), delivery_id=n + 1), date=DATE)
        for n in range(160)
    ]
    server = ScriptedServer(lax=lax, extensions=(b"8BITMIME", b"SMTPUTF8", *extensions))

    async def sent() -> list[Verdict]:
        async with server:
            connection = await wire.opened(server)
            return [(await connection.send(message)).verdict for message in messages]

    assert asyncio.run(sent()) == [Verdict.SENT] * len(messages)
    came = [taken.content for taken in server.taken]
    if not extensions:
        came = [(content + b"\r\n").replace(b"\r\n.", b"\r\n") for content in came]
    assert came == [message.content for message in messages]
    assert not any(b"bank" in line for line in server.lines[0])
