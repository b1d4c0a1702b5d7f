"""Addresses: what is taken, what is refused, what counts as the same person."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscribers.address import MAX_ADDRESS, parse
from subscribers.errors import AddressInvalid

GOOD = {
    "plain": ("ada@example.org", "ada@example.org", "ada@example.org"),
    "blanks around": (" ada@example.org\t", "ada@example.org", "ada@example.org"),
    "upper case": ("Ada@Example.ORG", "ada@example.org", "Ada@example.org"),
    "plus": ("a+b=c@example.org", "a+b=c@example.org", "a+b=c@example.org"),
    "specials": ("!#$%&'*/?^_`{|}~-@x.org", "!#$%&'*/?^_`{|}~-@x.org", "!#$%&'*/?^_`{|}~-@x.org"),
    "idn": ("a@Bücher.example", "a@xn--bcher-kva.example", "a@xn--bcher-kva.example"),
    "punycode": ("a@XN--bcher-kva.example", "a@xn--bcher-kva.example", "a@xn--bcher-kva.example"),
    "eai": ("Пётр@почта.рф", "пётр@xn--80a1acny.xn--p1ai", "Пётр@xn--80a1acny.xn--p1ai"),
    "decomposed": ("e\u0301@x.org", "é@x.org", "e\u0301@x.org"),
    "sharp s stays": ("Straße@x.org", "straße@x.org", "Straße@x.org"),
    "ideographic dot": ("a@x。org", "a@x.org", "a@x.org"),
    "longest local": (f"{'x' * 64}@x.org", f"{'x' * 64}@x.org", f"{'x' * 64}@x.org"),
}

BAD = {
    "empty": ("", "empty"),
    "no at": ("ada.example.org", "no @"),
    "nothing before": ("@example.org", "nothing before"),
    "nothing after": ("ada@", "nothing after"),
    "two ats": ("a@b@example.org", "'@' before the @"),
    "blank": ("a b@example.org", "U+0020"),
    "line end": ("ada@example.org\n", "U+000A"),
    "header": ("ada@example.org\r\nBcc: x@y.org", "U+000D"),
    "nul": ("a\0@example.org", "U+0000"),
    "bidi override": ("a\u202eb@example.org", "U+202E"),
    "zero width": ("a\u200bb@example.org", "U+200B"),
    "no-break space": ("a\u00a0b@example.org", "U+00A0"),
    "name": ("Ada <ada@example.org>", "keep what is between"),
    "smtp parameter": ("a>AUTH=@example.org", "'>' before"),
    "comment": ("ada(home)@example.org", "'(' before"),
    "quoted": ('"ada b"@example.org', "U+0020"),
    "quoted atom": ('"ada"@example.org', "quoted"),
    "dots": ("a..b@example.org", "dot too many"),
    "first dot": (".a@example.org", "dot too many"),
    "last dot": ("a.@example.org", "dot too many"),
    "literal": ("a@[192.0.2.1]", "IP address"),
    "bare ip": ("a@192.0.2.1", "no domain name"),
    "no dot": ("root@localhost", "no dot"),
    "last root dot": ("a@example.org.", "no domain name"),
    "hyphen label": ("a@-x.org", "no domain name"),
    "underscore": ("a@x_y.org", "no domain name"),
    "false punycode": ("a@xn--zzzzzz.org", "no domain name"),
    "empty label": ("a@x..org", "no domain name"),
    "long label": (f"a@{'x' * 64}.org", "no domain name"),
    "long local": (f"{'x' * 65}@x.org", "64 octets"),
    "long local in octets": (f"{'é' * 33}@x.org", "64 octets"),
    "long": (f"a@{'x.' * 127}org", "longer than 254"),
    "a megabyte": ("a" * 1_000_000 + "@x.org", "longer than 254"),
    "lone surrogate": ("a\udc80@x.org", "U+DC80"),
}


@pytest.mark.parametrize(("text", "key", "envelope"), GOOD.values(), ids=GOOD)
def test_a_good_address_is_taken(text: str, key: str, envelope: str) -> None:
    address = parse(text)
    assert (address.key, address.envelope) == (key, envelope)
    assert address.as_given == text.strip(" \t")
    assert address.key.endswith(f"@{address.domain}")


@pytest.mark.parametrize(("text", "word"), BAD.values(), ids=BAD)
def test_a_bad_address_is_refused_with_its_remedy(text: str, word: str) -> None:
    with pytest.raises(AddressInvalid) as caught:
        parse(text)
    message = str(caught.value)
    assert word in message
    assert "; " in message
    assert message.isprintable()
    assert len(message) < 250


def test_only_a_local_part_beyond_ascii_needs_smtputf8() -> None:
    assert parse("пётр@example.org").needs_smtputf8
    assert not parse("a@почта.рф").needs_smtputf8


@given(st.text(max_size=80) | st.from_regex(r"[^@]{1,20}@[^@]{1,20}\.[a-z]{2,4}", fullmatch=True))
def test_whatever_is_taken_is_safe_and_stable(text: str) -> None:
    try:
        address = parse(text)
    except AddressInvalid:
        return
    assert address.envelope.isprintable()
    assert not set('\r\n\0 <>",()') & set(address.envelope)
    assert len(address.envelope.encode()) <= MAX_ADDRESS
    assert parse(address.envelope).key == address.key
    assert parse(address.key).key == address.key
