"""`mailer campaign test` and `schedule`: what sets copies on their way."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from mailer.campaign import queries as campaign_queries
from mailer.campaign import schedule as scheduling
from mailer.campaign import times, union
from mailer.campaign.freeze import Frozen, freeze, look_of
from mailer.campaign.model import CampaignState, Canary
from mailer.cli import campaign_readers, campaign_when, completion
from mailer.cli.campaign_options import Json, Yes
from mailer.cli.maildir_relay import MaildirRelay, listening
from mailer.cli.output import (
    FAILED,
    confirm,
    emit_json,
    say,
    warn,
)
from mailer.cli.runtime import Runtime, runtime
from mailer.delivery import ledger
from mailer.delivery import queries as delivery_queries
from mailer.delivery.model import DeliveryState
from mailer.delivery.plan import plan_single
from mailer.delivery.send import Sender
from mailer.errors import AudienceEmpty, MaildirUnusable
from mailer.issue.parse import read
from mailer.lint.lint import lint
from mailer.settings import RelaySettings
from subscribers import address
from subscribers.model import Newsletter
from subscribers.segment import queries as segments

File = Annotated[Path, typer.Argument(help="The issue file (Markdown).", show_default=False)]
Slug = Annotated[
    str | None,
    typer.Option(
        "--newsletter",
        "-n",
        autocompletion=completion.newsletters,
        help="Which newsletter, if there are several.",
    ),
]


def send_test(
    file: File,
    to: Annotated[list[str], typer.Option("--to", help="Where to send it; may be repeated.")],
    newsletter: Slug = None,
    maildir: Annotated[
        Path | None,
        typer.Option(help="A folder to find the message in; no relay is asked, nothing leaves."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Send an issue to yourself, through the real relay, at once.

    Goes through the same gate and ledger as a campaign. Merge fields show their defaults, or
    the subscriber's own values are not used; links work but change nothing. With --maildir
    it goes by SMTP to a server that lives as long as this command and writes a Maildir, which
    any mail program reads: to look at the real message where no relay is at hand yet.

    Examples: `mailer campaign test issue.md --to me@example.com`,
    `mailer campaign test issue.md --to me@example.com --maildir mail`
    """
    here = runtime()
    which = here.newsletter(newsletter)
    warn_of_problems(file, which)
    frozen = freeze(file, which, public_url=here.settings.public_url)
    if logging.getLogger().level > logging.DEBUG:
        # What goes wrong is said below, once, in the words of this command.
        logging.getLogger("mailer").setLevel(logging.CRITICAL)
    # All are read before any is mailed: a mistake in the second must not leave the first sent.
    addresses = [address.parse(text) for text in to]
    with _relayed(here, maildir):
        results = [_send_test(here, which, frozen, one) for one in addresses]
    if as_json:
        emit_json(results)
    for result in results:
        said = f"{result['state']}: {result['to']} {result['evidence']}".rstrip()
        line = f"{said} (campaign {result['campaign']})"
        if result["state"] != DeliveryState.SENT:
            warn(f"mailer: {line}")
        elif not as_json:
            say(line)
    if maildir and not as_json:
        say(f"look into {maildir / 'new'}")
    if any(result["state"] != DeliveryState.SENT for result in results):
        raise typer.Exit(FAILED)


@contextmanager
def _relayed(here: Runtime, maildir: Path | None) -> Iterator[None]:
    """For as long as this lasts, mail goes into a Maildir, if one is named."""
    if maildir is None:
        yield
        return
    try:
        relay = MaildirRelay(maildir)
    except OSError as exc:
        raise MaildirUnusable(f"{maildir} can't be made a Maildir: {exc.strerror}") from exc
    before = here.settings
    with listening(relay):
        local = RelaySettings(host="127.0.0.1", port=relay.port)
        here.settings = before.model_copy(update={"relay": local, "relays": {}})
        try:
            yield
        finally:
            here.settings = before


def _send_test(
    here: Runtime, which: Newsletter, frozen: Frozen, to: address.Address
) -> dict[str, object]:
    now = datetime.now(UTC)
    with here.database.write() as session:
        campaign_queries.keep_images(session, frozen.images, now=now)
        campaign_id = scheduling.add_test(session, frozen.rendering, newsletter=which, now=now)
        delivery_id = plan_single(
            session,
            campaign_id,
            to_address=to.as_given,
            address_hash=here.keyring.address_hash(to.key),
            now=now,
        )
    sender = Sender(settings=here.settings, database=here.database, keyring=here.keyring)
    asyncio.run(sender.drain(campaign_id))
    with here.database.write() as session:
        # What could not be handed over now is not tried again behind the author's back.
        campaign = campaign_queries.get(session, campaign_id)
        if campaign.state is not CampaignState.FINISHED:
            ledger.finish_complete(session, now=datetime.now(UTC))
            campaign = campaign_queries.get(session, campaign_id)
        if campaign.state in (CampaignState.SENDING, CampaignState.PAUSED):
            campaign_queries.cancel(session, campaign_id, now=datetime.now(UTC))
            ledger.cancel_waiting(session, campaign_id, now=datetime.now(UTC))
        story = delivery_queries.story(session, delivery_id)
        state = delivery_queries.state_of(session, delivery_id)
    evidence = campaign.pause_reason or (story[-1].evidence if story else sender.trouble)
    return {"to": to.as_given, "campaign": campaign_id, "state": state, "evidence": evidence}


