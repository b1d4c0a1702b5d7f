"""The headers that a relay's service wants, and the one that carries our token."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from mailer.delivery.dialects.model import Dialect, Form, Metadata
from mailer.delivery.dialects.table import TOKEN_NAME
from mailer.delivery.headers import fold, relay_headers
from mailer.errors import SettingsInvalid

#: Stands for a token while its header is folded: as long as one, and never in one.
_MARK = "~" * 34
_STREAM = re.compile(r"[A-Za-z0-9_-]{1,64}")
#: A folded header may be longer than a line, but not without measure.
_MOST = 4_000


@dataclass(frozen=True, kw_only=True)
class TokenHeader:
    """A header of every message that holds its delivery's token: what stands around it."""

    name: str
    before: bytes
    after: bytes

    def value(self, token: bytes) -> bytes:
        """The header's value for one delivery."""
        return self.before + token + self.after


@dataclass(frozen=True, kw_only=True)
class Dress:
    """All that a relay adds to the headers of a message: the same for all, and the token's."""

    fixed: tuple[tuple[str, bytes], ...] = ()
    token: TokenHeader | None = None


def dress_of(dialect: Dialect, headers: Mapping[str, str], *, stream: str | None = None) -> Dress:
    """What a dialect and a relay's own headers come to; where both say something, its own count.

    Raises SettingsInvalid for what no header may hold, a stream where there is none, and a
    header that the token belongs in and that is no JSON.
    """
    _refuse_doubles(headers)
    wanted = {**_defaults(dialect, headers), **_stream(dialect, stream, headers), **headers}
    metadata = dialect.metadata
    if metadata is None:
        return Dress(fixed=tuple(relay_headers(wanted)))
    own = {name: value for name, value in wanted.items() if not _is(name, metadata.header)}
    theirs = next((v for name, v in wanted.items() if _is(name, metadata.header)), "")
    base = dialect.headers.get(metadata.header, "")
    return Dress(fixed=tuple(relay_headers(own)), token=_token_header(metadata, base, theirs))


def _refuse_doubles(headers: Mapping[str, str]) -> None:
    """A header's name is the same in capitals; the settings hold both."""
    counted = Counter(name.lower() for name in headers)
    if twice := [name for name in headers if counted[name.lower()] > 1]:
        raise SettingsInvalid(f"relay.headers: {twice[0]!r} stands there twice; remove one")


def _is(name: str, other: str) -> bool:
    return name.lower() == other.lower()


def _defaults(dialect: Dialect, headers: Mapping[str, str]) -> dict[str, str]:
    """The dialect's own headers, without those that the relay's settings name."""
    named = {name.lower() for name in headers}
    held = dialect.metadata.header.lower() if dialect.metadata else ""
    return {n: v for n, v in dialect.headers.items() if n.lower() not in {*named, held}}


def _stream(dialect: Dialect, stream: str | None, headers: Mapping[str, str]) -> dict[str, str]:
    if stream is None:
        return {}
    if dialect.stream is None:
        raise SettingsInvalid(
            f"relay.stream: the dialect {dialect.name} has no streams; remove it,"
            " or set `dialect` to the service that has"
        )
    if not _STREAM.fullmatch(stream):
        raise SettingsInvalid(
            f"relay.stream: {stream!r} is no {dialect.stream.word}'s name;"
            " use letters, digits, hyphens and underscores"
        )
    if any(_is(name, dialect.stream.header) for name in headers):
        raise SettingsInvalid(
            f"relay.stream: {dialect.stream.header} stands in relay.headers, too; remove one"
        )
    return {dialect.stream.header: stream}


def _token_header(metadata: Metadata, base: str, theirs: str) -> TokenHeader:
    text = _text(metadata, base, theirs)
    if not text.isascii() or len(text) > _MOST:
        raise SettingsInvalid(f"relay.headers: {metadata.header!r} is too long, or is not ASCII")
    folded = fold(metadata.header, text.encode("ascii").split(b" "))
    before, _, after = folded.rpartition(_MARK.encode("ascii"))
    return TokenHeader(name=metadata.header, before=before, after=after)


def _text(metadata: Metadata, base: str, theirs: str) -> str:
    """The header with the mark in the place of the token; no two blanks stand side by side."""
    if metadata.form is Form.JSON:
        whole = _with_token(metadata, _object(metadata, base), _object(metadata, theirs))
        return whole.replace("  ", " \\u0020")
    if theirs:
        relay_headers({metadata.header: theirs})  # refuses what no header may hold
    if metadata.form is Form.PLAIN and theirs:
        raise SettingsInvalid(
            f"relay.headers: {metadata.header!r} is written by Pressrun itself; remove it"
        )
    tags = f"{TOKEN_NAME}={_MARK}" if metadata.form is Form.TAGS else _MARK
    return ", ".join(filter(None, (theirs.strip(" ,"), tags)))


def _object(metadata: Metadata, text: str) -> dict[str, object]:
    """The JSON object that somebody has put into the header; nothing is an empty one."""
    try:
        parsed = json.loads(text or "{}")
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, dict):
        raise SettingsInvalid(
            f"relay.headers: {metadata.header!r} must be a JSON object: Pressrun adds to it"
        )
    return parsed


def _with_token(metadata: Metadata, base: dict[str, object], theirs: dict[str, object]) -> str:
    ours: dict[str, object] = {TOKEN_NAME: _MARK}
    for name in reversed(metadata.path):
        ours = {name: ours}
    return json.dumps(_merged(metadata, _merged(metadata, base, theirs), ours))


def _merged(
    metadata: Metadata, below: dict[str, object], over: dict[str, object]
) -> dict[str, object]:
    """Both objects in one, deeply; where both say something, `over` counts."""
    merged = dict(below)
    for name, value in over.items():
        there = merged.get(name)
        if isinstance(value, dict) and there is not None and not isinstance(there, dict):
            raise SettingsInvalid(f"relay.headers: {metadata.header!r}: {name!r} must be an object")
        both = isinstance(there, dict) and isinstance(value, dict)
        merged[name] = _merged(metadata, there, value) if both else value  # type: ignore[arg-type]
    return merged
