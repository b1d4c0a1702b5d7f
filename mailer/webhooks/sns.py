"""Notifications of Amazon SNS, and of Scaleway, which speaks the same: signed by certificate.

"Verifying the signatures of Amazon SNS messages" in the SNS developer guide: the certificate
comes from the service's own host alone, and only topics that we allow are heard.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509 import (
    Certificate,
    load_pem_x509_certificate,
    load_pem_x509_certificates,
)

from mailer.errors import WebhookRefused
from mailer.webhooks import verify as prove
from mailer.webhooks.model import Incoming, Received, Report
from mailer.webhooks.payload import Item, read_json, read_moment

#: HTTP retries of SNS end after an hour, and carry the time of the first try.
MAX_AGE = timedelta(minutes=70).total_seconds()

_NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_HANDSHAKE = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_SIGNED = {
    "Notification": _NOTIFICATION,
    "SubscriptionConfirmation": _HANDSHAKE,
    "UnsubscribeConfirmation": _HANDSHAKE,
}
_REGION = re.compile(r"arn:[a-z0-9-]+:sns:([a-z0-9-]{2,30}):[^:\s]{1,100}:[^:\s]{1,256}")


@dataclass(frozen=True, kw_only=True)
class Service:
    """Whose notifications: where certificates and confirmations may come from, by region.

    `{region}` in the patterns is the topic's. `chain` is where the certificates stand that
    the signer's must be issued by, or empty where the host alone vouches for it.
    """

    certificate: str
    confirmation: str
    chain: str = ""


def verify(service: Service, topics: Collection[str], request: Incoming) -> str:
    """Check topic, age and signature; gives the message's id, the same over retries."""
    body = Item(read_json(request.body))
    region = _region(body.text("TopicArn"), topics)
    prove.fresh(read_moment(body.text("Timestamp")), now=request.now, max_age=MAX_AGE)
    version = body.text("SignatureVersion")
    if version not in ("1", "2"):
        raise WebhookRefused
    certificate = _certificate(service, region, body, request)
    key = certificate.public_key()
    prove.rsa_signature(key, signed_text(body), body.text("Signature"), sha1=version == "1")
    return prove.request_id(body.text("MessageId"))


def _region(topic: str, topics: Collection[str]) -> str:
    found = _REGION.fullmatch(topic)
    if found is None or topic not in topics:
        raise WebhookRefused
    return found[1]


def signed_text(body: Item) -> bytes:
    """What a signature covers: names and values a line each, in the order of SNS."""
    names = _SIGNED.get(body.text("Type"))
    if names is None:
        raise WebhookRefused
    parts: list[str] = []
    for name in names:
        value = body.raw(name)
        if value is None and name == "Subject":
            continue
        if not isinstance(value, str):
            raise WebhookRefused
        parts += [name, value]
    return "".join(f"{part}\n" for part in parts).encode("utf-8", "replace")


def _certificate(service: Service, region: str, body: Item, request: Incoming) -> Certificate:
    url = body.text("SigningCertURL")
    if not _matches(url, service.certificate, region):
        raise WebhookRefused
    try:
        certificate = load_pem_x509_certificate(request.certificate(url))
        valid = certificate.not_valid_before_utc <= request.now <= certificate.not_valid_after_utc
        if not valid:
            raise WebhookRefused
        if service.chain:
            chain = request.certificate(service.chain.format(region=region))
            _check_issued(certificate, load_pem_x509_certificates(chain))
    except (ValueError, TypeError, UnsupportedAlgorithm) as exc:
        raise WebhookRefused from exc
    return certificate


def _check_issued(certificate: Certificate, chain: list[Certificate]) -> None:
    for issuer in chain:
        try:
            certificate.verify_directly_issued_by(issuer)
        except (InvalidSignature, ValueError, TypeError):
            continue
        return
    raise WebhookRefused


def _matches(url: str, pattern: str, region: str) -> bool:
    return re.fullmatch(pattern.replace("{region}", re.escape(region)), url) is not None


def open_envelope(service: Service, received: Received) -> Item | Report:
    """What was notified; or a report where the envelope itself is all there is."""
    body = Item(read_json(received.body))
    if body.text("Type") == "SubscriptionConfirmation":
        url = body.text("SubscribeURL")
        found = _REGION.fullmatch(body.text("TopicArn"))
        if found is None or not _matches(url, service.confirmation, found[1]):
            host = urlsplit(url).hostname if url.isprintable() else ""
            return Report(mistakes=(f"a confirmation that leads elsewhere: {host}",))
        return Report(confirm=url)
    if body.text("Type") == "UnsubscribeConfirmation":
        return Report(passed=("unsubscribed from the topic",))
    return body
