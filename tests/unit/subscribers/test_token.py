"""Tokens: nobody else makes one, each is good for one thing, keys rotate."""

from __future__ import annotations

import string
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscribers.errors import KeyringInvalid, TokenInvalid
from subscribers.token import Keyring, Scope, make, make_verp, read, read_verp

NOW = datetime(2026, 6, 1, tzinfo=UTC)
RING = Keyring.generate()
B64 = string.ascii_letters + string.digits + "-_"


@given(st.integers(0, 2**64 - 1), st.sampled_from(Scope))
def test_a_number_comes_back(number: int, scope: Scope) -> None:
    token = make(RING, scope, number)
    assert read(RING, scope, token, now=NOW) == number
    assert len(token) == 34
    assert set(token) <= set(B64)


@given(st.integers(0, 2**63 - 1))
def test_a_return_path_comes_back_in_any_case(number: int) -> None:
    local = make_verp(RING, number)
    assert local == local.lower()
    assert len(local) <= 52
    assert read_verp(RING, local.upper(), now=NOW) == number


def test_a_token_is_good_for_its_scope_alone() -> None:
    for made in Scope:
        token = make(RING, made, 7)
        for other in set(Scope) - {made}:
            with pytest.raises(TokenInvalid):
                read(RING, other, token, now=NOW)


def test_no_change_of_any_character_goes_unseen() -> None:
    token = make(RING, Scope.UNSUBSCRIBE, 7)
    for at in range(len(token)):
        for character in B64:
            changed = token[:at] + character + token[at + 1 :]
            if changed != token:
                with pytest.raises(TokenInvalid):
                    read(RING, Scope.UNSUBSCRIBE, changed, now=NOW)


def test_no_change_of_a_return_path_goes_unseen() -> None:
    local = make_verp(RING, 7)
    for at in range(len(local)):
        for character in string.ascii_lowercase + string.digits + "-":
            changed = local[:at] + character + local[at + 1 :]
            if changed != local:
                with pytest.raises(TokenInvalid):
                    read_verp(RING, changed, now=NOW)


GARBAGE = {
    "empty": "",
    "short": "abc",
    "padded": make(RING, Scope.CLICK, 1)[:-1] + "=",
    "cut": make(RING, Scope.CLICK, 1)[:-1],
    "longer": make(RING, Scope.CLICK, 1) + "A",
    "newline": make(RING, Scope.CLICK, 1)[:-1] + "\n",
    "not ascii": "é" * 34,
    "nul": "\0" * 34,
    "a megabyte": "A" * 1_000_000,
    "prefix alone": "b-",
    "not base32": "b-" + "1" * 40,
    "kelvin sign": "b-" + "\u212a" * 40,
}


@pytest.mark.parametrize("text", GARBAGE.values(), ids=GARBAGE)
def test_garbage_is_refused(text: str) -> None:
    with pytest.raises(TokenInvalid):
        read(RING, Scope.CLICK, text, now=NOW)
    with pytest.raises(TokenInvalid):
        read_verp(RING, text, now=NOW)


def test_another_installations_token_is_refused() -> None:
    with pytest.raises(TokenInvalid):
        read(Keyring.generate(), Scope.VIEW, make(RING, Scope.VIEW, 7), now=NOW)


def test_a_retired_key_verifies_for_a_year_and_signs_no_more() -> None:
    old = make(RING, Scope.VIEW, 7)
    ring = RING.rotate(NOW)
    assert make(ring, Scope.VIEW, 7) != old
    year = timedelta(days=365)
    assert read(ring, Scope.VIEW, old, now=NOW + year - timedelta(seconds=1)) == 7
    with pytest.raises(TokenInvalid):
        read(ring, Scope.VIEW, old, now=NOW + year)


def test_rotation_keeps_the_hash_key_and_drops_what_verifies_no_more() -> None:
    ring, now = RING, NOW
    for _ in range(300):
        now += timedelta(days=30)
        ring = ring.rotate(now)
    assert ring.hash_key == RING.hash_key
    assert len(ring.signing) <= 14
    assert len({key.id for key in ring.signing}) == len(ring.signing)
    assert all(1 <= key.id <= 255 for key in ring.signing)


def test_a_keyring_survives_its_text() -> None:
    ring = RING.rotate(NOW).rotate(NOW + timedelta(days=1))
    assert Keyring.parse(ring.to_text()) == ring
    assert Keyring.parse(ring.to_text().replace("\n", ";").split(";", 1)[1]) == ring


def test_no_secret_is_in_a_repr() -> None:
    text = repr(RING) + repr(RING.signing[0])
    assert repr(RING.hash_key) not in text
    assert repr(RING.signing[0].secret) not in text


BAD_KEYS = {
    "empty": ("", "exactly one"),
    "no hash": (RING.to_text().replace("hash ", "# "), "hash key"),
    "two that sign": (RING.to_text() + RING.to_text().splitlines()[2], "exactly one"),
    "cut": (RING.to_text()[:-9], "line 3"),
    "two hashes": (RING.to_text() + RING.to_text().splitlines()[1], "line 4"),
    "id 0": (RING.to_text().replace("sign 1 ", "sign 0 "), "line 3"),
    "naive retirement": (
        RING.rotate(NOW).to_text().replace("+00:00", ""),
        "line 4",
    ),
    "words": ("these are no keys", "line 1"),
}


@pytest.mark.parametrize(("text", "word"), BAD_KEYS.values(), ids=BAD_KEYS)
def test_broken_keys_are_told_without_a_secret(text: str, word: str) -> None:
    with pytest.raises(KeyringInvalid) as caught:
        Keyring.parse(text)
    assert word in str(caught.value)
    assert RING.to_text().split()[-1] not in str(caught.value)


def test_hashes_have_16_bytes_and_depend_on_the_key() -> None:
    assert len(RING.address_hash("a@x.org")) == len(RING.domain_hash("x.org")) == 16
    assert RING.address_hash("x.org") != RING.domain_hash("x.org")
    other = replace(RING, hash_key=Keyring.generate().hash_key)
    assert RING.address_hash("a@x.org") != other.address_hash("a@x.org")


def test_a_number_that_does_not_fit_is_a_mistake_of_ours() -> None:
    for number in (-1, 2**64):
        with pytest.raises(OverflowError):
            make(RING, Scope.VIEW, number)


def test_what_is_tried_again_carries_the_tokens_it_had() -> None:
    first = Keyring.generate()
    made_at = datetime(2026, 12, 1, tzinfo=UTC)
    second = first.rotate(made_at + timedelta(hours=1))
    third = second.rotate(made_at + timedelta(hours=2))
    for ring in (first, second, third):
        assert make(ring.as_of(made_at), Scope.VERP, 7) == make(first, Scope.VERP, 7)
    later = made_at + timedelta(minutes=90)
    assert make(third.as_of(later), Scope.VERP, 7) == make(second, Scope.VERP, 7)
    assert make(third.as_of(made_at + timedelta(days=1)), Scope.VERP, 7) == make(
        third, Scope.VERP, 7
    )
