"""What pages say, in the reader's language."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

from fastapi import Depends, Request

from mailer.notice.language import KNOWN, accepted, choose, direction
from mailer.resources import templates

#: Languages by the names that those who speak them give them.
NAMES = {
    "en": "English",
    "zh": "中文",
    "ja": "日本語",
    "de": "Deutsch",
    "fr": "Français",
    "es": "Español",
    "ar": "العربية",
}


@dataclass(frozen=True, kw_only=True)
class Speech:
    """The words of the pages in one language; `say(key, name=…)` fills them in."""

    lang: str

    @property
    def direction(self) -> str:
        """`rtl` or `ltr`."""
        return direction(self.lang)

    def __call__(self, key: str, **facts: str) -> str:
        """One phrase; plain text, for the template to escape."""
        head, *rest = _words()[self.lang][key].split("{")
        pieces = [head]
        for part in rest:
            name, _, tail = part.partition("}")
            pieces.append(facts[name] + tail)
        return "".join(pieces)


@lru_cache(maxsize=1)
def _words() -> Mapping[str, Mapping[str, str]]:
    file = templates() / "pages" / "words.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))


def speech(tongues: list[str], newsletter_language: str | None = None) -> Speech:
    """The reader's own language where it is spoken here, else the newsletter's."""
    known = [tongue for tongue in tongues if tongue in KNOWN]
    return Speech(lang=choose(*known, newsletter_language))


def tongues_of(request: Request) -> list[str]:
    """The languages a request prefers, best first."""
    return accepted(request.headers.get("accept-language", ""))


Tongues = Annotated[list[str], Depends(tongues_of)]
