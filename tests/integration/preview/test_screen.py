"""The preview as an author uses it, in a real Chromium."""

from __future__ import annotations

import pytest

from mailer.resources import templates
from tests.integration.feedback.world import World
from tests.integration.preview.conftest import FRAME, ISSUE, Preview, Screen, picture
from tests.services.judges import Node


def test_a_save_changes_the_page(screen: Screen, preview: Preview) -> None:
    screen.wait_for("First words.")
    screen.wait("document.getElementById('subject').textContent", "Hello Ada Lovelace")
    preview.write(ISSUE.replace("First words.", "Second words.\n\n" + "More.\n\n" * 80))
    screen.wait_for("Second words.")
    screen.page.evaluate(f"{FRAME}.defaultView.scrollTo(0, 700); 0")
    preview.write(ISSUE.replace("First words.", "Third words.\n\n" + "More.\n\n" * 80))
    screen.wait_for("Third words.")
    screen.wait(f"{FRAME}.defaultView.scrollY", 700)  # the place is kept


def test_an_image_and_a_theme_are_followed_too(screen: Screen, preview: Preview) -> None:
    screen.wait(f"{FRAME}?.images[0]?.naturalWidth", 600)
    (preview.desk.file.parent / "pear.png").write_bytes(picture(700, "red"))
    screen.wait(f"{FRAME}?.images[0]?.naturalWidth", 700)
    own = preview.desk.file.parent / "themes" / "ours"
    own.mkdir(parents=True)
    for file in (templates() / "issue" / "letter").iterdir():
        (own / file.name).write_bytes(file.read_bytes())
    screen.wait("[...document.getElementById('theme').options].map(o => o.value).includes('ours')")
    screen.page.evaluate(
        "(t => { t.value = 'ours'; t.dispatchEvent(new Event('change')); })"
        "(document.getElementById('theme')); 0"
    )
    screen.wait("document.getElementById('theme').value", "ours")
    brand = own / "brand.toml"
    text = brand.read_text(encoding="utf-8")
    (line,) = [each for each in text.splitlines() if each.startswith("page = ")][:1]
    brand.write_text(text.replace(line, 'page = "#fffef0"', 1), encoding="utf-8")
    screen.wait(
        f"{FRAME}?.body && getComputedStyle({FRAME}.body).backgroundColor", "rgb(255, 254, 240)"
    )


def test_the_ways_to_look_at_it(screen: Screen) -> None:
    screen.wait_for("First words.")
    light = screen.page.evaluate(f"getComputedStyle({FRAME}.body).backgroundColor")
    screen.key("p")
    screen.wait("document.querySelector('iframe:not(.coming)').clientWidth", 375)
    screen.wait(f"{FRAME}.documentElement.clientWidth", 375)
    screen.key("n")
    screen.wait(f"{FRAME}?.body && getComputedStyle({FRAME}.body).backgroundColor != {light!r}")
    screen.wait(f"{FRAME}?.images[0]?.naturalWidth", 600)
    screen.key("i")
    screen.wait(f"{FRAME}?.images[0]?.naturalWidth", 0)
    screen.key("t")
    plain = "document.getElementById('plain').textContent"
    screen.wait(f"{plain}.includes('The shop <https://shop.example/pears>')")
    screen.key("r")
    screen.wait(f"{plain}.includes('List-Unsubscribe-Post: List-Unsubscribe=One-Click')")
    screen.key("s")
    screen.wait("document.querySelector('#source li:nth-child(9)').textContent", "First words.")
    screen.page.evaluate("location.reload(); 0")
    screen.wait("document.querySelector('[aria-pressed=true]')?.textContent", "Source")


def test_readers_and_conditions(screen: Screen, world: World) -> None:
    world.add_person("pear@orchard.example", "weekly")
    screen.wait_for("Dear Ada Lovelace of town,")
    assert screen.page.evaluate(f"{FRAME}.body.innerText.includes('Only for')") is False
    screen.click("#conditions button:nth-child(2)")
    screen.wait_for("Only for supporters.")
    screen.key("/")
    screen.click("#found li:nth-child(4) button")
    screen.wait_for("Dear <b>{{ 7*7 }}</b> of -,")
    screen.key("/")
    screen.page.ask("Input.insertText", {"text": "orchard"})
    screen.wait("document.querySelectorAll('#found button').length", 1)
    screen.click("#found button")
    screen.wait_for("Dear reader of -,")
    screen.wait("document.getElementById('reader').textContent", "pear@orchard.example")
    screen.key("r")
    screen.wait("document.getElementById('plain').textContent.includes('pear@orchard.example')")


