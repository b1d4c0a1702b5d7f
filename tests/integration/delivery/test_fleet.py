"""Connections open when there is work, are kept fed, wear out, rest and close."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from mailer.delivery import fleet as fleet_module
from mailer.delivery.fleet import Fleet, Flight
from mailer.delivery.model import Intent, Message, Phase, Verdict
from mailer.delivery.smtp import Handed
from mailer.errors import RelayUnreachable
from mailer.settings import RelaySettings, SendingSettings
from tests.services.process import free_port
from tests.services.scripted_smtp import Drop, Hang, Script, ScriptedServer, Wait

TIMEOUTS = SendingSettings(connect_timeout=1.0, command_timeout=0.5, reply_timeout=0.8)
CHUNKING = (b"PIPELINING", b"CHUNKING", b"8BITMIME")
SLOW = Wait(0.02)
SENT, DEFERRED, UNKNOWN = Verdict.SENT, Verdict.DEFERRED, Verdict.UNKNOWN


class Launched:
    """Flights of one fleet, and how they ended."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.ends: dict[int, Handed] = {}
        self.wanted = 0
        self._landed = asyncio.Event()

    def launch(self, count: int) -> None:
        for _ in range(count):
            self.wanted += 1
            self.fleet.launch(
                Flight(
                    intent=Intent(delivery_id=self.wanted, attempt=1),
                    message=Message(
                        delivery_id=self.wanted,
                        envelope_from="me@news.test",
                        envelope_to=f"reader{self.wanted}@example.test",
                        content=b"Subject: x\r\n\r\nHello.\r\n",
                        dot_free=True,
                    ),
                    landed=self._land,
                )
            )

    def _land(self, flight: Flight, handed: Handed) -> None:
        assert flight.intent.delivery_id not in self.ends, "landed twice"
        self.ends[flight.intent.delivery_id] = handed
        self._landed.set()

    async def all(self) -> Counter[Verdict]:
        async with asyncio.timeout(10):
            while len(self.ends) < self.wanted:
                self._landed.clear()
                await self._landed.wait()
        return Counter(end.verdict for end in self.ends.values())


def fleet_to(port: int, **relay: int) -> Fleet:
    settings = RelaySettings(host="127.0.0.1", port=port, **relay)
    return Fleet(settings, TIMEOUTS, local_hostname="news.test")


def mails(server: ScriptedServer) -> list[int]:
    """How many messages each connection carried."""
    return [sum(line.startswith(b"MAIL") for line in lines) for lines in server.lines]


def test_connections_open_with_the_work_and_rotate() -> None:
    async def flown() -> Counter[Verdict]:
        async with ScriptedServer(extensions=CHUNKING) as server:
            fleet = fleet_to(server.port, connections=3, messages_per_connection=20)
            await fleet.ready()
            launched = Launched(fleet)
            launched.launch(200)
            verdicts = await launched.all()
            await fleet.close()
        carried = mails(server)
        assert sum(carried) == 200
        assert max(carried) == 20
        assert len(carried) >= 10
        assert all(lines[-1] == b"QUIT" for lines in server.lines)
        assert len({taken.rcpt[0] for taken in server.taken}) == 200
        return verdicts

    assert asyncio.run(flown()) == {SENT: 200}


def test_one_message_needs_one_connection() -> None:
    async def flown() -> list[int]:
        async with ScriptedServer(extensions=CHUNKING) as server:
            fleet = fleet_to(server.port, connections=8)
            await fleet.ready()
            launched = Launched(fleet)
            for _ in range(5):
                launched.launch(1)
                await launched.all()
            await fleet.close()
        return mails(server)

    assert asyncio.run(flown()) == [5]


def test_an_old_connection_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet_module, "OLDEST_SECONDS", 0.1)

    async def flown() -> list[int]:
        async with ScriptedServer(extensions=CHUNKING) as server:
            fleet = fleet_to(server.port, connections=1)
            launched = Launched(fleet)
            await fleet.ready()
            launched.launch(2)
            await launched.all()
            await asyncio.sleep(0.15)
            launched.launch(2)
            assert await launched.all() == {SENT: 4}
            await fleet.close()
        return mails(server)

    assert asyncio.run(flown()) == [2, 2]


def test_an_idle_connection_says_goodbye(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet_module, "IDLE_SECONDS", 0.1)

    async def flown() -> list[bytes]:
        async with ScriptedServer(extensions=CHUNKING) as server:
            fleet = fleet_to(server.port)
            await fleet.ready()
            await asyncio.sleep(0.4)
            said = [*server.lines[0]]
            await fleet.close()
        return said

    assert asyncio.run(flown())[-1] == b"QUIT"


