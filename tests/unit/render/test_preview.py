"""Renderings as values, and how slots and conditions are filled."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.errors import RenderingFailed
from mailer.render.model import (
    FORMAT,
    Condition,
    Escape,
    Rendering,
    Slot,
    SlotKind,
    SystemSlot,
    condition_mark,
    slot_mark,
)
from mailer.render.preview import fill, substitute

NONCE = "0123456789ab"
SLOTS = (
    Slot(number=0, source="subscriber.name", kind=SlotKind.VALUE, escape=Escape.HTML),
    Slot(number=1, source="unsubscribe_url", kind=SlotKind.SYSTEM, escape=Escape.LINK),
    Slot(number=2, source="subscriber.name", kind=SlotKind.VALUE, escape=Escape.HEADER),
)


def _rendering(html: str, *, subject: str = "") -> Rendering:
    return Rendering(
        format=FORMAT,
        nonce=NONCE,
        lang="en",
        direction="ltr",
        title="t",
        subject=subject,
        preheader="",
        html=html,
        text="",
        slots=SLOTS,
        conditions=(Condition(number=0, source="subscriber.name"),),
    )


def _mark(word: str, number: int) -> str:
    return condition_mark(NONCE, word, number)


def test_round_trip_keeps_the_checksum() -> None:
    rendering = _rendering("<p>é 👩‍👩‍👧</p>")
    assert Rendering.from_json(rendering.to_json()) == rendering
    assert len(rendering.checksum) == 64
    assert _rendering("<p>other</p>").checksum != rendering.checksum


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param('"format": 1', '"format": 2', id="newer format"),
        pytest.param("<p>", "<b>", id="changed content"),
        pytest.param('"nonce"', '"once"', id="other field"),
        pytest.param("{", "", id="no JSON"),
        pytest.param('"kind": "value"', '"kind": "x"', id="unknown kind"),
    ],
)
def test_damaged_json_is_refused(before: str, after: str) -> None:
    text = _rendering("<p>a</p>").to_json()
    assert before in text
    with pytest.raises(RenderingFailed, match="render"):
        Rendering.from_json(text.replace(before, after, 1))


def test_a_value_is_never_looked_at_again() -> None:
    own = f"{{{{ 7*7 }}}} {slot_mark(NONCE, 1)} {_mark('if', 0)}"
    rendering = _rendering(slot_mark(NONCE, 0), subject=slot_mark(NONCE, 2))
    filled = fill(
        rendering, {"subscriber": {"name": own}}, {SystemSlot.UNSUBSCRIBE_URL: "https://secret/"}
    )
    assert filled.subject == own
    assert "secret" not in filled.html
    assert "{{ 7*7 }}" in filled.html


@pytest.mark.parametrize(
    ("name", "wanted"), [("Ann", "aAnnc"), ("", "abc")], ids=["holds", "does not hold"]
)
def test_conditions(name: str, wanted: str) -> None:
    inner = slot_mark(NONCE, 0)
    html = f"a{_mark('if', 0)}{inner}{_mark('else', 0)}b{_mark('end', 0)}c"
    assert fill(_rendering(html), {"subscriber": {"name": name}}, {}).html == wanted


@pytest.mark.parametrize(
    "html",
    [
        pytest.param(_mark("if", 0), id="open"),
        pytest.param(_mark("end", 0), id="never opened"),
        pytest.param(_mark("if", 0) + _mark("end", 1), id="crossing"),
    ],
)
def test_unbalanced_conditions_are_refused(html: str) -> None:
    with pytest.raises(RenderingFailed, match="render it again"):
        fill(_rendering(html), {}, {})


TREES = st.recursive(
    st.text(alphabet="ab<&é", max_size=4),
    lambda below: st.tuples(st.integers(0, 3), st.lists(below, max_size=3), st.booleans()),
    max_leaves=12,
)


@given(st.lists(TREES, max_size=5), st.tuples(*[st.booleans()] * 4))
def test_nested_conditions_show_what_they_say(trees: list[object], shown: tuple[bool, ...]) -> None:
    written = "".join(_write(tree) for tree in trees)
    expected = "".join(_expect(tree, shown) for tree in trees)
    assert substitute(written, NONCE, dict(enumerate(shown)), str) == expected


def _write(tree: object) -> str:
    if isinstance(tree, str):
        return tree
    number, below, has_else = tree  # type: ignore[misc]
    inner = "".join(map(_write, below))
    other = _mark("else", number) + "E" if has_else else ""
    return _mark("if", number) + inner + other + _mark("end", number)


def _expect(tree: object, shown: tuple[bool, ...]) -> str:
    if isinstance(tree, str):
        return tree
    number, below, has_else = tree  # type: ignore[misc]
    if shown[number]:
        return "".join(_expect(each, shown) for each in below)
    return "E" if has_else else ""


def test_rendering_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        _rendering("").html = "x"  # type: ignore[misc]
