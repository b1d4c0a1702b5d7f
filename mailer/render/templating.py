"""A theme's templates: a sandbox over typed blocks, whose tags remember where they are written."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from jinja2 import FileSystemLoader, StrictUndefined, Undefined, pass_context
from jinja2.exceptions import TemplateRuntimeError, TemplateSyntaxError
from jinja2.ext import Extension
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from mailer.issue.model import Block, Blocks, Inlines, Picture, Words
from mailer.render.rows import spreads

#: The attribute in which a tag of MJML carries its place, until the check has read it.
PLACE = "mj-at"
_TAG = re.compile(r"<(mj[a-z-]*|mjml)(?=[\s/>])")


class Writer(Protocol):
    """What the filters of a theme write with; each result is escaped HTML."""

    def inlines(self, inlines: Inlines) -> Markup:
        """A run of text."""

    def lines(self, inlines: Inlines) -> Markup:
        """Preformatted text."""

    def href(self, url: Words) -> Markup:
        """A link's URL."""

    def words(self, words: Words) -> Markup:
        """An alternative text."""

    def picture(self, picture: Picture, room: int) -> Markup:
        """An image, at most `room` pixels wide."""

    def block(self, block: Block, room: int) -> Markup:
        """A block, through its template."""

    def blocks(self, blocks: Blocks, room: int) -> Markup:
        """Blocks below each other."""


class _Places(Extension):
    """Gives each MJML tag of a template an attribute with its file, line and column."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        def mark(match: re.Match[str]) -> str:
            line = source.count("\n", 0, match.start()) + 1
            column = match.start() - source.rfind("\n", 0, match.start())
            return f'{match.group()} {PLACE}="{name}:{line}:{column}"'

        return _TAG.sub(mark, source) if name and name.endswith(".mjml.j2") else source


class _Sandbox(ImmutableSandboxedEnvironment):
    """Jinja's, in which no text can be multiplied to fill the memory."""

    intercepted_binops = frozenset({"*", "**"})

    def call_binop(self, context: Context, operator: str, left: object, right: object) -> object:
        """Numbers alone; `**` could take for ever."""
        if operator == "**" or not all(isinstance(each, int | float) for each in (left, right)):
            raise TemplateRuntimeError(f"{operator} is for numbers only, and ** is not there")
        return super().call_binop(context, operator, left, right)


def _shown(value: object) -> object:
    """What a template prints: words and numbers; a block printed as Python would be nonsense."""
    if isinstance(value, str | int | float | Undefined):
        return value
    kind = "several blocks or texts" if isinstance(value, tuple | list) else type(value).__name__
    raise TemplateRuntimeError(
        f"{{{{ … }}}} prints words, and this is {'nothing' if value is None else kind}; "
        "write it with | block, | blocks, | inline, | lines, | words or | href"
    )


@lru_cache(maxsize=16)
def environment(places: tuple[Path, ...]) -> ImmutableSandboxedEnvironment:
    """The templates in these folders, compiled once; the writer comes from the context."""
    made = _Sandbox(
        autoescape=True,  # select_autoescape does not know `.mjml.j2`
        loader=FileSystemLoader(places),
        undefined=StrictUndefined,
        finalize=_shown,
        extensions=[_Places],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        inline=_inline,
        lines=_lines,
        href=_href,
        words=_words,
        picture=_picture,
        block=_block,
        blocks=_blocks,
        spreads=spreads,
    )
    return made


def place_of(exc: Exception) -> str | None:
    """`file:line:1` of the template in which it went wrong; None where it was in none."""
    if isinstance(exc, TemplateSyntaxError):
        return f"{exc.filename or exc.name}:{exc.lineno}:1"
    trace, found = exc.__traceback__, None
    while trace is not None:
        # Jinja rewrites tracebacks so that they name templates and their lines.
        file = trace.tb_frame.f_code.co_filename
        found = f"{file}:{trace.tb_lineno}:1" if file.endswith(".j2") else found
        trace = trace.tb_next
    return found


def _writer(context: Context) -> Writer:
    writer: Writer = context["writer"]
    return writer


@pass_context
def _inline(context: Context, inlines: Inlines) -> Markup:
    return _writer(context).inlines(inlines)


@pass_context
def _lines(context: Context, inlines: Inlines) -> Markup:
    return _writer(context).lines(inlines)


@pass_context
def _href(context: Context, url: Words) -> Markup:
    return _writer(context).href(url)


@pass_context
def _words(context: Context, words: Words) -> Markup:
    return _writer(context).words(words)


@pass_context
def _picture(context: Context, picture: Picture, room: int) -> Markup:
    return _writer(context).picture(picture, room)


@pass_context
def _block(context: Context, block: Block, room: int | None = None) -> Markup:
    return _writer(context).block(block, room or int(context["room"]))


@pass_context
def _blocks(context: Context, blocks: Blocks) -> Markup:
    return _writer(context).blocks(blocks, int(context["room"]))
