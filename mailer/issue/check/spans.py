"""The words that readers see, each with the place of its block."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

from mailer.issue.model import START, Code, Link, Listed, Picture, Place, Text

_NO_WORDS = frozenset({"place", "url", "condition"})


@dataclass(frozen=True, kw_only=True)
class Span:
    """A piece of text between marks; `first` where it begins its block, `block` where that is.

    `linked` says that it is (in) the text of a link.
    """

    text: str
    block: Place
    first: bool
    linked: bool = False


def spans(node: object, block: Place = START, *, linked: bool = False) -> Iterator[Span]:
    """Every piece of text but code, addresses and the texts of images."""
    match node:
        case tuple():
            for at, each in enumerate(node):
                if isinstance(each, Text):
                    yield Span(text=each.text, block=block, first=at == 0, linked=linked)
                else:
                    yield from spans(each, block, linked=linked)
        case Code() | Listed() | Picture():
            return
        case _ if dataclasses.is_dataclass(node):
            place = getattr(node, "place", block)
            linked = linked or isinstance(node, Link)
            for field in dataclasses.fields(node):
                if field.name not in _NO_WORDS:
                    yield from spans(getattr(node, field.name), place, linked=linked)
