"""SPF: each mechanism and limit of RFC 7208 that a sender's record may have."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

import pytest

from mailer.doctor import spf
from mailer.doctor.spf import Evaluation, SpfBroken
from mailer.lookup import Kind

ZONE: dict[tuple[str, str], list[str]] = {
    ("example.com", "A"): ["192.0.2.10"],
    ("example.com", "AAAA"): ["2001:db8::10"],
    ("example.com", "MX"): ["10 mx.example.com", "20 mx2.example.com"],
    ("mx.example.com", "A"): ["192.0.2.20"],
    ("mx2.example.com", "A"): ["192.0.2.21"],
    ("spf.service.net", "TXT"): ["v=spf1 ip4:198.51.100.0/24 -all"],
    ("open.net", "TXT"): ["v=spf1 +all"],
    ("loop.net", "TXT"): ["v=spf1 include:loop.net -all"],
    ("deep.net", "TXT"): ["v=spf1 " + " ".join(f"a:h{n}.net" for n in range(11)) + " -all"],
}


def asking(record: str) -> spf.Ask:
    def ask(name: str, kind: Kind) -> Sequence[str]:
        if (name, kind) == ("example.com", "TXT"):
            return ["google-site-verification=x", record]
        return ZONE.get((name, kind), [])

    return ask


def result(record: str, address: str) -> str:
    return Evaluation(ask=asking(record), address=ipaddress.ip_address(address)).result(
        "example.com"
    )


@pytest.mark.parametrize(
    ("record", "address", "expected"),
    [
        ("v=spf1 ip4:192.0.2.0/24 -all", "192.0.2.7", "pass"),
        ("v=spf1 ip4:192.0.2.0/24 -all", "192.0.3.7", "fail"),
        ("v=spf1 ip4:192.0.2.7 ~all", "192.0.2.8", "softfail"),
        ("v=spf1 ip6:2001:db8::/32 -all", "2001:db8::7", "pass"),
        ("v=spf1 ip6:2001:db8::/32 -all", "192.0.2.7", "fail"),
        ("v=spf1 a -all", "192.0.2.10", "pass"),
        ("v=spf1 a -all", "2001:db8::10", "pass"),
        ("v=spf1 a/24 -all", "192.0.2.99", "pass"),
        ("v=spf1 a//64 -all", "2001:db8::99", "pass"),
        ("v=spf1 a//64 -all", "192.0.2.99", "fail"),
        ("v=spf1 a:mx.example.com/31//64 -all", "192.0.2.21", "pass"),
        ("v=spf1 mx -all", "192.0.2.21", "pass"),
        ("v=spf1 MX -ALL", "192.0.2.20", "pass"),
        ("v=spf1 include:spf.service.net ?all", "198.51.100.3", "pass"),
        ("v=spf1 include:spf.service.net ?all", "198.51.101.3", "neutral"),
        ("v=spf1 redirect=spf.service.net", "198.51.100.3", "pass"),
        ("v=spf1 -ip4:192.0.2.7 +all", "192.0.2.7", "fail"),
        ("v=spf1 exists:%{i}.list.net include:%{d}.x -all", "192.0.2.7", "fail"),
        ("v=spf1", "192.0.2.7", "neutral"),
        ("v=spf10 +all", "192.0.2.7", "none"),
    ],
)
def test_what_a_record_says_of_an_address(record: str, address: str, expected: str) -> None:
    assert result(record, address) == expected


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ("v=spf1 include:loop.net -all", "more than 10 look-ups"),
        ("v=spf1 include:deep.net -all", "more than 10 look-ups"),
        ("v=spf1 include:nobody.net -all", "nobody.net is included and publishes no SPF"),
        ("v=spf1 ipv4:192.0.2.7 -all", "no mechanism"),
        ("v=spf1 ip4:192.0.2.700 -all", "names no network"),
    ],
)
def test_a_record_that_is_broken(record: str, words: str) -> None:
    with pytest.raises(SpfBroken, match=words):
        result(record, "192.0.2.7")


def test_two_records_are_one_too_many() -> None:
    with pytest.raises(SpfBroken, match="2 SPF records"):
        spf.record_of("example.com", lambda name, kind: ["v=spf1 -all", "v=spf1 mx -all"])


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (None, "v=spf1 include:amazonses.com ~all"),
        ("v=spf1 mx -all", "v=spf1 mx include:amazonses.com -all"),
        ("v=spf1 mx redirect=x.net", "v=spf1 mx include:amazonses.com redirect=x.net"),
        ("v=spf1 mx", "v=spf1 mx include:amazonses.com"),
        ("v=spf1 include:amazonses.com ~all", "v=spf1 include:amazonses.com ~all"),
    ],
)
def test_the_record_to_paste_keeps_what_is_there(record: str | None, expected: str) -> None:
    wanted = spf.mechanism_of("email-smtp.eu-west-1.amazonaws.com")
    assert wanted is not None
    assert spf.with_mechanism(record, wanted) == expected


@pytest.mark.parametrize(
    ("record", "wrong"),
    [
        ("v=spf1 +all", "everybody"),
        ("v=spf1 mx all", "everybody"),
        ("v=spf1 mx", "should end in ~all"),
        ("v=spf1 mx ?all", "nothing of all others"),
        ("v=spf1 mx ~all", None),
        ("v=spf1 redirect=x.net", None),
    ],
)
def test_whom_else_a_record_lets_send(record: str, wrong: str | None) -> None:
    told = spf.openness(record)
    assert (told is None) if wrong is None else (told is not None and wrong in told)
