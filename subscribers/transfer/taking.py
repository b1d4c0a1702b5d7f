"""One batch of entries into the database, set by set, in the caller's transaction.

What is new is inserted by COPY or its like, under ids taken beforehand; only people who were
here are read and compared one by one.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

from sqlalchemy import and_, bindparam, insert, select, update
from sqlalchemy.orm import Session

from subscribers.audience import Exclusion
from subscribers.database import upsert
from subscribers.model import Status, SuppressionScope
from subscribers.outbox.model import News, NewsType
from subscribers.outbox.queries import tell
from subscribers.tables import consents, subscribers, subscriptions, suppressions
from subscribers.transfer.bulk import Row, among, insert_rows, moment_text, new_ids
from subscribers.transfer.model import Entry, Import, Report
from subscribers.transfer.standing import COMPLAINT

SOURCE = "import"

_EXCLUDED = {
    Status.UNSUBSCRIBED: Exclusion.UNSUBSCRIBED,
    Status.BOUNCED: Exclusion.BOUNCED,
    Status.COMPLAINED: Exclusion.COMPLAINED,
}
_PERSON = (
    "id",
    "address",
    "address_key",
    "address_hash",
    "domain",
    "domain_hash",
    "name",
    "language",
    "timezone",
    "attributes",
    "tags",
    "created_at",
)
_PLACE = (
    "newsletter_id",
    "subscriber_id",
    "status",
    "joined_at",
    "left_at",
    "source",
    "soft_bounces",
)
_CONSENT = ("newsletter_id", "subscriber_id", "action", "at", "source", "evidence")
_encode = json.JSONEncoder().encode
_TOLD = ("name", "language", "timezone", "attributes", "tags")


@dataclass(frozen=True, kw_only=True)
class _Known:
    """A person who was here: the id, what is told of them, and their place if they have one."""

    id: int
    told: Mapping[str, object]
    status: Status | None
    source: str | None
    joined_at: datetime | None


def take(session: Session, entries: list[Entry], order: Import) -> Report:
    """Write a batch in which nobody comes twice; gives what became of the rows.

    Raises IntegrityError where somebody else inserted one of them in this very moment.
    """
    hash_of = order.keyring.address_hash
    hashes = {key: hash_of(key) for key in [entry.address.key for entry in entries]}
    domain_hashes = {
        domain: order.keyring.domain_hash(domain)
        for domain in {entry.address.domain for entry in entries}
    }
    suppressed = _suppressed(session, [*hashes.values(), *domain_hashes.values()], order)
    wanted = entries
    if suppressed:
        wanted = [
            entry
            for entry in entries
            if hashes[entry.address.key] not in suppressed
            and domain_hashes[entry.address.domain] not in suppressed
        ]
    known = _known(session, [entry.address.key for entry in wanted], order)
    new, here = wanted, []
    if known:
        new = [entry for entry in wanted if entry.address.key not in known]
        here = [entry for entry in wanted if entry.address.key in known]
    joining = dict(zip(new_ids(session, subscribers, len(new)), new, strict=True))
    _insert_people(session, joining, hashes, domain_hashes, order)
    for entry in here:
        person = known[entry.address.key]
        if person.status is None:
            joining[person.id] = entry
    _subscribe(session, joining, order)
    updated = _update_people(session, here, known)
    ended = _end(session, here, known, order)
    gone = [
        entry
        for entry in wanted
        if entry.address.key not in known or not _came_since(entry, known[entry.address.key])
    ]
    silenced = _suppress(session, gone, hashes, order)
    report = _report(len(entries), wanted, known, joining, updated, ended)
    _tell(session, report, order)
    joined = Counter([entry.status or order.status for entry in joining.values()])
    return replace(
        report,
        joined={str(status): count for status, count in joined.items()},
        suppressed=silenced,
    )


def _tell(session: Session, report: Report, order: Import) -> None:
    # One for all of them: whoever wants a million people reads them from an export.
    facts = {"added": report.added, "updated": report.updated + report.ended}
    if any(facts.values()):
        imported = News(
            type=NewsType.IMPORTED, at=order.now, newsletter_id=order.newsletter.id, facts=facts
        )
        tell(session, [imported], now=order.now)


def _report(
    rows: int,
    wanted: list[Entry],
    known: Mapping[str, _Known],
    joining: Mapping[int, Entry],
    updated: set[int],
    ended: set[int],
) -> Report:
    left_out: Counter[str] = Counter()
    if rows > len(wanted):
        left_out[Exclusion.SUPPRESSED] = rows - len(wanted)
    changed = 0
    updated = updated - ended
    for person in known.values():
        if person.status in _EXCLUDED:
            left_out[_EXCLUDED[person.status]] += 1
        elif person.status is not None and person.id in updated:
            changed += 1
    unchanged = rows - len(joining) - changed - len(ended) - left_out.total()
    return Report(
        added=len(joining),
        updated=changed,
        ended=len(ended),
        unchanged=unchanged,
        left_out=dict(left_out),
    )


def _status(entry: Entry, order: Import) -> Status:
    return entry.status or order.status


def _suppressed(session: Session, hashes: list[bytes], order: Import) -> set[bytes]:
    """Those of the hashes, of addresses and of domains, that must not be mailed."""
    noted = select(suppressions.c.value_hash).where(
        suppressions.c.newsletter_id.in_([0, order.newsletter.id])
    )
    every = session.execute(noted.limit(len(hashes))).scalars().all()
    if len(every) < len(hashes):
        # There are fewer in all than rows to ask about.
        return {*every}.intersection(hashes)
    found = noted.where(among(session, suppressions.c.value_hash, hashes))
    return {*session.execute(found).scalars()}


def _known(session: Session, keys: list[str], order: Import) -> dict[str, _Known]:
    place = and_(
        subscriptions.c.subscriber_id == subscribers.c.id,
        subscriptions.c.newsletter_id == order.newsletter.id,
    )
    query = (
        select(
            subscribers.c.id,
            subscribers.c.address_key,
            *(subscribers.c[name] for name in _TOLD),
            subscriptions.c.status,
            subscriptions.c.source,
            subscriptions.c.joined_at,
        )
        .select_from(subscribers.outerjoin(subscriptions, place))
        .where(among(session, subscribers.c.address_key, keys))
        # In one order everywhere, so that two imports can't wait for each other.
        .order_by(subscribers.c.id)
        .with_for_update(key_share=True, of=subscribers)
    )
    return {
        row["address_key"]: _Known(
            id=row["id"],
            told={name: row[name] for name in _TOLD},
            status=Status(row["status"]) if row["status"] else None,
            source=row["source"],
            joined_at=row["joined_at"],
        )
        for row in session.execute(query).mappings()
    }


def _insert_people(
    session: Session,
    new: Mapping[int, Entry],
    hashes: Mapping[str, bytes],
    domain_hashes: Mapping[str, bytes],
    order: Import,
) -> None:
    created_at = moment_text(session, order.now)
    rows: list[Row] = [
        (
            subscriber_id,
            entry.address.as_given,
            entry.address.key,
            hashes[entry.address.key],
            entry.address.domain,
            domain_hashes[entry.address.domain],
            entry.name,
            entry.language,
            entry.timezone,
            _object(entry.attributes) if entry.attributes else "{}",
            _encode(entry.tags) if entry.tags else "[]",
            created_at,
        )
        for subscriber_id, entry in new.items()
    ]
    insert_rows(session, subscribers, _PERSON, rows)


def _object(attributes: Mapping[str, object]) -> str:
    """The JSON of attributes; putting it together ourselves is half the work of an encoder's."""
    fields = [
        f"{_encoded(name)}: {value if type(value) is int else _encode(value)}"
        for name, value in attributes.items()
    ]
    return f"{{{', '.join(fields)}}}"


