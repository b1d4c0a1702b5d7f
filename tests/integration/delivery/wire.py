"""A message, and a connection to a server that misbehaves, for what is tested on the wire."""

from __future__ import annotations

import asyncio

from mailer.delivery.model import Message
from mailer.delivery.smtp import Connection, Handed
from mailer.settings import RelaySettings, SendingSettings
from tests.services.scripted_smtp import ScriptedServer

TIMEOUTS = SendingSettings(connect_timeout=2.0, command_timeout=0.3, reply_timeout=0.6)


def message(number: int = 1, body: bytes = b"Hello.\r\n") -> Message:
    """A message to `reader{number}@example.test`."""
    return Message(
        delivery_id=number,
        envelope_from="b-abc@news.test",
        envelope_to=f"reader{number}@example.test",
        content=b"Subject: %d\r\n\r\n" % number + body,
    )


async def opened(server: ScriptedServer, timeouts: SendingSettings = TIMEOUTS) -> Connection:
    """A connection to the server, ready for messages."""
    relay = RelaySettings(host="127.0.0.1", port=server.port)
    return await Connection.open(relay, timeouts, local_hostname="news.test")


async def sent(server: ScriptedServer, *, body: bytes = b"Hello.\r\n") -> Handed:
    """How one message ended that was alone on its connection."""
    async with server:
        connection = await opened(server)
        handed = await connection.send(message(body=body))
        assert connection.usable is handed.reusable
        await connection.close()
        # What a server took after the client had given up would be the second copy.
        await asyncio.sleep(0.05)
    return handed
