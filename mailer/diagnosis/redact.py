"""Recipients are taken out of what servers say before it is written anywhere."""

from __future__ import annotations

import re

# Anything like an address. `{1,254}` with a fixed `@` keeps the search linear: the local part
# can't hold an `@`, and the lookbehind stops it from starting again inside itself.
_ADDRESS = re.compile(r"(?<![^\s<>()\[\],;:\"'])[^\s<>()\[\],;:\"'@]{1,254}@[^\s<>()\[\],;:\"'@]+")

REDACTED = "<…>"


def redact(text: str, *addresses: str) -> str:
    """Return `text` with these addresses, and all that looks like one, replaced by `<…>`.

    An address is also found in another case, and its local part where it stands alone.
    """
    for address in sorted(filter(None, addresses), key=len, reverse=True):
        text = _whole(address).sub(REDACTED, text)
    text = _ADDRESS.sub(REDACTED, text)
    for address in addresses:
        local = address.rpartition("@")[0]
        # Shorter ones are words of the reply as often as not.
        if len(local) >= 4:
            text = _whole(local).sub(REDACTED, text)
    return text.replace(f"<{REDACTED}>", REDACTED)


def _whole(words: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(words)}(?!\w)", re.IGNORECASE)
