"""Renderings written by hand, a newsletter, and what every finished message must satisfy."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from dkim.canonicalization import Relaxed

from mailer.campaign.model import CampaignKind
from mailer.delivery.compose import CampaignIdentity, Composer, compile_campaign
from mailer.delivery.model import Message, Recipient
from mailer.render.model import (
    Condition,
    Escape,
    Rendering,
    Slot,
    SlotKind,
    SystemSlot,
    condition_mark,
    slot_mark,
)
from subscribers.model import Newsletter
from subscribers.token import Keyring, Scope, make

NONCE = "0a1b2c3d4e5f"
DATE = datetime(2026, 11, 23, 19, 0, tzinfo=UTC)
PUBLIC = "https://news.example.org"
KEYRING = Keyring.generate()
NEWSLETTER = Newsletter(
    id=1,
    slug="weekly-gradient",
    name="Weekly Gradient",
    from_name="The Weekly Gradient",
    from_address="news@example.org",
    postal_address="1 Example Street",
    url="https://example.org",
)
ADA = Recipient(delivery_id=7, subscriber_id=3, address="ada@example.net", name="Ada")

SLOTS = tuple(
    Slot(number=number, source=source, kind=kind, escape=escape)
    for number, (source, kind, escape) in enumerate(
        [
            ('subscriber.name | default("there")', SlotKind.VALUE, Escape.HTML),
            ('subscriber.name | default("there")', SlotKind.VALUE, Escape.TEXT),
            ("subscriber.name", SlotKind.VALUE, Escape.HEADER),
            ("subscriber.name", SlotKind.VALUE, Escape.URL),
            ("subscriber.attributes.site", SlotKind.VALUE, Escape.LINK),
            (SystemSlot.UNSUBSCRIBE_URL.value, SlotKind.SYSTEM, Escape.LINK),
            (SystemSlot.ARCHIVE_URL.value, SlotKind.SYSTEM, Escape.TEXT),
            (SystemSlot.PREFERENCES_URL.value, SlotKind.SYSTEM, Escape.URL),
            (SystemSlot.SUBSCRIBER_TOKEN.value, SlotKind.SYSTEM, Escape.URL),
            ('subscriber.attributes.plan == "pro"', SlotKind.VALUE, Escape.TEXT),
        ]
    )
)
CONDITIONS = (
    Condition(number=0, source='subscriber.attributes.plan == "pro"'),
    Condition(number=1, source="subscriber.name"),
)


def mark(number: int) -> str:
    return slot_mark(NONCE, number)


def when(number: int, then: str, otherwise: str | None = None) -> str:
    middle = "" if otherwise is None else condition_mark(NONCE, "else", number) + otherwise
    start, end = condition_mark(NONCE, "if", number), condition_mark(NONCE, "end", number)
    return start + then + middle + end


#: Every kind of slot, nested conditions, and all that is awkward to encode.
HTML = f"""<!DOCTYPE html>
<p class="a=b">Dear {mark(0)},  two  blanks,\ta tab, a trailing blank \n\n\n
.a dot at the start, {"a word of more than a line " * 5}{mark(0)}{mark(0)}
From the start: {mark(4)} <a href="https://x.example/?n={mark(3)}&t={mark(8)}">x</a>
{when(0, f"<b>pro {mark(0)}{when(1, 'named', 'nameless')}</b>", "<i>free</i>")} é漢字👩‍🔬
<a href="{mark(5)}">Unsubscribe</a>{when(1, "")}
</html>"""
CHINESE = "机器学习周刊：每周一期，精选论文与文章。" * 30
TEXT = f"Hello {mark(1)}{when(0, ', pro')}!\n\n{mark(6)}\n{mark(9)} {mark(7)}\n{mark(1)}"
SUBJECT = f"{mark(2)}{when(0, ' (pro)')}: news — 第 30 期"


def rendering(**changed: Any) -> Rendering:
    values: dict[str, Any] = {
        "format": 1,
        "nonce": NONCE,
        "lang": "en",
        "direction": "ltr",
        "title": "News",
        "subject": SUBJECT,
        "preheader": "",
        "html": HTML,
        "text": TEXT,
        "slots": SLOTS,
        "conditions": CONDITIONS,
    }
    return Rendering(**(values | changed))


def composer(of: Rendering | None = None, **options: Any) -> Composer:
    newsletter = options.pop("newsletter", NEWSLETTER)
    identity = CampaignIdentity(id=42, kind=CampaignKind.ISSUE)
    values: dict[str, Any] = {"campaign": identity, "keyring": KEYRING, "public_url": PUBLIC}
    return compile_campaign(of or rendering(), newsletter, **(values | options))


def fields_of(recipient: Recipient) -> dict[str, Mapping[str, object]]:
    """What a renderer would know of a recipient, by other ways than the composer."""
    person = dataclasses.asdict(recipient)
    subscriber = {key: person[key] for key in ("name", "language", "attributes")}
    return {"subscriber": subscriber | {"id": recipient.subscriber_id, "email": person["address"]}}


def pages_of(recipient: Recipient, keyring: Keyring = KEYRING) -> dict[SystemSlot, str]:
    number = recipient.delivery_id
    return {
        SystemSlot.UNSUBSCRIBE_URL: f"{PUBLIC}/u/{make(keyring, Scope.UNSUBSCRIBE, number)}",
        SystemSlot.ARCHIVE_URL: f"{PUBLIC}/v/{make(keyring, Scope.VIEW, number)}",
        SystemSlot.PREFERENCES_URL: f"{PUBLIC}/p/{make(keyring, Scope.PREFERENCES, number)}",
        SystemSlot.SUBSCRIBER_TOKEN: make(keyring, Scope.VIEW, number),
    }


def parsed(message: Message) -> EmailMessage:
    """The message as the standard library reads it, which it must do without a complaint."""
    mail = message_from_bytes(message.content, policy=default)
    assert isinstance(mail, EmailMessage)
    for part in mail.walk():
        assert part.defects == []
    return mail


def alternative(mail: EmailMessage, kind: str) -> str:
    """The decoded text of a part, with LF."""
    part = mail.get_body(preferencelist=(kind,))
    assert part is not None
    octets = part.get_payload(decode=True)
    assert isinstance(octets, bytes)
    return octets.decode().replace("\r\n", "\n")


def assert_fit_for_the_wire(message: Message) -> None:
    """Line ends, lengths, no dots to stuff, ASCII, a canonical body, folded headers."""
    content = message.content
    assert content.endswith(b"\r\n")
    assert re.search(rb"(?<!\r)\n|\r(?!\n)|\0", content) is None
    head, _, body = content.partition(b"\r\n\r\n")
    assert body.isascii()
    assert message.smtputf8 or head.isascii()
    assert Relaxed.canonicalize_body(body) == body
    for line in body.split(b"\r\n"):
        assert len(line) <= 76
        assert not line.startswith((b".", b"From "))
    for line in head.split(b"\r\n"):
        assert len(line) <= 998
        # Where a line is longer there was no blank to fold it at.
        value = line.lstrip() if line.startswith(b" ") else line.partition(b": ")[2]
        assert len(line) <= 78 or b" " not in value.strip()
        assert line.strip()
