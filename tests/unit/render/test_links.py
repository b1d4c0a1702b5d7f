"""URLs as they stand in mail, and values escaped for where they stand."""

from __future__ import annotations

import html
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.issue.expression import parse
from mailer.issue.model import Merge, Place, Text
from mailer.render.escape import escape
from mailer.render.links import address, ascii_url, with_utm
from mailer.render.model import Escape, SlotKind
from mailer.render.slots import SlotBook

UTM = (("utm_source", "a b"), ("utm_medium", "email"))
TAIL = "utm_source=a%20b&utm_medium=email"
HERE = Place(line=1, column=1)


def _book() -> SlotBook:
    return SlotBook(nonce="0123456789ab", constants={"newsletter": {"url": "https://n.example/p"}})


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        pytest.param("https://e.org/a", f"https://e.org/a?{TAIL}", id="plain"),
        pytest.param("https://e.org", f"https://e.org/?{TAIL}", id="host alone"),
        pytest.param("https://e.org/?x=%20&y", f"https://e.org/?x=%20&y&{TAIL}", id="others kept"),
        pytest.param(
            "https://e.org/?utm_source=Revue%20newsletter&x=1&UTM_Term=t&utm_id=3#f",
            f"https://e.org/?x=1&{TAIL}#f",
            id="those there are replaced",
        ),
        pytest.param("mailto:a@e.org?subject=x", "mailto:a@e.org?subject=x", id="mailto"),
        pytest.param("tel:+1", "tel:+1", id="tel"),
    ],
)
def test_utm(url: str, wanted: str) -> None:
    assert with_utm(url, UTM) == wanted
    assert with_utm(with_utm(url, UTM), UTM) == wanted
    assert with_utm(url, ()) == url


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        pytest.param(
            "https://例え.jp/路?q=ü", "https://xn--r8jz45g.jp/%E8%B7%AF?q=%C3%BC", id="iri"
        ),
        pytest.param("https://e.org/a%20b%zz", "https://e.org/a%20b%25zz", id="encoded is kept"),
        pytest.param('https://e.org/"<\\>', "https://e.org/%22%3C%5C%3E", id="quotes"),
        pytest.param("https://u@Bücher.de:8080/", "https://u@xn--bcher-kva.de:8080/", id="port"),
    ],
)
def test_urls_become_ascii(url: str, wanted: str) -> None:
    assert ascii_url(url) == wanted


def test_field_inside_a_url_is_a_component() -> None:
    book = _book()
    field = Merge(expression=parse("subscriber.id"), place=HERE)
    url = address((Text(text="https://e.org/?u="), field), book, whole=Escape.LINK, utm=UTM)
    assert url == f"https://e.org/?u=zq0123456789abx0z&{TAIL}"
    assert (book.slots[0].escape, book.slots[0].kind) == (Escape.URL, SlotKind.VALUE)


def test_field_that_is_the_url_gets_no_utm() -> None:
    book = _book()
    field = Merge(expression=parse("message.unsubscribe_url"), place=HERE)
    assert address((field,), book, whole=Escape.LINK, utm=UTM) == "zq0123456789abx0z"
    assert (book.slots[0].escape, book.slots[0].kind) == (Escape.LINK, SlotKind.SYSTEM)


def test_what_is_known_leaves_no_slot() -> None:
    book = _book()
    field = Merge(expression=parse("newsletter.url"), place=HERE)
    url = address((field, Text(text="/a.png")), book, whole=Escape.LINK)
    assert url == "https://n.example/p/a.png"
    assert book.slots == []


@pytest.mark.parametrize(
    ("value", "how", "wanted"),
    [
        pytest.param("<b a=\"x\" b='y'>&", Escape.HTML, None, id="html"),
        pytest.param("a/b?c&d é", Escape.URL, "a%2Fb%3Fc%26d%20%C3%A9", id="url"),
        pytest.param(
            "https://e.org/?a=1&b=2", Escape.LINK, "https://e.org/?a=1&amp;b=2", id="link"
        ),
        pytest.param("javascript:alert(1)", Escape.LINK, "", id="javascript"),
        pytest.param(" java\nscript:alert(1)", Escape.LINK, "", id="javascript with line end"),
        pytest.param("//e.org", Escape.LINK, "", id="no scheme"),
        pytest.param("a\r\nBcc: x@e.org", Escape.HEADER, "a Bcc: x@e.org", id="header injection"),
        pytest.param("a\0\x85\u2028b\ud800", Escape.TEXT, "ab", id="controls"),
    ],
)
def test_escape(value: str, how: Escape, wanted: str | None) -> None:
    assert escape(value, how) == (html.escape(value, quote=True) if wanted is None else wanted)


@given(st.text(), st.sampled_from(list(Escape)))
def test_no_value_breaks_out(value: str, how: Escape) -> None:
    escaped = escape(value, how)
    assert not set(escaped) & set("\r\n\0")
    escaped.encode("utf-8")
    if how in (Escape.HTML, Escape.LINK):
        assert not set(escaped) & set("<>\"'")
    if how is Escape.HTML:
        assert html.unescape(escaped) == escape(value, Escape.TEXT)
    if how is Escape.URL:
        assert escaped.isascii()
        assert unquote(escaped) == escape(value, Escape.TEXT)
