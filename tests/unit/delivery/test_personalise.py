"""Texts cut at their marks and filled in for one recipient."""

from __future__ import annotations

import base64
import quopri

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.delivery.personalise import (
    KEPT_VARIANTS,
    Field,
    Line,
    Program,
    TransferEncoding,
    Truths,
    compile_body,
)
from mailer.errors import RenderingFailed
from mailer.render.model import Condition, Escape, Slot, SlotKind, condition_mark
from mailer.render.preview import substitute
from tests.unit.delivery.letters import CHINESE, CONDITIONS, HTML, NONCE, SLOTS, TEXT, mark, when

VALUE = st.text(max_size=200).map(lambda text: " ".join(text.split()).replace("\x00", ""))


def decoded(program: Program, value: str, truths: Truths) -> str:
    encoded = program.fill(lambda field: f"{field.escape}:{value}", truths)
    quoted = program.encoding is TransferEncoding.QUOTED_PRINTABLE
    octets = quopri.decodestring(encoded) if quoted else base64.b64decode(encoded)
    return octets.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("text", [HTML, HTML + CHINESE, TEXT, CHINESE + TEXT, mark(0), ""])
@given(value=VALUE, truths=st.tuples(st.booleans(), st.booleans()))
def test_filling_bytes_equals_filling_text(text: str, value: str, truths: Truths) -> None:
    program = compile_body(text, SLOTS, CONDITIONS, nonce=NONCE)
    plain = substitute(
        text, NONCE, dict(enumerate(truths)), lambda number: f"{SLOTS[number].escape}:{value}"
    )
    assert decoded(program, value, truths).rstrip("\n") == plain.rstrip("\n")


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        pytest.param(HTML, TransferEncoding.QUOTED_PRINTABLE, id="markup"),
        pytest.param(CHINESE, TransferEncoding.BASE64, id="Chinese"),
        pytest.param("une lettre très courte " * 9, TransferEncoding.QUOTED_PRINTABLE, id="French"),
        pytest.param("Привет, мир " * 50, TransferEncoding.BASE64, id="Russian"),
        pytest.param("", TransferEncoding.QUOTED_PRINTABLE, id="nothing"),
    ],
)
def test_the_shorter_encoding_is_chosen(text: str, encoding: TransferEncoding) -> None:
    assert compile_body(text, SLOTS, CONDITIONS, nonce=NONCE).encoding is encoding


def test_a_value_that_looks_like_a_mark_stays_a_value() -> None:
    forged = f"{mark(1)}{condition_mark(NONCE, 'if', 0)}"
    program = compile_body(f"Hi {mark(0)}!", SLOTS, CONDITIONS, nonce=NONCE)
    assert decoded(program, forged, (False, False)) == f"Hi html:{forged}!\n"


def test_slots_that_need_the_same_value_ask_for_it_once() -> None:
    asked: list[Field] = []

    def values(field: Field) -> str:
        asked.append(field)
        return "Ada"

    slots = [
        Slot(number=number, source="subscriber.name", kind=SlotKind.VALUE, escape=Escape.HTML)
        for number in range(40)
    ]
    program = compile_body("".join(mark(n) for n in range(40)), slots, (), nonce=NONCE)
    assert quopri.decodestring(program.fill(values, ())) == b"Ada" * 40 + b"\r\n"
    assert len(asked) == 1


def test_more_combinations_than_are_kept_still_come_out_right() -> None:
    conditions = [Condition(number=n, source="subscriber.name") for n in range(8)]
    text = "".join(when(n, f"+{n}", f"-{n}") for n in range(8))
    program = compile_body(text, (), conditions, nonce=NONCE)
    for combination in range(256):
        truths = tuple(bool(combination >> n & 1) for n in range(8))
        expected = "".join(("+" if truth else "-") + str(n) for n, truth in enumerate(truths))
        assert decoded(program, "", truths) == expected + "\n"
    assert KEPT_VARIANTS < 256


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(mark(99), "slot 99 is not in its list", id="unknown slot"),
        pytest.param(when(9, "x"), "condition 9 is not in its list", id="unknown condition"),
        pytest.param(condition_mark(NONCE, "if", 0), "condition 0 has no end", id="open"),
        pytest.param(condition_mark(NONCE, "end", 0), "'end' in a wrong place", id="end alone"),
        pytest.param(condition_mark(NONCE, "else", 0), "'else' in a wrong place", id="else alone"),
        pytest.param(
            when(0, condition_mark(NONCE, "if", 1)) + condition_mark(NONCE, "end", 1),
            "'end' in a wrong place",
            id="crossed",
        ),
        pytest.param(condition_mark(NONCE, "if", 0) * 60, "in a wrong place", id="too deep"),
        pytest.param("half of an emoji: \ud83d", "half a character", id="lone surrogate"),
    ],
)
def test_a_damaged_rendering_is_refused(text: str, words: str) -> None:
    with pytest.raises(RenderingFailed, match=words):
        compile_body(text, SLOTS, CONDITIONS, nonce=NONCE)


def test_a_line_that_is_the_same_for_all_says_so() -> None:
    assert Line("News", SLOTS, CONDITIONS, nonce=NONCE).same_for_all == "News"
    assert Line(f"News, {mark(2)}", SLOTS, CONDITIONS, nonce=NONCE).same_for_all is None
    assert Line(f"News{when(0, '!')}", SLOTS, CONDITIONS, nonce=NONCE).same_for_all is None
