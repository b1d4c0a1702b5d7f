"""No reply text keeps an address."""

from __future__ import annotations

import time

import pytest

from mailer.diagnosis import redact


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("<ada@example.org>: User unknown", "<…>: User unknown"),
        ("User ADA@Example.ORG unknown", "User <…> unknown"),
        ("no mailbox here by the name of ada.lovelace", "no mailbox here by the name of <…>"),
        ("for ada=40example@b.test, and other@c.test;", "for <…>, and <…>;"),
        ("(reader@yahoo.com) [0]", "(<…>) [0]"),
        ("'ü@例子.test' \"b@c.test\"", "'<…>' \"<…>\""),
        ("SRS0=x=example.org=ada@b.test", "<…>"),
        ("SRS0=x=y=ada@example.org", "SRS0=x=y=<…>"),
        ("to:ada@example.org", "to:<…>"),
        ("mailto:ada@example.org?x", "mailto:<…>?x"),
        ("Ok: queued as 4XyZ", "Ok: queued as 4XyZ"),
        ("see https://example.org/@ada", "see https:<…>"),
        ("2 @ 3", "2 @ 3"),
        ("", ""),
    ],
)
def test_redact(text: str, redacted: str) -> None:
    assert redact(text, "ada@example.org", "ada.lovelace@example.org") == redacted


def test_a_short_local_part_is_a_word_like_others() -> None:
    assert redact("no such user, ok", "ok@example.org") == "no such user, ok"


@pytest.mark.parametrize("text", ["a" * 30_000, "a@" * 15_000, "<" * 30_000, "a " * 15_000])
def test_it_takes_no_time(text: str) -> None:
    begun = time.process_time()
    redact(text, "ada@example.org")
    assert time.process_time() - begun < 0.5
