"""Attributes: their kinds, how a text becomes a value of one, and back: pure.

In the database a value stands as JSON: a text, a number, true or false, a date as
"2026-01-31", or a list of texts.
"""

from __future__ import annotations

import csv
import difflib
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from subscribers.errors import AttributeInvalid, AttributeUnknown

MAX_NAME = 64
MAX_ITEMS = 100

_NAME = re.compile(r"[^\W\d]\w*\Z")
_WHOLE = re.compile(r"-?[0-9]{1,15}\Z")
_LIST_ENDS = re.compile(r"[|;,]")
_BOOLEANS = {
    **dict.fromkeys(("true", "yes", "y", "1"), True),
    **dict.fromkeys(("false", "no", "n", "0"), False),
}
#: What the language of segments means by these words already.
_TAKEN = frozenset(
    {
        *("and", "or", "not", "in", "is", "has", "true", "false", "never", "last", "since"),
        *("hours", "days", "weeks", "months", "years", "tag", "tags", "segment", "opened"),
        *("clicked", "received", "address", "email", "domain", "name", "language", "timezone"),
        *("joined", "source", "status", "newsletter"),
    }
)


class Kind(StrEnum):
    """What values an attribute holds."""

    #: Any line of text.
    TEXT = "text"
    #: 12 or 12.5.
    NUMBER = "number"
    #: true or false.
    BOOLEAN = "boolean"
    #: 2026-01-31.
    DATE = "date"
    #: Texts; in a cell they stand side by side: a|b|c.
    LIST = "list"


@dataclass(frozen=True, kw_only=True)
class Definition:
    """An attribute that people may have."""

    name: str
    kind: Kind


def check_name(name: str) -> str:
    """Give a name that an attribute may have; raises AttributeInvalid."""
    if not _NAME.match(name) or len(name) > MAX_NAME or name != name.casefold():
        raise AttributeInvalid(
            f"{name!r:.80} can't be an attribute's name; write lower-case letters, digits and _,"
            " a letter first"
        )
    if name in _TAKEN:
        raise AttributeInvalid(f"{name!r} is a word of segments already; choose another name")
    return name


def definition_of(name: str, known: Mapping[str, Definition]) -> Definition:
    """The definition of this name; raises AttributeUnknown, which suggests the nearest."""
    if name in known:
        return known[name]
    raise AttributeUnknown(f"no attribute is named {name!r:.80}{nearest(name, known)}")


def nearest(name: str, known: Iterable[str]) -> str:
    """What to do about a name that is not there, as the end of a sentence."""
    close = difflib.get_close_matches(name, [*known], n=1)
    meant = f"; did you mean {close[0]}?" if close else ";"
    return f"{meant} `mailer subscribers attributes add {name}` declares it"


def read_value(kind: Kind, text: str) -> object:
    """A text as a value of this kind, ready for JSON; raises AttributeInvalid with the remedy."""
    try:
        return _READERS[kind](text.strip())
    except (ValueError, KeyError) as exc:
        raise AttributeInvalid(f"{text!r:.60} is no {kind}; {_LIKE[kind]}") from exc


def check_value(kind: Kind, value: object) -> object:
    """A value of this kind as it is kept, texts read; raises AttributeInvalid."""
    if isinstance(value, str):
        return read_value(kind, value)
    return read_value(kind, text_of(value))


def checked(told: Mapping[str, object], known: Mapping[str, Definition]) -> dict[str, object]:
    """Values of declared attributes, each of its kind.

    Raises AttributeUnknown, AttributeInvalid.
    """
    found: dict[str, object] = {}
    for name, value in told.items():
        try:
            found[name] = check_value(definition_of(name, known).kind, value)
        except AttributeInvalid as exc:
            raise AttributeInvalid(f"{name}: {exc}") from exc
    return found


def text_of(value: object) -> str:
    """A value as text, which `read_value` makes into the same value again.

    A list is JSON where one of its texts holds what would part it.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        texts = [str(item) for item in value]
        joined = "|".join(texts)
        if read_list(joined) == texts:
            return joined
        return json.dumps(texts, ensure_ascii=False)
    return "" if value is None else str(value)


def _number(text: str) -> int | float:
    if _WHOLE.match(text):
        return int(text)
    number = float(text)
    if not math.isfinite(number) or "_" in text:
        raise ValueError(text)
    return number


def _date(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        return datetime.fromisoformat(text).date().isoformat()


def read_list(text: str) -> list[str]:
    """Texts that stand side by side, `a|b`, `a, b` or as JSON, each once; without empty ones."""
    items = (item.strip() for item in _parts(text))
    return [*dict.fromkeys(item for item in items if item)]


def _parts(text: str) -> list[str]:
    if text.startswith("["):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, list) and all(isinstance(item, str) for item in found):
            return found
    # What a service wrote between quotes may hold what parts the others.
    if text.startswith('"'):
        return next(csv.reader([text], skipinitialspace=True), [])
    return _LIST_ENDS.split(text)


def _list(text: str) -> list[str]:
    found = read_list(text)
    if len(found) > MAX_ITEMS:
        raise ValueError(text)
    return found


_READERS: dict[Kind, Callable[[str], object]] = {
    Kind.TEXT: str,
    Kind.NUMBER: _number,
    Kind.BOOLEAN: lambda text: _BOOLEANS[text.casefold()],
    Kind.DATE: _date,
    Kind.LIST: _list,
}
_LIKE = {
    Kind.TEXT: "write any text",
    Kind.NUMBER: "write it like 12 or 12.5",
    Kind.BOOLEAN: "write true or false",
    Kind.DATE: "write it like 2026-01-31",
    Kind.LIST: f'write at most {MAX_ITEMS} texts like a|b|c or ["a", "b"]',
}
