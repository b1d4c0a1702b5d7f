"""The table of dialects: what is guessed, what is written, what is signed, what replies mean."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mailer.delivery.dialects import DIALECTS, Signs, dialect_of, dress_of
from mailer.delivery.dialects.table import TOKEN_NAME
from mailer.delivery.dialects.tell import tell
from mailer.delivery.model import Phase, Verdict
from mailer.delivery.sign import Signer
from mailer.delivery.smtp.reply import Reply
from mailer.delivery.smtp.verdict import accepted, refused
from mailer.dialect_name import DialectName
from mailer.errors import SettingsInvalid
from mailer.settings import DkimSettings, RelaySettings
from mailer.webhooks.providers import PROVIDERS
from subscribers.reason import Reason
from subscribers.token import Scope, make
from tests.integration.delivery.wire import message
from tests.unit.delivery.letters import (
    ADA,
    DATE,
    KEYRING,
    assert_fit_for_the_wire,
    composer,
    parsed,
)

HOSTED = [name for name in DIALECTS if name != "smtp"]
TOKEN = make(KEYRING, Scope.VERP, ADA.delivery_id)


def test_every_dialect_can_be_set_and_its_reports_be_read() -> None:
    assert list(DIALECTS) == list(get_args(DialectName))
    assert {d.webhook for d in DIALECTS.values() if d.webhook} <= set(PROVIDERS)
    assert all(DIALECTS[name].webhook for name in HOSTED)
    # Postmark takes no longer name and no longer value in its metadata.
    assert len(TOKEN_NAME) <= 20
    assert len(TOKEN) <= 80
    # Amazon SES takes no other characters in a tag.
    assert re.fullmatch(r"[A-Za-z0-9_-]+", TOKEN)


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("email-smtp.eu-central-1.amazonaws.com", "ses"),
        ("email-smtp-fips.us-east-1.amazonaws.com", "ses"),
        ("ec2-203-0-113-7.compute-1.amazonaws.com", "smtp"),
        ("smtp.postmarkapp.com", "postmark"),
        ("smtp-broadcasts.postmarkapp.com", "postmark"),
        ("SMTP.SendGrid.NET.", "sendgrid"),
        ("smtp.eu.sendgrid.net", "sendgrid"),
        ("smtp.sendgrid.net.evil.test", "smtp"),
        ("evil-sendgrid.net", "smtp"),
        ("sendgrid.net", "smtp"),
        ("smtp.eu.mailgun.org", "mailgun"),
        ("smtp.eu.sparkpostmail.com", "sparkpost"),
        ("smtp-relay.brevo.com", "brevo"),
        ("smtp-relay.sendinblue.com", "brevo"),
        ("mail.brevo.com", "smtp"),
        ("in-v3.mailjet.com", "mailjet"),
        ("smtp.resend.com", "resend"),
        ("smtp.example.com", "smtp"),
        ("127.0.0.1", "smtp"),
        ("", "smtp"),
    ],
)
def test_a_dialect_is_guessed_where_the_host_tells(host: str, name: str) -> None:
    known = dialect_of(RelaySettings(host=host))
    assert known.dialect is DIALECTS[name]
    assert known.how == ("as its host tells" if name != "smtp" else "for want of a better guess")


def test_what_is_set_beats_what_is_guessed() -> None:
    known = dialect_of(RelaySettings(host="smtp.sendgrid.net", dialect="smtp"))
    assert (known.dialect.name, known.how) == ("smtp", "as its settings say")


def test_an_unknown_dialect_names_those_there_are() -> None:
    with pytest.raises(ValidationError, match=r"'smtp', 'ses', 'postmark'.* or 'resend'"):
        RelaySettings(dialect="sendmail")  # type: ignore[arg-type]


def test_each_dialect_is_told_in_one_line() -> None:
    for name, dialect in DIALECTS.items():
        words = tell(dialect_of(RelaySettings(dialect=name)), "news")  # type: ignore[arg-type]
        assert words.startswith(f"{name} ({dialect.title}), as its settings say: ")
        assert "\n" not in words
    assert "replaces Bounces-To, Date, Feedback-ID, Message-ID, Return-Path" in tell(
        dialect_of(RelaySettings(dialect="ses"))
    )
    assert "configuration set news" in tell(dialect_of(RelaySettings(dialect="ses")), "news")


# -- what is written --------------------------------------------------------------------------


def headers_of(name: str, own: Mapping[str, str], stream: str | None = None) -> dict[str, str]:
    """The headers that a dialect adds, as a recipient's server reads them."""
    dialect = DIALECTS[name]
    dress = dress_of(dialect, own, stream=stream)
    made = composer(dialect=dialect, dress=dress).compose(ADA, date=DATE)
    assert_fit_for_the_wire(made)
    plain = {each.lower() for each in parsed(composer().compose(ADA, date=DATE))}
    mail = parsed(made)
    assert len(mail.keys()) == len({each.lower() for each in mail})
    return {each: str(mail[each]) for each in mail if each.lower() not in plain}


