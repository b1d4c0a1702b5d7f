"""Messages made to break a parser: nothing raises, hangs or grows."""

from __future__ import annotations

import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailer.feedback.understand import understand
from tests.unit.feedback.test_bounce_families import EXPECTED, message

SERVER = b"From: MAILER-DAEMON@mx.example.com\nSubject: failure notice\n"
MIXED = SERVER + b'Content-Type: multipart/report; boundary="b"\n\n'
STATUS = MIXED + b"--b\nContent-Type: message/delivery-status\n\n"
TO_READER = SERVER + b"\n<reader@example.net>:\n"

HOSTILE: dict[str, bytes] = {
    "nothing": b"",
    "zeroes": b"\0" * 1_000_000,
    "10,000 parts": MIXED + b"--b\nContent-Type: text/plain\n\nx\n" * 10_000,
    "parts in parts": b"".join(
        b'Content-Type: multipart/mixed; boundary="%d"\n\n--%d\n' % (level, level)
        for level in range(5_000)
    ),
    "almost boundaries": MIXED + b"\n--bx" * 100_000,
    "50 MB in a line": SERVER + b"\n" + b"A" * 50_000_000,
    "50 MB of lines": SERVER + b"\n" + b"reader@example.net: error\n" * 2_000_000,
    "at signs": SERVER + b"\n" + b"@" * 500_000,
    "half addresses": SERVER + b"\n" + b"a@" * 250_000,
    "blank lines": SERVER + b"\n" + (b" " * 900 + b"\n") * 500,
    "ruled lines": SERVER + b"\n" + (b"-" * 999 + b"\n") * 500,
    "quote marks": SERVER + b"\n" + (b"> " * 450 + b"x\n") * 500,
    "5,000 readers": SERVER
    + b"\n"
    + b"".join(b"<%d@example.net>: 550\n" % n for n in range(5_000)),
    "users": TO_READER + b"user " * 20_000,
    "senders": TO_READER + b"sender exceeded mailbox " * 20_000,
    "codes": TO_READER + b"550 5.1. " * 20_000,
    "100,000 headers": b"X: y\n" * 100_000,
    "a folded header": b"Subject: a\n" + b" b\n" * 100_000,
    "encoded words": b"Subject: " + b"=?utf-8?q?" * 10_000 + b"\n\nhi",
    "tags": SERVER + b"Content-Type: text/html\n\n" + b"<a " * 150_000,
    "styles": SERVER + b"Content-Type: text/html\n\n" + b"<style" * 80_000,
    "9,000 status groups": STATUS
    + b"Final-Recipient: rfc822; reader@example.net\nAction: failed\n\n" * 9_000,
    "a long status field": STATUS + b"Final-Recipient: rfc822; " + b"a" * 200_000,
    "a folded status field": STATUS + b"Diagnostic-Code: x\n" + b" a\n" * 100_000,
    "deep JSON": SERVER + b'\n{"notificationType":' + b"[" * 200_000,
    "carriage returns": SERVER.replace(b"\n", b"\r") + b"\r" * 500_000,
}
#: Five times what an ordinary message may take: these are far from ordinary, and machines differ.
SLOWEST = 0.25

CHARSETS = (
    "rot13", "hex", "zlib", "punycode", "idna", "unicode_escape", "undefined", "utf-7", "utf-16",
    "iso-2022-jp", "unicode-1-1-utf-7", "x" * 500, "\\0", "", "us-ascii",
)  # fmt: skip


@pytest.mark.parametrize("raw", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_message_is_done_with_soon(raw: bytes) -> None:
    started = time.process_time()
    understood = understand(raw)
    taken = time.process_time() - started

    assert taken < SLOWEST
    assert len(understood.recipients) <= 500


def test_memory_does_not_grow_with_the_message() -> None:
    tracemalloc.start()
    try:
        understand(HOSTILE["50 MB of lines"])
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert most < 10_000_000


@pytest.mark.parametrize("charset", CHARSETS)
def test_any_charset_is_read(charset: str) -> None:
    raw = SERVER + f"Content-Type: text/plain; charset={charset}\n\n".encode()

    understand(raw + b"<reader@example.net>: \xff\xfe\x1b$B no such user\n")


@given(st.binary(max_size=3_000))
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_read(raw: bytes) -> None:
    understand(raw)


@given(st.sampled_from(list(EXPECTED)), st.data())
@settings(max_examples=250, deadline=None)
def test_any_damage_is_read(name: str, data: st.DataObject) -> None:
    raw = message(name)
    at = data.draw(st.integers(0, len(raw)))
    until = data.draw(st.integers(at, len(raw)))

    understand(raw[:at] + data.draw(st.binary(max_size=40)) + raw[until:])
