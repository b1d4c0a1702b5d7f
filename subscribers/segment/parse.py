"""The language of segments, read by recursive descent into a typed tree: pure.

expression  = term { "or" term }
term        = factor { "and" factor }
factor      = "not" factor | "(" expression ")" | condition
condition   = "tag" ":" value | "segment" ":" name | "newsletter" ":" name
            | "has" field | "never" field | field [ comparison ]
comparison  = ( "=" | "!=" | "<" | "<=" | ">" | ">=" ) value
            | "in" "(" value { "," value } ")" | "in" "last" number unit | "since" date
            | "contains" value | "starts" "with" value | "ends" "with" value | "has" value
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NoReturn

from subscribers.address import parse as parse_address
from subscribers.attribute.model import Definition
from subscribers.errors import AddressInvalid, SegmentInvalid
from subscribers.segment.model import (
    FIELDS,
    OPERATORS,
    Both,
    Compare,
    Either,
    Expression,
    Field,
    FieldKind,
    Not,
    Operator,
    Present,
    Reader,
    Recent,
    Tagged,
    Value,
    attribute_field,
)
from subscribers.segment.tokens import Token, TokenKind, mistake, tokens

#: Deeper nesting, or more conditions, is nothing that a person wrote.
MAX_DEPTH = 40
MAX_CONDITIONS = 200

_UNITS = {
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
    "month": timedelta(days=30),
    "year": timedelta(days=365),
}
_MAX_SPAN = timedelta(days=36_500)
_SIGNS = {one.value: one for one in Operator if not one.value[0].isalpha()}
_BARE = (FieldKind.BOOLEAN, FieldKind.MOMENT)
_NUMBER = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,6})?\Z", re.ASCII)
_KEYWORDS = ("tag:", "newsletter:", "segment:", "has", "never", "not")


def parse(
    expression: str,
    *,
    attributes: Mapping[str, Definition],
    saved: Mapping[str, str] | None = None,
    newsletters: Collection[str] = (),
) -> Expression:
    """Read a segment; raises SegmentInvalid, which points at the word and says what to write.

    `attributes` are the declared ones; `saved` the words of segments that may be named,
    `newsletters` the short names of those there are.
    """
    known = Known(attributes=attributes, saved=saved or {}, newsletters=newsletters)
    return _Parser(expression, known, budget=_Budget(), depth=0).whole()


@dataclass(frozen=True, kw_only=True)
class Known:
    """The names that a segment may use beside our own."""

    attributes: Mapping[str, Definition]
    saved: Mapping[str, str]
    newsletters: Collection[str]


@dataclass
class _Budget:
    """How many conditions and values are left, over all segments named in one."""

    left: int = MAX_CONDITIONS


class _Parser:
    def __init__(
        self,
        expression: str,
        known: Known,
        *,
        budget: _Budget,
        depth: int,
    ) -> None:
        self._expression = expression
        self._known = known
        self._depth = depth
        self._tokens = tokens(expression)
        self._at = 0
        self._budget = budget

    def whole(self) -> Expression:
        found = self._either()
        if self._token.kind is not TokenKind.END:
            self._fail(self._token, "expected and, or, or the end")
        return found

    # --- words

    @property
    def _token(self) -> Token:
        return self._tokens[self._at]

    def _next(self) -> Token:
        token = self._token
        if token.kind is not TokenKind.END:
            self._at += 1
        return token

    def _takes(self, sign: str) -> bool:
        token = self._token
        if token.kind is TokenKind.SIGN and token.value == sign:
            self._at += 1
            return True
        return False

    def _takes_word(self, *words: str) -> bool:
        if self._token.is_word(*words):
            self._at += 1
            return True
        return False

    def _fail(self, token: Token, what: str) -> NoReturn:
        raise self._mistake(token, what)

    def _mistake(self, token: Token, what: str) -> SegmentInvalid:
        return mistake(self._expression, token.start, token.end, what)

    def _expect(self, sign: str, after: str) -> None:
        if not self._takes(sign):
            self._fail(self._token, f"expected {sign} {after}")

    # --- structure

    def _either(self) -> Expression:
        parts = [self._both()]
        while self._takes_word("or"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else Either(parts=tuple(parts))

    def _both(self) -> Expression:
        parts = [self._factor()]
        while self._takes_word("and"):
            parts.append(self._factor())
        return parts[0] if len(parts) == 1 else Both(parts=tuple(parts))

    def _factor(self) -> Expression:
        token = self._token
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._fail(token, f"this is nested deeper than {MAX_DEPTH} times; write it flatter")
        try:
            if self._takes_word("not"):
                return Not(part=self._factor())
            if self._takes("("):
                found = self._either()
                self._expect(")", "here")
                return found
            return self._condition()
        finally:
            self._depth -= 1

    def _condition(self) -> Expression:
        token = self._next()
        self._spend(token)
        if token.kind is not TokenKind.WORD:
            self._fail(token, "expected a condition such as plan = pro, tag:vip or opened")
        if token.is_word("tag", "segment", "newsletter") and self._takes(":"):
            return self._named(token, self._plain("a name after the colon"))
        if token.is_word("has", "never"):
            present = Present(field=self._field(self._next()))
            return present if token.is_word("has") else Not(part=present)
        return self._comparison(self._field(token), token)

    def _named(self, kind: Token, name: Token) -> Expression:
        if kind.is_word("tag"):
            return Tagged(tag=name.value)
        if kind.is_word("segment"):
            return self._segment(name)
        if name.value not in self._known.newsletters:
            meant = _meant(name.value, self._known.newsletters, none="there is none")
            self._fail(name, f"no newsletter is named {name.value!r}{meant}")
        return Reader(newsletter=name.value)

    def _segment(self, name: Token) -> Expression:
        if name.value not in self._known.saved:
            self._fail(
                name, f"no segment is named {name.value!r}{_meant(name.value, self._known.saved)}"
            )
        if self._depth >= MAX_DEPTH // 2:
            self._fail(name, f"segment {name.value!r} names itself, or nests too deep")
        return _Parser(
            self._known.saved[name.value],
            self._known,
            budget=self._budget,
            depth=self._depth + 1,
        ).whole()

    def _spend(self, token: Token) -> None:
        self._budget.left -= 1
        if self._budget.left < 0:
            self._fail(
                token, f"a segment has at most {MAX_CONDITIONS} conditions and values; tag people"
            )

    def _field(self, token: Token) -> Field:
        name = token.value.casefold()
        if token.kind is TokenKind.WORD and name in FIELDS:
            return FIELDS[name]
        if token.kind is TokenKind.WORD and name in self._known.attributes:
            return attribute_field(name, self._known.attributes[name].kind)
        known = [*FIELDS, *self._known.attributes, *_KEYWORDS]
        meant = _meant(name, known)
        raise self._mistake(token, f"no field or attribute is named {token.value!r}{meant}")

    # --- comparisons

    def _comparison(self, field: Field, token: Token) -> Expression:
        sign = self._next()
        if self._takes_last(sign):
            return self._recent(field, token)
        if sign.is_word("since"):
            return self._compare(field, Operator.AT_LEAST, sign)
        operator = self._operator(sign)
        if operator is not None:
            return self._compare(field, operator, sign)
        if field.kind not in _BARE:
            self._fail(sign, f"expected a comparison after {field.name}: {_signs(field)}")
        if sign.kind is not TokenKind.END:
            self._at -= 1
        return Present(field=field)

    def _takes_last(self, sign: Token) -> bool:
        return sign.is_word("in", "within") and self._takes_word("last", "the")

    def _operator(self, sign: Token) -> Operator | None:
        if sign.kind is TokenKind.SIGN:
            return _SIGNS.get(sign.value)
        for operator in (Operator.IN, Operator.CONTAINS, Operator.HAS):
            if sign.is_word(operator):
                return operator
        for operator in (Operator.STARTS, Operator.ENDS):
            if sign.is_word(operator.partition(" ")[0]):
                if not self._takes_word("with"):
                    self._fail(self._token, f"expected with after {sign.value}")
                return operator
        return None

    def _recent(self, field: Field, token: Token) -> Recent:
        if field.kind is not FieldKind.MOMENT:
            self._fail(token, f"{field.name} is no point in time; {_like(field)}")
        self._takes_word("last")
        amount, unit = self._next(), self._next()
        singular = unit.value.casefold().removesuffix("s")
        if not re.fullmatch(r"[0-9]{1,6}", amount.value, re.ASCII) or not int(amount.value):
            self._fail(amount, "expected a whole number, as in: in last 90 days")
        if unit.kind is not TokenKind.WORD or singular not in _UNITS:
            names = [f"{name}s" for name in _UNITS]
            self._fail(unit, f"expected one of {', '.join(names)}{_meant(unit.value, names)}")
        span = int(amount.value) * _UNITS[singular]
        if span > _MAX_SPAN:
            self._fail(amount, "that is more than a hundred years")
        return Recent(field=field, span=span)

    def _compare(self, field: Field, operator: Operator, sign: Token) -> Compare:
        if operator not in OPERATORS[field.kind]:
            self._fail(sign, f"{field.name} holds a {field.kind}; compare it by {_signs(field)}")
        if operator is not Operator.IN:
            return Compare(field=field, operator=operator, values=(self._value(field),))
        self._expect("(", "before the values, as in: in (a, b)")
        values = [self._value(field)]
        while self._takes(","):
            self._spend(self._token)
            values.append(self._value(field))
        self._expect(")", "after the values")
        return Compare(field=field, operator=operator, values=tuple(values))

    def _plain(self, what: str) -> Token:
        token = self._next()
        if token.kind not in (TokenKind.WORD, TokenKind.TEXT) or not token.value:
            self._fail(token, f"expected {what}")
        return token

    def _value(self, field: Field) -> Value:
        token = self._next()
        if token.kind not in (TokenKind.WORD, TokenKind.TEXT):
            self._fail(token, f"expected a value; {_like(field)}")
        try:
            return _read(field.kind, token.value)
        except ValueError as exc:
            what = f"{token.value!r:.60} is no {field.kind}; {_like(field)}"
            raise self._mistake(token, what) from exc


def _read(kind: FieldKind, text: str) -> Value:
    """A value of this kind; raises ValueError."""
    if kind is FieldKind.NUMBER:
        if not _NUMBER.match(text) or not math.isfinite(float(text)):
            raise ValueError(text)
        return float(text) + 0.0  # there is no -0
    if kind is FieldKind.BOOLEAN:
        if text.casefold() not in ("true", "false"):
            raise ValueError(text)
        return text.casefold() == "true"
    if kind in (FieldKind.DATE, FieldKind.MOMENT):
        found = date.fromisoformat(text)
        # Room on both sides, for whole days and time zones.
        if not 1900 <= found.year <= 9000:
            raise ValueError(text)
        return found
    try:
        if kind is FieldKind.ADDRESS:
            return parse_address(text).key
        if kind is FieldKind.DOMAIN and "." in text.strip("."):
            return parse_address(f"x@{text}").domain
    except AddressInvalid as exc:
        raise ValueError(text) from exc
    return text.lower() if kind is FieldKind.DOMAIN else text


def _like(field: Field) -> str:
    examples = {
        FieldKind.NUMBER: f"write it like {field.name} > 12.5",
        FieldKind.BOOLEAN: f"write {field.name} = true, or {field.name} alone",
        FieldKind.DATE: f"write it like {field.name} > 2026-01-31",
        FieldKind.MOMENT: f"write {field.name} > 2026-01-31 or {field.name} in last 90 days",
        FieldKind.ADDRESS: f"write it like {field.name} = ada@example.org",
        FieldKind.DOMAIN: f"write it like {field.name} = example.org",
        FieldKind.LIST: f'write it like {field.name} has "tea"',
    }
    return examples.get(field.kind, f'write it like {field.name} = "pro"')


def _signs(field: Field) -> str:
    known = [operator.value for operator in Operator if operator in OPERATORS[field.kind]]
    return ", ".join([*known, "in last"] if field.kind is FieldKind.MOMENT else known)


def _meant(word: str, known: Iterable[str], *, none: str = "none is saved yet") -> str:
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1)
    if close:
        return f"; did you mean {close[0]}?"
    return f"; there are {', '.join(names)[:300]}" if names else f"; {none}"
