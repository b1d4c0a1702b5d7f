"""Whole renderings, through the child process: MJML, inlining and text as they will be sent."""

from __future__ import annotations

import dataclasses
import json
import re
import sys
import time
from pathlib import Path

import css_inline
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import html as lxml_html

from mailer.errors import RenderingFailed
from mailer.issue.parse import parse, read
from mailer.render import child
from mailer.render import html as html_stage
from mailer.render.model import NewsletterLook, Rendering, SystemSlot
from mailer.render.preview import NOBODY, Filled, fill
from mailer.render.render import render
from mailer.resources import templates

LOOK = NewsletterLook(
    name='Weekly "Gradient" & Söhne',
    from_name="Editors",
    from_address="news@gradient.example",
    postal_address="12 Example Street\nExampleton",
    url="https://gradient.example/",
)
SYSTEM = {
    SystemSlot.UNSUBSCRIBE_URL: "https://gradient.example/u/1?a=b&c=d",
    SystemSlot.ARCHIVE_URL: "https://gradient.example/a/1",
}
FRONT = '---\nsubject: "x"\npreheader: y\nnumber: 1\n---\n'
SAMPLES = sorted((templates() / "sample").glob("*.md"))
STRUCTURE = Path(__file__).parents[2] / "data" / "issues" / "structure.md"


def _render(body: str, *, front: str = FRONT) -> Rendering:
    return render(parse("x.md", front + body), LOOK)


@pytest.fixture(scope="module")
def structure() -> Rendering:
    return render(parse("structure.md", read(STRUCTURE)), LOOK)


def _fill(rendering: Rendering, **attributes: object) -> Filled:
    person = {
        "name": "Ann",
        "id": 7,
        "email": "ann@example.org",
        "attributes": {"plan": "pro", "page": "https://ann.example/?a=1&b=2", **attributes},
    }
    return fill(rendering, {"subscriber": person}, SYSTEM)


@pytest.mark.parametrize("theme", ["letter", "digest", "magazine"])
@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_samples(path: Path, theme: str) -> None:
    rendering = render(parse(path.name, read(path)), LOOK, theme=theme)
    filled = fill(rendering, NOBODY, SYSTEM)
    assert len(filled.html.encode()) < 60_000
    assert rendering.nonce not in filled.html + filled.text + filled.subject
    page = lxml_html.fromstring(filled.html)
    assert filled.html.startswith("<!DOCTYPE html>")
    assert page.get("lang") == rendering.lang
    assert page.get("dir") == "ltr"
    assert page.findtext(".//title") == rendering.title
    hrefs = [a.get("href") for a in page.iter("a")]
    assert SYSTEM[SystemSlot.UNSUBSCRIBE_URL] in hrefs
    assert SYSTEM[SystemSlot.ARCHIVE_URL] in hrefs
    assert "12 Example Street" in filled.html
    assert "12 Example Street" in filled.text
    assert f"<{SYSTEM[SystemSlot.UNSUBSCRIBE_URL]}>" in filled.text
    assert all(image.get("alt") is not None for image in page.iter("img"))
    assert 'name="color-scheme" content="light dark"' in filled.html
    assert "prefers-color-scheme: dark" in filled.html
    web = [h for h in hrefs if h.startswith("https://") and "gradient.example" not in h]
    assert web
    assert all("utm_source=weekly-gradient" in href for href in web)


def test_same_issue_same_bytes(structure: Rendering) -> None:
    assert render(parse("other.md", read(STRUCTURE)), LOOK) == structure


def test_slots_and_conditions_survive_every_stage(structure: Rendering) -> None:
    whole = structure.subject + structure.html + structure.text
    for slot in structure.slots:
        assert whole.count(f"zq{structure.nonce}x{slot.number}z") == 1, slot
    for word in ("if", "end"):
        for part in (structure.html, structure.text):
            numbers = re.findall(rf"<!--zq{structure.nonce}{word}(\d+)-->", part)
            assert set(numbers) >= {"1", "2", "3", "4"}
    assert structure.html.count(f"zq{structure.nonce}") == len(
        re.findall(rf"zq{structure.nonce}(?:x\d+z|(?:if|else|end)\d+-->)", structure.html)
    )


def test_structure_for_one_person(structure: Rendering) -> None:
    filled = _fill(structure)
    assert filled.subject == "第 30 期 Ann ★"
    page = lxml_html.fromstring(filled.html)
    hrefs = [a.get("href") for a in page.iter("a")]
    utm = "utm_source=gradient&utm_medium=email"
    assert f"https://arxiv.org/abs/2108.02774?x=1&{utm}#top" in hrefs
    assert f"https://example.org/?u=7&n=Ann&{utm}" in hrefs
    assert f"https://xn--r8jz45g.jp/%E8%B7%AF?q=%C3%BC&{utm}" in hrefs
    assert "https://ann.example/?a=1&b=2" in hrefs
    assert "mailto:me@example.org" in hrefs
    assert hrefs.count(SYSTEM[SystemSlot.UNSUBSCRIBE_URL]) == 2
    assert page.xpath("//img/@alt")[0] == 'A \\ "drawing" of Ann 👩‍👩‍👧'
    words = page.text_content()
    assert "👩‍👩‍👧 नमस्ते ไทย C:\\path \"quoted\" 'single'" in words
    assert "Only for pro." in words
    assert "Nested." not in words
    assert "Only for pro." in filled.text
    assert 'Tuning "GAN" <https://arxiv.org/abs/2108.02774?x=1&' in filled.text


