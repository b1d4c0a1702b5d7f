"""Which copies a relay's log proves to have been taken: pure.

Two kinds of file are read, even mixed. In a Postfix log the line of `cleanup` tells which queue
id a Message-ID got, but a message that is lost before its final dot has such a line, too; only
`qmgr`, or a delivery by the same queue id, tells that it was taken over. Any other line is
taken as a list: who is named in it was taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

#: `… postfix/qmgr[123]: 4XyZ1234: from=<…`, and instances with other names.
_POSTFIX = re.compile(r"\bpostfix[\w./-]*/(\w+)\[\d+\]: (?:([0-9A-Za-z]{6,20}): )?(.*)")
#: What only happens to messages that were taken over.
_TAKEN = frozenset({"qmgr", "smtp", "lmtp", "local", "virtual", "pipe", "error", "bounce", "relay"})
_NAMES = re.compile(r"[A-Za-z0-9_-]{16,64}")


def taken(lines: Iterable[str], names: Mapping[str, int]) -> dict[int, str]:
    """The deliveries that the log proves taken, with the evidence in words.

    `names` maps what may stand for a copy (tokens of Message-IDs, local parts of VERP
    addresses in lower case) to its delivery.
    """
    proved: dict[int, str] = {}
    queued: dict[str, int] = {}
    known: set[str] = set()
    for line in lines:
        found = _POSTFIX.search(line)
        if found is None:
            for delivery_id in _named(line, names):
                proved[delivery_id] = "named in the relay's list"
            continue
        service, queue_id, text = found.groups()
        named = _named(text, names)
        if queue_id is None:
            continue
        if service in _TAKEN:
            # The qmgr names the VERP sender; others may name the queue id alone.
            known.add(queue_id)
            proved |= {delivery_id: _words(queue_id) for delivery_id in named}
        elif service == "cleanup" and named:
            queued[queue_id] = named[0]
    proved |= {
        delivery_id: _words(queue_id)
        for queue_id, delivery_id in queued.items()
        if queue_id in known
    }
    return proved


def _words(queue_id: str) -> str:
    return f"the relay's log has it as {queue_id}"


def _named(text: str, names: Mapping[str, int]) -> list[int]:
    found = (names.get(word) or names.get(word.lower()) for word in _NAMES.findall(text))
    return [delivery_id for delivery_id in found if delivery_id is not None]
