"""A campaign rehearsed: every real recipient's copy is made, none is sent.

rendering + people ─compose→ messages, thrown away ─┐
                   ─fields→ values                  ├→ problems, grouped, on the author's lines
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from mailer.delivery.compose import Composer
from mailer.delivery.model import Recipient
from mailer.delivery.values import MAX_VALUE
from mailer.errors import RenderingFailed
from mailer.issue.expression import Expression, evaluate, holds, parse
from mailer.issue.model import START, Merge, ParsedIssue, Place, Problem
from mailer.issue.problems import Notes
from mailer.issue.rules import Rule
from mailer.issue.walk import walk
from mailer.lint.size import CLIPPED
from mailer.render.model import Rendering, SlotKind, SystemSlot
from mailer.render.preview import fill, substitute
from subscribers.errors import AddressInvalid
from subscribers.model import Subscriber

#: So many people are named with each problem.
EXAMPLES = 3
#: What an import or a form leaves where somebody had no value.
_JUNK = re.compile(
    r"null|none|nil|nan|n/?a|undefined|unknown|test|-+|\?+|\.+|x+|first ?name|\{\{.*|\[.*name.*\]",
    re.IGNORECASE,
)
_KEPT_VIEWS = 256


@dataclass
class Group:
    """The people with one problem: how many, and the first of them."""

    people: int = 0
    examples: list[str] = field(default_factory=list)

    def take(self, address: str) -> None:
        """One more."""
        self.people += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(address)

    def __str__(self) -> str:
        more = f" and {self.people - len(self.examples):,} more" if self.people > EXAMPLES else ""
        return f"{', '.join(self.examples)}{more}"


@dataclass(frozen=True, kw_only=True)
class Found:
    """One kind of problem at one place."""

    rule: Rule
    place: Place
    message: str
    remedy: str


class Rehearsal:
    """Gathers what breaks for whom; memory does not grow with the audience."""

    def __init__(
        self,
        issue: ParsedIssue,
        rendering: Rendering,
        composer: Composer,
        constants: Mapping[str, Mapping[str, object]],
        *,
        date: datetime,
    ) -> None:
        """`rendering` is what `composer` was compiled from."""
        self._issue, self._rendering, self._composer = issue, rendering, composer
        self._constants, self._date = constants, date
        self._conditions = [
            (condition.number, parse(condition.source)) for condition in rendering.conditions
        ]
        self._slots = {
            slot.number: parse(slot.source)
            for slot in rendering.slots
            if slot.kind is SlotKind.VALUE
        }
        self._places = {
            node.expression.source: node.place
            for node in walk((issue.front.subject, issue.front.preheader, issue.blocks))
            if isinstance(node, Merge)
        }
        self._views: dict[tuple[bool, ...], tuple[Expression, ...]] = {}
        self._groups: dict[Found, Group] = {}
        self.people = 0

    def take(self, person: Subscriber) -> None:
        """Make one recipient's copy, and note what is wrong with it."""
        self.people += 1
        for found in self._check(person):
            self._groups.setdefault(found, Group()).take(person.address or "")

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What was found, the author's lines in order, each with how many people have it."""
        notes = Notes(path=self._issue.path)
        for found, group in self._groups.items():
            share = f"{group.people:,} of {self.people:,}"
            message = f"{found.message} for {share}: {group}"
            notes.add(found.rule, found.place, message, found.remedy)
        return notes.in_order

    def _check(self, person: Subscriber) -> Iterator[Found]:
        fields: dict[str, object] = {**self._constants, "subscriber": _fields(person)}
        truths = tuple(holds(expression, fields) for _, expression in self._conditions)
        for expression in self._shown(truths):
            yield from self._check_value(expression, str(evaluate(expression, fields)))
        try:
            message = self._composer.compose(_recipient(person), date=self._date)
        except (AddressInvalid, RenderingFailed) as exc:
            yield Found(
                rule=Rule.UNMAILABLE,
                place=START,
                message=f"no copy can be made ({type(exc).__name__})",
                remedy="correct their addresses: mailer subscribers show ADDRESS",
            )
            return
        # Encoded, a message is never smaller than its HTML: most need no closer look.
        if len(message.content) > CLIPPED:
            yield from self._check_size(fields)

    def _shown(self, truths: tuple[bool, ...]) -> tuple[Expression, ...]:
        """The values that are shown where these conditions hold, each once."""
        known = self._views.get(truths)
        if known is None:
            seen: dict[int, None] = {}

            def note(number: int) -> str:
                seen[number] = None
                return ""

            shown = {
                number: truth for (number, _), truth in zip(self._conditions, truths, strict=True)
            }
            for text in (self._rendering.subject, self._rendering.html):
                substitute(text, self._rendering.nonce, shown, note)
            found = (self._slots[number] for number in seen if number in self._slots)
            known = tuple({each.source: each for each in found}.values())
            if len(self._views) < _KEPT_VIEWS:
                self._views[truths] = known
        return known

    def _check_value(self, expression: Expression, value: str) -> Iterator[Found]:
        place = self._places.get(expression.source, START)
        if not value.strip():
            yield Found(
                rule=Rule.EMPTY_VALUE,
                place=place,
                message=f"{expression.source} is empty",
                remedy='add | default("…"), or put a condition around it',
            )
        elif _JUNK.fullmatch(value.strip()):
            yield Found(
                rule=Rule.JUNK_VALUE,
                place=place,
                message=f"{expression.source} is {value.strip()[:40]!r}",
                remedy="correct it in your data: it looks like what an import left behind",
            )
        elif len(value) > MAX_VALUE:
            yield Found(
                rule=Rule.JUNK_VALUE,
                place=place,
                message=f"{expression.source} is cut at {MAX_VALUE} characters",
                remedy="shorten it in your data",
            )

    def _check_size(self, fields: Mapping[str, object]) -> Iterator[Found]:
        page = "https://" + "x" * 120
        filled = fill(self._rendering, fields, dict.fromkeys(SystemSlot, page))
        if len(filled.html.encode()) > CLIPPED:
            yield Found(
                rule=Rule.MESSAGE_SIZE,
                place=START,
                message="Gmail cuts off the HTML, which has more than 102 KB,",
                remedy="shorten the issue, or move parts of it behind a link",
            )


def _fields(person: Subscriber) -> Mapping[str, object]:
    return {
        "id": person.id,
        "name": person.name,
        "email": person.address,
        "language": person.language,
        "attributes": person.attributes,
    }


def _recipient(person: Subscriber) -> Recipient:
    # No delivery has this id: the links in a rehearsed copy lead nowhere.
    return Recipient(
        delivery_id=0,
        subscriber_id=person.id,
        address=person.address or "",
        name=person.name,
        language=person.language,
        attributes=person.attributes,
        tags=person.tags,
    )