def test_a_javascript_attribute_becomes_no_link(structure: Rendering) -> None:
    assert "javascript:" not in _fill(structure, page="javascript:alert(1)").html


def test_a_hostile_name_stays_a_name(structure: Rendering) -> None:
    name = "{{ 7*7 }}<script>alert('1')</script>\"\r\nBcc: x@e.org"
    person = {"subscriber": {"name": name, "attributes": {}}}
    filled = fill(structure, person, SYSTEM)
    page = lxml_html.fromstring(filled.html)
    assert not page.xpath("//script")
    assert "{{ 7*7 }}<script>" in page.text_content()
    assert "\n" not in filled.subject
    assert "49" not in filled.subject


def test_right_to_left() -> None:
    front = '---\nsubject: "مرحبا"\nlang: ar\n---\n'
    rendering = _render("> مرحبا\n\n- واحد", front=front)
    assert rendering.direction == "rtl"
    assert 'dir="rtl"' in rendering.html
    assert "text-align:right" in rendering.html
    assert "border-right:3px" in rendering.html


def test_constant_conditions_are_decided_at_once() -> None:
    rendering = _render("{% if issue.number == 1 %}first{% else %}later{% endif %} issue")
    assert rendering.conditions == ()
    assert "first issue" in rendering.html
    assert "first issue" in rendering.text


def test_a_newsletter_may_say_itself_why_one_gets_it() -> None:
    look = dataclasses.replace(LOOK, about="Because you asked at the fair.")
    rendering = render(parse("x.md", FRONT + "x"), look)
    for part in (rendering.html, rendering.text):
        assert "Because you asked at the fair." in part
        assert "because you subscribed" not in part


def test_text_part_is_readable() -> None:
    rendering = _render("## 1. 中文\n\n1. a\n2. b\n\n> q\n\n[Go](https://e.org/){.button}")
    body = rendering.text.split("\n\n", 1)[1]
    assert body.startswith(
        "1. 中文\n" + "=" * 24 + "\n\n1. a\n2. b\n\n> q\n\n→ Go <https://e.org/>\n"
    )


NASTY = st.text(
    alphabet=st.one_of(
        st.characters(exclude_categories=["Cs", "Cc", "Cn", "Co", "Zl", "Zp"]),
        st.sampled_from(list("\\\"'<>&{}%#\u200d\ufe0f\u00a0\u3000\u0e33\u093f\u05b0")),
    ),
    min_size=1,
    max_size=30,
).filter(lambda text: text.strip())


def _literal(text: str) -> str:
    """Markdown and Jinja that show exactly this text."""
    escaped = "".join(f"&#{ord(char)};" for char in text)
    return escaped.replace("&#32;", " ").replace("  ", " &#32;")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=NASTY, alt=NASTY, title=NASTY)
def test_any_text_comes_out_as_it_went_in(text: str, alt: str, title: str) -> None:
    text, alt, title = (
        " ".join(each.split(" ")).strip(" \t") or "x" for each in (text, alt, title)
    )
    body = f"a{_literal(text)}z\n\n![a{_literal(alt)}z](https://e.org/a.png)"
    title = title.replace("{", "(")
    quoted = json.dumps(f"a{title}z", ensure_ascii=False)
    rendering = _render(body, front=f"---\nsubject: {quoted}\n---\n")
    page = lxml_html.fromstring(rendering.html)
    found = page.xpath("//p[contains(@class, 'paragraph')]")[0].text
    assert found == f"a{text}z"
    assert page.xpath("//img/@alt")[0] == re.sub(" +", " ", f"a{alt}z")
    assert page.findtext(".//title") == re.sub(" +", " ", f"a{title}z")
    assert f"a{text}z" in rendering.text


# --- the stage itself ---------------------------------------------------------------------------


def test_inlining_agrees_with_another_inliner() -> None:
    """css-inline, in Rust, shares no code with premailer."""
    body = "<html><head></head><body><div class='a b'><p class='b'>x</p></div></body></html>"
    css = ".b { color: red; margin: 0 } div.a { color: blue } .a p { padding: 1px }"
    ours = lxml_html.fromstring(html_stage._inline("<!doctype html>" + body, css))
    theirs = lxml_html.fromstring(
        css_inline.CSSInliner(extra_css=css, load_remote_stylesheets=False).inline(body)
    )
    for tag in ("div", "p"):
        assert _style(ours.find(f".//{tag}")) == _style(theirs.find(f".//{tag}"))


