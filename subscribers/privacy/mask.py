"""An address taken out of words that somebody wrote: pure."""

from __future__ import annotations

import re

from subscribers.address import Address

#: What stands in its place: an address that nobody can have (RFC 2606).
NOBODY = "erased@erased.invalid"


def without(text: str, address: Address) -> str:
    """The text with `NOBODY` for each spelling of an address."""
    return _spellings(address).sub(NOBODY, text)


def without_bytes(body: bytes, address: Address) -> bytes:
    """The same for bytes in UTF-8, whatever else is in them."""
    text = body.decode("utf-8", "surrogateescape")
    return without(text, address).encode("utf-8", "surrogateescape")


# Not within a longer address; but JSON and forms write what stands before one as letters.
_BEFORE = r"(?:(?<![\w.+-])|(?<=\\[nrtbf])|(?<=\\u[0-9a-f]{4})|(?<=%[0-9a-f]{2}))"
_AFTER = r"(?![\w-]|\.\w)"
_AT = r"(?:@|%40|\\u0040)"


def _spellings(address: Address) -> re.Pattern[str]:
    spelt = sorted({address.as_given, address.envelope, address.key}, key=len, reverse=True)
    either = "|".join(re.escape(one).replace("@", _AT) for one in spelt)
    return re.compile(f"{_BEFORE}(?:{either}){_AFTER}", re.IGNORECASE)
