"""Finished messages, read back with the standard library."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailer.delivery.dialects import SMTP, dress_of
from mailer.delivery.model import Recipient
from mailer.errors import RenderingFailed, SettingsInvalid
from mailer.render.preview import fill
from subscribers.errors import AddressInvalid
from subscribers.token import Keyring, Scope, read, read_verp
from tests.unit.delivery.letters import (
    ADA,
    CHINESE,
    DATE,
    HTML,
    KEYRING,
    NEWSLETTER,
    NONCE,
    PUBLIC,
    TEXT,
    alternative,
    assert_fit_for_the_wire,
    composer,
    fields_of,
    mark,
    pages_of,
    parsed,
    rendering,
)

#: Whatever a database may hold, lone surrogates included.
ANYTHING = st.text(st.characters(exclude_categories=[]), max_size=120)
RECIPIENTS = st.builds(
    Recipient,
    delivery_id=st.integers(min_value=1, max_value=2**63 - 1),
    subscriber_id=st.none() | st.integers(min_value=1),
    address=st.sampled_from(["ada@example.net", "a.b+c@bücher.example", "O'Neil@x-y.example"]),
    name=ANYTHING,
    language=st.none() | st.just("fr"),
    attributes=st.fixed_dictionaries(
        {}, optional={"plan": st.sampled_from(["pro", "free"]) | ANYTHING, "site": ANYTHING}
    ),
)
QUOTED = rendering()
BASE64 = rendering(html=HTML + CHINESE * 30, text=CHINESE + TEXT)
HOSTILE = {
    "template": "{{ 7*7 }}{% if x %}",
    "slot mark": mark(0) + mark(5),
    "condition mark": f"<!--zq{NONCE}if0-->x<!--zq{NONCE}end0-->",
    "header": "Ada\r\nBcc: victim@example.org\r\n\r\nbody",
    "bare line ends": "a\rb\nc\x0bd\x0ce\x85f\u2028g",
    "smuggling": "x\r\n.\r\nMAIL FROM:<a@b.example>\r\n",
    "markup": "<script>alert(1)</script>\"'&amp;",
    "link": "javascript:alert(1)",
    "long": "漢x" * 2500,
    "right to left": "\u202eמרים\u202c שלום עולם",
    "emoji": "👩‍🔬🏳️‍🌈 é̂",
    "encoded": "=?utf-8?q?=0D=0ABcc:_x?= =3D =\r\n",
    "nul and surrogate": "\x00\ud83d\ufffe",
    "boundary": f"--=_{NONCE}--",
    "blanks": "  a \t  b   ",
}


@pytest.mark.parametrize("of", [QUOTED, BASE64], ids=["quoted-printable", "base64"])
@settings(max_examples=60)
@given(recipient=RECIPIENTS)
def test_personalising_last_equals_rendering_first(of: Any, recipient: Recipient) -> None:
    message = COMPOSERS[of.checksum].compose(recipient, date=DATE)
    assert_fit_for_the_wire(message)
    mail = parsed(message)
    filled = fill(of, fields_of(recipient), pages_of(recipient))
    assert alternative(mail, "html").rstrip("\n") == filled.html.rstrip("\n")
    assert alternative(mail, "plain").rstrip("\n") == filled.text.rstrip("\n")
    assert mail["Subject"] == filled.subject


COMPOSERS = {
    each.checksum: composer(each, inbound_domain="in.example.org") for each in (QUOTED, BASE64)
}


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize("of", [QUOTED, BASE64], ids=["quoted-printable", "base64"])
def test_a_hostile_subscriber_is_only_text(of: Any, value: str) -> None:
    recipient = dataclasses.replace(ADA, name=value, attributes={"site": value, "plan": value})
    message = composer(of).compose(recipient, date=DATE)
    assert_fit_for_the_wire(message)
    mail = parsed(message)
    plain = parsed(composer(of).compose(ADA, date=DATE))
    assert mail.keys() == plain.keys()
    assert [part.get_content_type() for part in mail.walk()] == [
        part.get_content_type() for part in plain.walk()
    ]
    html = alternative(mail, "html")
    assert "<script" not in html
    assert "javascript:" not in html.partition("From the start: ")[2].partition("<a")[0]
    assert "49" not in alternative(mail, "plain").split("!")[0]
    assert [each.addr_spec for each in mail["To"].addresses] == [ADA.address]
    assert len(message.content) < 200_000


def test_the_headers_of_a_message() -> None:
    newsletter = dataclasses.replace(
        NEWSLETTER,
        from_name="Grüße, AG",
        from_address="post@grüße.example",
        reply_to="me@a.example",
    )
    extra = {"X-SES-CONFIGURATION-SET": "news"}
    made = composer(
        newsletter=newsletter, inbound_domain="in.example.org", dress=dress_of(SMTP, extra)
    ).compose(ADA, date=DATE)
    mail = parsed(made)
    assert str(mail["From"]) == '"Grüße, AG" <post@xn--gre-6ka8l.example>'
    assert mail["Reply-To"] == "me@a.example"
    assert str(mail["To"]) == "Ada <ada@example.net>"
    assert parsedate_to_datetime(mail["Date"]) == DATE
    assert mail["List-Id"] == "Weekly Gradient <weekly-gradient.xn--gre-6ka8l.example>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail["Feedback-ID"].startswith("42:weekly-gradient:issue:pr")
    assert len(mail["Feedback-ID"].split(":")[3]) <= 15
    assert mail["MIME-Version"] == "1.0"
    assert mail["X-SES-CONFIGURATION-SET"] == "news"
    assert mail.get_content_type() == "multipart/alternative"
    assert [p.get_content_type() for p in mail.iter_parts()] == ["text/plain", "text/html"]
    assert {p.get_content_charset() for p in mail.iter_parts()} == {"utf-8"}
    assert len(set(mail.keys())) == len(mail.keys())
    assert_fit_for_the_wire(made)


def test_every_token_names_the_delivery() -> None:
    made = composer(inbound_domain="in.example.org").compose(ADA, date=DATE)
    mail = parsed(made)
    local, _, domain = made.envelope_from.partition("@")
    assert domain == "in.example.org"
    assert read_verp(KEYRING, local, now=DATE) == ADA.delivery_id
    message_id, _, domain = mail["Message-ID"].strip("<>").partition("@")
    assert domain == "example.org"
    assert read(KEYRING, Scope.VERP, message_id, now=DATE) == ADA.delivery_id
    assert mail["X-Pressrun-Delivery"] == message_id
    page, mailto = (each.strip(" <>") for each in mail["List-Unsubscribe"].split(","))
    assert page.startswith(f"{PUBLIC}/u/")
    token = page.rpartition("/")[2]
    assert read(KEYRING, Scope.UNSUBSCRIBE, token, now=DATE) == ADA.delivery_id
    assert mailto == f"mailto:unsubscribe@in.example.org?subject={token}"


def test_without_an_inbound_domain_nothing_promises_to_come_back() -> None:
    made = composer().compose(ADA, date=DATE)
    assert made.envelope_from == NEWSLETTER.from_address
    assert b"mailto:" not in made.content


def test_a_retry_has_the_same_message_id_and_a_resend_another() -> None:
    first = parsed(composer().compose(ADA, date=DATE))["Message-ID"]
    later = parsed(composer().compose(ADA, date=DATE + timedelta(hours=1)))["Message-ID"]
    assert first == later
    resent = dataclasses.replace(ADA, nonce="r1")
    again = parsed(composer().compose(resent, date=DATE))["Message-ID"]
    assert again != first
    number = read(KEYRING, Scope.VERP, again.strip("<>").partition(".")[0], now=DATE)
    assert number == ADA.delivery_id
    others = parsed(composer(keyring=Keyring.generate()).compose(ADA, date=DATE))["Message-ID"]
    assert others != first


@pytest.mark.parametrize(
    ("given_address", "envelope", "smtputf8"),
    [
        ("Ada.L@Example.NET", "Ada.L@example.net", False),
        ("ada@bücher.example", "ada@xn--bcher-kva.example", False),
        ("zoë@bücher.example", "zoë@xn--bcher-kva.example", True),
        ("用户@例子.example", "用户@xn--fsqu00a.example", True),
    ],
)
def test_addresses_of_the_whole_world(given_address: str, envelope: str, smtputf8: bool) -> None:
    recipient = dataclasses.replace(ADA, address=given_address)
    made = composer().compose(recipient, date=DATE)
    assert made.envelope_to == envelope
    assert made.smtputf8 is smtputf8
    assert f"\r\nTo: Ada <{envelope}>\r\n" in made.content.decode()
    assert_fit_for_the_wire(made)


def test_a_sender_beyond_ascii_needs_smtputf8_for_everybody() -> None:
    newsletter = dataclasses.replace(NEWSLETTER, from_address="zoë@example.org")
    made = composer(newsletter=newsletter).compose(ADA, date=DATE)
    assert made.smtputf8
    assert made.envelope_from == "zoë@example.org"


@pytest.mark.parametrize(
    "bad", ["", "ada", "a@b.example\r\nRCPT TO:<x@y.example>", "a b@c.example", "<a@b.example>"]
)
def test_no_message_goes_to_what_is_no_address(bad: str) -> None:
    with pytest.raises(AddressInvalid):
        composer().compose(dataclasses.replace(ADA, address=bad), date=DATE)


def test_an_empty_subject_becomes_the_title() -> None:
    nameless = dataclasses.replace(ADA, name="")
    made = composer(rendering(subject=f" {mark(2)} ")).compose(nameless, date=DATE)
    assert parsed(made)["Subject"] == "News"


def test_pages_may_stand_in_expressions() -> None:
    slots = [dataclasses.replace(rendering().slots[1], source='message.archive_url | default("-")')]
    made = composer(rendering(text=mark(1), slots=tuple(slots), html="", subject="s"))
    view = next(url for slot, url in pages_of(ADA).items() if slot == "archive_url")
    assert alternative(parsed(made.compose(ADA, date=DATE)), "plain").strip() == view


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        pytest.param({"public_url": "https://bücher.example"}, SettingsInvalid, "xn--", id="IDN"),
        pytest.param(
            {"public_url": 'https://x.example/"'}, SettingsInvalid, "public_url", id="quote"
        ),
        pytest.param(
            {"inbound_domain": "in example"}, SettingsInvalid, "inbound_domain", id="domain"
        ),
        pytest.param({"of": rendering(nonce='a"\r\n')}, RenderingFailed, "its nonce", id="nonce"),
        pytest.param({"of": rendering(text=mark(77))}, RenderingFailed, "slot 77", id="rendering"),
        pytest.param(
            {"newsletter": dataclasses.replace(NEWSLETTER, from_address="news")},
            AddressInvalid,
            "has no @",
            id="from",
        ),
    ],
)
def test_what_can_not_be_sent_is_refused_when_compiled(
    options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        composer(**options)
