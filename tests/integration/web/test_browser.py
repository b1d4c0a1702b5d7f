"""The pages in a real Chromium, with and without JavaScript, and judged by axe-core."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Thread

import pytest
from sqlalchemy import select

from mailer.errors import RenderingFailed
from mailer.notice.model import Notice
from mailer.notice.send import Post, send
from mailer.render import chromium
from mailer.render.chromium import Page
from mailer.settings import WebSettings
from mailer.web.app import create_app
from mailer.web.server import bind, server
from mailer.web.services import WebServices
from subscribers import queries as people
from subscribers.address import parse
from subscribers.signup.tables import signups
from subscribers.token import Scope
from tests.integration.feedback.world import World
from tests.integration.notice.post import mails, said, send_waiting
from tests.integration.web.test_subscribe import link
from tests.services.judges import Node
from tests.services.smtp import SmtpSink

_SECONDS = 20.0
_FLAGS = (
    "--headless",
    "--remote-debugging-pipe",
    "--no-first-run",
    "--disable-gpu",
    "--disable-extensions",
    "--disable-component-update",
    "--disable-background-networking",
    "--disable-sync",
    "--disable-dev-shm-usage",
    # Only this machine: every other name leads nowhere.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


@dataclass(kw_only=True)
class Browser:
    """A tab that reads and types as a person does: nothing here needs the page's scripts."""

    page: Page
    origin: str

    def open(self, path: str) -> None:
        """Go there."""
        self.page.ask("Page.navigate", {"url": self.origin + path})

    def type(self, selector: str, text: str) -> None:
        """Type into a field."""
        self.ask_of(selector, "DOM.focus")
        self.page.ask("Input.insertText", {"text": text})

    def press(self, selector: str) -> None:
        """Press a button by the keyboard."""
        self.ask_of(selector, "DOM.focus")
        for kind in ("keyDown", "keyUp"):
            key = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"}
            self.page.ask("Input.dispatchKeyEvent", {"type": kind, **key})

    def html(self) -> str:
        """The document as it is now."""
        try:
            root = self.page.ask("DOM.getDocument", {"depth": 0})["root"]
            assert isinstance(root, dict)
            return str(self.page.ask("DOM.getOuterHTML", {"nodeId": root["nodeId"]})["outerHTML"])
        except RenderingFailed:  # the next document came in between
            return ""

    def wait(self, words: str) -> str:
        """The document, once it holds these words."""
        until = time.monotonic() + _SECONDS
        while words not in (html := self.html()):
            assert time.monotonic() < until, html
            time.sleep(0.05)
        return html

    def ask_of(self, selector: str, method: str) -> dict[str, object]:
        """Ask of an element; once more, where the next document came in between."""
        until = time.monotonic() + _SECONDS
        while True:
            try:
                return self.page.ask(method, {"nodeId": self._node(selector)})
            except RenderingFailed:
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)

    def _node(self, selector: str) -> int:
        root = self.page.ask("DOM.getDocument", {"depth": 0})["root"]
        assert isinstance(root, dict)
        found = self.page.ask(
            "DOM.querySelector", {"nodeId": root["nodeId"], "selector": selector}
        )["nodeId"]
        assert isinstance(found, int)
        assert found, f"{selector} is not on the page"
        return found


@contextmanager
def tab() -> Iterator[Page]:
    """A tab in a Chromium of its own that reaches this machine."""
    flags = (*_FLAGS, "--no-sandbox") if os.geteuid() == 0 else _FLAGS
    with (
        tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as home,
        chromium._Process((chromium.find(), *flags, f"--user-data-dir={home}"), home=home) as page,
    ):
        page.attach()
        page.ask("Fetch.disable", {})
        yield page


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """One database is enough here: the other is asked the same by the tests without a browser."""
    return sqlite_url


@pytest.fixture
def origin(services: WebServices) -> Iterator[str]:
    """The web process, applier included, on a port of this machine."""
    listener = bind(WebSettings(port=0))
    serving = server(create_app(services))
    thread = Thread(target=serving.run, kwargs={"sockets": [listener]})
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    serving.should_exit = True
    thread.join(_SECONDS)
    assert not thread.is_alive()