def _style(element: lxml_html.HtmlElement | None) -> set[str]:
    assert element is not None
    style = element.get("style", "").replace(" ", "")
    return {each for each in style.split(";") if each}


def _deep(levels: int) -> str:
    return (
        "<mjml><mj-body>"
        + "<mj-section>" * levels
        + "</mj-section>" * levels
        + ("</mj-body></mjml>")
    )


@pytest.mark.parametrize(
    ("mjml", "words"),
    [
        pytest.param(_deep(100), "nested deeper", id="100 levels"),
        pytest.param(_deep(10_000), "not well-formed", id="10,000 levels"),
        pytest.param("<mjml><mj-body></mjml>", "not well-formed", id="unclosed"),
        pytest.param("<mjml>" + "x" * 5_000_000 + "</mjml>", "too large", id="huge"),
        pytest.param(
            '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><mjml>&a;</mjml>',
            "wrong|well-formed",
            id="entity",
        ),
    ],
)
def test_bad_mjml_is_an_error_and_the_child_lives(mjml: str, words: str) -> None:
    own = child.Child()
    try:
        with pytest.raises(RenderingFailed, match=words):
            own.transform(mjml, "", "")
        assert "<title>t</title>" in own.transform(html_stage._WARM_UP, "", "t")
    finally:
        own.close()


def test_a_slow_or_dead_child_is_replaced() -> None:
    own = child.Child(deadline=1.5)
    try:
        assert own.transform(html_stage._WARM_UP, "", "")
        tables = "<table><tr><td class='x'>y</td></tr></table>" * 3_000
        bomb = html_stage._WARM_UP.replace("x</mj-text>", f"{tables}</mj-text>")
        css = "".join(
            f"table td.x:not(.y{n}) {{ color: red; margin: {n}px }}" for n in range(4_000)
        )
        with pytest.raises(RenderingFailed, match="took too long"):
            own.transform(bomb, css, "")
        assert own.transform(html_stage._WARM_UP, "", "")
        process = own._process
        assert process is not None
        process.kill()
        process.wait()
        assert own.transform(html_stage._WARM_UP, "", "")
    finally:
        own.close()


_events: list[str] = []
_watching = False


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if _watching and event.startswith(("socket.", "open", "urllib")):
        _events.append(f"{event} {arguments[:1]}")


@pytest.mark.parametrize(
    "css",
    [
        pytest.param("@import url(file:///etc/passwd); p { color: red }", id="import a file"),
        pytest.param("@import 'http://127.0.0.1:9/x.css'; p { color: red }", id="import a URL"),
        pytest.param("p { background: url(http://127.0.0.1:9/x.png) }", id="an image"),
    ],
)
def test_nothing_is_opened_or_fetched(css: str) -> None:
    global _watching
    html_stage.transform(html_stage._WARM_UP, "p { color: red }", "")
    sys.addaudithook(_watch)
    link = '<link rel="stylesheet" href="http://127.0.0.1:9/y.css" />'
    mjml = html_stage._WARM_UP.replace("x</mj-text>", f"{link}<p>z</p></mj-text>")
    _events.clear()
    _watching = True
    try:
        page = html_stage.transform(mjml, css, "")
    finally:
        _watching = False
    assert _events == []
    assert "root:" not in page
    # The child refuses them outright, so that it too would have failed.
    assert child.transform(mjml, css, "") == page


def test_the_child_refuses_files_and_sockets() -> None:
    script = (
        "import sys, socket\n"
        "from mailer.render.html import _refuse\n"
        "sys.addaudithook(_refuse)\n"
        "for attempt in (lambda: open('/etc/hostname'), socket.socket):\n"
        "    try: attempt()\n"
        "    except PermissionError: print('refused')\n"
    )
    import subprocess

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "refused\nrefused\n", done.stderr


def test_the_child_knows_nothing_of_our_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRESSRUN_CANARY", "secret")
    own = child.Child()
    try:
        own.transform(html_stage._WARM_UP, "", "")
        assert own._process is not None
        environment = Path(f"/proc/{own._process.pid}/environ")
        if environment.exists():
            assert b"secret" not in environment.read_bytes()
    finally:
        own.close()


def test_a_warm_rendering_is_quick() -> None:
    issue = parse("issue.md", read(SAMPLES[0]))
    render(issue, LOOK)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        render(issue, LOOK)
        times.append(time.perf_counter() - start)
    # Three times the goal of 50 ms: others may be using this machine.
    assert min(times) < 0.15


def test_an_unknown_theme_is_named() -> None:
    with pytest.raises(RenderingFailed, match="there are digest"):
        render(parse("x.md", FRONT + "x"), LOOK, theme="none")
