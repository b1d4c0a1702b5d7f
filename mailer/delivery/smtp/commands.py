"""What is written, and what a 250 tells: pure functions on bytes and words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from mailer.delivery.model import Message

#: RFC 5321 4.5.3.1.3: a path is at most 256 octets, with its angle brackets.
MOST_ADDRESS = 254
# Almost all addresses; the others are looked at more closely.
_PLAIN = re.compile(r"[A-Za-z0-9._+=-]+@[A-Za-z0-9.-]+")


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """What the server offered in its last EHLO; `size` 0 means it named no limit (RFC 1870)."""

    pipelining: bool = False
    chunking: bool = False
    eight_bit: bool = False
    smtputf8: bool = False
    dsn: bool = False
    announces_size: bool = False
    size: int = 0

    @classmethod
    def offered(cls, extensions: Mapping[str, str]) -> Capabilities:
        """Read them from EHLO keywords (in lower case) and their parameters."""
        limit = extensions.get("size", "").strip()
        return cls(
            pipelining="pipelining" in extensions,
            chunking="chunking" in extensions,
            eight_bit="8bitmime" in extensions,
            smtputf8="smtputf8" in extensions,
            dsn="dsn" in extensions,
            announces_size="size" in extensions,
            size=int(limit) if limit.isascii() and limit.isdigit() and len(limit) < 19 else 0,
        )


def is_safe(address: str) -> bool:
    """Whether an address can stand between angle brackets without saying anything else.

    Refuses what could end the path or the line: blanks, controls, quotes, `<`, `>`, line ends
    of Unicode, and what is longer than a path may be.
    """
    if _PLAIN.fullmatch(address) and len(address) <= MOST_ADDRESS:
        return True
    return (
        "@" in address
        and address.isprintable()
        and not any(char in address for char in " <>\\")
        and len(address.encode()) <= MOST_ADDRESS
    )


def needs_utf8(message: Message) -> bool:
    """Whether the message can go only to a server with SMTPUTF8 (RFC 6531)."""
    return message.smtputf8 or not (
        message.envelope_from.isascii() and message.envelope_to.isascii()
    )


def mail_from(message: Message, offered: Capabilities, *, ascii_only: bool) -> bytes:
    """Return the MAIL command; the envelope sender must be safe, or empty.

    `ascii_only` says that the content is ASCII.
    """
    command = f"MAIL FROM:<{message.envelope_from}>"
    if offered.announces_size:
        command += f" SIZE={len(message.content)}"
    utf8 = needs_utf8(message)
    if offered.eight_bit and (utf8 or not ascii_only):
        command += " BODY=8BITMIME"
    if utf8:
        command += " SMTPUTF8"
    return command.encode() + b"\r\n"


def rcpt_to(message: Message) -> bytes:
    """Return the RCPT command; the recipient must be safe."""
    return f"RCPT TO:<{message.envelope_to}>\r\n".encode()


def by_data(message: Message) -> tuple[bytes, ...]:
    """Return the content as DATA carries it, in parts; nothing is scanned that need not be."""
    if message.dot_free and message.content.endswith(b"\r\n"):
        return (message.content, b".\r\n")
    return (dot_stuffed(message.content),)


def by_bdat(message: Message) -> tuple[bytes, ...]:
    """Return the content as BDAT carries it (RFC 3030 2), in parts: counted, never stuffed."""
    return (b"BDAT %d LAST\r\n" % len(message.content), message.content)


def dot_stuffed(content: bytes) -> bytes:
    """Return the content as DATA carries it, with the final dot (RFC 5321 4.5.2).

    A dot after a lone CR or LF is doubled as well. There should be none; but a lax server
    takes such a line for the end, and what follows for commands (SMTP smuggling).
    """
    if b"\n." in content:
        content = content.replace(b"\n.", b"\n..")
    if b"\r." in content:
        content = content.replace(b"\r.", b"\r..")
    first = b"." if content.startswith(b".") else b""
    last = b".\r\n" if content.endswith(b"\r\n") else b"\r\n.\r\n"
    return b"".join((first, content, last))


_ID = r"<?([^\s<>\[\](),;]{4,255})>?"
#: How servers name the message in their 250, the most telling first; a word each has in it.
_PROVIDER_IDS = tuple(
    (clue, re.compile(pattern, re.IGNORECASE))
    for clue, pattern in (
        ("internalid", rf"\[InternalId={_ID}"),  # Exchange, Outlook
        # Postfix, SendGrid, Mailjet, Brevo, aiosmtpd's kin
        ("queued as", rf"\bqueued as:?\s+{_ID}"),
        ("queued", rf"\bqueued\s*\({_ID}\)"),  # Haraka
        ("id=", rf"\bid=\s*{_ID}"),  # Exim
        ("accepted", rf"^{_ID}\s+message accepted for delivery"),  # Sendmail, OpenSMTPD
        ("gsmtp", rf"^ok\s+\d{{9,11}}\s+{_ID}\s+-\s+gsmtp"),  # Gmail
        (" qp ", r"^ok:?\s+\d{9,11}\s+qp\s+(\d+)"),  # qmail
        ("ok", rf"^ok:?\s+(?=\S*\d){_ID}$"),  # SES, SparkPost
    )
)


def provider_id(text: str) -> str | None:
    """Return the id that the relay gave the message in its 250, if it told one."""
    words = text.lower()
    patterns = [pattern for clue, pattern in _PROVIDER_IDS if clue in words]
    for line in text.split("\n") if patterns else ():
        for pattern in patterns:
            if match := pattern.search(line):
                return match[1].rstrip(".")
    return None
