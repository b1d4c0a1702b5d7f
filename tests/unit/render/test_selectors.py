"""An index finds what lxml finds by searching."""

from __future__ import annotations

import pytest
from lxml import etree
from lxml.cssselect import CSSSelector

from mailer.render.selectors import Finder

PAGE = """<html><head><style>x</style></head><body class=" page\tletter ">
<!-- a comment --><div class="card"><p class="words first">a<b class="first">b</b></p>
<div class="card inner"><img class="picture" /><code>c</code></div></div>
<p class="picture words">d</p><h2 class="Card">e</h2><?x y?></body></html>"""


@pytest.mark.parametrize(
    "selector",
    [".card", ".picture", "code", "p", ".card .picture", ".card .card .picture",
     ".card .card .card", "p.words", "p.words.first", ".words.first",
     "body .card  .inner .picture", ".page .letter",
     ".none", ".card .none", ".none .card", "h2.Card", ".card > p", "p + p", "*", "b, code",
     ".card img[class]", "p:first-child", "[class=card]", ".card p .first"],
)  # fmt: skip
def test_every_kind_of_selector(selector: str) -> None:
    page = etree.fromstring(PAGE, etree.HTMLParser())
    assert Finder(page).find(selector) == CSSSelector(selector)(page)