TAG = f'{{"{TOKEN_NAME}": "{TOKEN}"}}'


@pytest.mark.parametrize(
    ("name", "own", "written"),
    [
        ("smtp", {}, {}),
        ("ses", {}, {"X-SES-MESSAGE-TAGS": f"{TOKEN_NAME}={TOKEN}"}),
        (
            "ses",
            {"x-ses-message-tags": "team=news, kind=weekly,"},
            {"X-SES-MESSAGE-TAGS": f"team=news, kind=weekly, {TOKEN_NAME}={TOKEN}"},
        ),
        (
            "postmark",
            {"X-PM-Tag": "weekly", "x-pm-trackopens": "true"},
            {
                "X-PM-KeepID": "true",
                "X-PM-TrackLinks": "None",
                "x-pm-trackopens": "true",
                "X-PM-Tag": "weekly",
                f"X-PM-Metadata-{TOKEN_NAME}": TOKEN,
            },
        ),
        ("mailgun", {}, {"X-Mailgun-Track": "no", "X-Mailgun-Variables": TAG}),
        ("brevo", {}, {"X-Mailin-custom": TAG}),
        (
            "mailjet",
            {},
            {
                "X-Mailjet-TrackOpen": "0",
                "X-Mailjet-TrackClick": "0",
                "X-MJ-EventPayload": TAG,
            },
        ),
        ("resend", {"X-Entity-Ref-ID": "1"}, {"X-Entity-Ref-ID": "1"}),
    ],
)
def test_the_headers_of_a_dialect(name: str, own: dict[str, str], written: dict[str, str]) -> None:
    assert headers_of(name, own) == written


def test_json_of_ones_own_and_the_token_stand_in_one_header() -> None:
    own = {
        "X-SMTPAPI": '{"category": "weekly", "unique_args": {"a": "b"},'
        ' "filters": {"opentrack": {"settings": {"enable": 1}}, "x": {}}}'
    }
    [(name, value)] = headers_of("sendgrid", own).items()
    assert name == "X-SMTPAPI"
    assert json.loads(value) == {
        "category": "weekly",
        "unique_args": {"a": "b", TOKEN_NAME: TOKEN},
        "filters": {
            "clicktrack": {"settings": {"enable": 0}},
            "opentrack": {"settings": {"enable": 1}},
            "x": {},
        },
    }
    [(name, value)] = headers_of("sparkpost", {"x-msys-api": '{"campaign_id": "ä  ö"}'}).items()
    assert json.loads(value) == {
        "campaign_id": "ä  ö",
        "metadata": {TOKEN_NAME: TOKEN},
        "options": {"open_tracking": False, "click_tracking": False},
    }


@pytest.mark.parametrize(
    ("name", "header"),
    [("ses", "X-SES-CONFIGURATION-SET"), ("postmark", "X-PM-Message-Stream")],
)
def test_a_stream_is_a_header(name: str, header: str) -> None:
    assert headers_of(name, {}, "weekly-news_1")[header] == "weekly-news_1"


