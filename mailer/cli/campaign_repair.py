"""`mailer campaign settle`, `resend`, `correct`, `archive`: each shown before it is done."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mailer.campaign import queries as campaign_queries
from mailer.campaign import schedule as scheduling
from mailer.campaign.freeze import freeze
from mailer.campaign.model import Campaign, CampaignState
from mailer.cli.campaign_options import Id, Json, Yes
from mailer.cli.output import MISTAKE, confirm, emit_json, fail, say, show_table
from mailer.cli.runtime import Runtime, runtime
from mailer.delivery import ledger
from mailer.delivery.archive import roll_up
from mailer.delivery.model import DeliveryState
from mailer.delivery.plan import add_joined, count_joined
from mailer.delivery.repair import queries
from mailer.delivery.repair import settle as settling
from mailer.errors import CampaignRefused
from subscribers import queries as people

DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]

#: Unknown copies shown at most without --json.
SHOWN = 50


class Policy(StrEnum):
    """What to do with unknown copies."""

    HOLD = "hold"
    RESEND = "resend"
    FROM_LOG = "from-log"


class Whom(StrEnum):
    """To whom a campaign is sent again."""

    FAILED = "failed"
    UNKNOWN = "unknown"
    JOINED_SINCE = "joined-since"


def settle(
    campaign_id: Id,
    policy: Annotated[
        Policy | None,
        typer.Option(help="hold: leave them; resend: again; from-log: by the relay's log."),
    ] = None,
    log: Annotated[
        Path | None,
        typer.Option(help="A Postfix log, or a list of Message-IDs that were taken; - for stdin."),
    ] = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """List the copies that may or may not have left, and settle them.

    Without --policy they are only listed. The relay's log proves which ones were taken; those
    it does not have stay unknown, for it may not be the whole log. To resend may give somebody
    two copies.

    Examples: `mailer campaign settle 3`,
    `mailer campaign settle 3 --policy from-log --log /var/log/mail.log`,
    `mailer campaign settle 3 --policy resend --dry-run`
    """
    if (policy is Policy.FROM_LOG) != (log is not None):
        fail("--policy from-log and --log FILE go together", code=MISTAKE)
    here = runtime()
    _campaign(here, campaign_id)
    if policy is Policy.RESEND:
        _put_back(here, campaign_id, DeliveryState.UNKNOWN, dry_run=dry_run, yes=yes, json=as_json)
    elif log is not None:
        _settle_by_log(here, campaign_id, log, dry_run=dry_run, yes=yes, as_json=as_json)
    else:
        _list_unknown(here, campaign_id, as_json=as_json)
        if policy is Policy.HOLD and not as_json:
            say("they are left as they are; evidence that comes back still settles them")


def _list_unknown(here: Runtime, campaign_id: int, *, as_json: bool) -> None:
    with here.database.read() as session:
        count = ledger.balance(session, campaign_id).states.get(DeliveryState.UNKNOWN, 0)
        copies = queries.unknown_copies(session, campaign_id, limit=None if as_json else SHOWN)
        if as_json:
            emit_json([*copies])
            return
        show_table(
            ("delivery", "address", "attempt", "relay", "let fly", "unknown since"),
            [(c.delivery_id, c.address, c.attempt, c.relay, c.flown_at, c.since) for c in copies],
        )
    say(f"{count} may or may not have left")


def _settle_by_log(
    here: Runtime, campaign_id: int, log: Path, *, dry_run: bool, yes: bool, as_json: bool
) -> None:
    try:
        with _opened(log) as lines:
            evidence = settling.proved(here.database, here.keyring, campaign_id, lines)
    except OSError as exc:
        fail(f"{log}: can't be read: {exc.strerror}", code=MISTAKE)
    settled = 0
    if evidence and not dry_run:
        confirm(f"Take {len(evidence)} copies for sent, as {log} says?", yes=yes)
        settled = settling.settle(here.database, evidence, now=datetime.now(UTC))
    with here.database.read() as session:
        left = ledger.balance(session, campaign_id).states.get(DeliveryState.UNKNOWN, 0)
    if as_json:
        emit_json({"proved": evidence, "settled": settled, "unknown": left})
        return
    say(f"the log proves {len(evidence)} taken; {settled} settled, {left} still unknown")


def _opened(log: Path) -> AbstractContextManager[Iterable[str]]:
    if str(log) == "-":
        return nullcontext(sys.stdin)
    return log.open(encoding="utf-8", errors="replace")


def resend(
    campaign_id: Id,
    to: Annotated[Whom, typer.Option("--to", help="Whom: failed, unknown or joined-since.")],
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Send a campaign again to some: refused copies, unknown ones, or people who joined since.

    Each keeps its Message-ID. Who may not be mailed any more is left out.

    Examples: `mailer campaign resend 3 --to failed`,
    `mailer campaign resend 3 --to joined-since --dry-run`
    """
    here = runtime()
    campaign = _campaign(here, campaign_id)
    if to is not Whom.JOINED_SINCE:
        state = DeliveryState.FAILED if to is Whom.FAILED else DeliveryState.UNKNOWN
        _put_back(here, campaign_id, state, dry_run=dry_run, yes=yes, json=as_json)
        return
    if campaign.planned_at is None:
        raise CampaignRefused(f"campaign {campaign_id} is {campaign.state}: not started yet")
    now = datetime.now(UTC)
    with here.database.read() as session:
        found = count_joined(session, campaign_id, now=now)
    added = 0
    if found and not dry_run:
        confirm(f"Send campaign {campaign_id} to {found} people who joined since?", yes=yes)
        size = here.settings.sending.chunk_size
        added = add_joined(here.database, campaign_id, now=now, chunk_size=size)
    _say_done(campaign_id, "joined-since", found, added, dry_run=dry_run, as_json=as_json)


