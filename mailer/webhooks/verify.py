"""Whether a request is from whom it claims to be: the ways in which providers prove it.

Each function raises WebhookRefused for everything that is not genuine, however malformed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import (
    load_der_public_key,
    load_pem_public_key,
)
from standardwebhooks.webhooks import Webhook

from mailer.errors import SettingsInvalid, WebhookRefused

#: The longest webhook-id there is room for in the database.
MAX_REQUEST_ID = 255
#: How far ahead of ours a provider's clock may be.
AHEAD = timedelta(minutes=5)
#: What stands before the key in a DKIM record, which is how Postal shows its key.
_DKIM_KEY = re.compile(r"^.*\bp=(?=\w)", re.DOTALL)


def standard_webhook(secret: str, headers: Mapping[str, str], body: bytes) -> str:
    """Check the signature over the raw body, and give the request's id.

    The time stamp may be five minutes off. Raises WebhookRefused for everything that is not a
    genuine, fresh request, however malformed (Standard Webhooks 1.0, "Verifying webhooks").
    """
    verifier = verifier_of(secret)
    try:
        verifier.verify(body, dict(headers), json_parse=False)
    except Exception as exc:
        raise WebhookRefused from exc
    return request_id(headers["webhook-id"])


def verifier_of(secret: str, setting: str = "web.generic_secret") -> Webhook:
    """Read a secret; raises SettingsInvalid where it is none."""
    try:
        return Webhook(secret)
    except Exception as exc:  # the library raises three unrelated kinds
        raise SettingsInvalid(
            f"{setting}: not a webhook secret; it is whsec_ and base64 of 24 to 64 bytes"
        ) from exc


def request_id(text: str) -> str:
    """A request's id that there is room for."""
    if not text or len(text) > MAX_REQUEST_ID or not text.isprintable():
        raise WebhookRefused(f"its id must be at most {MAX_REQUEST_ID} printable characters")
    return text


def body_id(body: bytes) -> str:
    """An id for requests that have none: the same for the same body."""
    return "sha256:" + hashlib.sha256(body).hexdigest()


def password(header: str, *, username: str, secret: str) -> None:
    """Check an Authorization header: `Basic` with name and password, or `Bearer` with the
    password alone (RFC 7617, 6750).
    """
    scheme, _, given = header.partition(" ")
    expected = secret.encode()
    if scheme.lower() == "basic":
        expected = f"{username}:{secret}".encode()
        found = _base64(given.strip())
    elif scheme.lower() == "bearer":
        found = given.strip().encode("utf-8", "surrogateescape")
    else:
        raise WebhookRefused
    same(found, expected)


def same(found: bytes, expected: bytes) -> None:
    """Compare in a time that tells nothing."""
    if not expected or not hmac.compare_digest(found, expected):
        raise WebhookRefused


def hmac_hex(secret: str, message: bytes, signature: str) -> None:
    """Check an HMAC-SHA256 in hexadecimal."""
    expected = hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()
    same(signature.strip().lower().encode("utf-8", "replace"), expected.encode())


def hmac_sha1_base64(secret: str, message: bytes, signature: str) -> None:
    """Check an HMAC-SHA1 in base64, as Mandrill still makes them."""
    same(_base64(signature), hmac.new(secret.encode(), message, hashlib.sha1).digest())


def ecdsa(public_key: str, message: bytes, signature: str) -> None:
    """Check an ECDSA signature over SHA-256, in base64."""
    key = read_key(public_key)
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise WebhookRefused
    try:
        key.verify(_base64(signature), message, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError) as exc:
        raise WebhookRefused from exc


def rsa_signature(key: object, message: bytes, signature: str, *, sha1: bool) -> None:
    """Check an RSA PKCS #1 v1.5 signature in base64, over SHA-1 where that is all there is."""
    if not isinstance(key, rsa.RSAPublicKey):
        raise WebhookRefused
    digest = hashes.SHA1() if sha1 else hashes.SHA256()  # noqa: S303
    try:
        key.verify(_base64(signature), message, padding.PKCS1v15(), digest)
    except (InvalidSignature, ValueError) as exc:
        raise WebhookRefused from exc


def read_key(text: str) -> object:
    """Read a public key: PEM, or base64 alone as providers and DNS records show it."""
    try:
        if "-----BEGIN" in text:
            return load_pem_public_key(text.strip().encode())
        bare = _DKIM_KEY.sub("", text).rstrip("; ")
        return load_der_public_key(_base64("".join(bare.split())))
    except (ValueError, TypeError, UnsupportedAlgorithm, WebhookRefused) as exc:
        raise SettingsInvalid("not a public key; paste it as the provider shows it") from exc


def fresh(at: datetime | None, *, now: datetime, max_age: float) -> None:
    """Refuse what is older than `max_age` seconds, or from the future."""
    if at is None or not now - timedelta(seconds=max_age) <= at <= now + AHEAD:
        raise WebhookRefused


def stamp(text: str) -> datetime | None:
    """Read seconds since 1970; None where they are none."""
    try:
        return datetime.fromtimestamp(int(text), UTC) if text.isascii() else None
    except (ValueError, OverflowError, OSError):
        return None


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error, ValueError) as exc:
        raise WebhookRefused from exc