@pytest.mark.parametrize(
    ("name", "own", "stream", "words"),
    [
        ("smtp", {"X": "a\nb"}, None, "relay.headers: 'X' is empty or has a line end"),
        ("mailgun", {}, "news", "relay.stream: the dialect mailgun has no streams; remove it"),
        ("smtp", {}, "news", "relay.stream: the dialect smtp has no streams"),
        ("ses", {}, "", "relay.stream: '' is no configuration set's name"),
        ("ses", {}, "a b", "is no configuration set's name"),
        ("postmark", {}, "a\r\nBcc: x@y", "is no message stream's name"),
        ("ses", {"x-ses-configuration-set": "a"}, "b", "stands in relay.headers, too; remove one"),
        ("postmark", {f"X-PM-Metadata-{TOKEN_NAME}": "x"}, None, "written by Pressrun itself"),
        ("sendgrid", {"X-SMTPAPI": "weekly"}, None, "must be a JSON object"),
        ("sendgrid", {"X-SMTPAPI": "[" * 100_000}, None, "must be a JSON object"),
        ("sendgrid", {"X-SMTPAPI": '["weekly"]'}, None, "must be a JSON object"),
        ("sendgrid", {"X-SMTPAPI": '{"unique_args": 1}'}, None, "'unique_args' must be an object"),
        ("sparkpost", {"X-MSYS-API": '{"metadata": []}'}, None, "'metadata' must be an object"),
        ("brevo", {"X-Mailin-custom": "a:b|c:d"}, None, "must be a JSON object"),
        ("mailgun", {"X-Mailgun-Variables": json.dumps({"a": "b" * 5000})}, None, "is too long"),
        ("ses", {"X-SES-MESSAGE-TAGS": "ä=ö"}, None, "is not ASCII"),
        ("ses", {"X-SES-MESSAGE-TAGS": "a=b\r\nBcc: x@y"}, None, "has a line end"),
        (
            "sendgrid",
            {"X-SMTPAPI": "{}", "x-smtpapi": "{}"},
            None,
            "stands there twice; remove",
        ),
        ("ses", {"Date": "x"}, None, "is written by Pressrun itself"),
    ],
)
def test_what_does_not_go_together_is_told_in_one_line(
    name: str, own: dict[str, str], stream: str | None, words: str
) -> None:
    with pytest.raises(SettingsInvalid, match=re.escape(words)) as told:
        dress_of(DIALECTS[name], own, stream=stream)
    assert "\n" not in str(told.value)
    assert len(str(told.value)) < 300


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=40),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["unique_args", "filters", "opentrack", "ä b"]), inner)
    ),
    max_leaves=8,
)


@settings(max_examples=60)
@given(JSON)
def test_whatever_json_is_there_the_token_is_in_it_or_it_is_refused(own: object) -> None:
    try:
        dress = dress_of(DIALECTS["sendgrid"], {"X-SMTPAPI": json.dumps(own)})
    except SettingsInvalid:
        return
    assert dress.token is not None
    value = dress.token.value(TOKEN.encode())
    assert all(len(line) <= 998 for line in value.split(b"\r\n"))
    told = json.loads(value.replace(b"\r\n", b""))
    assert told["unique_args"][TOKEN_NAME] == TOKEN
    assert isinstance(own, dict)
    assert told.get("ä b") == own.get("ä b")


# -- what is signed, and where bounces go -------------------------------------------------------


def test_only_where_it_survives_is_a_return_path_ours() -> None:
    for dialect in DIALECTS.values():
        made = composer(dialect=dialect, inbound_domain="in.example.org").compose(ADA, date=DATE)
        assert made.envelope_from.startswith("b-") is dialect.keeps_return_path
        # Requests to leave come by mail of their own, whatever the Return-Path.
        assert "mailto:unsubscribe@in.example.org" in parsed(made)["List-Unsubscribe"]
        if not dialect.keeps_return_path:
            assert made.envelope_from == "news@example.org"


def test_only_what_survives_is_signed(tmp_path: Path) -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    (tmp_path / "key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    signer = Signer.load(
        DkimSettings(domain="example.org", ed25519_selector="e", ed25519_key=tmp_path / "key")
    )
    for dialect in DIALECTS.values():
        made = composer(dialect=dialect, signer=signer).compose(ADA, date=DATE)
        signature = parsed(made)["DKIM-Signature"]
        assert (signature is not None) is (dialect.signs is not Signs.RELAY)
        if signature is not None:
            tags = dkim.util.parse_tag_value(signature.encode())
            listed = re.sub(rb"\s", b"", tags[b"h"]).decode().split(":")
            assert not set(listed) & dialect.rewrites
            assert {"from", "list-unsubscribe", "list-unsubscribe-post"} <= set(listed)


# -- what replies mean ---------------------------------------------------------------------------