def test_a_broken_issue_keeps_the_last_good_page(screen: Screen, preview: Preview) -> None:
    screen.wait_for("First words.")
    preview.write(ISSUE.replace("First words.", "[Broken](/relative)"))
    screen.wait("document.getElementById('error').hidden", False)
    screen.wait_for("First words.")
    screen.click("#problems .error")
    screen.wait("document.querySelector('#source .here')?.textContent", "[Broken](/relative)")
    preview.write(ISSUE.replace("First words.", "Mended words."))
    screen.key("h")
    screen.wait_for("Mended words.")
    screen.wait("document.getElementById('error').hidden", True)
    preview.desk.file.unlink()
    screen.wait("document.getElementById('error').innerText.includes('no such file')")
    screen.wait_for("Mended words.")


HOSTILE = """---
subject: '<img src=x onerror="top.hacked=1"></title><script>top.hacked=1</script>'
preheader: "</div><script>top.hacked=1</script>"
number: 4
---

Hello {{ subscriber.name }} `</pre><script>top.hacked=1</script>`

{% if subscriber.attributes.x == "</script><script>top.hacked=1</script>" %}
x
{% endif %}

![" onerror="top.hacked=1](pear.png)

[x](https://shop.example/"onmouseover="top.hacked=1)
"""


def test_nothing_from_the_issue_runs(screen: Screen, preview: Preview) -> None:
    own = preview.desk.file.parent / "themes" / "evil"
    own.mkdir(parents=True)
    for file in (templates() / "issue" / "letter").iterdir():
        (own / file.name).write_bytes(file.read_bytes())
    layout = own / "layout.mjml.j2"
    script = (
        "<mj-raw><script>top.hacked=1</script><img src='x' onerror='top.hacked=1' />"
        "<a id='go' href='javascript:top.hacked=1'>go</a>"
        "<iframe srcdoc='&lt;script&gt;top.hacked=1&lt;/script&gt;'></iframe></mj-raw>"
    )
    text = layout.read_text(encoding="utf-8")
    at = text.index("<mj-body")
    at = text.index(">", at) + 1
    layout.write_text(text[:at] + script + text[at:], encoding="utf-8")
    preview.desk.newsletter = _with_theme(preview, "evil")
    preview.write(HOSTILE)
    screen.wait("document.getElementById('subject').textContent.startsWith('<img')")
    screen.wait(f"!!{FRAME}?.getElementById('go')")
    screen.page.evaluate(f"{FRAME}.getElementById('go').click(); 0")
    for view in "trsh":
        screen.key(view)
    screen.wait(f"{FRAME}?.readyState", "complete")
    assert screen.page.evaluate("[typeof hacked, document.scripts.length]") == ["undefined", 1]


def _with_theme(preview: Preview, theme: str) -> object:
    from dataclasses import replace

    return replace(preview.desk.newsletter, theme=theme)


_AXE = "axe.run(document, {resultTypes: ['violations'], iframes: false})"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing(screen: Screen, preview: Preview, node: Node, dark: bool) -> None:
    preview.write(ISSUE.replace("![A pear]", "![]") + "\n[x](/relative)\n")
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    screen.page.ask("Emulation.setEmulatedMedia", {"features": [scheme]})
    screen.page.ask("Page.setBypassCSP", {"enabled": True})
    screen.page.evaluate("location.reload(); 0")
    screen.wait("document.querySelectorAll('#problems button').length > 0")
    screen.page.evaluate(f"{node.axe}; 0")
    for view in "hts/":
        screen.key(view)
        found = screen.page.evaluate(f"{_AXE}.then(r => r.violations.map(v => v.id))")
        assert found == [], view
