"""A theme: a folder with its brand, its words in the reader's language, and its templates."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

from babel import Locale, UnknownLocaleError
from babel.dates import format_date

from mailer.errors import ThemeInvalid
from mailer.render import brand as brands
from mailer.render import sheet_check
from mailer.render.brand import Brand
from mailer.resources import templates

#: Where a user's own themes lie, from where `mailer` is run.
OWN = Path("themes")
SHEETS = ("theme.css.j2", "client.css.j2")
TEMPLATES = ("layout.mjml.j2", *SHEETS)
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,40}")
_Words: TypeAlias = Mapping[str, Mapping[str, str]]
_Stamp: TypeAlias = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Theme:
    """A theme's folder, its brand, and its phrases by language."""

    name: str
    folder: Path
    brand: Brand
    words: _Words

    def words_for(self, lang: str) -> Mapping[str, str]:
        """The phrases in a language; English where the theme does not know it."""
        known = self.words["en"]
        return {**known, **self.words.get(lang.split("-")[0].lower(), {})}

    @property
    def places(self) -> tuple[Path, ...]:
        """Where its templates are looked for: its own folder, then what all themes share."""
        root = templates()
        return self.folder, root / "issue" / "parts", root / "blocks"


def load(name: str) -> Theme:
    """The theme of this name, or in this folder; one of the user's own goes before ours.

    A changed file counts at once. Raises ThemeInvalid when there is none, or it is wrong.
    """
    folder = _folder(name)
    return _read(name, folder, _stamp(folder))


def known() -> dict[str, Path]:
    """All themes by name: ours, and those in ./themes."""
    found = {}
    for root in (templates() / "issue", OWN):
        found.update({path.parent.name: path.parent for path in sorted(root.glob("*/brand.toml"))})
    return found


def valid_name(name: str) -> bool:
    """Whether a theme can have this name."""
    return _NAME.fullmatch(name) is not None


def _folder(name: str) -> Path:
    if "/" in name or name.startswith("."):
        folder = Path(name)
        if not (folder / "brand.toml").is_file():
            raise ThemeInvalid(f"{folder}: no theme lies here; `mailer theme new NAME` begins one")
        return folder
    themes = known()
    if name not in themes:
        there = ", ".join(sorted(themes))
        raise ThemeInvalid(f"there is no theme {name!r}; there are {there}")
    return themes[name]


def _stamp(folder: Path) -> _Stamp:
    files = (folder / name for name in ("brand.toml", "words.toml", *SHEETS))
    return tuple(file.stat().st_mtime_ns if file.exists() else 0 for file in files)


@lru_cache(maxsize=16)
def _read(name: str, folder: Path, _stamp: _Stamp) -> Theme:
    for template in TEMPLATES:
        if not (folder / template).is_file():
            raise ThemeInvalid(f"{folder / template}: is missing; a theme needs it")
    for sheet in SHEETS:
        _check_sheet(folder / sheet)
    words = _read_words(templates() / "issue" / "words.toml")
    own = folder / "words.toml"
    if own.exists():
        mine = _read_words(own)
        words = {lang: {**words.get(lang, {}), **mine.get(lang, {})} for lang in {*words, *mine}}
    return Theme(name=name, folder=folder, brand=brands.read(folder / "brand.toml"), words=words)


def _check_sheet(file: Path) -> None:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise ThemeInvalid(f"{file}: can't be read: {exc}") from exc
    problems = sheet_check.check(text, inlined=file.name == "theme.css.j2")
    if problems:
        raise ThemeInvalid(
            "\n".join(f"{file}:{each.line}:{each.column}: {each.message}" for each in problems)
        )


def _read_words(file: Path) -> _Words:
    try:
        words = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise ThemeInvalid(f"{file}: can't be read: {exc}") from exc
    for lang, phrases in words.items():
        if not isinstance(phrases, dict) or not all(isinstance(v, str) for v in phrases.values()):
            raise ThemeInvalid(f'{file}: [{lang}] must hold phrases: subscribe = "…"')
    return words


def direction(lang: str) -> str:
    """`rtl` for languages written from right to left, else `ltr`."""
    return str(_locale(lang).text_direction)


def spoken_date(day: date, lang: str) -> str:
    """A date as one writes it in this language."""
    return str(format_date(day, format="long", locale=_locale(lang)))


def _locale(lang: str) -> Locale:
    try:
        return Locale.parse(lang, sep="-")
    except (UnknownLocaleError, ValueError):
        primary = lang.split("-")[0]
        return _locale(primary) if primary != lang else Locale("en")
