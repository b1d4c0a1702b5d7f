"""What independent judges say of our renderings: the reference MJML, axe-core, a browser, a filter.

Every page is loaded by a Chromium without network; local images travel inside the pages.
"""

from __future__ import annotations

import base64
import io
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import css_inline
import pytest
from PIL import Image

from mailer.campaign.model import CampaignKind
from mailer.delivery.compose import CampaignIdentity, compile_campaign
from mailer.delivery.model import Recipient
from mailer.issue.parse import parse, read
from mailer.render import child
from mailer.render import html as html_stage
from mailer.render.chromium import Page
from mailer.render.images import Gallery, gather
from mailer.render.mjml import Document
from mailer.render.model import NewsletterLook, SystemSlot
from mailer.render.preview import fill
from mailer.render.render import constants, render
from mailer.resources import templates
from tests.services.judges import Node, SpamAssassin
from tests.unit.delivery.letters import KEYRING, NEWSLETTER, PUBLIC

ISSUES = Path(__file__).parents[2] / "data" / "issues"
SAMPLES = templates() / "sample"
THEMES = ("letter", "digest", "magazine")
PAGES = {
    "en": SAMPLES / "magazine" / "specimen.md",
    **{lang: ISSUES / f"{lang}.md" for lang in ("zh", "ar", "hi")},
}
LOOK = NewsletterLook(
    name="Weekly Gradient",
    from_name="Editors",
    postal_address="12 Example Street\nExampleton",
    url="https://gradient.example/",
)
SYSTEM = {
    SystemSlot.UNSUBSCRIBE_URL: "https://gradient.example/u",
    SystemSlot.ARCHIVE_URL: "https://gradient.example/a",
}


@dataclass(frozen=True, kw_only=True)
class Stages:
    """One issue before and behind the stage of MJML; `whole` shows its images."""

    document: Document
    title: str
    page: str

    def whole(self, page: str, images: dict[str, str]) -> str:
        for name, data in images.items():
            page = page.replace(f'src="images/{name}"', f'src="{data}"')
        return page


@cache
def _images() -> dict[str, str]:
    issue = parse(str(PAGES["en"]), read(PAGES["en"]))
    return {
        image.name: f"data:{image.media_type};base64,{base64.b64encode(image.content).decode()}"
        for image in gather(issue).values()
    }


@cache
def _stages(theme: str, lang: str) -> Stages:
    """Render for somebody, and keep what went into mjml-python."""
    issue = parse(str(PAGES[lang]), read(PAGES[lang]))
    seen: list[tuple[Document, str]] = []
    real = child.transform

    def keep(mjml: str, css: str, title: str) -> str:
        seen.append((Document(mjml=mjml, css=css), title))
        return real(mjml, css, title)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(child, "transform", keep)
        gallery = Gallery(images=gather(issue), base="images/")
        rendering = render(issue, LOOK, theme=theme, gallery=gallery)
    fields = {"subscriber": {"name": "Ada"}, **constants(issue, LOOK)}
    document, title = seen[0]
    return Stages(document=document, title=title, page=fill(rendering, fields, SYSTEM).html)


def _shot(browser: Page, page: str, width: int, *, dark: bool) -> bytes:
    browser.show(page, width=width, dark=dark)
    return browser.picture(width=width)


@pytest.fixture(scope="module")
def references(node: Node) -> dict[tuple[str, str], str]:
    """What the reference makes of each theme, in each language."""
    places = [(theme, lang) for theme in THEMES for lang in PAGES]
    made = node.mjml([_stages(*place).document.mjml for place in places])
    return dict(zip(places, made, strict=True))


def _inlined(made: str, stages: Stages) -> str:
    title = f"<title>{stages.title}</title>"
    return html_stage._inline(made.replace("<title></title>", title, 1), stages.document.css)


@pytest.mark.parametrize("lang", PAGES)
@pytest.mark.parametrize("theme", THEMES)
def test_pictures_equal_those_of_the_reference(
    browser: Page, references: dict[tuple[str, str], str], theme: str, lang: str
) -> None:
    stages = _stages(theme, lang)
    reference = _inlined(references[theme, lang], stages)
    ours = html_stage.transform(stages.document.mjml, stages.document.css, stages.title)
    pages = [stages.whole(page, _images()) for page in (ours, reference)]
    assert pages[0] != pages[1]
    for width in (375, 700):
        for dark in (False, True):
            one, other = (_shot(browser, page, width, dark=dark) for page in pages)
            picture = Image.open(io.BytesIO(one)).convert("RGB")
            assert picture.tobytes() == Image.open(io.BytesIO(other)).convert("RGB").tobytes()
            assert picture.height > 1000
            assert len(set(picture.resize((60, 200)).get_flattened_data())) > 20, (
                "the page is blank"
            )


