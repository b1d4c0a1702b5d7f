"""Which dialect a relay speaks: as its settings say, else as its name tells."""

from __future__ import annotations

from dataclasses import dataclass

from mailer.delivery.dialects.model import Dialect
from mailer.delivery.dialects.table import DIALECTS, SMTP
from mailer.settings import RelaySettings


@dataclass(frozen=True, kw_only=True)
class Known:
    """A relay's dialect, and how it is known."""

    dialect: Dialect
    how: str


def dialect_of(relay: RelaySettings) -> Known:
    """The dialect of a relay; `smtp` where nothing tells."""
    if relay.dialect is not None:
        return Known(dialect=DIALECTS[relay.dialect], how="as its settings say")
    service = service_of(relay.host)
    if service is not None:
        return Known(dialect=service, how="as its host tells")
    return Known(dialect=SMTP, how="for want of a better guess")


def service_of(host: str) -> Dialect | None:
    """The service that a host obviously belongs to, if any."""
    name = host.lower().rstrip(".")
    return next((d for d in DIALECTS.values() if any(_is_at(name, end) for end in d.hosts)), None)


def _is_at(name: str, end: str) -> bool:
    """Whole labels only: `evil-sendgrid.net` is not SendGrid's."""
    if not end.startswith("."):
        return name == end
    # Others at Amazon's are machines that anybody may rent.
    return name.endswith(end) and (".amazonaws." not in end or name.startswith("email-smtp"))
