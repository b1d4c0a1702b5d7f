"""Notifications by certificate: from the service's own host, for topics that are allowed."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from mailer.errors import FetchRefused, WebhookRefused
from mailer.webhooks import amazon_ses, scaleway_tem, sns
from mailer.webhooks.certificates import KEPT, MOST_FETCHES, RESTED, Certificates
from mailer.webhooks.model import Incoming, Received
from mailer.webhooks.payload import Item
from mailer.webhooks.sample import certificate

NOW = datetime.now(UTC).replace(microsecond=0)
TOPIC = "arn:aws:sns:eu-central-1:123456789012:bounces"
HOST = "https://sns.eu-central-1.amazonaws.com"
CERTIFICATE = f"{HOST}/SimpleNotificationService-0123456789abcdef.pem"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def signed(key: rsa.RSAPrivateKey = KEY, **changes: object) -> bytes:
    body: dict[str, object] = {
        "Type": "Notification",
        "MessageId": "22b80b92",
        "TopicArn": TOPIC,
        "Subject": "Hello",
        "Message": "{}",
        "Timestamp": NOW.isoformat().replace("+00:00", "Z"),
        "SignatureVersion": "2",
        "SigningCertURL": CERTIFICATE,
        **changes,
    }
    body = {name: value for name, value in body.items() if value is not None}
    digest = hashes.SHA1() if body.get("SignatureVersion") == "1" else hashes.SHA256()
    signature = key.sign(sns.signed_text(Item(body)), padding.PKCS1v15(), digest)
    return json.dumps({**body, "Signature": base64.b64encode(signature).decode()}).encode()


@dataclass
class Fetched:
    asked: list[str] = field(default_factory=list)

    def __call__(self, url: str) -> bytes:
        self.asked.append(url)
        return certificate(KEY, NOW)


def verify(body: bytes, *, fetched: Fetched | None = None, now: datetime = NOW) -> str:
    incoming = Incoming(body=body, now=now, certificate=fetched or Fetched())
    return sns.verify(amazon_ses.SERVICE, (TOPIC,), incoming)


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("subject", ["Hello", None])
def test_both_signature_versions_verify(version: str, subject: str | None) -> None:
    assert verify(signed(SignatureVersion=version, Subject=subject)) == "22b80b92"


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.eu-central-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem",
        "https://sns.eu-central-1.amazonaws.com.evil.example/SimpleNotificationService-01234567.pem",
        "https://sns.eu-central-1.amazonaws.com@evil.example/SimpleNotificationService-01234567.pem",
        "https://evil.example/sns.eu-central-1.amazonaws.com/SimpleNotificationService-01234567.pem",
        "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem",
        "https://bucket.s3.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem",
        "https://sns.eu-central-1.amazonaws.com:444/SimpleNotificationService-0123456789abcdef.pem",
        "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem?x",
        "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem\nx",
        "https://sns.eu-central-1.amazonaws.com/x/../SimpleNotificationService-01234567.pem",
        "https://SNS.eu-central-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem",
        "",
    ],
)
def test_no_certificate_is_fetched_from_elsewhere(url: str) -> None:
    fetched = Fetched()
    with pytest.raises(WebhookRefused):
        verify(signed(SigningCertURL=url), fetched=fetched)
    assert fetched.asked == []


@pytest.mark.parametrize(
    "topic",
    [TOPIC + "2", TOPIC[:-1], TOPIC.upper(), "", "arn:aws:sns:evil.example/:1:x", "*"],
)
def test_other_topics_are_not_heard_and_cost_no_fetch(topic: str) -> None:
    fetched = Fetched()
    with pytest.raises(WebhookRefused):
        verify(signed(TopicArn=topic), fetched=fetched)
    assert fetched.asked == []


@pytest.mark.parametrize("age", [timedelta(minutes=71), timedelta(days=9), timedelta(minutes=-6)])
def test_stale_notifications_are_refused(age: timedelta) -> None:
    with pytest.raises(WebhookRefused):
        verify(signed(), now=NOW + age)


def test_a_retry_within_the_hour_is_taken() -> None:
    assert verify(signed(), now=NOW + timedelta(minutes=59)) == "22b80b92"


@pytest.mark.parametrize(
    "changes",
    [
        {"Message": '{"x": 1}'},
        {"MessageId": "other"},
        {"Subject": "Bye"},
        {"SignatureVersion": "1"},
    ],
)
def test_what_is_signed_can_not_be_changed(changes: dict[str, object]) -> None:
    body = {**json.loads(signed()), **changes}
    with pytest.raises(WebhookRefused):
        verify(json.dumps(body).encode())


def test_another_key_and_an_expired_certificate_are_refused() -> None:
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    with pytest.raises(WebhookRefused):
        verify(signed(other))
    old = Incoming(
        body=signed(), now=NOW, certificate=lambda url: certificate(KEY, NOW - timedelta(days=2))
    )
    with pytest.raises(WebhookRefused):
        sns.verify(amazon_ses.SERVICE, (TOPIC,), old)


@pytest.mark.parametrize("text", [b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_what_is_no_certificate_is_refused(text: bytes) -> None:
    incoming = Incoming(body=signed(), now=NOW, certificate=lambda url: text)
    with pytest.raises(WebhookRefused):
        sns.verify(amazon_ses.SERVICE, (TOPIC,), incoming)


def test_scaleway_takes_only_what_its_chain_issued() -> None:
    topic = "arn:scw:sns:fr-par:project-1:mail"
    url = "https://messaging.s3.fr-par.scw.cloud/fr-par/sns/sns-1.pem"
    body = signed(TopicArn=topic, SigningCertURL=url)
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    asked: list[str] = []

    def chain(issuer: rsa.RSAPrivateKey, asked_url: str) -> bytes:
        asked.append(asked_url)
        return certificate(KEY if asked_url == url else issuer, NOW)

    def check(issuer: rsa.RSAPrivateKey) -> str:
        incoming = Incoming(body=body, now=NOW, certificate=lambda at: chain(issuer, at))
        return sns.verify(scaleway_tem.SERVICE, (topic,), incoming)

    assert check(KEY) == "22b80b92"
    assert asked[1] == "https://messaging.s3.fr-par.scw.cloud/fr-par/sns/sns-trust-chain.pem"
    with pytest.raises(WebhookRefused):
        check(stranger)


# --- subscriptions ------------------------------------------------------------------------------


def hello(url: str) -> bytes:
    return signed(Type="SubscriptionConfirmation", SubscribeURL=url, Token="t", Subject=None)


def test_a_subscription_of_an_allowed_topic_is_to_be_confirmed() -> None:
    url = f"{HOST}/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=t"
    assert verify(hello(url)) == "22b80b92"
    report = amazon_ses.parse(Received(id="r", at=NOW, body=hello(url)))
    assert (report.confirm, report.mistakes) == (url, ())


@pytest.mark.parametrize(
    "url",
    ["https://evil.example/?Action=ConfirmSubscription", HOST.replace("https", "http") + "/?x",
     "https://sns.us-east-1.amazonaws.com/?x", "http://169.254.169.254/?x",
     "file:///etc/passwd", ""],
)  # fmt: skip
def test_a_confirmation_that_leads_elsewhere_is_not_followed(url: str) -> None:
    report = amazon_ses.parse(Received(id="r", at=NOW, body=hello(url)))
    assert report.confirm == ""
    assert report.mistakes


# --- certificates -------------------------------------------------------------------------------


def test_certificates_are_kept_and_failures_rest() -> None:
    now = [0.0]
    asked: list[str] = []

    def fetch(url: str) -> bytes:
        asked.append(url)
        if "bad" in url:
            raise FetchRefused
        return b"pem"

    known = Certificates(fetch, clock=lambda: now[0])
    assert known("good") == known("good") == b"pem"
    for _ in range(3):
        with pytest.raises(WebhookRefused):
            known("bad")
    assert asked == ["good", "bad"]
    now[0] = RESTED + 1
    with pytest.raises(WebhookRefused):
        known("bad")
    now[0] = KEPT + 1
    known("good")
    assert asked == ["good", "bad", "bad", "good"]


def test_strangers_can_not_make_us_fetch_without_end() -> None:
    asked: list[str] = []

    def fetch(url: str) -> bytes:
        asked.append(url)
        return b"pem"

    known = Certificates(fetch, clock=lambda: 0.0)
    for number in range(MOST_FETCHES):
        known(f"u{number}")
    with pytest.raises(WebhookRefused):
        known("one more")
    assert len(asked) == MOST_FETCHES