#: Draws each character that the page shows, and says which look like one that no font has.
_MISSING = """(() => {
  const canvas = document.createElement("canvas");
  const pen = canvas.getContext("2d", {willReadFrequently: true});
  canvas.width = canvas.height = 48;
  const draw = (text) => {
    pen.clearRect(0, 0, 48, 48); pen.font = "24px " + getComputedStyle(document.body).fontFamily;
    pen.fillText(text, 8, 34); return pen.getImageData(0, 0, 48, 48).data.join();
  };
  const tofu = draw("\\u{10FFFD}"), chars = new Set(document.body.innerText);
  return [...chars].filter((c) => /[^\\s\\p{M}\\p{C}]/u.test(c) && draw(c) === tofu).join("");
})()"""


@pytest.mark.parametrize("lang", PAGES)
@pytest.mark.parametrize("theme", THEMES)
def test_no_serious_finding_of_axe_and_no_missing_glyph(
    browser: Page, node: Node, theme: str, lang: str
) -> None:
    stages = _stages(theme, lang)
    for width, dark in ((700, False), (700, True), (375, True)):
        browser.show(stages.whole(stages.page, _images()), width=width, dark=dark)
        assert browser.evaluate(_MISSING) == ""
        browser.evaluate(f"{node.axe}; 0")
        found = json.loads(
            str(
                browser.evaluate(
                    "axe.run(document, {resultTypes: ['violations', 'incomplete']})"
                    ".then((done) => JSON.stringify({passes: done.passes.map((p) => p.id),"
                    " bad: done.violations.map((v) => [v.id, v.impact,"
                    " v.nodes.map((n) => n.html + n.failureSummary)])}))"
                )
            )
        )
        assert "color-contrast" in found["passes"]
        assert [each for each in found["bad"] if each[1] in ("serious", "critical")] == []


#: Of every element its tag and every property as the browser computes it.
_STYLES = """JSON.stringify([...document.body.querySelectorAll("*")].map((each) => {
  const style = getComputedStyle(each);
  return [each.tagName, [...style].map((name) => name + ":" + style.getPropertyValue(name))];
}))"""


@pytest.mark.parametrize("theme", THEMES)
def test_computed_styles_equal_those_of_another_inliner(browser: Page, theme: str) -> None:
    document = _stages(theme, "en").document
    ours = html_stage.transform(document.mjml, document.css, "")
    bare = html_stage.transform(document.mjml, "", "")
    theirs = css_inline.CSSInliner(
        inline_style_tags=False, keep_style_tags=True, extra_css=document.css,
        load_remote_stylesheets=False,
    ).inline(bare)  # fmt: skip
    for width, dark in ((700, False), (375, True)):
        seen = []
        for page in (ours, theirs, bare):
            browser.show(page, width=width, dark=dark)
            seen.append(json.loads(str(browser.evaluate(_STYLES))))
        assert seen[0] == seen[1]
        assert seen[0] != seen[2]


def test_a_missing_glyph_is_noticed(browser: Page) -> None:
    browser.show("<p>a \U00016abc é", width=375)  # Tangsa, of which Debian has no font
    assert browser.evaluate(_MISSING) == "\U00016abc"


def test_nothing_was_asked_of_the_network_that_was_answered(browser: Page) -> None:
    browser.refused.clear()
    browser.show('<img src="https://e.example/a.png" alt=""><p>x', width=375)
    assert browser.evaluate("document.images[0].naturalWidth") == 0
    assert browser.refused == ["https://e.example/a.png"]


@pytest.mark.parametrize(
    ("file", "theme"),
    [("issue.md", "digest"), ("issue.zh.md", "letter"), ("magazine/issue.md", "magazine")],
)
def test_spamassassin_has_nothing_to_say(
    spamassassin: SpamAssassin, tmp_path: Path, file: str, theme: str
) -> None:
    issue = parse(str(SAMPLES / file), read(SAMPLES / file))
    gallery = Gallery(images=gather(issue), base=f"{PUBLIC}/i/")
    composer = compile_campaign(
        render(issue, LOOK, theme=theme, gallery=gallery),
        NEWSLETTER,
        campaign=CampaignIdentity(id=1, kind=CampaignKind.ISSUE),
        keyring=KEYRING,
        public_url=PUBLIC,
    )
    reader = Recipient(delivery_id=1, subscriber_id=1, address="ada@example.org", name="Ada")
    message = composer.compose(reader, date=datetime.now(UTC)).content
    points, why = spamassassin.points(message, tmp_path)
    assert points <= 0.5, why