def test_a_relay_that_hung_up_between_messages_costs_nobody_a_try() -> None:
    async def flown() -> list[int]:
        script: Script = {"dot": [(b"250 2.0.0 Ok\r\n", Wait(0.05), Drop())]}
        async with ScriptedServer(script, extensions=CHUNKING) as server:
            fleet = fleet_to(server.port, connections=1)
            await fleet.ready()
            launched = Launched(fleet)
            launched.launch(1)
            await launched.all()
            await asyncio.sleep(0.15)
            launched.launch(1)
            assert await launched.all() == {SENT: 2}
            await fleet.close()
        return mails(server)

    assert asyncio.run(flown()) == [1, 1]


def test_fewer_connections_than_wanted_are_made_do_with() -> None:
    """The relay refuses all connections but the first: everything goes by that one."""
    busy: Script = {"greeting": [b"421 4.7.0 Too many connections\r\n"]}

    async def flown() -> int:
        slow: Script = {"dot": [(SLOW, b"250 2.0.0 Ok\r\n")] * 20}
        async with ScriptedServer(slow, *[busy] * 20, extensions=CHUNKING) as server:
            fleet = fleet_to(server.port, connections=4)
            await fleet.ready()
            launched = Launched(fleet)
            launched.launch(40)
            assert await launched.all() == {SENT: 40}
            tried = len(server.lines)
            await fleet.close()
        return tried

    # The first, and the three that were tried together; then it was let be.
    assert asyncio.run(flown()) <= 4


def test_a_relay_that_is_down_is_told_before_anything_flies() -> None:
    async def asked() -> None:
        await fleet_to(free_port()).ready()

    with pytest.raises(RelayUnreachable):
        asyncio.run(asked())


def test_what_waits_lands_when_the_relay_has_gone() -> None:
    async def flown() -> Counter[tuple[Verdict, Phase]]:
        async with ScriptedServer({"MAIL": [Drop()]}, extensions=(b"8BITMIME",)) as server:
            fleet = fleet_to(server.port, connections=1)
            await fleet.ready()
            launched = Launched(fleet)
            server._server.close()
            launched.launch(5)
            await launched.all()
            await fleet.close()
        return Counter((end.verdict, end.phase) for end in launched.ends.values())

    assert asyncio.run(flown()) == {(DEFERRED, Phase.MAIL): 1, (DEFERRED, Phase.CONNECT): 4}


def test_closing_lands_what_flies_and_what_waits() -> None:
    async def flown() -> Counter[Verdict]:
        silent: Script = {"dot": [Hang()]}
        async with ScriptedServer(silent, silent, extensions=CHUNKING) as server:
            fleet = fleet_to(server.port, connections=2)
            await fleet.ready()
            launched = Launched(fleet)
            launched.launch(5)
            await asyncio.sleep(0.2)
            await fleet.close()
            return await launched.all()

    assert asyncio.run(flown()) == {UNKNOWN: 2, DEFERRED: 3}


def test_a_server_that_can_t_chunk_gets_the_next_simpler_way() -> None:
    no_bdat: Script = {"dot": [b"502 5.5.1 Command not implemented\r\n"]}

    async def flown() -> list[str]:
        async with ScriptedServer(no_bdat, {}, extensions=CHUNKING) as server:
            fleet = fleet_to(server.port, connections=1)
            await fleet.ready()
            launched = Launched(fleet)
            for _ in range(3):
                launched.launch(1)
                await launched.all()
            await fleet.close()
        verdicts = [end.verdict for end in launched.ends.values()]
        assert verdicts == [DEFERRED, SENT, SENT]
        return [line.split()[0].decode() for lines in server.lines for line in lines]

    assert [verb for verb in asyncio.run(flown()) if verb in ("BDAT", "DATA")] == [
        "BDAT",
        "DATA",
        "DATA",
    ]


def test_a_server_that_chokes_on_pipelining_is_spoken_to_step_by_step() -> None:
    """It takes no more than one command a segment: the rest is lost, and nobody fails."""

    async def flown() -> Counter[Verdict]:
        chokes: Script = {"MAIL": [Drop()]}
        async with ScriptedServer(chokes, {}, extensions=(b"PIPELINING",)) as server:
            fleet = fleet_to(server.port, connections=1)
            await fleet.ready()
            launched = Launched(fleet)
            launched.launch(3)
            verdicts = await launched.all()
            await fleet.close()
        assert [line.split()[0] for line in server.lines[1]][-7:] == [
            *[b"MAIL", b"RCPT", b"DATA"] * 2,
            b"QUIT",
        ]
        return verdicts

    assert asyncio.run(flown()) == {DEFERRED: 1, SENT: 2}
