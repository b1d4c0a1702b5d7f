"""An address is taken out of words however it is spelt, and no other with it."""

from __future__ import annotations

import pytest

from subscribers.address import parse
from subscribers.privacy.mask import NOBODY, without, without_bytes

ADA = parse("Ada.L@Müller.example")

TAKEN = {
    "alone": "ada.l@müller.example",
    "as it is compared": "ADA.L@XN--MLLER-KVA.EXAMPLE",
    "in a condition": "address = Ada.L@müller.example",
    "without a blank": 'address="ada.l@xn--mller-kva.example"',
    "in brackets": "<Ada.L@Müller.example>.",
    "in a form": "to=%3Cada.l%40xn--mller-kva.example%3E",
    "in JSON": '{"text": "\\nada.l@xn--mller-kva.example\\u003e"}',
    "with an escaped @": '"ada.l\\u0040xn--mller-kva.example"',
}
LEFT = {
    "a longer one": "not.ada.l@müller.example",
    "a tag": "x+ada.l@müller.example",
    "a domain that goes on": "ada.l@müller.example.org",
    "another": "ada@müller.example",
}


@pytest.mark.parametrize("text", TAKEN.values(), ids=TAKEN)
def test_each_spelling_goes(text: str) -> None:
    masked = without(text, ADA)
    assert NOBODY in masked
    assert "ada" not in masked.lower().replace("address", "")
    assert without(masked, ADA) == masked


@pytest.mark.parametrize("text", LEFT.values(), ids=LEFT)
def test_others_stay(text: str) -> None:
    assert without(text, ADA) == text


def test_bytes_that_are_no_text_stay_as_they_were() -> None:
    body = b"\xff\x00 ada.l@xn--mller-kva.example \xfe"
    assert without_bytes(body, ADA) == b"\xff\x00 " + NOBODY.encode() + b" \xfe"
