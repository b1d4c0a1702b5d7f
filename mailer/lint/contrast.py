"""Whether every text can be read on what stands behind it, in light and dark (WCAG 2.2, 1.4.3)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from lxml import etree
from tinycss2 import color4

from mailer.issue.problems import Notes
from mailer.issue.rules import Rule
from mailer.lint.page import Page
from mailer.lint.style import Declaration, Scheme, Styles
from mailer.render.brand import MIN_CONTRAST, contrast

#: Large text (24 px, or 18.66 px and bold) may be fainter.
MIN_CONTRAST_LARGE = 3.0
_LARGE, _LARGE_BOLD = 24.0, 18.66
_PIXELS = re.compile(r"([\d.]+)px")
_BOLD = frozenset({"bold", "bolder", "600", "700", "800", "900"})
_SILENT = frozenset({"head", "style", "script", "title"})


@dataclass(frozen=True, kw_only=True)
class Look:
    """How the text of an element shows; `ground` is None where an image lies behind it."""

    ink: str = "#000000"
    ground: str | None = "#ffffff"
    size: float = 16.0
    bold: bool = False

    @property
    def needed(self) -> float:
        """The least contrast that it can be read with."""
        large = self.size >= _LARGE or (self.bold and self.size >= _LARGE_BOLD)
        return MIN_CONTRAST_LARGE if large else MIN_CONTRAST


def check(page: Page, notes: Notes) -> None:
    """Note each pair of colours that is too faint, once for each scheme."""
    sheets = [element.text or "" for element in page.root.iter("style")]
    for scheme in Scheme:
        styles = Styles(page.root, sheets, scheme)
        seen: set[tuple[str, str]] = set()
        for element, look in _texts(page.root, styles):
            ground = look.ground
            if ground is None or (look.ink, ground) in seen:
                continue
            ratio = contrast(look.ink, ground)
            if ratio < look.needed:
                seen.add((look.ink, ground))
                notes.add(
                    Rule.CONTRAST,
                    page.place(element),
                    f"{look.ink} on {ground} has a contrast of {ratio:.1f} to 1 in {scheme} mode",
                    f"{look.needed:g} to 1 can be read; change it in "
                    f"{page.where(look.ink, ground)}",
                )


def _texts(root: etree._Element, styles: Styles) -> Iterator[tuple[etree._Element, Look]]:
    """Every element with text of its own that can be seen, and how it looks."""
    # A walk of our own: what is hidden is left out with all that is in it.
    waiting: list[tuple[etree._Element, Look]] = [(root, Look())]
    while waiting:
        element, above = waiting.pop()
        told = styles.of(element)
        if element.tag in _SILENT or _hidden(told):
            continue
        look = _look(element, told, above)
        if _has_text(element):
            yield element, look
        waiting.extend((child, look) for child in reversed(element) if isinstance(child.tag, str))


def _hidden(told: Mapping[str, Declaration]) -> bool:
    display, height = told.get("display"), told.get("max-height")
    return bool(display and display.value == "none") or bool(height and height.value == "0")


def _has_text(element: etree._Element) -> bool:
    texts = [element.text, *(child.tail for child in element)]
    return any(text and text.strip(" \t\r\n\xa0\u200c") for text in texts)


def _look(element: etree._Element, told: Mapping[str, Declaration], above: Look) -> Look:
    look = above
    ground = _ground(element, told, above.ground)
    if ink := _colour(told.get("color"), ground or "#ffffff"):
        look = replace(look, ink=ink)
    if (size := told.get("font-size")) and (match := _PIXELS.fullmatch(size.value)):
        look = replace(look, size=float(match[1]))
    if weight := told.get("font-weight"):
        look = replace(look, bold=weight.value in _BOLD)
    return replace(look, ground=ground)


def _ground(
    element: etree._Element, told: Mapping[str, Declaration], behind: str | None
) -> str | None:
    """What lies behind an element's text: the weightiest of its backgrounds, or its parent's."""
    for name, declaration in told.items():
        if name == "background-image" and declaration.value != "none":
            return None
        if name == "background" and (
            "url(" in declaration.value or "gradient" in declaration.value
        ):
            return None
        if name in ("background", "background-color"):
            return _colour(declaration, behind or "#ffffff") or behind
    if attribute := element.get("bgcolor"):
        return _shown(color4.parse_color(attribute), behind or "#ffffff") or behind
    return behind


def _colour(declaration: Declaration | None, behind: str) -> str | None:
    """The colour in a value, as `#rrggbb`, laid over what is behind it; None for none."""
    if declaration is None:
        return None
    for token in declaration.tokens:
        if token.type in ("hash", "ident", "function"):
            return _shown(color4.parse_color(token), behind)
    return None


def _shown(colour: color4.Color | str | None, behind: str) -> str | None:
    if colour is None or isinstance(colour, str):
        return None
    try:
        red, green, blue = colour.to("srgb").coordinates[:3]
    except (NotImplementedError, TypeError, ValueError):
        return None
    alpha = colour.alpha
    under = [int(behind[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    mixed = [
        min(max(over or 0.0, 0.0), 1.0) * alpha + below * (1 - alpha)
        for over, below in zip((red, green, blue), under, strict=True)
    ]
    return "#" + "".join(f"{round(part * 255):02x}" for part in mixed)
