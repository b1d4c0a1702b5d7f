"""Any tree that the language of segments can say, for Hypothesis."""

from __future__ import annotations

import unicodedata
from datetime import date, timedelta

from hypothesis import strategies as st

from subscribers.attribute.model import Definition, Kind
from subscribers.segment.model import (
    FIELDS,
    OPERATORS,
    Both,
    Compare,
    Either,
    Expression,
    Field,
    FieldKind,
    Not,
    Operator,
    Present,
    Reader,
    Recent,
    Tagged,
    Value,
    attribute_field,
)

ATTRIBUTES = {
    name: Definition(name=name, kind=kind)
    for name, kind in {
        "plan": Kind.TEXT,
        "score": Kind.NUMBER,
        "vip": Kind.BOOLEAN,
        "born": Kind.DATE,
        "likes": Kind.LIST,
    }.items()
}
#: The newsletters there are.
NEWSLETTERS = ("weekly", "daily-2")
_TEXT = st.text(
    st.characters(exclude_categories=("Cc", "Cf", "Cs", "Cn", "Co", "Mn", "Mc", "Me")), min_size=1
).filter(lambda text: unicodedata.is_normalized("NFC", text))
_VALUES: dict[FieldKind, st.SearchStrategy[Value]] = {
    FieldKind.TEXT: _TEXT,
    FieldKind.LIST: _TEXT,
    FieldKind.NUMBER: st.integers(-(10**9), 10**9).map(float) | st.sampled_from([0.5, -2.25]),
    FieldKind.BOOLEAN: st.booleans(),
    FieldKind.DATE: st.dates(date(1900, 1, 1), date(9000, 1, 1)),
    FieldKind.MOMENT: st.dates(date(1900, 1, 1), date(9000, 1, 1)),
    FieldKind.ADDRESS: st.just("ada@example.org"),
    FieldKind.DOMAIN: st.just("example.org"),
}
_FIELDS = st.sampled_from(
    [*FIELDS.values(), *(attribute_field(one.name, one.kind) for one in ATTRIBUTES.values())]
)


@st.composite
def _comparisons(draw: st.DrawFn) -> Compare:
    field: Field = draw(_FIELDS)
    operator = draw(st.sampled_from(sorted(OPERATORS[field.kind])))
    size = 3 if operator is Operator.IN else 1
    values = draw(st.lists(_VALUES[field.kind], min_size=1, max_size=size))
    return Compare(field=field, operator=operator, values=tuple(values))


_SPANS = st.integers(1, 800_000).map(lambda hours: timedelta(hours=hours))
_MOMENTS = st.sampled_from([one for one in FIELDS.values() if one.kind is FieldKind.MOMENT])
_LEAVES = (
    _comparisons()
    | st.builds(Tagged, tag=_TEXT)
    | st.builds(Reader, newsletter=st.sampled_from(NEWSLETTERS))
    | st.builds(Present, field=_FIELDS)
    | st.builds(Recent, field=_MOMENTS, span=_SPANS)
)
#: Any tree the language can say.
EXPRESSIONS: st.SearchStrategy[Expression] = st.recursive(
    _LEAVES,
    lambda inner: (
        st.builds(Not, part=inner)
        | st.builds(Both, parts=st.lists(inner, min_size=2, max_size=3).map(tuple))
        | st.builds(Either, parts=st.lists(inner, min_size=2, max_size=3).map(tuple))
    ),
    max_leaves=8,
)
