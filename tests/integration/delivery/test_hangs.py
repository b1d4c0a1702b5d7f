"""A worker comes to rest, whatever its database and its relay do."""

from __future__ import annotations

import socketserver
import threading
import time
from datetime import UTC, datetime

import pytest

from mailer.delivery import grants
from mailer.delivery.pace import Limits
from subscribers.errors import DatabaseBusy
from tests.integration.delivery.conftest import World
from tests.integration.delivery.test_send import QUICK, Plant, over, settings


@pytest.fixture
def now_world(world: World) -> World:
    world.now = datetime.now(UTC)
    return world


def test_passing_trouble_of_the_pacer_after_the_gate(now_world, smtp_sink, monkeypatch):
    """Slots are missed (the gate was slow), a new one is asked for, the database is busy once."""
    now_world.add_people(*[f"p{n}@example.com" for n in range(40)])
    with now_world.database.write() as s:
        grants.set_limits(s, "default", "other", Limits(per_second=20), now=now_world.now)
    campaign = now_world.add_campaign()
    with Plant(now_world, settings(now_world, smtp_sink)) as plant:
        launcher = plant.sender._launcher
        original_gate, original_take = launcher._gate, grants.take
        state = {"slow": True, "busy": False}

        def slow_gate(*a):
            passed = original_gate(*a)
            if state["slow"]:
                state["slow"] = False
                state["busy"] = True
                time.sleep(1.2)
            return passed

        def busy_take(*a, **k):
            if state["busy"]:
                state["busy"] = False
                raise DatabaseBusy  # once, right after
            return original_take(*a, **k)

        monkeypatch.setattr(launcher, "_gate", slow_gate)
        monkeypatch.setattr(grants, "take", busy_take)
        try:
            plant.wait(over(now_world, campaign), seconds=20)
        finally:
            pass


class Silent(socketserver.StreamRequestHandler):
    """Takes everything, and never answers the final dot."""

    def handle(self):
        self.wfile.write(b"220 x ESMTP\r\n")
        data = False
        for line in self.rfile:
            if data:
                continue
            v = line[:4].upper()
            if v == b"EHLO":
                self.wfile.write(b"250-x\r\n250 8BITMIME\r\n")
            elif v == b"DATA":
                self.wfile.write(b"354 go\r\n")
                data = True
            else:
                self.wfile.write(b"250 ok\r\n")


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


def test_sigterm_while_the_relay_is_silent(now_world):
    from mailer.settings import RelaySettings, Settings

    server = Server(("127.0.0.1", 0), Silent)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    now_world.add_people(*[f"p{n}@example.com" for n in range(200)])
    sending = QUICK.model_copy(
        update={
            "grace_seconds": 1.0,
            "reply_timeout": 25.0,
            "command_timeout": 25.0,
            "lease_seconds": 10.0,
        }
    )
    sets = Settings(
        database_url=now_world.database.url,
        relay=RelaySettings(host="127.0.0.1", port=server.server_address[1], connections=4),
        sending=sending,
    )
    now_world.add_campaign()
    plant = Plant(now_world, sets)
    plant.__enter__()
    time.sleep(3)

    began = time.monotonic()
    plant.clock.stop()
    plant.sender.stop()
    plant.threads[0].join(60)
    took = time.monotonic() - began
    plant.waker.stop()
    assert took < 8
