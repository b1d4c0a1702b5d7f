"""One recipient's values fitted into a text that was compiled once: no template, no scanning.

A rendering's text is cut at its marks into fixed pieces, slots and conditions. Fixed pieces are
encoded at once; for a recipient, conditions choose pieces and values are escaped, encoded and
put between them. Values are never looked at again: one that looks like a mark or a merge field
stays what it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeAlias, TypeVar

from mailer.delivery.encoding import (
    Base64Piece,
    base64_body,
    base64_piece,
    quoted_printable,
    quoted_printable_value,
)
from mailer.errors import RenderingFailed
from mailer.render.model import Condition, Escape, Slot, SlotKind

#: The combinations of conditions whose pieces are kept put together; more are put together anew.
KEPT_VARIANTS = 64
_MAX_DEPTH = 50
# What relaxed canonicalisation would change, and what SMTP servers disagree about.
_NOT_CANONICAL = re.compile(rb"[ \t]\r\n|[ \t]{2}|\t|(?<!\r)\n|\r(?!\n)|[^\r\n]{77}|(?:\A|\n)\.")

P = TypeVar("P")
Truths: TypeAlias = tuple[bool, ...]


class TransferEncoding(StrEnum):
    """How a body travels through 7-bit mail."""

    QUOTED_PRINTABLE = "quoted-printable"
    BASE64 = "base64"


@dataclass(frozen=True, kw_only=True)
class Field:
    """A value as it is needed in one kind of place; slots that need the same share one."""

    kind: SlotKind
    source: str
    escape: Escape


#: Gives a recipient's value for a field, escaped for where it stands.
Values: TypeAlias = Callable[[Field], str]


@dataclass(frozen=True, kw_only=True)
class Branch(Generic[P]):
    """Pieces that depend on a condition, by its place in the rendering's list."""

    condition: int
    then: list[Node[P]]
    otherwise: list[Node[P]]


@dataclass(frozen=True, kw_only=True)
class Gap:
    """A place for a field, by its number."""

    field: int


Node: TypeAlias = "P | Gap | Branch[P]"


class Script(Generic[P]):
    """A text cut at its marks; `fields` are what its gaps need."""

    def __init__(
        self,
        text: str,
        slots: Sequence[Slot],
        conditions: Sequence[Condition],
        *,
        nonce: str,
        encode: Callable[[str], P],
    ) -> None:
        """Cut a text; raises RenderingFailed where marks and their lists disagree."""
        self.fields: list[Field] = []
        self._slots = {slot.number: slot for slot in slots}
        self._places = {condition.number: n for n, condition in enumerate(conditions)}
        self._encode = encode
        self._variants: dict[Truths, list[P | Gap]] = {}
        marks = re.compile(rf"zq{nonce}x(\d+)z|<!--zq{nonce}(if|else|end)(\d+)-->")
        # Fixed text at every fourth place, then slot, word and condition of the mark after it.
        self._nodes = self._cut(marks.split(text))

    def variant(self, truths: Truths) -> list[P | Gap]:
        """The pieces and gaps for one combination of conditions, in order."""
        found = self._variants.get(truths)
        if found is None:
            found = self._chosen(self._nodes, truths)
            if len(self._variants) < KEPT_VARIANTS:
                self._variants[truths] = found
        return found

    @property
    def varies(self) -> bool:
        """Whether anything in it differs per recipient."""
        return any(isinstance(node, Gap | Branch) for node in self._nodes)

    def _chosen(self, nodes: list[Node[P]], truths: Truths) -> list[P | Gap]:
        chosen: list[P | Gap] = []
        for node in nodes:
            if isinstance(node, Branch):
                side = node.then if truths[node.condition] else node.otherwise
                chosen += self._chosen(side, truths)
            else:
                chosen.append(node)
        return chosen

    def _cut(self, parts: list[str | None]) -> list[Node[P]]:
        whole: list[Node[P]] = []
        here = whole
        # The conditions not yet closed: number, branch, and the list to go back to.
        open_branches: list[tuple[str, Branch[P], list[Node[P]]]] = []
        for start in range(0, len(parts), 4):
            fixed, slot, word, number = (*parts[start : start + 4], None, None, None)[:4]
            if fixed:
                here.append(self._encode(fixed))
            if slot:
                here.append(Gap(field=self._field(int(slot))))
            elif word == "if" and number and len(open_branches) < _MAX_DEPTH:
                branch: Branch[P] = Branch(
                    condition=self._place(int(number)), then=[], otherwise=[]
                )
                here.append(branch)
                open_branches.append((number, branch, here))
                here = branch.then
            elif word:
                if not open_branches or open_branches[-1][0] != number or word == "if":
                    raise _broken(f"condition {number} has its {word!r} in a wrong place")
                here = open_branches[-1][1].otherwise if word == "else" else open_branches.pop()[2]
        if open_branches:
            raise _broken(f"condition {open_branches[-1][0]} has no end")
        return whole

    def _field(self, number: int) -> int:
        slot = self._slots.get(number)
        if slot is None:
            raise _broken(f"slot {number} is not in its list")
        field = Field(kind=slot.kind, source=slot.source, escape=slot.escape)
        if field not in self.fields:
            self.fields.append(field)
        return self.fields.index(field)

    def _place(self, number: int) -> int:
        if number not in self._places:
            raise _broken(f"condition {number} is not in its list")
        return self._places[number]


