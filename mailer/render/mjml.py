"""An issue as MJML: a theme's layout around one HTML fragment for each block."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace

from jinja2 import TemplateError
from markupsafe import Markup

from mailer.errors import RenderingFailed, ThemeInvalid
from mailer.issue.model import Alternative, Block, Blocks, ParsedIssue, Section
from mailer.render import mjml_check
from mailer.render.images import NO_IMAGES, Gallery
from mailer.render.inline import InlineHtml
from mailer.render.model import Escape, NewsletterLook, SystemSlot, condition_mark
from mailer.render.rows import rows
from mailer.render.slots import SlotBook
from mailer.render.templating import environment, place_of
from mailer.render.theme import Theme, direction, spoken_date

#: Their letters don't slant, or must not be pulled apart.
_UPRIGHT = frozenset({"ar", "bn", "fa", "he", "hi", "ja", "ko", "th", "ur", "zh"})
_JOINED = frozenset({"ar", "bn", "fa", "hi", "ur"})
_INLINE_STYLE = re.compile(r"<mj-style\s+inline=\"inline\"\s*>(.*?)</mj-style>", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Document:
    """An issue as MJML, and the CSS to inline into what becomes of it."""

    mjml: str
    css: str


def compose(
    issue: ParsedIssue,
    look: NewsletterLook,
    theme: Theme,
    book: SlotBook,
    *,
    lang: str,
    gallery: Gallery = NO_IMAGES,
    traced: bool = False,
) -> Document:
    """The issue in a theme's layout; `traced`, with the author's line before each block.

    Raises ThemeInvalid, with file, line and column, when a template of the theme is wrong.
    """
    composer = _Composer(issue, look, theme, book, lang, gallery, traced=traced)
    try:
        document = composer.document()
    except RecursionError as exc:
        raise RenderingFailed("the issue is nested too deep; use fewer levels") from exc
    except (ThemeInvalid, RenderingFailed):
        raise
    except Exception as exc:
        # An expression of a template can raise whatever Python can.
        where = place_of(exc) or ("the theme" if isinstance(exc, TemplateError) else None)
        if where is None:
            raise
        raise ThemeInvalid(f"{where}: {_words(exc)}") from exc
    problems = mjml_check.check(document.mjml, theme.places)
    if problems:
        raise ThemeInvalid("\n".join(str(problem) for problem in problems))
    return _for_mrml(document)


def _words(exc: Exception) -> str:
    message = exc.message if isinstance(exc, TemplateError) else str(exc)
    # Our own names are nothing to who writes a theme.
    return re.sub(r"'(?:[\w.]+\.)?(\w+) object'", r"\1", message or type(exc).__name__)


class _Composer:
    """The `Writer` of one issue's templates."""

    def __init__(
        self,
        issue: ParsedIssue,
        look: NewsletterLook,
        theme: Theme,
        book: SlotBook,
        lang: str,
        gallery: Gallery,
        *,
        traced: bool,
    ) -> None:
        self._issue, self._look, self._theme = issue, look, theme
        self._book, self._lang, self._traced = book, lang, traced
        inline = InlineHtml(book=book, utm=issue.front.utm, gallery=gallery)
        self.inlines, self.lines, self.href = inline.inlines, inline.lines, inline.href
        self.words, self.picture = inline.words, inline.picture
        self._environment = environment(theme.places)
        sides = ("right", "left") if direction(lang) == "rtl" else ("left", "right")
        self._shared: dict[str, object] = {
            "writer": self,
            "brand": theme.brand,
            "room": theme.brand.shape.inner,
            "say": theme.words_for(lang),
            "lang": lang,
            "dir": direction(lang),
            "start": sides[0],
            "end": sides[1],
            "contents": contents(issue.blocks),
        }

    def document(self) -> Document:
        front = self._issue.front
        mjml = self._environment.get_template("layout.mjml.j2").render(
            self._shared,
            issue=front,
            date=spoken_date(front.date, self._lang) if front.date else "",
            newsletter=self._look,
            rows=list(rows(self._issue.blocks, self._book)),
            system=self._system,
            style=self._sheet("client.css.j2"),
        )
        return Document(mjml=mjml, css=str(self._sheet("theme.css.j2")))

    def block(self, block: Block, room: int) -> Markup:
        """A block through its template, in so many pixels."""
        if isinstance(block, Alternative):
            return Markup(  # noqa: S704  (escaped)
                self._book.branch(block, lambda below: self.blocks(below, room))
            )
        template = self._environment.get_template(f"{type(block).__name__.lower()}.html.j2")
        # The fragment was made with autoescape on.
        made = template.render(self._shared, block=block, room=room).strip()
        return Markup(self._trace(block) + made)  # noqa: S704

    def _trace(self, block: Block) -> str:
        """A mark that survives as conditions do, for whoever wants to know an element's line."""
        if not self._traced or isinstance(block, Alternative):
            return ""
        return condition_mark(self._book.nonce, "at", block.place.line)

    def blocks(self, blocks: Blocks, room: int) -> Markup:
        """Blocks below each other."""
        return Markup("").join(self.block(block, room) for block in blocks)

    def _system(self, name: str) -> Markup:
        return Markup(self._book.system(SystemSlot(name), Escape.LINK))  # noqa: S704  (a mark)

    def _sheet(self, template: str) -> Markup:
        """One of the theme's style sheets with its tokens filled in."""
        brand, primary = self._theme.brand, self._lang.split("-")[0].lower()
        # Tokens were checked when they were read; quotes must not be escaped in CSS.
        tokens = {
            table: {key: Markup(value) for key, value in asdict(getattr(brand, table)).items()}  # noqa: S704
            for table in ("light", "dark", "font", "shape")
        }
        sheet = self._environment.get_template(template).render(
            tokens,
            start=self._shared["start"],
            end=self._shared["end"],
            slant="normal" if primary in _UPRIGHT else "italic",
            joined=primary in _JOINED,
        )
        return Markup(sheet)  # noqa: S704  (the theme's own)


def contents(blocks: Blocks) -> tuple[Section, ...]:
    """What the table of contents lists: the numbered sections, or all if none is numbered."""
    sections = [block for block in blocks if isinstance(block, Section)]
    numbered = [section for section in sections if section.number is not None]
    return tuple(numbered or sections)


def _for_mrml(document: Document) -> Document:
    r"""MJML that mjml-python passes on unchanged, and what it leaves out done here.

    It drops `mj-style inline`, which becomes CSS to inline. It writes attributes with an escaping
    meant for debugging: combining marks, joiners, NBSP and `\` come out as `\u{200d}` or `\\`.
    Numeric references survive; style sheets are ASCII.
    """
    mjml = mjml_check.without_places(document.mjml)
    inlined = "\n".join(match.group(1) for match in _INLINE_STYLE.finditer(mjml))
    mjml = _INLINE_STYLE.sub("", mjml)
    mjml = mjml.replace("\\", "&#92;").encode("ascii", "xmlcharrefreplace").decode("ascii")
    return replace(document, mjml=mjml, css=document.css + inlined)
