"""The languages that notices and pages speak, and which of them somebody gets."""

from __future__ import annotations

import re

#: English first: it is what is left when nothing fits.
KNOWN = ("en", "zh", "ja", "de", "fr", "es", "ar")
_RIGHT_TO_LEFT = frozenset({"ar"})
_RANGE = re.compile(
    r"\s*([A-Za-z]{1,8}|\*)(?:-[A-Za-z0-9-]{1,40})?\s*(?:;\s*q=([01](?:\.\d{0,3})?))?\s*"
)
_MOST = 20


def choose(*wanted: str | None) -> str:
    """The first of these language tags that is spoken here, as its primary tag; else English."""
    for tag in wanted:
        primary = (tag or "").partition("-")[0].lower()
        if primary in KNOWN:
            return primary
    return KNOWN[0]


def accepted(header: str) -> list[str]:
    """The primary tags of an Accept-Language header (RFC 9110 section 12.5.4), liked best first."""
    liked = []
    for place, part in enumerate(header.split(",")[:_MOST]):
        match = _RANGE.fullmatch(part)
        if match and match[1] != "*" and (weight := float(match[2] or 1)):
            liked.append((-weight, place, match[1].lower()))
    return [tag for _, _, tag in sorted(liked)]


def direction(lang: str) -> str:
    """`rtl` or `ltr`."""
    return "rtl" if lang in _RIGHT_TO_LEFT else "ltr"
