"""Ten thousand texts of all scripts come out of every stage as they went in."""

from __future__ import annotations

from urllib.parse import parse_qs, quote, urlsplit

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import html as lxml_html

from mailer.issue.model import (
    Figure,
    FrontMatter,
    Link,
    Paragraph,
    ParsedIssue,
    Picture,
    Place,
    Text,
)
from mailer.render.model import NewsletterLook
from mailer.render.render import render

LOOK = NewsletterLook(name="W", from_name="W", postal_address="1 Street", url="https://w.example/")
BATCH = 250
#: What broke on its way once: joiners, selectors, combining marks, wide and unbreakable blanks.
AWKWARD = "\\\"'<>&{}%#\u200d\u200c\ufe0f\u00a0\u3000\u0e33\u093f\u094d\u05b0\u064e\u202e\u2067"
ONE = st.text(
    alphabet=st.one_of(
        st.characters(exclude_categories=["Cs", "Cc", "Cn", "Co", "Zl", "Zp"]),
        st.sampled_from(AWKWARD),
        st.sampled_from("👩🏽‍🔬🏴󠁧󠁢󠁳󠁣󠁴󠁿🇯🇵が한국어ไทยनमस्तेשָׁלוֹםمَرحبا"),
    ),
    min_size=1,
    max_size=12,
).map(lambda text: " ".join(text.split(" ")))
HERE = Place(line=1, column=1)


def _figure(text: str) -> Figure:
    url = (Text(text=f"https://e.example/?q={quote(text, safe='')}"),)
    picture = Picture(
        url=(Text(text="https://e.example/a.png"),), alt=(Text(text=text),), place=HERE
    )
    return Figure(picture=picture, link=Link(url=url, children=(), place=HERE))


@settings(
    max_examples=10_000 // BATCH,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(batch=st.lists(ONE, min_size=BATCH, max_size=BATCH))
def test_any_text_survives_attribute_title_text_and_link(batch: list[str]) -> None:
    texts = [f"[{text}]" for text in batch]
    blocks = [Paragraph(children=(Text(text=text),)) for text in texts]
    subject = "|".join(texts)
    issue = ParsedIssue(
        path="x.md",
        source=subject,
        front=FrontMatter(subject=(Text(text=subject),)),
        blocks=(*blocks, *(_figure(text) for text in texts)),
    )
    rendering = render(issue, LOOK, theme="letter")
    page = lxml_html.fromstring(rendering.html)
    shown = page.find_class("paragraph")
    assert [each.text_content() for each in shown] == texts
    pictures = page.find_class("picture")
    assert [_one_blank(each.get("alt")) for each in pictures] == [_one_blank(t) for t in texts]
    links = [each.getparent().get("href") for each in pictures]
    assert [parse_qs(urlsplit(link).query)["q"][0] for link in links] == texts
    assert page.findtext(".//title") == rendering.title == _one_blank(subject)
    assert all(text in rendering.text for text in texts)


def _one_blank(text: str) -> str:
    while "  " in text:
        text = text.replace("  ", " ")
    return text
