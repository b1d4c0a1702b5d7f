"""A dialect in one line, for a person who sets a relay up."""

from __future__ import annotations

from mailer.delivery.dialects.guess import Known
from mailer.delivery.dialects.model import Dialect, Signs

_SIGNS = {
    Signs.US: "leaves signing to us",
    Signs.BOTH: "signs, and keeps our signature",
    Signs.RELAY: "signs, and breaks our signature",
}


def tell(known: Known, stream: str | None = None) -> str:
    """What a relay does to mail, and how that is known."""
    dialect = known.dialect
    does = [_rewrites(dialect), _SIGNS[dialect.signs], _return_path(dialect)]
    if stream is not None and dialect.stream is not None:
        does.append(f"{dialect.stream.word} {stream}")
    return f"{dialect.name} ({dialect.title}), {known.how}: {'; '.join(does)}"


def _rewrites(dialect: Dialect) -> str:
    """Header names in their usual spelling."""
    names = [each.title().replace("-Id", "-ID") for each in sorted(dialect.rewrites)]
    if names:
        return f"replaces {', '.join(names)}"
    return "leaves headers as they are" if dialect.keeps_our_signature else "makes messages anew"


def _return_path(dialect: Dialect) -> str:
    return "keeps our Return-Path" if dialect.keeps_return_path else "has a Return-Path of its own"