class Line:
    """A text on one line, such as the subject, filled as text.

    `same_for_all` is the line where nothing in it differs per recipient, else None.
    """

    def __init__(
        self, text: str, slots: Sequence[Slot], conditions: Sequence[Condition], *, nonce: str
    ) -> None:
        """Compile it; raises RenderingFailed where marks and their lists disagree."""
        self._script = Script[str](text, slots, conditions, nonce=nonce, encode=str)
        self.same_for_all = None if self._script.varies else text

    def fill(self, values: Values, truths: Truths) -> str:
        """The line for one recipient."""
        ready = [values(field) for field in self._script.fields]
        return "".join(
            ready[part.field] if isinstance(part, Gap) else part
            for part in self._script.variant(truths)
        )


@dataclass(frozen=True, kw_only=True)
class Program:
    """A body compiled once; `fill` gives it for one recipient, encoded, as whole lines."""

    encoding: TransferEncoding
    fields: Sequence[Field]
    fill: Callable[[Values, Truths], bytes]


def compile_body(
    text: str, slots: Sequence[Slot], conditions: Sequence[Condition], *, nonce: str
) -> Program:
    """Compile a body in quoted-printable or base64, whichever makes its fixed part shorter.

    Raises RenderingFailed where marks and their lists disagree, or the text is not Unicode.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n") + "\n"
    try:
        # Base64 makes 78 octets of 57.
        if len(lines.encode()) * 78 / 57 + 4 < len(quoted_printable(lines)):
            return _in_base64(lines, slots, conditions, nonce)
        return _in_quoted_printable(lines, slots, conditions, nonce)
    except UnicodeEncodeError as exc:
        raise _broken(f"its text holds half a character: {exc.reason}") from exc


def _in_quoted_printable(
    text: str, slots: Sequence[Slot], conditions: Sequence[Condition], nonce: str
) -> Program:
    script = Script[bytes](text, slots, conditions, nonce=nonce, encode=_canonical_piece)

    def fill(values: Values, truths: Truths) -> bytes:
        ready = [quoted_printable_value(values(field)) for field in script.fields]
        return b"".join(
            [
                part if isinstance(part, bytes) else ready[part.field]
                for part in script.variant(truths)
            ]
        )

    return Program(encoding=TransferEncoding.QUOTED_PRINTABLE, fields=script.fields, fill=fill)


def _in_base64(
    text: str, slots: Sequence[Slot], conditions: Sequence[Condition], nonce: str
) -> Program:
    script = Script[Base64Piece | bytes](text, slots, conditions, nonce=nonce, encode=base64_piece)

    def fill(values: Values, truths: Truths) -> bytes:
        ready = [values(field).encode() for field in script.fields]
        return base64_body(
            ready[part.field] if isinstance(part, Gap) else part for part in script.variant(truths)
        )

    return Program(encoding=TransferEncoding.BASE64, fields=script.fields, fill=fill)


def _canonical_piece(text: str) -> bytes:
    """A fixed piece; that signing needs no canonicalisation of bodies rests on this check."""
    piece = quoted_printable(text)
    if _NOT_CANONICAL.search(piece) or not piece.endswith(b"\r\n"):
        raise _broken("its text can't be encoded canonically")
    return piece


def _broken(what: str) -> RenderingFailed:
    return RenderingFailed(f"this rendering is damaged: {what}; render the issue again")
