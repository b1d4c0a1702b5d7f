"""MJML to HTML with inlined CSS: the one place that knows mjml-python and premailer.

`transform` does the work in the process it is called in; `serve` is the loop of the child process
that `mailer.render.child` keeps, because deep nesting makes mjml-python crash (SIGSEGV) and
quadratic CSS can take long.
"""

from __future__ import annotations

import html as escaping
import logging
import resource
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

import cssutils
import mjml
from lxml import etree

from mailer.errors import RenderingFailed
from mailer.render.selectors import Finder
from mailer.render.wire import receive, send

if TYPE_CHECKING:
    from premailer import Premailer

#: mjml-python overflows its stack at about 1,800 levels; no theme needs a hundredth of that.
MAX_DEPTH = 60
MAX_MJML = 4 * 1024 * 1024
MAX_MEMORY = 1024 * 1024 * 1024
MAX_SECONDS = 20
MAX_SHEETS = 16


def transform(source: str, css: str, title: str) -> str:
    """The HTML of an MJML document, `css` inlined, with this title.

    Raises RenderingFailed when the MJML is not well-formed or nested too deep.
    """
    _check(source)
    try:
        page = mjml.mjml2html(
            source,
            fonts={},  # else it links a font host
            social_icon_origin="https://invalid.invalid/",  # else icons come from a vendor's host
        )
    except Exception as exc:
        raise RenderingFailed(f"the theme's MJML is wrong: {exc}") from exc
    # A quote in mj-title breaks a tag, so the title is set here.
    page = page.replace("<title></title>", f"<title>{escaping.escape(title)}</title>", 1)
    return _inline(page, css)


def _check(source: str) -> None:
    if len(source) > MAX_MJML:
        raise RenderingFailed("the issue is too large; shorten it")
    # Without huge_tree libxml2 itself stops at 256 levels.
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
    try:
        root = etree.fromstring(source.encode("utf-8"), parser)
    except etree.XMLSyntaxError as exc:
        raise RenderingFailed(f"the theme's MJML is not well-formed: {exc}") from exc
    deepest, level = 0, [root]
    while level and deepest <= MAX_DEPTH:
        deepest += 1
        level = [child for node in level for child in node]
    if deepest > MAX_DEPTH:
        raise RenderingFailed(f"the MJML is nested deeper than {MAX_DEPTH} levels; use fewer")


def _inline(page: str, css: str) -> str:
    """Put `css` into style attributes; the style elements stay as they are."""
    # cssutils opens the URL of any @import, even file:, whatever premailer is told.
    cssutils.util._defaultFetcher = lambda _url: None  # noqa: SLF001
    # A lower-case doctype gets lost: quirks mode.
    page = page.replace("<!doctype html>", "<!DOCTYPE html>", 1)
    # MJML's reset CSS is for clients that read <style>; inlined it would cost a quarter more.
    page = page.replace("<style", '<style data-premailer="ignore"')
    inliner = _inliner()(
        page,
        css_text=[css],
        keep_style_tags=False,
        disable_leftover_css=True,
        strip_important=False,
        remove_classes=False,
        disable_validation=True,
        allow_network=False,
        allow_loading_external_files=False,
        disable_link_rewrites=True,
        align_floating_images=False,
        # Else an image's width becomes 100 %.
        disable_basic_attributes=["width", "height", "align", "valign", "bgcolor"],
        cssutils_logging_level=logging.CRITICAL,
    )
    inlined = str(inliner.transform(pretty_print=False))
    return inlined.replace(' data-premailer="ignore"', "")


@dataclass(frozen=True)
class _Search:
    """What premailer asks a page with."""

    selector: str

    def __call__(self, page: etree._Element) -> list[etree._Element]:
        """The elements that the selector means; premailer changes no class of theirs."""
        return _finder(page).find(self.selector)


@lru_cache(maxsize=1)
def _finder(page: etree._Element) -> Finder:
    return Finder(page)


@lru_cache(maxsize=1)
def _inliner() -> Callable[..., Premailer]:
    """Premailer that reads a sheet once, for a theme's never changes, and finds by an index.

    Imported here, because premailer brings an HTTP client that tries a socket when imported.
    """
    import premailer

    premailer.premailer._create_cssselector = _Search  # noqa: SLF001

    class Inliner(premailer.Premailer):  # type: ignore[misc]  # premailer has no types
        _read: ClassVar[dict[tuple[str, int], object]] = {}

        def _parse_style_rules(self, css_body: str, ruleset_index: int) -> object:
            # What is read here is only copied from.
            key = css_body, ruleset_index
            if key not in self._read:
                if len(self._read) >= MAX_SHEETS:
                    self._read.clear()
                self._read[key] = super()._parse_style_rules(css_body, ruleset_index)
            return self._read[key]

    return Inliner


# --- the child process --------------------------------------------------------------------------

_WARM_UP = (
    "<mjml><mj-body><mj-section><mj-column><mj-text>x</mj-text></mj-column></mj-section>"
    "</mj-body></mjml>"
)


def serve() -> None:
    """Answer jobs on standard input until it ends."""
    # Ctrl-C goes to the whole group; this process ends when its parent closes the pipe.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform != "darwin":  # macOS does not keep to it
        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    transform(_WARM_UP, "p { color: red }", "")
    sys.addaudithook(_refuse)
    jobs, answers = sys.stdin.buffer, sys.stdout.buffer
    while (job := receive(jobs)) is not None:
        _grant_seconds()
        send(answers, _answer(job))


def _answer(job: dict[str, str]) -> dict[str, str]:
    try:
        return {"html": transform(job["mjml"], job["css"], job["title"])}
    except RenderingFailed as exc:
        return {"error": str(exc)}
    except MemoryError:
        return {"error": "the issue needs too much memory; shorten it"}
    except Exception as exc:  # noqa: BLE001  (whatever a third party raises is an answer)
        return {"error": f"the issue can't be rendered: {type(exc).__name__}: {exc}"}


def _grant_seconds() -> None:
    """Allow this many more seconds of CPU: the limit counts from the process's start."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + MAX_SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))


def _refuse(event: str, arguments: tuple[object, ...]) -> None:
    """Nothing is fetched, opened or started while rendering."""
    if event.startswith(("socket.", "subprocess.", "os.exec", "os.posix_spawn", "os.system")):
        raise PermissionError(f"{event} while rendering")
    if event == "open" and not str(arguments[0]).startswith((sys.prefix, sys.base_prefix)):
        raise PermissionError("a file was opened while rendering")


if __name__ == "__main__":
    serve()
