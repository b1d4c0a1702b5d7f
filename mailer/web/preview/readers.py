"""For whom the issue is shown: people made up to try it, and those of the database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mailer.delivery.model import Recipient
from mailer.issue.expression import Expression, parse
from mailer.render.model import Rendering, SlotKind
from mailer.web.preview import queries
from subscribers.database import Database
from subscribers.model import Member, Newsletter

MOST_FOUND = 20


@dataclass(frozen=True, kw_only=True)
class Reader:
    """Somebody to show the issue to; `id` is a number for those of the database."""

    id: str
    name: str
    note: str


SAMPLES = (
    Reader(id="ada", name="Ada Lovelace", note="knows everything: each attribute is its own name"),
    Reader(id="nobody", name="Nobody known", note="no name, no attribute: defaults show"),
    Reader(id="long", name="A very long name", note="does the layout hold?"),
    Reader(id="odd", name="<b>{{ 7*7 }}</b>", note="a name that must stay text"),
)
_NAMES = {
    "ada": "Ada Lovelace",
    "nobody": "",
    "long": "Pablo Diego José Francisco de Paula Juan Wolfeschlegelsteinhausenbergerdorff",
    "odd": "<b>{{ 7*7 }}</b>",
}


@dataclass(frozen=True, kw_only=True)
class Readership:
    """Where readers come from; without a database only the samples are there. Only reads."""

    newsletter: Newsletter
    database: Database | None = None

    def search(self, words: str) -> list[Reader]:
        """People of the newsletter whose name or address holds these words; a few."""
        if self.database is None or not words.strip():
            return []
        with self.database.read() as session:
            found = queries.search(session, self.newsletter.id, words.strip(), limit=MOST_FOUND)
        return [_reader(member) for member in found]

    def known(self, id_: str) -> Reader:
        """The reader of this id; the first sample where there is none (any more)."""
        member = self._member(id_)
        if member is not None:
            return _reader(member)
        return next((each for each in SAMPLES if each.id == id_), SAMPLES[0])

    def recipient(self, id_: str, rendering: Rendering) -> Recipient:
        """The reader as a message needs them."""
        member = self._member(id_)
        if member is not None:
            person = member.subscriber
            return Recipient(
                delivery_id=1,
                subscriber_id=person.id,
                address=person.address or "erased@example.org",
                name=person.name,
                language=person.language,
                attributes=person.attributes,
                tags=person.tags,
            )
        sample = self.known(id_).id
        return Recipient(
            delivery_id=1,
            subscriber_id=1,
            address=f"{sample}@example.org",
            name=_NAMES[sample],
            language=None if sample == "nobody" else "en",
            attributes=_attributes(rendering) if sample == "ada" else {},
        )

    def _member(self, id_: str) -> Member | None:
        if self.database is None or not id_.isdecimal() or len(id_) > 18:
            return None
        with self.database.read() as session:
            return queries.member(session, self.newsletter.id, int(id_))


def _reader(member: Member) -> Reader:
    person = member.subscriber
    name = person.name or person.address or ""
    return Reader(id=str(person.id), name=name, note=f"{person.address}, {member.status}")


def _attributes(rendering: Rendering) -> Mapping[str, object]:
    """Each attribute that the issue asks for, holding its own name."""
    names = {name for each in expressions(rendering) for name in each.names}
    return {path[2]: path[2] for path in names if path[:2] == ("subscriber", "attributes")}


def expressions(rendering: Rendering) -> Iterable[Expression]:
    """All that the author asks about a reader."""
    values = (slot.source for slot in rendering.slots if slot.kind is SlotKind.VALUE)
    return [parse(source) for source in (*values, *(c.source for c in rendering.conditions))]
