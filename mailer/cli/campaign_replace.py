"""`mailer campaign replace`: other content for what has not started."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from mailer.campaign import queries as campaign_queries
from mailer.campaign import schedule as scheduling
from mailer.campaign.freeze import freeze
from mailer.campaign.replace import replace as replacing
from mailer.campaign.replace.difference import Difference, difference
from mailer.cli.campaign_options import Id, Json, Yes
from mailer.cli.campaign_send import warn_of_problems
from mailer.cli.output import confirm, emit_json, say
from mailer.cli.runtime import runtime
from subscribers import queries as people

#: Lines that change, shown at most without --json.
SHOWN = 40


def replace(
    campaign_id: Id,
    file: Annotated[Path, typer.Argument(help="The issue as it shall be.", show_default=False)],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Freeze an issue anew in a campaign that has not started; shows what changes, and asks.

    Time, audience and number stay. Once it has started its content is what it is:
    `mailer campaign correct` sends a correction to those who have it.

    Examples: `mailer campaign replace 3 issue.md --dry-run`, `mailer campaign replace 3 issue.md`
    """
    here = runtime()
    scheduling.check_public_url(here.settings)
    with here.database.read() as session:
        seen = campaign_queries.get(session, campaign_id)
        newsletter = people.newsletter(session, seen.newsletter_id)
        old = campaign_queries.rendering_of(session, campaign_id)
    # Before the file is read: of what has started nothing else need be said.
    replacing.check(seen, issue_number=seen.issue_number)
    warn_of_problems(file, newsletter)
    frozen = freeze(file, newsletter, public_url=here.settings.public_url)
    replacing.check(seen, issue_number=frozen.issue.front.number)
    same = old.checksum == frozen.rendering.checksum
    found = difference(old, frozen.rendering)
    if not as_json:
        _show(found, same=same)
    done = not same and not dry_run
    if done:
        confirm(f"Replace the content of campaign {campaign_id}?", yes=yes)
        with here.database.write() as session:
            campaign_queries.keep_images(session, frozen.images, now=datetime.now(UTC))
            replacing.replace(session, seen, frozen.rendering, newsletter=newsletter)
    if as_json:
        emit_json({"campaign": campaign_id, "replaced": done, "same": same} | asdict(found))
        return
    _say_end(campaign_id, same=same, done=done)


def _say_end(campaign_id: int, *, same: bool, done: bool) -> None:
    if done:
        say(f"campaign {campaign_id} has the new content")
    else:
        say("nothing changes" if same else "a dry run: nothing was changed")


def _show(found: Difference, *, same: bool) -> None:
    for name, change in (("subject", found.subject), ("preheader", found.preheader)):
        if change is not None:
            say(f"{name:>10}  {change[0]}")
            say(f"{'now':>10}  {change[1]}")
    for line in found.lines[:SHOWN]:
        say(line)
    if len(found.lines) > SHOWN:
        say(f"… and {len(found.lines) - SHOWN} more lines")
    for url in found.links_added:
        say(f"new link   {url}")
    for url in found.links_removed:
        say(f"lost link  {url}")
    if found.unseen and not same:
        say("the words stay; looks, images or markup are others")
