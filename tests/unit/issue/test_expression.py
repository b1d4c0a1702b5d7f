"""Expressions: what the allow-list lets through, what it means, and what it refuses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.issue.expression import ExpressionInvalid, evaluate, holds, parse

FIELDS = {
    "subscriber": {
        "name": "{{ 7*7 }}",
        "email": "a@example.org",
        "attributes": {"plan": "pro", "age": "20", "tags": ["a", "b"], "no": "false", "n": 3},
    },
    "newsletter": {"name": "Weekly"},
}


@pytest.mark.parametrize(
    ("source", "value"),
    [
        pytest.param("subscriber.name", "{{ 7*7 }}", id="a value is never evaluated"),
        pytest.param('subscriber.name | default("there")', "{{ 7*7 }}", id="default unused"),
        pytest.param('subscriber.language | default("en")', "en", id="default used"),
        pytest.param("subscriber.attributes.none", "", id="missing is empty"),
        pytest.param('subscriber["attributes"]["plan"]', "pro", id="subscript"),
        pytest.param('subscriber.attributes.x|default("y")|upper', "Y", id="filters in a row"),
        pytest.param('subscriber.attributes.plan == "pro"', True, id="equal"),
        pytest.param('subscriber.attributes.plan != "pro"', False, id="not equal"),
        pytest.param("subscriber.attributes.age >= 18", True, id="text from a CSV is a number"),
        pytest.param("subscriber.attributes.age == 20", True, id="text equals the number"),
        pytest.param("subscriber.attributes.none > 1", False, id="missing has no order"),
        pytest.param('subscriber.attributes.plan in ["x", "pro"]', True, id="in a list"),
        pytest.param('"a" in subscriber.attributes.tags', True, id="in an attribute's list"),
        pytest.param('"z" not in subscriber.attributes.tags', True, id="not in"),
        pytest.param("not subscriber.attributes.no", True, id="the word false is false"),
        pytest.param('subscriber.name and subscriber.attributes.plan == "x"', False, id="and"),
        pytest.param("subscriber.language or subscriber.name", True, id="or"),
        pytest.param("subscriber.attributes.n", "3", id="a number as text"),
        pytest.param('"{{"', "{{", id="literal braces"),
    ],
)
def test_means(source: str, value: str | bool) -> None:
    expression = parse(source)
    assert evaluate(expression, FIELDS) == value
    assert parse(expression.source) == expression


@pytest.mark.parametrize(
    ("source", "words"),
    [
        pytest.param("''.__class__", "has no fields", id="class of a literal"),
        pytest.param("subscriber.__class__", "unknown merge field", id="dunder"),
        pytest.param("subscriber.nam", "did you mean subscriber.name?", id="misspelt"),
        pytest.param("subscribr.name", "did you mean subscriber?", id="misspelt root"),
        pytest.param("config", "unknown merge field", id="other root"),
        pytest.param("subscriber", "unknown merge field", id="a whole mapping"),
        pytest.param("subscriber.attributes.a.b", "subscriber.attributes.plan", id="too deep"),
        pytest.param("subscriber.name()", "a call", id="call"),
        pytest.param("range(10**9)", "a call", id="call of a global"),
        pytest.param("'a' * 10**8", "arithmetic", id="bomb"),
        pytest.param("subscriber.name ~ 'x'", "can't stand", id="concatenation"),
        pytest.param("subscriber.name if 1 else 2", "if-else", id="if-else"),
        pytest.param("1 < 2 < 3", "chain", id="chain"),
        pytest.param("subscriber.name is defined", "a test", id="test"),
        pytest.param("subscriber.name | attr('x')", "unknown filter", id="attr filter"),
        pytest.param("subscriber.name | uper", "did you mean upper?", id="misspelt filter"),
        pytest.param("subscriber.name | default", "default(", id="default without text"),
        pytest.param("subscriber.name | upper(1)", "wrong arguments", id="extra argument"),
        pytest.param("a }} {{ b", "not one expression", id="two of them"),
        pytest.param("", "empty", id="empty"),
        pytest.param("%", "unexpected", id="syntax"),
        pytest.param("(" * 240 + "1" + ")" * 240, "deep", id="nested brackets"),
        pytest.param("[" * 100 + "1" + "]" * 100, "deep", id="nested lists"),
        pytest.param("not " * 100 + "1", "deep", id="nested not"),
        pytest.param("'" + "x" * 600 + "'", "at most 500", id="long"),
    ],
)
def test_refused_with_a_remedy(source: str, words: str) -> None:
    with pytest.raises(ExpressionInvalid, match=r".+") as caught:
        parse(source)
    assert words in str(caught.value)
    assert caught.value.remedy


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(source: str) -> None:
    try:
        expression = parse(source)
    except ExpressionInvalid:
        return
    assert parse(expression.source) == expression
    assert isinstance(holds(expression, FIELDS), bool)
    assert isinstance(evaluate(expression, FIELDS), str | bool)
