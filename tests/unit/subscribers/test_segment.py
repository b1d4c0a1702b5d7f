"""The language of segments: what it reads, and where it says that somebody is wrong."""

from __future__ import annotations

from contextlib import suppress
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscribers.attribute.model import Kind
from subscribers.errors import SegmentInvalid
from subscribers.segment.model import (
    FIELDS,
    Both,
    Compare,
    Either,
    Expression,
    Not,
    Operator,
    Present,
    Reader,
    Recent,
    Tagged,
    attribute_field,
    in_words,
)
from subscribers.segment.parse import parse as parse_with
from tests.unit.subscribers.trees import ATTRIBUTES, EXPRESSIONS, NEWSLETTERS

SAVED = {
    "engaged": "opened in last 90 days or clicked in last 90 days",
    "best": "segment:engaged and vip",
    "loop": "vip or segment:loop or segment:loop",
}
PLAN = attribute_field("plan", Kind.TEXT)
VIP = attribute_field("vip", Kind.BOOLEAN)


def parse(words: str) -> Expression:
    return parse_with(words, attributes=ATTRIBUTES, saved=SAVED, newsletters=NEWSLETTERS)


def plan(value: str) -> Compare:
    return Compare(field=PLAN, operator=Operator.IS, values=(value,))


READ = {
    "plan = pro": plan("pro"),
    "PLAN = 'pro'": plan("pro"),
    'plan == "a \\"b\\" (c)"': plan('a "b" (c)'),
    "vip": Present(field=VIP),
    "not vip": Not(part=Present(field=VIP)),
    "never opened": Not(part=Present(field=FIELDS["opened"])),
    "tag:vip": Tagged(tag="vip"),
    'tag: "two words"': Tagged(tag="two words"),
    "newsletter:daily-2": Reader(newsletter="daily-2"),
    "opened in last 2 weeks": Recent(field=FIELDS["opened"], span=timedelta(days=14)),
    "score >= -1.5": Compare(
        field=attribute_field("score", Kind.NUMBER), operator=Operator.AT_LEAST, values=(-1.5,)
    ),
    "joined since 2026-01-01": Compare(
        field=FIELDS["joined"], operator=Operator.AT_LEAST, values=(date(2026, 1, 1),)
    ),
    "domain = Bücher.example": Compare(
        field=FIELDS["domain"], operator=Operator.IS, values=("xn--bcher-kva.example",)
    ),
    "address = ADA@Example.org": Compare(
        field=FIELDS["address"], operator=Operator.IS, values=("ada@example.org",)
    ),
    "plan in (pro, 'free')": Compare(field=PLAN, operator=Operator.IN, values=("pro", "free")),
    "name starts with A": Compare(field=FIELDS["name"], operator=Operator.STARTS, values=("A",)),
    "plan = a or plan = b and vip": Either(
        parts=(plan("a"), Both(parts=(plan("b"), Present(field=VIP))))
    ),
    "(plan = a or plan = b) and vip": Both(
        parts=(Either(parts=(plan("a"), plan("b"))), Present(field=VIP))
    ),
    "segment:best": Both(
        parts=(
            Either(
                parts=(
                    Recent(field=FIELDS["opened"], span=timedelta(days=90)),
                    Recent(field=FIELDS["clicked"], span=timedelta(days=90)),
                )
            ),
            Present(field=VIP),
        )
    ),
}


@pytest.mark.parametrize(("words", "tree"), READ.items(), ids=READ)
def test_words_become_a_tree(words: str, tree: Expression) -> None:
    assert parse(words) == tree


MISTAKES = {
    "a typing error": ("vip and plam = pro", "plam", "did you mean plan?"),
    "a keyword's": ("vip adn plan = pro", "adn", "expected and, or, or the end"),
    "a number": ("score > many", "many", "score > 12.5"),
    "a huge number": ("score > 1e999", "1e999", "is no number"),
    "a date": ("joined > 01/02/2026", "01/02/2026", "joined > 2026-01-31"),
    "no such day": ("joined > 2026-02-30", "2026-02-30", "is no moment"),
    "order of text": ("plan > pro", ">", "=, !=, in, contains, starts with, ends with"),
    "a text alone": ("plan", "", "expected a comparison after plan"),
    "no value": ("plan =", "", "expected a value"),
    "an open quote": ('plan = "pro', '"', "never closed"),
    "an open parenthesis": ("(vip or plan = a", "", "expected ) here"),
    "a unit": ("opened in last 90 dayz", "dayz", "did you mean days?"),
    "no number of days": ("opened in last ninety days", "ninety", "a whole number"),
    "a century": ("opened in last 999999 years", "999999", "hundred years"),
    "no point in time": ("plan in last 3 days", "plan", "is no point in time"),
    "a saved segment": ("segment:engagd", "engagd", "did you mean engaged?"),
    "a newsletter": ("not newsletter:weekley", "weekley", "did you mean weekly?"),
    "a newsletter without a colon": (
        "newsletter weekly",
        "newsletter",
        "did you mean newsletter:?",
    ),
    "a segment of itself": ("segment:loop", "loop", "names itself"),
    "an invisible character": ("plan = a\u202eb", "\u202e", "U+202E is invisible"),
    "a NUL": ("plan = 'a\0b'", "\0", "U+0000 is invisible"),
    "an address": ("address = nobody", "nobody", "is no address"),
    "nothing": ("", "", "expected a condition"),
    "SQL": ("vip; DROP TABLE subscribers", ";", "expected and, or"),
}


@pytest.mark.parametrize(("words", "at", "says"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_pointed_at(words: str, at: str, says: str) -> None:
    if at == ";":
        words = "vip ; DROP TABLE subscribers"
    with pytest.raises(SegmentInvalid) as caught:
        parse(words)
    message, shown, carets = str(caught.value).split("\n")
    assert says in message
    if at not in ("", "loop"):
        assert message.startswith(f"segment, character {words.index(at) + 1}: ")
        assert shown[carets.index("^") :].startswith(at)
        assert carets.count("^") == max(1, len(at))


@pytest.mark.parametrize(
    "words",
    [
        pytest.param("(" * 500 + "vip" + ")" * 500, id="parentheses"),
        pytest.param("not " * 5000 + "vip", id="nots"),
        pytest.param(" or ".join(["vip"] * 1000), id="conditions"),
        pytest.param(f"plan in ({', '.join(['a'] * 1000)})", id="values"),
        pytest.param("plan = " + "x" * 20_000, id="length"),
    ],
)
def test_there_is_an_end_to_everything(words: str) -> None:
    with pytest.raises(SegmentInvalid):
        parse(words)


@given(st.text(max_size=60))
def test_no_words_at_all_raise_anything_else(words: str) -> None:
    with suppress(SegmentInvalid):
        parse(words)


@given(EXPRESSIONS)
def test_a_tree_in_words_is_the_same_tree_again(tree: Expression) -> None:
    assert parse(in_words(tree)) == tree
