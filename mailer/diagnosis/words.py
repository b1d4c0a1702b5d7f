"""What the words of servers and providers say."""

from __future__ import annotations

import functools
import re

from mailer.diagnosis.accusations import ACCUSATIONS
from mailer.diagnosis.excuses import EXCUSES
from subscribers.reason import Reason

#: What is longer than any honest reply is not read to its end.
MOST_TEXT = 4_000


def _compiled(phrases: tuple[str, ...]) -> re.Pattern[str]:
    """One pattern; what begins with a letter is only tried where a word begins, for speed."""
    at_words = [phrase for phrase in phrases if re.match(r"[(a-z0-9]", phrase)]
    anywhere = [phrase for phrase in phrases if phrase not in at_words]
    return re.compile("|".join([f"\\b(?:{'|'.join(at_words)})", *anywhere]))


# What excuses an address is looked for before what accuses it.
_WORDS = tuple((reason, _compiled(phrases)) for reason, phrases in EXCUSES + ACCUSATIONS)


# What an address can hold, so that the search stays linear.
_ADDRESS = re.compile(r"(?<![^\s<>()\[\],;:\"'])[^\s<>()\[\],;:\"'@]{1,254}@[\w.-]{1,254}")


def from_words(text: str) -> Reason | None:
    """Return what a reply's words say, or None if they say nothing we know.

    Addresses in it say nothing: somebody may well be called `no-such-user@` or `spam@`.
    """
    flat = " ".join(text[:MOST_TEXT].lower().split())
    return _told(_ADDRESS.sub("x@x", flat))


# A report says the same thing in several places.
@functools.lru_cache(maxsize=64)
def _told(flat: str) -> Reason | None:
    return next((reason for reason, words in _WORDS if words.search(flat)), None)
