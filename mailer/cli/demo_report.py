"""What the demo shows in the end, and whether the ledger and the Maildir tell the same."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from mailer.cli.campaign_books import show_balance
from mailer.cli.demo_folder import DemoFolder
from mailer.cli.demo_stop import DemoFailed
from mailer.cli.maildir_relay import Received, messages
from mailer.cli.output import say
from mailer.cli.runtime import Runtime
from mailer.delivery import queries as delivery_queries
from mailer.delivery.model import DeliveryState
from mailer.report import queries as report_queries
from subscribers.token import Scope, read


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Deliveries by number: what the ledger says, and how often each arrived."""

    sent: frozenset[int]
    unknown: frozenset[int]
    arrived: Counter[int]

    @property
    def mistakes(self) -> list[str]:
        """What must not be, in words; nothing where both tell the same."""
        counts = {
            "arrived twice": sum(copies > 1 for copies in self.arrived.values()),
            "sent by the ledger, but not in the Maildir": len(self.sent - self.arrived.keys()),
            "in the Maildir, but not sent by the ledger": len(
                self.arrived.keys() - self.sent - self.unknown
            ),
        }
        return [f"{count} copies {what}" for what, count in counts.items() if count]


def show_report(here: Runtime, folder: DemoFolder, campaign_id: int) -> None:
    """Tell how it ended; raises DemoFailed where something does not add up."""
    with here.database.read() as session:
        report = report_queries.campaign_report(session, campaign_id)
        wrong = report_queries.discrepancies(session, campaign_id)
        sent = delivery_queries.ids_in_state(session, campaign_id, DeliveryState.SENT)
        unknown = delivery_queries.ids_in_state(session, campaign_id, DeliveryState.UNKNOWN)
        arrived = messages(folder.maildir)
        compared = Comparison(
            sent=frozenset(sent), unknown=frozenset(unknown), arrived=_count(here, arrived)
        )
    say()
    show_balance(report.balance)
    mistakes = [f"{one.count} {one.what}" for one in wrong] + compared.mistakes
    if not (report.balance.balances and report.balance.closed):
        mistakes.append("the balance does not close")
    if mistakes:
        raise DemoFailed(f"this does not add up: {'; '.join(mistakes)}; see {folder.path}")
    say("the audit finds nothing wrong")
    _show_arrived(compared, report.attempts)
    _show_places(folder, arrived, campaign_id)


def _count(here: Runtime, arrived: Sequence[Received]) -> Counter[int]:
    now = datetime.now(UTC)
    return Counter(read(here.keyring, Scope.VERP, copy.token, now=now) for copy in arrived)


def _show_arrived(compared: Comparison, attempts: int) -> None:
    say(f"{attempts:,} attempts; who was put off at first has got a copy since")
    landed = len(compared.unknown & compared.arrived.keys())
    settled = f", and {landed} of the unknown" if compared.unknown else ""
    say(f"the Maildir holds exactly the {len(compared.sent):,} sent{settled}; nobody has two")


def _show_places(folder: DemoFolder, arrived: Sequence[Received], campaign_id: int) -> None:
    if arrived:
        shutil.copyfile(arrived[0].path, folder.received)
    mailer = f"mailer --config {folder.settings}"
    for line in (
        "",
        f"the issue as HTML     {folder.rendered}",
        f"a message as it came  {folder.received}",
        f"all that came         {folder.maildir}",
        f"look around           {mailer} campaign report {campaign_id}",
        f"                      {mailer} campaign explain ADDRESS {campaign_id}",
        f"                      {mailer} serve",
        "",
        "Your own newsletter:",
        "  mailer init my-newsletter            asks for name, sender and relay",
        "  cd my-newsletter && mailer campaign test issue.md --to YOU@YOUR.DOMAIN",
        "",
        "`mailer` is .venv/bin/mailer in a checkout; README.md tells the rest.",
    ):
        say(line)
