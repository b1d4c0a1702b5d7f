"""Which links of a rendering are counted, and what a tracked message looks like."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from lxml import html as lxml_html

from mailer.render.model import FORMAT, Condition, Escape, Rendering, Slot, SlotKind
from mailer.render.preview import NOBODY, fill
from mailer.render.track import links_of, tracked

NONCE = "00c0ffee"
BASE = "https://news.example.com/c/TOKEN"
HTML = f"""<!DOCTYPE html><html><head><title>x</title></head><body>
<a class="link" href="https://a.example/?x=1&amp;y=2#z">A</a>
<a href="https://a.example/?x=1&amp;y=2#z" title='a > b "c"'>A again</a>
<A style="color:red" HREF="HTTPS://B.example">B</A>
<a href="mailto:ann@example.com">mail</a> <a href="tel:+1">call</a> <a href="#top">top</a>
<a name="x">no link</a> <abbr href="https://no.example/">no</abbr>
<a href="zq{NONCE}x0z">Unsubscribe</a>
<a href="https://c.example/?who=zq{NONCE}x1z">a slot in it</a>
<a href="javascript:alert(1)">js</a> <a href="https://">none</a> <a href="https://d.e/ f">blank</a>
<!--zq{NONCE}if0--><a href="https://pro.example/">pro</a><!--zq{NONCE}end0-->
<img src="https://img.example/x.png" alt="" /> https://words.example/
</body></html>"""
TEXT = f"""A <https://a.example/?x=1&y=2#z> and more <https://text.example/only>
Unsubscribe <zq{NONCE}x2z>, mail <mailto:ann@example.com>, a <b> c, https://words.example/
"""


def rendering(**changed: Any) -> Rendering:
    values: dict[str, Any] = {
        "format": FORMAT, "nonce": NONCE, "lang": "en", "direction": "ltr", "title": "x",
        "subject": "x", "preheader": "", "html": HTML, "text": TEXT,
        "conditions": (Condition(number=0, source="subscriber.name"),),
        "slots": (
            Slot(number=0, source="unsubscribe_url", kind=SlotKind.SYSTEM, escape=Escape.LINK),
            Slot(number=1, source="subscriber.id", kind=SlotKind.VALUE, escape=Escape.URL),
            Slot(number=2, source="unsubscribe_url", kind=SlotKind.SYSTEM, escape=Escape.TEXT),
        ),
    }  # fmt: skip
    return Rendering(**(values | changed))


LINKS = (
    "https://a.example/?x=1&y=2#z",
    "HTTPS://B.example",
    "https://pro.example/",
    "https://text.example/only",
)


def test_links_to_pages_that_are_the_same_for_all_are_counted() -> None:
    assert links_of(rendering()) == LINKS
    assert links_of(rendering(html="", text="")) == ()


def test_html_and_text_lead_to_the_same_numbers() -> None:
    made = tracked(rendering(), LINKS, base=BASE)
    assert re.findall(r'href="([^"]*)"', made.html, re.IGNORECASE) == [
        f"{BASE}/1",
        f"{BASE}/1",
        f"{BASE}/2",
        "mailto:ann@example.com",
        "tel:+1",
        "#top",
        "https://no.example/",
        f"zq{NONCE}x0z",
        f"https://c.example/?who=zq{NONCE}x1z",
        "javascript:alert(1)",
        "https://",
        "https://d.e/ f",
        f"{BASE}/3",
        f"{BASE}/0",
    ]
    assert re.findall(r"<(\S+)>", made.text) == [
        f"{BASE}/1", f"{BASE}/4", f"zq{NONCE}x2z", "mailto:ann@example.com", "b",
    ]  # fmt: skip
    assert "open.gif" not in made.text
    assert made.html.count(f'src="{BASE}/open.gif"') == 1
    assert made.slots == rendering().slots


def test_but_for_links_pixel_and_honeypot_the_document_is_the_same() -> None:
    made = lxml_html.fromstring(tracked(rendering(), LINKS, base=BASE).html)
    pixel, honeypot = list(made.body)[-1], list(made.body)[-2]
    assert (pixel.tag, honeypot.tag) == ("img", "a")
    assert "display:none" in honeypot.get("style", "")
    assert honeypot.text is None
    honeypot.drop_tree()
    pixel.drop_tree()
    for link in made.iter("a"):
        number = link.get("href", "").removeprefix(f"{BASE}/")
        if number.isdigit():
            link.set("href", LINKS[int(number) - 1])
    assert lxml_html.tostring(made) == lxml_html.tostring(lxml_html.fromstring(HTML))


def test_only_links_that_were_frozen_are_replaced() -> None:
    """What a later version would find in an old rendering changes no number of it."""
    made = tracked(rendering(), ("https://pro.example/",), base=BASE)
    assert f'href="{BASE}/1">pro' in made.html
    assert "https://a.example/?x=1&amp;y=2#z" in made.html
    assert "<https://text.example/only>" in made.text


def test_without_a_base_one_slot_holds_it() -> None:
    whole = rendering()
    made = tracked(whole, LINKS, base=None)
    (new,) = set(made.slots) - set(whole.slots)
    assert (new.number, new.source, new.kind) == (3, "click_url", SlotKind.SYSTEM)
    known = fill(made, NOBODY, {"click_url": BASE})  # type: ignore[dict-item]
    plain = fill(tracked(whole, LINKS, base=BASE), NOBODY, {})
    assert (known.html, known.text) == (plain.html, plain.text)
    assert made.checksum != whole.checksum


def test_a_page_without_an_end_of_its_body_gets_them_last() -> None:
    made = tracked(rendering(html="<p>x</p>"), (), base=BASE)
    assert made.html.startswith("<p>x</p><a ")
    twice = "<body><pre>&lt;/body></pre></BODY ></body>"
    assert tracked(rendering(html=twice), (), base=BASE).html.endswith("/></body>")


def test_a_hostile_page_takes_no_time() -> None:
    for page in ('<a href="' * 20_000, "<a " * 50_000, "<a x='" * 20_000, "<" * 200_000):
        whole = rendering(html=page, text=page, slots=(), conditions=())
        assert tracked(whole, links_of(whole), base=BASE)


def test_the_rendering_itself_stays_as_it_is() -> None:
    whole = rendering()
    tracked(whole, LINKS, base=BASE)
    assert dataclasses.replace(whole) == rendering()
