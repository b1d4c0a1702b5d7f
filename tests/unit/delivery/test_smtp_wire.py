"""Replies read from bytes, commands and bodies written as bytes, ids found in words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.delivery.model import Message
from mailer.delivery.smtp.commands import (
    Capabilities,
    dot_stuffed,
    is_safe,
    mail_from,
    provider_id,
    rcpt_to,
)
from mailer.delivery.smtp.reply import MOST_LINE, MOST_REPLY, Reply, ReplyParser

REPLIES = {
    "one line": (b"250 Ok\r\n", [Reply(code=250, enhanced=None, text="Ok")]),
    "enhanced": (b"250 2.1.0 Ok\r\n", [Reply(code=250, enhanced="2.1.0", text="Ok")]),
    "no text": (b"354\r\n", [Reply(code=354, enhanced=None, text="")]),
    "lone LF": (b"250 Ok\n", [Reply(code=250, enhanced=None, text="Ok")]),
    "many lines": (
        b"550-5.1.1 No such\r\n550-5.1.1 user\r\n550 5.1.1 here\r\n",
        [Reply(code=550, enhanced="5.1.1", text="No such\nuser\nhere")],
    ),
    "two replies": (
        b"250 One\r\n354 Two\r\n",
        [Reply(code=250, enhanced=None, text="One"), Reply(code=354, enhanced=None, text="Two")],
    ),
    "controls and odd bytes": (
        b"250 \x1b[31m\xff\x00 Ok\r\n",
        [Reply(code=250, enhanced=None, text="[31m\ufffd  Ok")],
    ),
    "UTF-8": ("550 Não\r\n".encode(), [Reply(code=550, enhanced=None, text="Não")]),
    "not yet": (b"250-Ok\r\n250 almost", []),
}


@pytest.mark.parametrize(("received", "replies"), REPLIES.values(), ids=REPLIES)
def test_replies_are_the_same_however_they_are_cut(received: bytes, replies: list[Reply]) -> None:
    assert [*ReplyParser().feed(received)] == replies
    parser = ReplyParser()
    assert [r for byte in received for r in parser.feed(bytes([byte]))] == replies


GARBAGE = {
    "web": b"HTTP/1.1 200 OK\r\n",
    "no code": b"Ok\r\n",
    "empty": b"\r\n",
    "two digits": b"25 Ok\r\n",
    "four digits": b"2500 Ok\r\n",
    "1xx": b"150 Ok\r\n",
    "9xx": b"950 Ok\r\n",
    "tab": b"250\tOk\r\n",
    "another code": b"250-Ok\r\n251 Ok\r\n",
    "Arabic digits": "٢٥٠ Ok\r\n".encode(),
    "a line without end": b"250 " + b"a" * MOST_LINE,
    "a long line": b"250 " + b"a" * MOST_LINE + b"\r\n",
    "lines without end": b"250-a\r\n" * MOST_REPLY,
}


@pytest.mark.parametrize("received", GARBAGE.values(), ids=GARBAGE)
def test_what_is_no_reply_is_refused(received: bytes) -> None:
    with pytest.raises(ValueError):
        list(ReplyParser().feed(received))


def unstuffed(wire: bytes) -> bytes:
    """What a strict server makes of it (RFC 5321 4.5.2)."""
    assert wire.endswith(b"\r\n.\r\n") or wire == b".\r\n"
    lines = wire.split(b"\r\n")
    assert lines.index(b".") == len(lines) - 2
    return b"\r\n".join(line.removeprefix(b".") for line in lines[:-2]) + b"\r\n"


@given(st.lists(st.sampled_from([b"", b".", b"..", b"a", b"a.", b".a"]), min_size=1))
def test_a_strict_server_gets_what_was_sent(lines: list[bytes]) -> None:
    content = b"".join(line + b"\r\n" for line in lines)
    assert unstuffed(dot_stuffed(content)) == content


@given(st.lists(st.sampled_from([b"\r", b"\n", b".", b"a"])))
def test_no_server_finds_an_earlier_end(parts: list[bytes]) -> None:
    wire = dot_stuffed(b"".join(parts))
    lines = wire.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    assert lines.index(b".") == len(lines) - 2


def test_a_body_without_leading_dots_goes_as_it_is() -> None:
    content = b"Subject: x\r\n\r\nHello.\r\n"
    assert dot_stuffed(content) == content + b".\r\n"


def test_commands() -> None:
    ascii_message = Message(
        delivery_id=1, envelope_from="me@a.test", envelope_to="you@b.test", content=b"x\r\n"
    )
    assert mail_from(ascii_message, Capabilities(), ascii_only=True) == b"MAIL FROM:<me@a.test>\r\n"
    offered = Capabilities.offered({"size": "", "8bitmime": "", "smtputf8": ""})
    assert mail_from(ascii_message, offered, ascii_only=True) == b"MAIL FROM:<me@a.test> SIZE=3\r\n"
    assert rcpt_to(ascii_message) == b"RCPT TO:<you@b.test>\r\n"


@pytest.mark.parametrize(
    ("limit", "size"),
    [("", 0), ("0", 0), ("35882577", 35882577), ("huge", 0), ("-1", 0), ("9" * 5000, 0)],
    ids=["none", "no limit", "limit", "word", "negative", "endless"],
)
def test_the_size_a_server_names(limit: str, size: int) -> None:
    offered = Capabilities.offered({"size": limit, "pipelining": "", "chunking": "", "dsn": ""})
    assert offered.size == size
    assert offered.announces_size
    assert (offered.pipelining, offered.chunking, offered.dsn) == (True, True, True)
    assert (offered.eight_bit, offered.smtputf8) == (False, False)


@pytest.mark.parametrize(
    "address",
    [
        "a@b.test",
        "o'neil+tag=x@b.test",
        "用户@例子.test",
        "b-mfrgg@bounces.news.test",
        "a%b@c.test",
    ],
)
def test_common_addresses_are_safe(address: str) -> None:
    assert is_safe(address)


PROVIDERS = {
    "postfix": ("Ok: queued as 4WqBzj3Mkhz9s1K", "4WqBzj3Mkhz9s1K"),
    "exim": ("OK id=1rTxyz-0003Ab-Cd", "1rTxyz-0003Ab-Cd"),
    "sendmail": ("41NAbCdE012345 Message accepted for delivery", "41NAbCdE012345"),
    "opensmtpd": ("5dc1f1b3 Message accepted for delivery", "5dc1f1b3"),
    "gmail": (
        "OK  1706000000 d2e1a72fcca58-6dd7a8b3c1esi1234567b3a.123 - gsmtp",
        "d2e1a72fcca58-6dd7a8b3c1esi1234567b3a.123",
    ),
    "outlook": (
        "<abc@news.test> [InternalId=12345678901234, Hostname=DB9PR01MB1234.prod.outlook.com] "
        "12345 bytes in 0.123, 98.012 KB/sec Queued mail for delivery",
        "12345678901234",
    ),
    "SES": (
        "Ok 0102018d1a2b3c4d-5e6f7a8b-1234-4abc-9def-0123456789ab-000000",
        "0102018d1a2b3c4d-5e6f7a8b-1234-4abc-9def-0123456789ab-000000",
    ),
    "sendgrid": ("Ok: queued as kQxv3Zk3R2yQ_1a2b3c", "kQxv3Zk3R2yQ_1a2b3c"),
    "brevo": ("OK: queued as <202401231234.123@relay.test>", "202401231234.123@relay.test"),
    "mailjet": (
        "OK queued as 1b2c3d4e-0000-4000-8000-000000000000",
        "1b2c3d4e-0000-4000-8000-000000000000",
    ),
    "sparkpost": ("OK 3F/A1-01234-ABCDEF56", "3F/A1-01234-ABCDEF56"),
    "haraka": (
        "Message Queued (0E1F2A3B-AAAA-BBBB-CCCC-1234567890AB.1)",
        "0E1F2A3B-AAAA-BBBB-CCCC-1234567890AB.1",
    ),
    "qmail": ("ok 1706000000 qp 12345", "12345"),
    "second line": ("Thank you\nOk: queued as ABCD1234", "ABCD1234"),
    "aiosmtpd": ("OK", None),
    "smtp-sink": ("Ok", None),
    "mailgun": ("Great success", None),
    "words": ("Ok accepted", None),
    "nothing": ("", None),
}


@pytest.mark.parametrize(("text", "known_as"), PROVIDERS.values(), ids=PROVIDERS)
def test_provider_ids(text: str, known_as: str | None) -> None:
    assert provider_id(text) == known_as
