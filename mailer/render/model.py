"""A rendering: an issue made into subject, HTML and plain text, with slots left open.

Subject, HTML and text are the same for everybody but for two kinds of marks, both plain ASCII so
that Markdown, MJML and CSS inlining leave them alone:

- a **slot** `zq<nonce>x<n>z` stands where a value differs per recipient; `slots[n]` says which
  value, and how to escape it where it stands. Each occurrence has a number of its own.
- a **condition** `<!--zq<nonce>if<n>-->…<!--zq<nonce>else<n>-->…<!--zq<nonce>end<n>-->` stands
  around what only some get (`else` may be absent); conditions nest, and HTML and text use the
  same numbers. `conditions[n]` says when it holds.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum

from mailer.errors import RenderingFailed

FORMAT = 1


class Escape(StrEnum):
    """How a value is escaped for where it stands; `mailer.render.escape` does it."""

    #: Text or attribute of HTML: `html.escape(value, quote=True)`.
    HTML = "html"
    #: One component inside a URL: everything but unreserved characters percent-encoded.
    URL = "url"
    #: A whole URL standing in an HTML attribute: html-escaped.
    LINK = "link"
    #: Plain text: as it is, without control characters.
    TEXT = "text"
    #: The subject: as it is, on one line.
    HEADER = "header"


class SlotKind(StrEnum):
    """Who knows the value."""

    #: An author's expression: evaluate `source` over the recipient's fields.
    VALUE = "value"
    #: The delivery supplies it: `source` is a SystemSlot.
    SYSTEM = "system"


class SystemSlot(StrEnum):
    """Values that only the delivery knows."""

    #: The page where this recipient unsubscribes.
    UNSUBSCRIBE_URL = "unsubscribe_url"
    #: This copy as a web page.
    ARCHIVE_URL = "archive_url"
    #: The page where this recipient changes what they get.
    PREFERENCES_URL = "preferences_url"
    #: The page where this recipient confirms the address (notices).
    CONFIRM_URL = "confirm_url"
    #: The page with all that is known of this recipient (notices).
    DATA_URL = "data_url"
    #: The page where this recipient is erased (notices).
    ERASE_URL = "erase_url"
    #: What the numbers of this copy's counted links are appended to.
    CLICK_URL = "click_url"
    #: The recipient's token, as a URL component.
    SUBSCRIBER_TOKEN = "subscriber_token"  # noqa: S105


@dataclass(frozen=True, kw_only=True)
class Slot:
    """One place for one value."""

    number: int
    source: str
    kind: SlotKind
    escape: Escape


@dataclass(frozen=True, kw_only=True)
class Condition:
    """One `if`; `source` is an expression."""

    number: int
    source: str


@dataclass(frozen=True, kw_only=True)
class NewsletterLook:
    """What a rendering needs to know about the newsletter.

    `url` is its home page; `about` one sentence on why the reader gets this mail, if the theme's
    own will not do.
    """

    name: str
    from_name: str
    postal_address: str
    url: str
    from_address: str = ""
    language: str = "en"
    about: str = ""


@dataclass(frozen=True, kw_only=True)
class Rendering:
    """An issue, ready to be frozen; `title` and `preheader` are for people and hold no slots.

    `direction` is `ltr` or `rtl`; `embedded` names the images that travel inside each message.
    `canonical_url` is where the issue stands on the web, if the author says so.
    `checksum` is the SHA-256 of everything else, in hex.
    """

    format: int
    nonce: str
    lang: str
    direction: str
    title: str
    subject: str
    preheader: str
    html: str
    text: str
    slots: tuple[Slot, ...]
    conditions: tuple[Condition, ...]
    embedded: tuple[str, ...] = ()
    canonical_url: str = ""
    checksum: str = ""

    def __post_init__(self) -> None:
        checksum = _checksum(self)
        if not self.checksum:
            object.__setattr__(self, "checksum", checksum)
        elif self.checksum != checksum:
            raise RenderingFailed("this rendering was changed after it was made; render it again")

    def to_json(self) -> str:
        """The rendering as one JSON object, for `from_json`."""
        return json.dumps(dataclasses.asdict(self), ensure_ascii=False, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Rendering:
        """Read what `to_json` wrote.

        Raises RenderingFailed when it was damaged or comes from a newer Pressrun.
        """
        try:
            values = json.loads(text)
            if values["format"] != FORMAT:
                raise RenderingFailed(
                    f"this rendering has format {values['format']}, this Pressrun knows {FORMAT}; "
                    "render the issue again"
                )
            values["slots"] = tuple(_slot(value) for value in values["slots"])
            values["conditions"] = tuple(Condition(**value) for value in values["conditions"])
            values["embedded"] = tuple(map(str, values.get("embedded", ())))
            return cls(**values)
        except (KeyError, TypeError, ValueError) as exc:
            raise RenderingFailed("this is no rendering; render the issue again") from exc


def _slot(value: dict[str, str]) -> Slot:
    return Slot(
        number=int(value["number"]),
        source=value["source"],
        kind=SlotKind(value["kind"]),
        escape=Escape(value["escape"]),
    )


def _checksum(rendering: Rendering) -> str:
    values = dataclasses.asdict(rendering)
    del values["checksum"]
    for later in ("embedded", "canonical_url"):
        # Renderings were frozen before there were any.
        if not values[later]:
            del values[later]
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def slot_mark(nonce: str, number: int) -> str:
    """What stands in the text for slot `number`."""
    return f"zq{nonce}x{number}z"


def condition_mark(nonce: str, word: str, number: int) -> str:
    """What stands in the text for the `if`, `else` or `end` of condition `number`."""
    return f"<!--zq{nonce}{word}{number}-->"
