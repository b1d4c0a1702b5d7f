"""DMARC as RFC 9989 has it: the tree walk, the organisation's domain, alignment."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mailer.doctor import dmarc
from mailer.lookup import Kind

Zone = dict[str, str]


class Asked:
    """A zone of DMARC records that notes what it was asked."""

    def __init__(self, zone: Zone) -> None:
        self.zone = zone
        self.names: list[str] = []

    def __call__(self, name: str, kind: Kind) -> Sequence[str]:
        assert kind == "TXT"
        self.names.append(name.removeprefix("_dmarc."))
        record = self.zone.get(name.removeprefix("_dmarc."))
        return ["other text", record] if record else []


PLAIN = {"example.com": "v=DMARC1; p=reject; sp=none; adkim=s"}


@pytest.mark.parametrize(
    ("domain", "zone", "expected"),
    [
        ("example.com", PLAIN, "example.com"),
        ("news.mail.example.com", PLAIN, "example.com"),
        ("example.com", {}, "example.com"),
        # A registry marks itself: the organisation is one label below.
        ("a.b.giant.bank", {"bank": "v=DMARC1; p=reject; psd=y"}, "giant.bank"),
        ("giant.bank", {"bank": "v=DMARC1; psd=y", "giant.bank": "v=DMARC1; p=none"}, "giant.bank"),
        # A part of a house that stands by itself says psd=n.
        ("x.lab.uni.edu", PLAIN | {"lab.uni.edu": "v=DMARC1; psd=n"}, "lab.uni.edu"),
        # The record with the fewest labels counts.
        ("a.b.c.com", {"a.b.c.com": "v=DMARC1; p=none", "c.com": "v=DMARC1; p=none"}, "c.com"),
    ],
)
def test_the_organisation_of_a_domain(domain: str, zone: Zone, expected: str) -> None:
    assert dmarc.organisational(domain, Asked(zone)) == expected


def test_of_a_long_name_seven_labels_are_walked() -> None:
    ask = Asked({})
    dmarc.walk("a.b.c.d.e.f.g.h.i.j.mail.example.com", ask)
    assert ask.names[:2] == ["a.b.c.d.e.f.g.h.i.j.mail.example.com", "g.h.i.j.mail.example.com"]
    assert ask.names[-1] == "com"
    assert len(ask.names) == 8


@pytest.mark.parametrize(
    ("domain", "zone", "expected"),
    [
        ("example.com", PLAIN, ("example.com", "reject")),
        ("news.example.com", PLAIN, ("example.com", "none")),
        (
            "news.example.com",
            {"example.com": "v=DMARC1;p=quarantine"},
            ("example.com", "quarantine"),
        ),
        ("example.com", {"example.com": "v=DMARC1; p=blah"}, ("example.com", "none")),
        ("example.com", {"example.com": "v=DMARC1"}, ("example.com", "none")),
        ("giant.bank", {"bank": "v=DMARC1; p=reject; psd=y"}, ("bank", "reject")),
        ("example.com", {"example.com": "v=DMARC2; p=none"}, None),
        ("example.com", {"example.com": "p=none; v=DMARC1"}, None),
        ("example.com", {}, None),
    ],
)
def test_the_policy_that_holds(domain: str, zone: Zone, expected: tuple[str, str] | None) -> None:
    found = dmarc.policy_for(domain, Asked(zone))
    assert (None if found is None else (found.domain, found.policy)) == expected


def test_several_records_count_as_none() -> None:
    def ask(name: str, kind: Kind) -> Sequence[str]:
        return ["v=DMARC1; p=none", "v=DMARC1; p=reject"]

    assert dmarc.policy_at("example.com", ask) is None
    assert dmarc.several_at("example.com", ask)


@pytest.mark.parametrize(
    ("author", "other", "strict", "expected"),
    [
        ("example.com", "example.com", True, True),
        ("example.com", "bounces.example.com", False, True),
        ("example.com", "bounces.example.com", True, False),
        ("news.example.com", "mail.example.com", False, True),
        ("example.com", "example.net", False, False),
        # Without any record each name is its own organisation.
        ("nobody.org", "mail.nobody.org", False, False),
    ],
)
def test_alignment(author: str, other: str, strict: bool, expected: bool) -> None:
    assert dmarc.aligned(author, other, strict=strict, ask=Asked(PLAIN)) is expected
