"""A notice's words and the shared layout become a rendering, once for everybody who gets it."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from mailer.notice.language import direction
from mailer.notice.model import BUTTON, Notice
from mailer.render.escape import escape
from mailer.render.model import FORMAT, Escape, Rendering
from mailer.render.slots import SlotBook
from mailer.resources import templates
from subscribers.model import Newsletter


@dataclass(frozen=True, kw_only=True)
class Words:
    """What a notice says in one language: lines above and below its button, if it has one."""

    subject: str
    lines: tuple[str, ...]
    button: str = ""
    after: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Link:
    """Where the button leads, as each part of the mail writes it."""

    html: str
    text: str


@lru_cache(maxsize=256)
def render(notice: Notice, newsletter: Newsletter, *, lang: str, public_url: str) -> Rendering:
    """The notice of a newsletter in one of `language.KNOWN`."""
    book = _book(notice, newsletter, lang)
    said = _told(words(notice, lang), {"newsletter": newsletter.name})
    link = _link(notice, newsletter, book, public_url)
    return _rendering(said, newsletter, book, lang=lang, link=link)


def render_with(
    notice: Notice, newsletter: Newsletter, *, lang: str, facts: Mapping[str, str]
) -> Rendering:
    """A notice that tells something new each time, in place of `{…}` in its words."""
    book = _book(notice, newsletter, lang, *facts.values())
    said = _told(words(notice, lang), {"newsletter": newsletter.name, **facts})
    return _rendering(said, newsletter, book, lang=lang, link=None)


def words(notice: Notice, lang: str) -> Words:
    """What a notice says in a language."""
    said = _said(notice)[lang]
    return Words(
        subject=str(said["subject"]),
        lines=tuple(said["lines"]),
        button=str(said.get("button", "")),
        after=tuple(said.get("after", ())),
    )


@lru_cache(maxsize=len(Notice))
def _said(notice: Notice) -> Mapping[str, Mapping[str, Sequence[str]]]:
    file = templates() / "notice" / notice / "words.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))


def _told(said: Words, facts: Mapping[str, str]) -> Words:
    """The words with facts in them; one of several lines makes as many paragraphs."""
    plain = {name: escape(value, Escape.TEXT) for name, value in facts.items()}

    def told(lines: tuple[str, ...]) -> tuple[str, ...]:
        filled = [_fill(line, plain) for line in lines]
        return tuple(part for line in filled for part in line.split("\n") if part.strip())

    subject = escape(_fill(said.subject, plain), Escape.HEADER)
    return replace(said, subject=subject, lines=told(said.lines), after=told(said.after))


def _fill(text: str, facts: Mapping[str, str]) -> str:
    # One pass over our own words: a fact that looks like a place for another stays what it is.
    head, *rest = text.split("{")
    pieces = [head]
    for part in rest:
        name, brace, tail = part.partition("}")
        pieces.append(facts[name] + tail if brace and name in facts else "{" + part)
    return "".join(pieces)


def _book(notice: Notice, newsletter: Newsletter, lang: str, *also: str) -> SlotBook:
    # The marks must not stand in the text: the nonce is made of all of it.
    said = "\0".join([repr(words(notice, lang)), repr(newsletter), *also])
    nonce = hashlib.sha256(said.encode()).hexdigest()[:16]
    return SlotBook(nonce=nonce, constants={})


def _link(notice: Notice, newsletter: Newsletter, book: SlotBook, public_url: str) -> Link | None:
    slot = BUTTON.get(notice)
    if slot is not None:
        return Link(html=book.system(slot, Escape.LINK), text=book.system(slot, Escape.TEXT))
    if notice is Notice.GOODBYE:
        url = f"{public_url}/s/{newsletter.slug}"
        return Link(html=url, text=url)
    return None


def _rendering(
    said: Words, newsletter: Newsletter, book: SlotBook, *, lang: str, link: Link | None
) -> Rendering:
    values = {
        "lang": lang,
        "dir": direction(lang),
        "newsletter": newsletter,
        "postal": [line for line in newsletter.postal_address.split("\n") if line.strip()],
        "title": said.subject,
        "lines": said.lines,
        "after": said.after,
        "button": said.button,
        "link": link,
    }
    return Rendering(
        format=FORMAT,
        nonce=book.nonce,
        lang=lang,
        direction=direction(lang),
        title=said.subject,
        subject=said.subject,
        preheader="",
        html=_environment(html=True).get_template("layout.html.j2").render(values),
        text=_environment(html=False).get_template("layout.txt.j2").render(values),
        slots=tuple(book.slots),
        conditions=(),
    )


@lru_cache(maxsize=2)
def _environment(*, html: bool) -> ImmutableSandboxedEnvironment:
    return ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(templates() / "notice"),
        autoescape=html,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
