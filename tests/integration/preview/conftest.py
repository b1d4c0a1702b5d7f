"""An issue on a desk, the preview on a port of this machine, and a tab that looks at it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import pytest

from mailer.render.chromium import Json, Page
from mailer.settings import WebSettings
from mailer.web.preview.app import create_preview
from mailer.web.preview.desk import Desk
from mailer.web.preview.readers import Readership
from mailer.web.server import bind, server
from subscribers import queries as people
from subscribers.database import Database
from tests.integration.feedback.world import World
from tests.integration.web.test_browser import tab

_SECONDS = 60.0
ISSUE = """---
subject: "Hello {{ subscriber.name | default('you') }}"
preheader: "Of pears and apples."
number: 3
---

Dear {{ subscriber.name | default("reader") }} of {{ subscriber.attributes.town | default("-") }},

First words.

{% if subscriber.attributes.plan == "pro" %}
Only for supporters.
{% endif %}

![A pear](pear.png)

[The shop](https://shop.example/pears)
"""


@dataclass(kw_only=True)
class Preview:
    """A preview that runs; `origin` is where, `path` begins with the key of the run."""

    desk: Desk
    origin: str
    path: str

    def write(self, text: str) -> None:
        """Save the issue."""
        self.desk.file.write_text(text, encoding="utf-8")


@dataclass(kw_only=True)
class Screen:
    """What a tab shows of a preview."""

    page: Page

    def wait(self, expression: str, wanted: Json = True) -> None:
        """Until a JavaScript expression has this value."""
        until = time.monotonic() + _SECONDS
        while (found := self.page.evaluate(expression)) != wanted:
            assert time.monotonic() < until, (expression, found)
            time.sleep(0.05)

    def wait_for(self, words: str) -> None:
        """Until the mail in the frame holds these words."""
        self.wait(f"{FRAME}?.body?.innerText.includes({words!r}) ?? false")

    def key(self, key: str) -> None:
        """Press a key."""
        for kind in ("keyDown", "keyUp"):
            event = {"type": kind, "key": key, "text": key if kind == "keyDown" else ""}
            self.page.ask("Input.dispatchKeyEvent", event)

    def click(self, selector: str) -> None:
        """Press a button."""
        self.wait(f"!!document.querySelector({selector!r})")
        self.page.evaluate(f"document.querySelector({selector!r}).click()")


#: The document of the mail that is shown.
FRAME = "document.querySelector('iframe:not(.coming)')?.contentDocument"


@pytest.fixture
def world(sqlite_url: str) -> Iterator[World]:
    """A newsletter; both databases are asked the same where no browser looks on."""
    database = Database(sqlite_url)
    made = World(database=database)
    made.add_newsletter("weekly")
    yield made
    database.dispose()


@pytest.fixture
def desk(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """An issue and its image in a folder of their own, where `mailer` is run."""
    folder = tmp_path / "issues"
    folder.mkdir()
    monkeypatch.chdir(folder)
    (folder / "issue.md").write_text(ISSUE, encoding="utf-8")
    (folder / "pear.png").write_bytes(picture(600, "green"))
    with world.database.read() as session:
        newsletter = people.newsletter_by_slug(session, "weekly")
    readership = Readership(newsletter=newsletter, database=world.database)
    file = folder / "issue.md"
    url = "https://news.example.com"
    return Desk(file=file, newsletter=newsletter, public_url=url, readership=readership)


def picture(width: int, colour: str) -> bytes:
    """A PNG of one colour, half as high as it is wide."""
    import io

    from PIL import Image

    made = io.BytesIO()
    Image.new("RGB", (width, width // 2), colour).save(made, "png")
    return made.getvalue()


@pytest.fixture
def preview(desk: Desk) -> Iterator[Preview]:
    """The preview of the desk's issue."""
    ended: list[bool] = []
    listener = bind(WebSettings(port=0))
    port = listener.getsockname()[1]
    app, path = create_preview(desk, port=port, stop=lambda: bool(ended))
    serving = server(app, stop=lambda: bool(ended))
    thread = Thread(target=serving.run, kwargs={"sockets": [listener]})
    thread.start()
    yield Preview(desk=desk, origin=f"http://127.0.0.1:{port}", path=path)
    ended.append(True)
    thread.join(_SECONDS)
    assert not thread.is_alive()


@pytest.fixture
def screen(preview: Preview, browser: Page) -> Iterator[Screen]:
    """A tab at the preview; `browser` sees to it that there is a Chromium."""
    assert browser
    with tab() as page:
        page.ask("Page.navigate", {"url": preview.origin + preview.path})
        shown = Screen(page=page)
        shown.wait("document.readyState", "complete")
        shown.wait(f"!!({FRAME})")
        yield shown


def until(true: Callable[[], object]) -> None:
    """Wait for something."""
    deadline = time.monotonic() + _SECONDS
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)