LIMITS = [
    ("ses", 454, None, "Throttling failure: Maximum sending rate exceeded."),
    ("ses", 454, None, "Throttling failure: Daily message quota exceeded."),
    ("ses", 421, None, "Too many concurrent SMTP connections; please try again later."),
    ("postmark", 421, "4.7.0", "Rate limit exceeded, try again later"),
    ("sendgrid", 451, None, "Authentication failed: Maximum credits exceeded"),
    ("sendgrid", 452, None, "Too many recipients received this hour (throttled)"),
    ("sendgrid", 450, None, "too frequent connects from 203.0.113.7, please try again later."),
    (
        "mailgun",
        550,
        "5.7.1",
        "Domain news.example.org is not allowed to send: recipient limit exceeded",
    ),
    ("sparkpost", 550, "5.7.1", "[internal] Exceed Sending Limit (hourly)"),
    ("brevo", 550, "5.7.1", "Your account has reached its daily sending limit"),
    ("brevo", 552, "5.2.2", "You do not have enough credits: not enough credits to send"),
    ("mailjet", 450, "4.7.1", "Your sending quota has been exceeded"),
    ("resend", 450, None, "Too many requests. You can only make 2 requests per second."),
    ("resend", 550, None, "You have reached your daily email sending quota."),
]


@pytest.mark.parametrize(("name", "code", "enhanced", "text"), LIMITS)
def test_a_limit_of_the_account_is_nobodys_fault_and_passes(
    name: str, code: int, enhanced: str | None, text: str
) -> None:
    reply = Reply(code=code, enhanced=enhanced, text=text)
    told = refused(message(), Phase.REPLY, reply, dialect=DIALECTS[name])
    assert (told.verdict, told.reason, told.hard, told.limit) == (
        Verdict.DEFERRED,
        Reason.RATE,
        False,
        True,
    )


OTHERS = [
    ("550", "5.1.1", "no such user"),
    ("550", "5.1.1", "The email account that you tried to reach does not exist"),
    ("554", None, "Message rejected: Email address is not verified."),
    ("554", None, "Message rejected: Address is on the suppression list"),
    ("552", "5.3.4", "Message size exceeds fixed limit"),
    ("552", "5.3.4", "message size limit exceeded"),
    ("552", None, "Message exceeds maximum message size limit"),
    ("552", "5.2.2", "The email account that you tried to reach is over quota"),
    ("552", "5.2.2", "user's account quota exceeded"),
    ("501", None, "Invalid MAIL FROM address provided"),
    ("451", None, "Temporary local problem - please try later"),
    ("550", "5.7.1", "relaying denied"),
    ("250", None, ""),
]


@pytest.mark.parametrize("name", HOSTED)
def test_what_is_no_limit_is_judged_as_ever(name: str) -> None:
    for code, enhanced, text in OTHERS:
        reply = Reply(code=int(code), enhanced=enhanced, text=text)
        told = refused(message(), Phase.REPLY, reply, dialect=DIALECTS[name])
        assert told == refused(message(), Phase.REPLY, reply), text


IDS = [
    ("ses", "Ok 0102018d1a2b-5e6f-000000", "0102018d1a2b-5e6f-000000"),
    ("ses", "Ok", None),
    ("postmark", "Ok: queued as 0a129aee-e1cd-480d", "0a129aee-e1cd-480d"),
    ("postmark", "Ok", None),
    ("sendgrid", "Ok: queued as kQxv3Zk3R2yQ_1a2b3c", "kQxv3Zk3R2yQ_1a2b3c"),
    ("mailgun", "Great success", None),
    ("sparkpost", "OK 3F/A1-01234-ABCDEF56", "3F/A1-01234-ABCDEF56"),
    ("brevo", "OK: queued as <tok@news.example>", "tok@news.example"),
    ("mailjet", "OK queued as 1b2c3d4e-0000-4000", "1b2c3d4e-0000-4000"),
    ("resend", "OK 56761188-7520-42d8", "56761188-7520-42d8"),
    ("resend", "Message queued as 56761188-7520-42d8.", "56761188-7520-42d8"),
    # What none of its own rows knows the general ones may.
    ("ses", "OK id=1rT9zY-0004Bq-2Z", "1rT9zY-0004Bq-2Z"),
    ("smtp", "2.0.0 Ok: queued as 4bX9Kq0Zt1z", "4bX9Kq0Zt1z"),
]


@pytest.mark.parametrize(("name", "text", "known_as"), IDS)
def test_the_id_stands_where_the_dialect_says(name: str, text: str, known_as: str | None) -> None:
    told = accepted(Reply(code=250, enhanced=None, text=text), DIALECTS[name])
    assert told.provider_id == known_as
