"""What the demo sends to whom: sample subscribers, sample issue, one campaign."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from mailer.campaign import queries as campaign_queries
from mailer.campaign import schedule as scheduling
from mailer.campaign.freeze import Frozen, freeze, look_of
from mailer.campaign.model import Campaign
from mailer.cli.demo_folder import DemoFolder
from mailer.cli.demo_relay import FOR_GOOD, FOR_NOW
from mailer.cli.demo_stop import Stop
from mailer.cli.output import say
from mailer.cli.runtime import Runtime
from mailer.render.model import SystemSlot
from mailer.render.preview import fill
from mailer.render.render import constants
from mailer.resources import templates
from subscribers import queries as people
from subscribers.model import Newsletter, OwnerMail
from subscribers.transfer.exporting import RefusedFile
from subscribers.transfer.importing import Listeners, import_people
from subscribers.transfer.model import Import, Refused, Report

#: So far ahead the campaign is scheduled.
AHEAD = timedelta(seconds=3)

_NEWSLETTER = Newsletter(
    id=0,
    slug="weekly-gradient",
    name="Weekly Gradient",
    from_name="Weekly Gradient",
    from_address="editors@newsletter.example",
    postal_address="12 Example Street, 12345 Exampleton",
    url="https://newsletter.example/",
    double_opt_in=False,
    # Its one issue is watched as it goes.
    owner_mail=OwnerMail.TROUBLE,
)


def campaign_of(here: Runtime) -> Campaign | None:
    """The demo's campaign, where it came so far."""
    with here.database.read() as session:
        return next(iter(campaign_queries.newest_first(session, limit=1)), None)


def schedule_campaign(here: Runtime, folder: DemoFolder, size: int | None, stop: Stop) -> int:
    """Everything before the first message: people in, issue rendered, campaign scheduled.

    Done a second time after an interruption it changes nothing that was done.
    """
    newsletter = _newsletter(here)
    stop.check()
    _import_people(here, folder, newsletter, size)
    stop.check()
    frozen = _render(folder, newsletter)
    stop.check()
    now = datetime.now(UTC)
    with here.database.write() as session:
        campaign_id = scheduling.schedule(
            session,
            frozen.rendering,
            newsletter=newsletter,
            issue_number=frozen.issue.front.number,
            due_at=now + AHEAD,
            timezone=newsletter.timezone,
            now=now,
        )
    say(f"schedule     campaign {campaign_id}, starts at {now + AHEAD:%H:%M:%S} UTC")
    return campaign_id


def _newsletter(here: Runtime) -> Newsletter:
    with here.database.write() as session:
        known = people.newsletters(session)
        return (
            known[0]
            if known
            else people.add_newsletter(session, _NEWSLETTER, now=datetime.now(UTC))
        )


def _import_people(
    here: Runtime, folder: DemoFolder, newsletter: Newsletter, size: int | None
) -> Report:
    sample = (templates() / "sample" / "subscribers.csv").read_bytes()
    folder.people.write_bytes(thinned(sample, size))
    order = Import(newsletter=newsletter, keyring=here.keyring, now=datetime.now(UTC), declare=True)
    with (
        folder.people.open("rb") as source,
        folder.refused.open("w", encoding="utf-8", newline="") as target,
    ):
        keep = RefusedFile(target)

        def refused(row: Refused) -> None:
            say(f"refused      {folder.people.name}:{row.line}: {row.reason}")
            keep(row)

        report = import_people(here.database, source, order, tell=Listeners(refused=refused))
    say(
        f"import       {report.rows:,} rows: {report.added:,} added, {report.unchanged:,} here"
        f" already, {report.refused} refused (kept in {folder.refused})"
    )
    return report


def thinned(sample: bytes, size: int | None) -> bytes:
    """The sample cut down to `size` rows, some of each kind of address kept, in its order."""
    header, *rows = sample.splitlines(keepends=True)
    if size is None or size >= len(rows):
        return sample
    kinds: dict[str, list[int]] = {}
    for number, row in enumerate(rows):
        text = row.decode()
        kind = next((start for start in (FOR_GOOD, FOR_NOW) if text.startswith(start)), "")
        kinds.setdefault(kind, []).append(number)
    few = max(1, size // 30)
    chosen = [*kinds[FOR_GOOD][:few], *kinds[FOR_NOW][:few]]
    chosen += kinds[""][: size - len(chosen)]
    return b"".join([header, *(rows[number] for number in sorted(chosen))])


def _render(folder: DemoFolder, newsletter: Newsletter) -> Frozen:
    sample = (templates() / "sample" / "issue.md").read_bytes()
    folder.issue.write_bytes(sample)
    frozen = freeze(folder.issue, newsletter)
    _write_preview(folder.rendered, frozen, newsletter)
    size = folder.rendered.stat().st_size / 1000
    say(
        f"render       {folder.issue} → {folder.rendered} ({size:.0f} kB): {frozen.rendering.title}"
    )
    return frozen


def _write_preview(path: Path, frozen: Frozen, newsletter: Newsletter) -> None:
    reader = {"name": "Ada", "email": "ada@example.org", "id": 1, "attributes": {"plan": "pro"}}
    fields = {"subscriber": reader, **constants(frozen.issue, look_of(newsletter))}
    links = dict.fromkeys(SystemSlot, newsletter.url)
    path.write_text(fill(frozen.rendering, fields, links).html, encoding="utf-8")