def schedule(
    file: File,
    to: Annotated[
        str | None,
        typer.Option(
            "--newsletter",
            "--to",
            autocompletion=completion.newsletters,
            help="The newsletter it goes to.",
        ),
    ] = None,
    also: Annotated[
        list[str] | None,
        typer.Option(
            "--also",
            autocompletion=completion.newsletters,
            help="And to the readers of this one, each person once; may be repeated.",
        ),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(help='When: "2026-12-01 09:00", "tomorrow 9:00", "Mon 08:30 Asia/Tokyo".'),
    ] = None,
    local: Annotated[
        str | None,
        typer.Option(help="When by each person's own clock: 09:00, or with a day."),
    ] = None,
    timezone: Annotated[
        str | None, typer.Option(help="Whose local time: an IANA name; else the newsletter's.")
    ] = None,
    at_once: Annotated[bool, typer.Option("--now", help="Start at once.")] = False,
    later: Annotated[
        bool | None,
        typer.Option("--later/--earlier", help="Which, where clocks go back over the time."),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Once more, to those who have no copy yet.")
    ] = False,
    canary: Annotated[
        int | None, typer.Option(help="So many copies go first, then it waits.", min=1)
    ] = None,
    hold: Annotated[
        str, typer.Option(help="How long it waits after the canary: 90s, 30m, 2h.")
    ] = "30m",
    segment: Annotated[
        list[str] | None,
        typer.Option(
            "--segment", help="Only these people: a name or words; repeated: any of them."
        ),
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option("--exclude", help="But not these; may be repeated.")
    ] = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Freeze an issue and schedule it for a newsletter.

    Shows what would happen and asks. The same issue goes out once; a second time needs --again
    and leaves out whoever has a copy, or may have one. With --canary the rest goes out by
    itself after the hold, unless bounces, complaints or refusals pass what [fuse] allows.
    Without --at, --local and --now it takes the newsletter's weekly slot. With --also each person
    gets it by the first of the newsletters that may mail them, and leaves that one by its link.

    Examples: `mailer campaign schedule issue.md --now`,
    `mailer campaign schedule issue.md --at "tomorrow 9:00"`,
    `mailer campaign schedule issue.md --local "Mon 09:00"`,
    `mailer campaign schedule issue.md --now --canary 200 --hold 30m`,
    `mailer campaign schedule issue.md --newsletter weekly --at "Mon 08:30 Asia/Tokyo"`,
    `mailer campaign schedule issue.md --now --segment "plan = pro" --exclude engaged`,
    `mailer campaign schedule issue.md --now --exclude newsletter:daily`,
    `mailer campaign schedule issue.md --newsletter weekly --also daily --now`
    """
    here = runtime()
    scheduling.check_public_url(here.settings)
    held = times.span(hold)
    which = here.newsletter(to)
    further = [here.newsletter(slug) for slug in also or ()]
    union.further(which, further)
    warn_of_problems(file, which)
    frozen = freeze(file, which, public_url=here.settings.public_url)
    asked = campaign_when.Asked(
        at=at, local=local, timezone=timezone, at_once=at_once, later=later, yes=yes
    )
    now = datetime.now(UTC)
    with here.database.read() as session:
        chosen = segments.combined(session, segment or (), exclude or ())
        readers = campaign_readers.count(
            session, [which, *further], chosen, by_zone=local is not None, now=now
        )
        start = campaign_when.choose(session, asked, which, readers.zones, now=now)
    if not as_json:
        say(f"newsletter  {which.name} ({which.slug})")
        say(f"{'subject':>10}  {frozen.rendering.title}")
        campaign_readers.show(readers, [which, *further])
        campaign_when.show(start, which, at_once=at_once)
        if chosen is not None:
            say(f"{'segment':>10}  {chosen}")
    if at_once and not readers.size:
        raise AudienceEmpty
    confirm(f"Send it to {readers.size} people?", yes=yes)
    with here.database.write() as session:
        campaign_queries.keep_images(session, frozen.images, now=datetime.now(UTC))
        campaign_id = scheduling.schedule(
            session,
            frozen.rendering,
            newsletter=which,
            also=further,
            issue_number=frozen.issue.front.number,
            due_at=start.due_at,
            timezone=start.timezone,
            local_at=start.local_at,
            again=again,
            canary=Canary(size=canary, hold=held) if canary else None,
            segment=chosen,
            now=datetime.now(UTC),
        )
    if as_json:
        told = {"campaign": campaign_id, "audience": readers.size, "shares": readers.shares}
        emit_json(told | campaign_when.as_json(start))
        return
    say(f"campaign {campaign_id} is scheduled")
    say(f"watch it: mailer campaign status {campaign_id} --follow")


def warn_of_problems(file: Path, which: Newsletter) -> None:
    """Say the problems that do not stop an issue; those that do are raised by `freeze`."""
    found = lint(str(file), read(file), look=look_of(which), theme=which.theme)
    if not found.fatal:
        for problem in found.problems:
            warn(str(problem))