@lru_cache(maxsize=1000)
def _encoded(name: str) -> str:
    return _encode(name)


def _subscribe(session: Session, joining: Mapping[int, Entry], order: Import) -> None:
    """Give people their place, and note what they agreed to, or that the owner vouched for them."""
    newsletter_id = order.newsletter.id
    now = moment_text(session, order.now)
    places: list[Row] = []
    agreed: list[Row] = []
    for subscriber_id, entry in joining.items():
        status = entry.status or order.status
        left_at = None
        if status in _EXCLUDED:
            left_at = moment_text(session, entry.left_at) if entry.left_at else now
        joined_at = moment_text(session, entry.joined_at) if entry.joined_at else now
        places.append((newsletter_id, subscriber_id, status.value, joined_at, left_at, SOURCE, 0))
        for one in entry.history:
            at, evidence = moment_text(session, one.at), _encode(dict(one.evidence))
            agreed.append((newsletter_id, subscriber_id, one.action, at, one.source, evidence))
        if not entry.whole:
            evidence = f'{{"line": {entry.line}}}'
            agreed.append((newsletter_id, subscriber_id, "imported", now, SOURCE, evidence))
    insert_rows(session, subscriptions, _PLACE, places)
    insert_rows(session, consents, _CONSENT, agreed)


