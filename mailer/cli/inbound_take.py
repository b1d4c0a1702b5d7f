"""`mailer inbound listen|fetch|read|unparsed`: where the mail that comes back is taken in."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from mailer.cli.engine import until_signalled
from mailer.cli.output import emit_json, fail, say, show_table
from mailer.cli.runtime import Runtime, runtime
from mailer.errors import InboundUnreadable, MailboxTrouble, SettingsInvalid
from mailer.feedback import mailbox, queries
from mailer.feedback.apply import apply_waiting
from mailer.feedback.listener import Inbox
from mailer.feedback.listener import listen as serve_mail
from mailer.feedback.mail_report import MAIL
from mailer.feedback.take import take
from mailer.settings import Settings, WebSettings
from mailer.web.server import bind
from subscribers.errors import UsersMistake

#: After trouble with a mailbox it is tried again so many seconds later.
_AGAIN = 30.0


def listen(
    host: Annotated[str | None, typer.Option(help="Listen here (inbound.host).")] = None,
    port: Annotated[
        int | None, typer.Option(help="Listen on this port (inbound.port).", min=0, max=65535)
    ] = None,
    lmtp: Annotated[bool, typer.Option("--lmtp", help="Speak LMTP instead of SMTP.")] = False,
) -> None:
    """Take mail for `inbound_domain` by SMTP, as its MX or behind a Postfix transport.

    Examples: `mailer inbound listen`, `mailer inbound listen --lmtp --port 8027`
    """
    here = runtime(serves=True)
    settings = here.settings
    if settings.inbound_domain is None:
        raise SettingsInvalid("inbound_domain is not set: no mail comes back to this installation")
    inbox = Inbox(here.database, here.keyring, domain=settings.inbound_domain, clock=_now)
    place = _place(settings, host, port)
    with bind(place, section="inbound") as listener, until_signalled() as signalled:
        at = ":".join(str(part) for part in listener.getsockname()[:2])
        say(f"mail for {settings.inbound_domain} is taken on {at}; Ctrl-C ends it")
        asyncio.run(
            serve_mail(
                inbox,
                listener,
                max_size=settings.inbound.max_size,
                lmtp=lmtp,
                stop=lambda: signalled.is_set,
            )
        )


def fetch(
    follow: Annotated[
        bool, typer.Option("--follow", help="Stay, and take what comes from now on, too.")
    ] = False,
) -> None:
    """Empty the mailbox that `inbound.mailbox` names: keep each message, then delete it there.

    Examples: `mailer inbound fetch`, `mailer inbound fetch --follow`
    """
    here = runtime(serves=follow)
    box = _mailbox(here.settings)
    if not follow:
        say(f"{mailbox.empty(box, lambda message: _keep(here, message))} messages taken")
        _apply(here)
        return
    with until_signalled() as signalled:
        while not signalled.is_set:
            try:
                mailbox.watch(
                    box,
                    lambda message: _keep(here, message),
                    stop=lambda: signalled.is_set,
                    poll_seconds=here.settings.inbound.poll_seconds,
                )
            except MailboxTrouble as exc:
                say(f"{exc}; trying again in {_AGAIN:.0f} s")
                mailbox.pause(_AGAIN, lambda: signalled.is_set)


def read(
    path: Annotated[
        Path, typer.Argument(help="A Maildir, an mbox, a message; `-` reads standard input.")
    ],
) -> None:
    """Take in messages from files, or from a pipe such as a Postfix alias.

    Nothing is deleted; new messages of a Maildir are marked as seen.

    Examples: `mailer inbound read -`, `mailer inbound read ~/Maildir`
    """
    here = runtime()
    if str(path) == "-":
        _keep(here, sys.stdin.buffer.read(here.settings.inbound.max_size))
        taken = 1
    else:
        try:
            taken = mailbox.read_files(path, lambda message: _keep(here, message))
        except OSError as exc:
            why = exc.strerror or str(exc)
            raise InboundUnreadable(f"{path}: {why}; name a Maildir, an mbox or a message") from exc
    say(f"{taken} messages taken")
    _apply(here)


def unparsed(
    number: Annotated[
        int | None, typer.Argument(help="Print this message itself, as it came.")
    ] = None,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1)] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead.")] = False,
) -> None:
    """List what came by mail and was not understood, or print one such message.

    Examples: `mailer inbound unparsed`, `mailer inbound unparsed 17`
    """
    with runtime().database.read() as session:
        if number is not None:
            body = queries.body_of(session, MAIL, number)
            if body is None:
                raise UsersMistake(
                    f"there is no unparsed message {number}; leave it out for a list"
                )
            sys.stdout.buffer.write(body)
            return
        rows = queries.not_understood(session, MAIL, most=limit)
    if as_json:
        emit_json(rows)
        return
    show_table(
        ("number", "came", "bytes", "why"),
        [(row.id, row.received_at, row.size, row.why) for row in rows],
    )


def _keep(here: Runtime, message: bytes) -> bool:
    return take(here.database, message, now=_now())


def _apply(here: Runtime) -> None:
    """At once: a pipe may be all that runs here, besides the clock somewhere else."""
    while apply_waiting(here.database, here.keyring, now=_now()):
        pass


def _place(settings: Settings, host: str | None, port: int | None) -> WebSettings:
    inbound = settings.inbound
    chosen = inbound.port if port is None else port
    return WebSettings(host=host or inbound.host, port=chosen)


def _mailbox(settings: Settings) -> mailbox.Mailbox:
    inbound = settings.inbound
    if inbound.mailbox is None:
        fail("inbound.mailbox is not set; write it like imaps://user@host/INBOX", code=2)
    password = inbound.password.get_secret_value() if inbound.password else ""
    return mailbox.Mailbox(url=inbound.mailbox, password=password)


def _now() -> datetime:
    return datetime.now(UTC)