@pytest.fixture(params=["scripts", "no scripts"])
def reader(request: pytest.FixtureRequest, origin: str, browser: Page) -> Iterator[Browser]:
    """A tab, with JavaScript and without; `browser` sees to it that there is a Chromium."""
    assert browser
    with tab() as page:
        page.ask("Emulation.setScriptExecutionDisabled", {"value": request.param == "no scripts"})
        yield Browser(page=page, origin=origin)


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + _SECONDS
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_somebody_subscribes_confirms_and_leaves(
    reader: Browser, world: World, smtp_sink: SmtpSink
) -> None:
    reader.open("/s/weekly")
    reader.wait("Subscribe to Weekly")
    reader.type("#address", "ada@example.org")
    reader.press("button[type=submit]")
    reader.wait("Look into your mailbox")

    until(lambda: applied(world))
    send_waiting(world, smtp_sink)
    reader.open(link(said(mails(smtp_sink)[0]), "/c/"))
    reader.wait("Confirm Weekly?")
    reader.press("button[type=submit]")
    reader.wait("Welcome to Weekly")
    with world.database.read() as session:
        person = people.find(session, parse("ada@example.org")).id
    assert world.status(person) == "active"

    send_waiting(world, smtp_sink)
    reader.open(link(said(mails(smtp_sink)[1]), "/p/"))
    reader.wait("You get every issue.")
    reader.press("form[action*=pause] button")
    reader.wait("Nothing is sent until")
    reader.press("form[action*=leave] button")
    reader.wait("Done: you get no more of it.")
    assert world.status(person) == "unsubscribed"


def applied(world: World) -> bool:
    with world.database.read() as session:
        return [*session.execute(select(signups.c.applied_at)).scalars()] != [None]


def test_nobody_meets_the_trap(reader: Browser, world: World) -> None:
    reader.open("/s/weekly")
    reader.wait("Subscribe to Weekly")
    box = reader.ask_of("#website", "DOM.getBoxModel")["model"]
    assert isinstance(box, dict)
    assert box["border"][0] < 0  # type: ignore[index,operator]


def _letter(world: World, notice: Notice) -> int:
    """A notice to Ada, as if it had just left; gives its delivery."""
    post = Post(keyring=world.keyring, public_url="https://news.example.com")
    with world.database.write() as session:
        ada = people.find(session, parse("ada@example.org"))
        weekly = world.newsletters["weekly"]
        delivery = send(session, notice, weekly, ada, post=post, now=world.now)
    assert delivery is not None
    return delivery


_AXE = "axe.run(document, {resultTypes: ['violations']}).then(r => r.violations.map(v => v.id))"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("lang", ["en", "zh", "ar"])
def test_axe_finds_nothing(
    world: World, origin: str, node: Node, browser: Page, lang: str, dark: bool
) -> None:
    person = world.add_person("ada@example.org", "weekly", "daily")
    world.set_status(world.add_person("eve@example.org"), "pending")
    copy = world.add_copy(world.add_campaign(), "ada@example.org", person)
    wanted = (Notice.DATA, Notice.ERASE, Notice.STAY)
    letters = {notice: _letter(world, notice) for notice in wanted}
    paths = [
        "/",
        "/s/weekly",
        "/s/weekly/embed",
        "/s/weekly/form",
        f"/u/{world.token(Scope.UNSUBSCRIBE, copy)}",
        f"/p/{world.token(Scope.PREFERENCES, copy)}",
        f"/c/{world.token(Scope.CONFIRM, copy)}",
        f"/c/{world.token(Scope.CONFIRM, letters[Notice.STAY])}",
        f"/d/{world.token(Scope.DATA, letters[Notice.DATA])}",
        f"/e/{world.token(Scope.ERASE, letters[Notice.ERASE])}",
        "/archive",
        "/archive/weekly",
        "/nothing",
    ]
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    with tab() as page:
        page.ask("Page.setBypassCSP", {"enabled": True})
        page.ask("Network.enable", {})
        page.ask("Network.setExtraHTTPHeaders", {"headers": {"accept-language": lang}})
        page.ask("Emulation.setEmulatedMedia", {"features": [scheme]})
        reader = Browser(page=page, origin=origin)
        assert browser
        for path in paths:
            reader.open(path)
            until(lambda path=path: page.evaluate("location.pathname") == path)
            reader.wait(f'lang="{lang}"')
            reader.wait("</main>")
            page.evaluate(f"{node.axe}; 0")
            assert page.evaluate(_AXE) == [], path
