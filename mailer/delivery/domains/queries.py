"""The domains that people's addresses have, and the lanes found for them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailer.delivery.lanes import SHIPPED
from mailer.delivery.tables import domains
from subscribers.database import upsert
from subscribers.tables import subscribers

#: Names that stand in no public DNS (RFC 2606, 6761, 6762).
_RESERVED = (".example", ".test", ".invalid", ".localhost", ".local", ".internal")
_RESERVED_DOMAINS = frozenset({"example.com", "example.net", "example.org", "localhost"})


class Source(StrEnum):
    """Who says which lane a domain belongs to."""

    MX = "mx"
    MANUAL = "manual"


def unknown(
    session: Session, *, after: str, steps: int, stale: datetime
) -> tuple[list[str], str | None]:
    """Walk `steps` domains on from `after`: those to be looked up, and where the walk stands.

    None: it has come to the end. Each step is one look into the index, however many people
    share a domain. What was looked up before `stale` is looked up again.
    """
    wanted: list[str] = []
    for _ in range(steps):
        domain = session.execute(
            select(func.min(subscribers.c.domain)).where(subscribers.c.domain > after)
        ).scalar_one()
        if domain is None:
            return wanted, None
        after = domain
        if domain not in SHIPPED and not is_reserved(domain) and not _known(session, domain, stale):
            wanted.append(domain)
    return wanted, after


def is_reserved(domain: str) -> bool:
    """Whether a domain is for documentation and tests: nobody out there is asked about it."""
    parent = ".".join(domain.split(".")[-2:])
    return parent in _RESERVED_DOMAINS or f".{domain}".endswith(_RESERVED)


def _known(session: Session, domain: str, stale: datetime) -> bool:
    row = session.execute(
        select(domains.c.source, domains.c.looked_up_at).where(domains.c.domain == domain)
    ).first()
    return row is not None and (row.source == Source.MANUAL or row.looked_up_at > stale)


def keep(
    session: Session, found: Iterable[tuple[str, str]], *, source: Source, now: datetime
) -> None:
    """Keep the lanes of domains; what a person has set is not changed by a look-up."""
    rows = [
        {"domain": domain, "lane": lane, "source": source, "looked_up_at": now}
        for domain, lane in sorted(found)
    ]
    if not rows:
        return
    statement = upsert(session, domains)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=[domains.c.domain],
            set_={name: statement.excluded[name] for name in ("lane", "source", "looked_up_at")},
            where=None if source is Source.MANUAL else domains.c.source != Source.MANUAL,
        ),
        rows,
    )


def by_lane(session: Session) -> dict[str, int]:
    """How many domains were found to be of each lane."""
    rows = session.execute(
        select(domains.c.lane, func.count().label("domains"))
        .group_by(domains.c.lane)
        .order_by(domains.c.lane)
    )
    return {row.lane: row.domains for row in rows}