def _update_people(
    session: Session, entries: Sequence[Entry], known: Mapping[str, _Known]
) -> set[int]:
    """Write what the file says anew about people who were here; gives their ids."""
    changes: list[dict[str, object]] = []
    changed: set[int] = set()
    for entry in entries:
        person = known[entry.address.key]
        told = _merged(entry, person.told)
        if told != person.told:
            changes.append({"subscriber": person.id, **told})
            changed.add(person.id)
    if changes:
        statement = update(subscribers).where(subscribers.c.id == bindparam("subscriber"))
        session.connection().execute(
            statement.values({name: bindparam(name) for name in _TOLD}), changes
        )
    return changed


def _merged(entry: Entry, told: Mapping[str, object]) -> dict[str, object]:
    """What is known and what the file says, which wins where it says something."""
    attributes, tags = told["attributes"], told["tags"]
    assert isinstance(attributes, Mapping)
    assert isinstance(tags, list)
    return {
        "name": entry.name or told["name"],
        "language": entry.language or told["language"],
        "timezone": entry.timezone or told["timezone"],
        "attributes": {**attributes, **entry.attributes},
        "tags": [*dict.fromkeys([*tags, *entry.tags])],
    }


def _end(
    session: Session, entries: Sequence[Entry], known: Mapping[str, _Known], order: Import
) -> set[int]:
    """End the places of people whom the file says have left elsewhere; gives their ids."""
    ended = {
        known[entry.address.key].id: entry
        for entry in entries
        if _leaves(entry, known[entry.address.key])
    }
    if not ended:
        return set()
    statement = update(subscriptions).where(
        subscriptions.c.newsletter_id == order.newsletter.id,
        subscriptions.c.subscriber_id == bindparam("person"),
    )
    session.connection().execute(
        statement.values(status=bindparam("now_is"), left_at=bindparam("since")),
        [
            {"person": person, "now_is": entry.status, "since": entry.left_at or order.now}
            for person, entry in ended.items()
        ],
    )
    withdrawn = [
        dict(zip(_CONSENT, (order.newsletter.id, person, *record), strict=True))
        for person, entry in ended.items()
        # A bounce is nobody's word.
        if entry.status is not Status.BOUNCED
        for record in (("withdrawn", entry.left_at or order.now, SOURCE, _why(entry)),)
    ]
    if withdrawn:
        session.execute(insert(consents), withdrawn)
    return {*ended}


def _leaves(entry: Entry, person: _Known) -> bool:
    """Whether a place here ends: not where somebody came after they had left elsewhere."""
    if person.status is None or person.status in _EXCLUDED or _came_since(entry, person):
        return False
    return entry.status in _EXCLUDED


def _came_since(entry: Entry, person: _Known) -> bool:
    return (
        person.source != SOURCE
        and entry.left_at is not None
        and person.joined_at is not None
        and person.joined_at > entry.left_at
    )


def _why(entry: Entry) -> Mapping[str, object]:
    return next((one.evidence for one in entry.history if one.action == "withdrawn"), {})


def _suppress(
    session: Session, entries: Sequence[Entry], hashes: Mapping[str, bytes], order: Import
) -> int:
    """Suppress for good who complained or was blocked elsewhere; gives how many."""
    rows = [
        {
            "newsletter_id": 0,
            "scope": SuppressionScope.ADDRESS,
            "value_hash": hashes[entry.address.key],
            "reason": reason,
            "source": SOURCE,
            "at": entry.left_at or order.now,
        }
        for entry in entries
        if (reason := entry.suppressed)
        or (_status(entry, order) is Status.COMPLAINED and (reason := COMPLAINT))
    ]
    if not rows:
        return 0
    statement = upsert(session, suppressions).on_conflict_do_nothing()
    written = session.execute(statement.returning(suppressions.c.id), rows)
    return len(written.all())
