"""Pieces of transfer encoding, strung together in any order."""

from __future__ import annotations

import base64
import quopri
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailer.delivery.encoding import (
    base64_body,
    base64_piece,
    quoted_printable,
    quoted_printable_value,
)

AWKWARD = st.lists(
    st.one_of(
        st.sampled_from(
            [" ", "  ", "\n", "\t", ".", "=", "=3D", "From ", "--", "é", "漢", "x" * 72]
        ),
        st.text(max_size=5),
    ),
    max_size=40,
).map("".join)
LINES = AWKWARD.map(lambda text: re.sub(r"[\r\ud800-\udfff]", "", text))
VALUES = LINES.map(lambda text: text.replace("\n", ""))


def assert_whole_canonical_lines(encoded: bytes) -> None:
    assert encoded == b"" or encoded.endswith(b"\r\n")
    for line in encoded.split(b"\r\n"):
        assert len(line) <= 76
        assert re.fullmatch(rb"[!-~ ]*", line)
        assert b"  " not in line
        assert not line.endswith(b" ")
        assert not line.startswith((b".", b"From "))


@given(st.lists(LINES, max_size=6))
def test_quoted_printable_pieces_join_to_the_whole_text(pieces: list[str]) -> None:
    encoded = b"".join(quoted_printable(piece) for piece in pieces)
    assert_whole_canonical_lines(encoded)
    assert quopri.decodestring(encoded).replace(b"\r\n", b"\n") == "".join(pieces).encode()


@given(VALUES)
def test_a_value_is_encoded_as_any_piece(value: str) -> None:
    encoded = quoted_printable_value(value)
    assert_whole_canonical_lines(encoded)
    assert quopri.decodestring(encoded) == value.encode()


@pytest.mark.parametrize("length", range(60, 90))
@pytest.mark.parametrize("letter", ["x", "=", "é", ". ", "."])
def test_no_escape_is_cut_at_the_end_of_a_line(length: int, letter: str) -> None:
    text = "x" * (length - 4) + letter * 8
    encoded = quoted_printable(text)
    assert_whole_canonical_lines(encoded)
    assert re.search(rb"=[0-9A-F]?=?\r\n[0-9A-F]?", encoded.replace(b"=\r\n", b"")) is None
    assert quopri.decodestring(encoded) == text.encode()


@settings(max_examples=60)
@given(st.lists(st.tuples(LINES, VALUES), max_size=6))
def test_base64_pieces_and_values_join_to_the_whole_text(parts: list[tuple[str, str]]) -> None:
    pieces = [each for fixed, value in parts for each in (base64_piece(fixed), value.encode())]
    encoded = base64_body(pieces)
    assert_whole_canonical_lines(encoded)
    whole = "".join(fixed.replace("\n", "\r\n") + value for fixed, value in parts)
    assert base64.b64decode(encoded.replace(b"\r\n", b""), validate=True) == whole.encode()
