"""A theme's brand: colours by light and dark, fonts, widths, who it is from; read from TOML."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import TypeVar

from mailer.errors import ThemeInvalid

#: WCAG 2 level AA for text.
MIN_CONTRAST = 4.5
_COLOUR = re.compile(r"#[0-9a-f]{6}")
_NUMBERS = {"size": (10, 32), "width": (320, 900), "gutter": (0, 120), "gutter_phone": (0, 60)}
#: What would end a style attribute, a declaration or a rule.
_BREAKS_CSS = re.compile(r"[\"'<>{};\\]")
_URL = re.compile(r"https?://[^\s\"<>]+")


@dataclass(frozen=True, kw_only=True)
class Palette:
    """The colours of one scheme, each `#rrggbb`."""

    #: Behind the letter.
    page: str
    #: The letter itself.
    surface: str
    #: Text.
    ink: str
    #: Dates, sources, the foot.
    muted: str
    #: Rules and borders.
    line: str
    #: Links, numbers, buttons.
    accent: str
    #: Text on the accent.
    accent_ink: str
    #: Behind highlights and badges.
    tint: str
    #: Behind code.
    code: str


@dataclass(frozen=True, kw_only=True)
class Fonts:
    """Font lists without quotes, for they stand in style attributes; `size` in pixels."""

    body: str
    heading: str
    code: str
    size: int = 16


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Widths and corners, in pixels."""

    width: int
    gutter: int
    gutter_phone: int
    radius: int

    @property
    def inner(self) -> int:
        """The widest that an image can be."""
        return self.width - 2 * self.gutter


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Who it is from; `logo` is the URL of an image that stands instead of the name."""

    logo: str = ""
    logo_width: int = 160
    author: str = ""
    tagline: str = ""


@dataclass(frozen=True, kw_only=True)
class Brand:
    """All of brand.toml; `social` holds names and URLs."""

    summary: str
    light: Palette
    dark: Palette
    font: Fonts
    shape: Shape
    identity: Identity = field(default_factory=Identity)
    social: tuple[tuple[str, str], ...] = ()


_TABLES = {"theme", "light", "dark", "font", "shape", "identity", "social"}
_T = TypeVar("_T", Palette, Fonts, Shape, Identity)


def read(file: Path) -> Brand:
    """The brand in a file; raises ThemeInvalid naming file, line and column."""
    reader = _Reader(file)
    brand = Brand(
        summary=reader.summary(),
        light=reader.table("light", Palette),
        dark=reader.table("dark", Palette),
        font=reader.table("font", Fonts),
        shape=reader.table("shape", Shape),
        identity=reader.table("identity", Identity),
        social=reader.social(),
    )
    for scheme, palette in (("light", brand.light), ("dark", brand.dark)):
        for text, ground in _readable(palette):
            if contrast(getattr(palette, text), getattr(palette, ground)) < MIN_CONTRAST:
                reader.fail(scheme, text, f"{text} on {ground} is too faint to read")
    return brand


def _readable(palette: Palette) -> list[tuple[str, str]]:
    grounds = ("page", "surface", "tint", "code")
    return [
        *(("ink", ground) for ground in grounds),
        *(("muted", ground) for ground in grounds),
        *(("accent", ground) for ground in ("surface", "tint", "code")),
        ("accent_ink", "accent"),
    ]


def contrast(one: str, other: str) -> float:
    """How far two colours stand apart, from 1 to 21 (WCAG 2.2, contrast ratio)."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


class _Reader:
    def __init__(self, file: Path) -> None:
        self._file = file
        try:
            self._source = file.read_text(encoding="utf-8")
            self._values: Mapping[str, object] = tomllib.loads(self._source)
        except (OSError, UnicodeDecodeError) as exc:
            raise ThemeInvalid(f"{file}: can't be read: {exc}") from exc
        except tomllib.TOMLDecodeError as exc:
            raise ThemeInvalid(f"{file}{_toml_place(exc)}") from exc
        for name in self._values:
            if name not in _TABLES:
                self.fail(name, None, f"there is no table [{name}]; there are {_listed(_TABLES)}")

    def fail(self, table: str, key: str | None, words: str) -> None:
        """Refuse a value, where it stands."""
        line = _line_of(self._source, table, key)
        raise ThemeInvalid(f"{self._file}:{line}:1: {words}")

    def summary(self) -> str:
        theme = self._of("theme")
        summary = theme.get("summary", "")
        if set(theme) - {"summary"} or not isinstance(summary, str):
            self.fail("theme", None, 'write only summary = "…" below [theme]')
        return str(summary)

    def social(self) -> tuple[tuple[str, str], ...]:
        links = self._of("social")
        for name, url in links.items():
            if not isinstance(url, str) or not _URL.fullmatch(url):
                self.fail("social", name, f"{name} must be a link: https://…")
        return tuple((name, str(url)) for name, url in links.items())

    def table(self, name: str, kind: type[_T]) -> _T:
        """One table as a value of its type, each entry checked."""
        values = dict(self._of(name))
        known = {each.name: each for each in fields(kind)}
        for key, value in values.items():
            if key not in known:
                self.fail(name, key, f"there is no {key} in [{name}]; there are {_listed(known)}")
            if problem := _problem(kind, key, value, str(known[key].type)):
                self.fail(name, key, f"{key} {problem}")
        for key, each in known.items():
            if key not in values and each.default is MISSING:
                self.fail(name, None, f"[{name}] has no {key}; add it")
        return kind(**values)  # type: ignore[arg-type]  # each was checked above

    def _of(self, name: str) -> Mapping[str, object]:
        values = self._values.get(name, {})
        if not isinstance(values, dict):
            self.fail(name, None, f"{name} must be a table: [{name}]")
            return {}
        return values


def _problem(kind: type[object], key: str, value: object, type_: str) -> str | None:
    if type_ == "int":
        low, high = _NUMBERS.get(key, (0, 900))
        right = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
        return None if right else f"must be a number of pixels from {low} to {high}"
    if not isinstance(value, str):
        return 'must stand in quotes: "…"'
    if kind is Palette and not _COLOUR.fullmatch(value):
        return "must be a colour like #1c2226, in lower case"
    if kind is Fonts and _BREAKS_CSS.search(value):
        return "must be names of fonts with commas between them, without quotes"
    # Who shows mail warns of what comes unencrypted, or leaves it out.
    if key == "logo" and value and not (_URL.fullmatch(value) and value.startswith("https:")):
        return "must be the URL of an image: https://…"
    return None


def _line_of(source: str, table: str, key: str | None) -> int:
    """The line of `key` in `[table]`, or of the table itself; 1 where neither is written."""
    inside, found = False, 1
    for number, line in enumerate(source.split("\n"), start=1):
        if head := re.match(r"\s*\[+\s*([^\]]+?)\s*\]", line):
            inside = head[1].strip("\"'") == table
            found = number if inside else found
        wanted = key if inside else table
        if wanted and re.match(rf"\s*[\"']?{re.escape(wanted)}[\"']?\s*=", line):
            return number
    return found


def _toml_place(exc: tomllib.TOMLDecodeError) -> str:
    words = str(exc)
    place = re.search(r" \(at line (\d+), column (\d+)\)", words)
    if place is None:
        return f":1:1: not valid TOML: {words}"
    return f":{place[1]}:{place[2]}: not valid TOML: {words[: place.start()]}"


def _listed(names: Mapping[str, object] | set[str]) -> str:
    return ", ".join(sorted(names))
