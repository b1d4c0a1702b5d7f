"""`mailer relay`: which relays there are, what they offer, and whether they take a message."""

from __future__ import annotations

import asyncio
import secrets
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Annotated

import typer

from mailer.cli import completion
from mailer.cli.campaign_options import Json
from mailer.cli.output import FAILED, MISTAKE, emit_json, fail, say, show_table
from mailer.cli.runtime import Runtime, runtime
from mailer.delivery.dialects import Dress, dialect_of, dress_of
from mailer.delivery.dialects.tell import tell
from mailer.delivery.model import Message, Verdict
from mailer.delivery.smtp import Connection, Handed
from mailer.delivery.smtp.offer import Offer, offer_of
from mailer.errors import RelayTrouble
from mailer.settings import RelaySettings
from subscribers import address
from subscribers.model import Newsletter

app = typer.Typer(
    help="What the relays offer; try one.", no_args_is_help=True, add_completion=False
)


@dataclass(frozen=True, kw_only=True)
class Tried:
    """How trying a relay went; `trouble` is empty where it went well.

    `known_as` is the id that the relay gave the message.
    """

    relay: str
    dialect: str = ""
    trouble: str = ""
    offer: Offer | None = None
    message: str = ""
    known_as: str = ""


@app.command("list")
def list_relays(as_json: Json = False) -> None:
    """List the relays of this installation, by name.

    Example: `mailer relay list`
    """
    relays = runtime().settings.every_relay
    lines = [
        {
            "relay": name,
            "host": relay.host,
            "port": relay.port,
            "tls": relay.tls,
            "login": relay.username,
            "auth": relay.auth if relay.username else None,
            "weight": relay.weight,
            "connections": relay.connections,
            "dialect": known.dialect.name,
            "known": known.how,
            "signs": known.dialect.signs,
            "stream": relay.stream,
        }
        for name, relay in relays.items()
        for known in [dialect_of(relay)]
    ]
    if as_json:
        emit_json(lines)
        return
    show_table([*lines[0]], [[*line.values()] for line in lines])


@app.command("test")
def try_relay(
    name: Annotated[
        str | None,
        typer.Argument(help="Which relay; all where not said.", autocompletion=completion.relays),
    ] = None,
    to: Annotated[str | None, typer.Option("--to", help="Send one message there, too.")] = None,
    newsletter: Annotated[
        str | None,
        typer.Option(
            "--newsletter",
            "-n",
            autocompletion=completion.newsletters,
            help="Whose From address the message has.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Connect and log in as when sending, and tell what the relay offers, and its dialect.

    With --to it sends one short message, past ledger and lanes: it is nobody's copy.

    Examples: `mailer relay test`, `mailer relay test default --to me@example.com`
    """
    here = runtime()
    relays = here.settings.every_relay
    if name is not None and name not in relays:
        fail(f"there is no relay {name!r}; there are: {', '.join(relays)}", code=MISTAKE)
    which = here.newsletter(newsletter) if to is not None else None
    recipient = address.parse(to).envelope if to is not None else ""
    tried = [
        asyncio.run(_try(here, each, which=which, to=recipient))
        for each in ([name] if name is not None else relays)
    ]
    if as_json:
        emit_json(tried)
    else:
        for one in tried:
            _show(one)
    if any(one.trouble for one in tried):
        raise typer.Exit(FAILED)


async def _try(here: Runtime, name: str, *, which: Newsletter | None, to: str) -> Tried:
    relay = here.settings.every_relay[name]
    hostname = here.settings.inbound_domain or socket.getfqdn()
    known = dialect_of(relay)
    dress = dress_of(known.dialect, relay.headers, stream=relay.stream)
    dialect = tell(known, relay.stream)
    try:
        offer = await offer_of(relay, here.settings.sending, local_hostname=hostname)
        if which is None:
            return Tried(relay=name, dialect=dialect, offer=offer)
        handed = await _send(here, relay, _message(which, to, name, dress), hostname=hostname)
    except RelayTrouble as exc:
        return Tried(relay=name, dialect=dialect, trouble=str(exc))
    reply = (handed.code, handed.enhanced, handed.text)
    said = f"{handed.verdict}: {' '.join(str(part) for part in reply if part)}"
    trouble = "" if handed.verdict is Verdict.SENT else said
    return Tried(
        relay=name,
        dialect=dialect,
        offer=offer,
        message=said,
        trouble=trouble,
        known_as=handed.provider_id or "",
    )


async def _send(here: Runtime, relay: RelaySettings, message: Message, *, hostname: str) -> Handed:
    connection = await Connection.open(relay, here.settings.sending, local_hostname=hostname)
    try:
        return await connection.send(message)
    finally:
        await connection.close()


def _message(which: Newsletter, to: str, relay: str, dress: Dress) -> Message:
    sender = address.parse(which.from_address)
    mail = EmailMessage(policy=SMTP)
    mail["From"] = sender.envelope
    mail["To"] = to
    mail["Subject"] = f"Pressrun: a test of the relay {relay}"
    mail["Date"] = format_datetime(datetime.now(UTC))
    for header, value in dress.fixed:
        mail[header] = value.decode("ascii").replace("\r\n", "")
    mail["Message-ID"] = f"<{secrets.token_hex(16)}@{sender.domain}>"
    mail.set_content(f"This message came through the relay {relay!r}, as newsletters will.\n")
    return Message(
        delivery_id=0,
        envelope_from=sender.envelope,
        envelope_to=to,
        content=mail.as_bytes(),
        smtputf8=sender.needs_smtputf8 or not to.isascii(),
    )


def _show(tried: Tried) -> None:
    if tried.offer is None:
        say(f"{tried.relay}: {tried.trouble}")
        return
    offer = tried.offer
    login = f"logged in as {offer.logged_in_as}" if offer.logged_in_as else "without a login"
    say(f"{tried.relay}: well, {offer.tls or 'in plain text'}, {login}")
    say(f"  dialect     {tried.dialect}")
    say(f"  extensions  {', '.join(offer.extensions) or 'none'}")
    say(f"  auth        {', '.join(offer.auth) or 'none'}")
    say(f"  size        {f'{offer.size} bytes' if offer.size else 'no limit told'}")
    if tried.message:
        say(f"  message     {tried.message}")
    if tried.known_as:
        say(f"  its id      {tried.known_as}")
