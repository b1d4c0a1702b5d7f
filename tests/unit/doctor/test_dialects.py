"""What does not go together with a relay's dialect is told, with how to mend it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mailer.doctor.dialects import dialects
from mailer.doctor.model import Status
from mailer.settings import Settings

DKIM = {"domain": "example.org", "rsa_selector": "r", "rsa_key": Path("key.pem")}
OPEN: dict[str, Any] = {
    "amazon_ses": {"topics": ["arn:aws:sns:eu-central-1:1:bounces"]},
    "postmark": {"password": "a long password"},
    "sendgrid": {"public_key": "a key"},
}


def found(relay: dict[str, Any], **more: Any) -> list[tuple[Status, str, str]]:
    settings = Settings(relay=relay, **{"webhooks": OPEN, **more})  # type: ignore[arg-type]
    told = [*dialects(settings)]
    assert {one.what for one in told} == {"dialect of relay default"}
    assert all("\n" not in one.words for one in told)
    return [(one.status, one.words, one.remedy) for one in told]


@pytest.mark.parametrize(
    ("relay", "words"),
    [
        ({}, "smtp (any SMTP server), for want of a better guess: leaves headers as they are"),
        (
            {"host": "email-smtp.eu-central-1.amazonaws.com", "stream": "news"},
            "ses (Amazon SES), as its host tells: replaces",
        ),
        ({"dialect": "sendgrid"}, "sendgrid (SendGrid), as its settings say: makes messages anew"),
        ({"dialect": "postmark", "stream": "broadcast"}, "postmark (Postmark)"),
        ({"host": "smtp-broadcasts.postmarkapp.com"}, "postmark (Postmark), as its host tells"),
        (
            {"dialect": "postmark", "headers": {"x-pm-message-stream": "weekly"}},
            "postmark (Postmark)",
        ),
    ],
)
def test_what_goes_together_is_well(relay: dict[str, Any], words: str) -> None:
    [(status, told, _)] = found(relay)
    assert status is Status.OK
    assert told.startswith(words)


@pytest.mark.parametrize(
    ("relay", "more", "status", "words", "remedy"),
    [
        (
            {"dialect": "sendgrid"},
            {"dkim": DKIM},
            Status.WARNING,
            "SendGrid breaks our signatures: [dkim] is not used there",
            "let SendGrid sign for example.org",
        ),
        (
            {"dialect": "sendgrid"},
            {"webhooks": {}, "inbound_domain": "in.example.org"},
            Status.WARNING,
            "its webhook is closed: bounces and complaints are not heard of",
            "open /webhooks/sendgrid",
        ),
        (
            {"dialect": "smtp", "host": "smtp.sendgrid.net"},
            {},
            Status.WARNING,
            "smtp, though smtp.sendgrid.net is SendGrid's",
            'dialect = "sendgrid"',
        ),
        (
            {"host": "smtp.postmarkapp.com"},
            {},
            Status.WARNING,
            "no message stream: mail goes by the transactional one",
            'stream = "broadcast"',
        ),
        (
            {"dialect": "sendgrid", "stream": "news"},
            {},
            Status.ERROR,
            "relay.stream: the dialect sendgrid has no streams",
            "no mail is sent with it",
        ),
        (
            {"dialect": "sendgrid", "headers": {"X-SMTPAPI": "weekly"}},
            {},
            Status.ERROR,
            "must be a JSON object",
            "no mail is sent with it",
        ),
    ],
)
def test_what_does_not_go_together(
    relay: dict[str, Any], more: dict[str, Any], status: Status, words: str, remedy: str
) -> None:
    [(told, said, mend)] = found(relay, **more)
    assert told is status
    assert words in said
    assert remedy in mend


def test_our_signature_is_no_mistake_where_it_holds() -> None:
    for dialect in ("smtp", "ses"):
        [(status, _, _)] = found({"dialect": dialect}, dkim=DKIM)
        assert status is Status.OK
