"""A rendering as a page for everybody: nothing personal left, and a way to subscribe.

The page of a mail is made for mail programs; what a browser, a search engine and a reader who
came by a link need is added around it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lxml import etree, html
from lxml.html import HtmlElement

from mailer.render.images import EMBED, content_id
from mailer.render.model import Rendering, SystemSlot
from mailer.render.preview import NOBODY, fill

#: Stands where one recipient's own link stood, until it is cut out.
_PERSONAL = "https://personal.invalid/"
_OWN = (
    SystemSlot.UNSUBSCRIBE_URL,
    SystemSlot.ARCHIVE_URL,
    SystemSlot.PREFERENCES_URL,
    SystemSlot.CONFIRM_URL,
    SystemSlot.DATA_URL,
    SystemSlot.ERASE_URL,
)
_LINES = frozenset({"p", "li", "td", "div"})


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What a public page gets besides the mail; texts are plain, `form` and `bar` are our HTML.

    `images` is the URL before the name of an image.
    """

    url: str
    feed: str
    images: str
    site: str
    bar: str
    form: str
    style: str


def publish(rendering: Rendering, around: Surroundings) -> str:
    """The page: personal slots show their defaults, personal links are gone with their line."""
    filled = fill(rendering, NOBODY, dict.fromkeys(_OWN, _PERSONAL))
    text = filled.html
    for name in rendering.embedded:
        text = text.replace(f"{EMBED}{content_id(name)}", around.images + name)
    page = html.document_fromstring(text.encode(), parser=html.HTMLParser(encoding="utf-8"))
    _cut_personal(page)
    _head(page, rendering, around)
    _body(page, around)
    written: str = html.tostring(page, doctype="<!doctype html>", encoding="unicode")
    return written


def _cut_personal(page: HtmlElement) -> None:
    for link in list(page.iter("a")):
        if not link.get("href", "").startswith(_PERSONAL):
            continue
        line = next((each for each in link.iterancestors() if each.tag in _LINES), None)
        if line is None or any(
            not other.get("href", "").startswith(_PERSONAL) for other in line.iter("a")
        ):
            line = link  # others share the line
        if line.getparent() is not None:
            line.drop_tree()


def _head(page: HtmlElement, rendering: Rendering, around: Surroundings) -> None:
    head = page.find("head")
    head.append(_element("link", rel="canonical", href=around.url))
    head.append(_element("link", rel="alternate", type="application/atom+xml", href=around.feed))
    head.append(_element("meta", name="description", content=rendering.preheader))
    for name, content in _social(page, rendering, around).items():
        key = "name" if name.startswith("twitter:") else "property"
        head.append(_element("meta", **{key: name, "content": content}))
    style = _element("style")
    style.text = around.style
    head.append(style)


def _social(page: HtmlElement, rendering: Rendering, around: Surroundings) -> Mapping[str, str]:
    """What a preview of a shared link shows (Open Graph, ogp.me)."""
    told = {
        "og:type": "article",
        "og:title": rendering.title,
        "og:description": rendering.preheader,
        "og:url": around.url,
        "og:site_name": around.site,
        "og:locale": rendering.lang.replace("-", "_"),
    }
    image = next(_own_images(page, around.images), None)
    if image:
        told["og:image"] = image
    told["twitter:card"] = "summary_large_image" if image else "summary"
    return told


def _own_images(page: HtmlElement, base: str) -> Iterator[str]:
    return (source for each in page.iter("img") if (source := each.get("src", "")).startswith(base))


def _body(page: HtmlElement, around: Surroundings) -> None:
    body = page.find("body")
    body.insert(0, html.fragment_fromstring(around.bar))
    # An author's call to subscribe has a link to the home page: here it is the form itself.
    called = page.xpath("//p[@class='subscribe']/following-sibling::table[@class='buttons']")
    for button in called[:1]:
        button.getparent().replace(button, html.fragment_fromstring(around.form))
    if not called:
        body.append(html.fragment_fromstring(around.form))


def _element(tag: str, **attributes: str) -> HtmlElement:
    made = etree.Element(tag)
    for name, value in attributes.items():
        made.set(name, value)
    return made
