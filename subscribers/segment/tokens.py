"""A segment's words one by one, each with its place: pure."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

from subscribers.errors import SegmentInvalid

MAX_CHARACTERS = 10_000


class TokenKind(StrEnum):
    """What a token is."""

    #: A name, a keyword, or a value without quotes such as gmail.com or 2026-01-01.
    WORD = "word"
    #: A value in quotes.
    TEXT = "text"
    #: A comparison, a parenthesis, a comma, a colon.
    SIGN = "sign"
    #: Behind the last word.
    END = "end"


@dataclass(frozen=True, kw_only=True)
class Token:
    """One word: what it means and where it stands (from 0)."""

    kind: TokenKind
    value: str
    start: int
    end: int

    def is_word(self, *words: str) -> bool:
        """Whether it is one of these keywords, in any case."""
        return self.kind is TokenKind.WORD and self.value.casefold() in words


_BLANK = re.compile(r"\s+")
_TEXT = re.compile(r"\"((?:[^\"\\]|\\.)*)\"|'((?:[^'\\]|\\.)*)'")
_SIGN = re.compile(r"<=|>=|!=|<>|==|[=<>(),:]")
_WORD = re.compile(r"[^\s()\"',:=<>!\\]+")
_SAME = {"<>": "!=", "==": "="}
_ESCAPED = re.compile(r"\\(.)")


def mistake(expression: str, start: int, end: int, what: str) -> SegmentInvalid:
    """What is wrong at a place, with the words and a caret under them."""
    shown = expression.replace("\n", " ").replace("\t", " ")
    left = max(0, start - 60)
    line = ("…" if left else "") + shown[left : start + 60]
    indent = " " * _width(shown[left:start] + ("…" if left else ""))
    carets = "^" * max(1, min(_width(shown[start:end]), 60))
    return SegmentInvalid(f"segment, character {start + 1}: {what}\n  {line}\n  {indent}{carets}")


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text)


def tokens(expression: str) -> list[Token]:
    """All words of an expression, an END behind them; raises SegmentInvalid."""
    if len(expression) > MAX_CHARACTERS:
        raise SegmentInvalid(f"a segment has at most {MAX_CHARACTERS:,} characters; save parts")
    found: list[Token] = []
    at = 0
    while at < len(expression):
        blank = _BLANK.match(expression, at)
        if blank:
            at = blank.end()
            continue
        found.append(_token(expression, at))
        at = found[-1].end
    found.append(Token(kind=TokenKind.END, value="", start=at, end=at))
    return found


def _token(expression: str, at: int) -> Token:
    if text := _TEXT.match(expression, at):
        value = _ESCAPED.sub(r"\1", text[1] if text[1] is not None else text[2])
        kind = TokenKind.TEXT
    elif text := _SIGN.match(expression, at):
        kind, value = TokenKind.SIGN, _SAME.get(text[0], text[0])
    elif text := _WORD.match(expression, at):
        kind, value = TokenKind.WORD, text[0]
    elif expression[at] in "\"'":
        raise mistake(expression, at, at + 1, "this quote is never closed; close it")
    else:
        raise mistake(expression, at, at + 1, f"{expression[at]!r} means nothing here; remove it")
    _refuse_invisible(expression, text.start(), text.end())
    value = unicodedata.normalize("NFC", value)
    return Token(kind=kind, value=value, start=at, end=text.end())


def _refuse_invisible(expression: str, start: int, end: int) -> None:
    for place in range(start, end):
        if unicodedata.category(expression[place]) in ("Cc", "Cf", "Cs", "Cn", "Co"):
            named = f"U+{ord(expression[place]):04X}"
            raise mistake(expression, place, place + 1, f"{named} is invisible; remove it")