def _put_back(
    here: Runtime, campaign_id: int, state: DeliveryState, *, dry_run: bool, yes: bool, json: bool
) -> None:
    now = datetime.now(UTC)
    sending = here.settings.sending
    under_way = timedelta(seconds=sending.command_timeout + sending.reply_timeout)
    # A refusal is an answer; an unknown copy may still be under way for so long.
    not_before = now - under_way if state is DeliveryState.UNKNOWN else now
    with here.database.read() as session:
        found = queries.repairable(session, campaign_id, state, not_before=not_before)
    back = 0
    if found and not dry_run:
        risk = " Some may get two." if state is DeliveryState.UNKNOWN else ""
        confirm(f"Send {found} {state} copies again?{risk}", yes=yes)
        back = _put_all_back(here, campaign_id, state, now=now, not_before=not_before)
    _say_done(campaign_id, state, found, back, dry_run=dry_run, as_json=json)


def _put_all_back(
    here: Runtime, campaign_id: int, state: DeliveryState, *, now: datetime, not_before: datetime
) -> int:
    done = 0
    while True:
        with here.database.write() as session:
            some = queries.put_back(
                session,
                campaign_id,
                state,
                why=f"it was {state}; put back at the command line",
                now=now,
                not_before=not_before,
            )
        if not some:
            return done
        done += some


def correct(
    campaign_id: Id,
    file: Annotated[Path, typer.Argument(help="The corrected issue.", show_default=False)],
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Send a correction to exactly those who have the old version, and nobody else.

    It is a campaign of its own. The old one must be over: cancel it first if need be; who has
    no copy then gets the corrected one by `mailer campaign schedule FILE --again`.

    Example: `mailer campaign correct 3 issue-30-corrected.md`
    """
    here = runtime()
    scheduling.check_public_url(here.settings)
    original = _campaign(here, campaign_id, over=True)
    with here.database.read() as session:
        newsletter = people.newsletter(session, original.newsletter_id)
        have = ledger.balance(session, campaign_id).states.get(DeliveryState.SENT, 0)
    frozen = freeze(file, newsletter, public_url=here.settings.public_url)
    if dry_run:
        _say_done(campaign_id, "correct", have, 0, dry_run=True, as_json=as_json)
        return
    confirm(f"Send {frozen.rendering.title!r} to the {have} who have the old one?", yes=yes)
    with here.database.write() as session:
        campaign_queries.keep_images(session, frozen.images, now=datetime.now(UTC))
        new = scheduling.correct(
            session,
            frozen.rendering,
            original=original,
            newsletter=newsletter,
            now=datetime.now(UTC),
        )
    if as_json:
        emit_json({"campaign": new, "corrects": campaign_id, "have": have})
        return
    say(f"campaign {new} corrects campaign {campaign_id}")
    say(f"watch it: mailer campaign status {new} --follow")


def archive(
    campaign_id: Id, dry_run: DryRun = False, yes: Yes = False, as_json: Json = False
) -> None:
    """Roll an old campaign's ledger up: its sums stay, who got what is forgotten.

    Only a year after its end: until then the unsubscribe links in its mail need the ledger.

    Example: `mailer campaign archive 3`
    """
    here = runtime()
    now = datetime.now(UTC)
    roll_up.check(here.database, campaign_id, now=now)
    with here.database.read() as session:
        audience = ledger.balance(session, campaign_id).audience
    gone = 0
    if not dry_run:
        confirm(f"Forget who of {audience} people got campaign {campaign_id}?", yes=yes)
        gone = roll_up.roll_up(here.database, campaign_id, now=now)
    if as_json:
        emit_json({"campaign": campaign_id, "audience": audience, "rolled_up": gone})
        return
    say(f"{gone} of {audience} copies rolled up; `mailer campaign report {campaign_id}` has sums")


def _campaign(here: Runtime, campaign_id: int, *, over: bool = False) -> Campaign:
    """The campaign, if there is anything to repair in it; raises CampaignRefused."""
    with here.database.read() as session:
        campaign = campaign_queries.get(session, campaign_id)
    if campaign.archived_at is not None:
        raise CampaignRefused(f"campaign {campaign_id} is rolled up: only its sums are left")
    if campaign.state is CampaignState.CANCELLED and not over:
        raise CampaignRefused(
            f"campaign {campaign_id} is cancelled; `mailer campaign schedule FILE --again` sends"
            " the issue to those who have no copy"
        )
    return campaign


def _say_done(
    campaign_id: int, what: str, found: int, done: int, *, dry_run: bool, as_json: bool
) -> None:
    if as_json:
        emit_json({"campaign": campaign_id, "what": what, "found": found, "done": done})
    elif dry_run or not found:
        say(f"{what}: {found}; nothing was done")
    else:
        say(f"{what}: {done} on their way again; mailer campaign status {campaign_id} --follow")
