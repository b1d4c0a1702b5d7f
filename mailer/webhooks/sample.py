"""A sample request of each provider, signed as the provider signs: for `mailer webhooks test`.

Where only the provider could sign, a key made on the spot stands in for its own.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from pydantic import SecretStr
from standardwebhooks.webhooks import Webhook

from mailer.settings import Settings
from mailer.webhook_settings import PasswordWebhook
from mailer.webhooks import sns
from mailer.webhooks.model import Incoming
from mailer.webhooks.payload import Item
from mailer.webhooks.providers import Provider

Json = object


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A request, and the settings it verifies with.

    `own` says whether it is signed with the user's own secret, so that their running web
    process would take it too.
    """

    settings: Settings
    incoming: Incoming
    own: bool


@dataclass(frozen=True, kw_only=True)
class _Draft:
    provider: Provider
    settings: Settings
    filled: Json
    now: datetime
    id: str

    @property
    def key(self) -> str:
        return self.provider.section(self.settings).key

    @property
    def body(self) -> bytes:
        return json.dumps(self.filled).encode()

    def sample(
        self,
        body: bytes,
        headers: Mapping[str, str],
        *,
        own: bool = True,
        certificate: Callable[[str], bytes] = lambda url: b"",
    ) -> Sample:
        incoming = Incoming(
            body=body,
            now=self.now,
            headers=headers,
            url=self.settings.public_url + self.provider.path,
            certificate=certificate,
        )
        return Sample(settings=self.settings, incoming=incoming, own=own)


def make(provider: Provider, settings: Settings, *, now: datetime) -> Sample:
    """Make a request of this provider's; a closed endpoint is opened for it, here alone."""
    own = provider.is_open(settings)
    if not own:
        settings = _opened(provider, settings)
    ident = f"sample-{secrets.token_hex(8)}"
    topics = getattr(provider.section(settings), "topics", ())
    words = {
        "{id}": ident,
        "{now}": str(int(now.timestamp())),
        "{iso}": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "{utc}": now.strftime("%Y-%m-%d %H:%M:%S"),
        "{topic}": topics[0] if topics else "",
    }
    filled = _fill(provider.sample, words)
    draft = _Draft(provider=provider, settings=settings, filled=filled, now=now, id=ident)
    made = _SIGNERS.get(provider.name, _by_password)(draft)
    return Sample(settings=made.settings, incoming=made.incoming, own=own and made.own)


def _fill(template: Json, words: Mapping[str, str]) -> Json:
    if isinstance(template, Mapping):
        return {name: _fill(value, words) for name, value in template.items()}
    if isinstance(template, list):
        return [_fill(value, words) for value in template]
    if isinstance(template, str):
        for name, word in words.items():
            template = template.replace(name, word)
    return template


def _opened(provider: Provider, settings: Settings) -> Settings:
    secret: object = SecretStr("whsec_" + base64.b64encode(secrets.token_bytes(24)).decode())
    if provider.setting == "topics":
        region = "fr-par" if provider.name == "scaleway_tem" else "us-east-1"
        owner = "project-1" if provider.name == "scaleway_tem" else "123456789012"
        arn = "scw" if provider.name == "scaleway_tem" else "aws"
        secret = (f"arn:{arn}:sns:{region}:{owner}:sample",)
    return _with(settings, provider, provider.setting, secret)


def _with(settings: Settings, provider: Provider, name: str, value: object) -> Settings:
    section = getattr(settings.webhooks, provider.name).model_copy(update={name: value})
    webhooks = settings.webhooks.model_copy(update={provider.name: section})
    return settings.model_copy(update={"webhooks": webhooks})


# --- one signer for each way of proving ---------------------------------------------------------


def _by_password(draft: _Draft) -> Sample:
    section = draft.provider.section(draft.settings)
    assert isinstance(section, PasswordWebhook)
    body = urlencode(_texts(draft.filled)).encode() if _is_form(draft) else draft.body
    return draft.sample(body, {"authorization": basic(section.username, section.key)})


def basic(username: str, password: str) -> str:
    """The value of an Authorization header (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def _is_form(draft: _Draft) -> bool:
    return draft.provider.name == "zonemta"


def _texts(filled: Json) -> dict[str, str]:
    return {name: str(value) for name, value in filled.items()} if isinstance(filled, dict) else {}


def _azure(draft: _Draft) -> Sample:
    return draft.sample(draft.body, {"authorization": f"Bearer {draft.key}"})


def _mailersend(draft: _Draft) -> Sample:
    signature = hmac.new(draft.key.encode(), draft.body, hashlib.sha256).hexdigest()
    return draft.sample(draft.body, {"signature": signature})


def _mailtrap(draft: _Draft) -> Sample:
    section = draft.settings.webhooks.mailtrap
    if section.secret is None:
        header = {"authorization": basic(section.username, section.key)}
    else:
        signature = hmac.new(draft.key.encode(), draft.body, hashlib.sha256).hexdigest()
        header = {"mailtrap-signature": signature}
    return draft.sample(draft.body, header)


def _mailgun(draft: _Draft) -> Sample:
    proof = Item(draft.filled).item("signature")
    signed = (proof.text("timestamp") + proof.text("token")).encode()
    signature = hmac.new(draft.key.encode(), signed, hashlib.sha256).hexdigest()
    return draft.sample(draft.body.replace(b"{signature}", signature.encode()), {})


def _mandrill(draft: _Draft) -> Sample:
    events = json.dumps(draft.filled)
    url = draft.settings.webhooks.mandrill.url or draft.settings.public_url + draft.provider.path
    signed = f"{url}mandrill_events{events}".encode()
    digest = hmac.new(draft.key.encode(), signed, hashlib.sha1).digest()
    header = {"x-mandrill-signature": base64.b64encode(digest).decode()}
    return draft.sample(urlencode({"mandrill_events": events}).encode(), header)


def _resend(draft: _Draft) -> Sample:
    signature = Webhook(draft.key).sign(draft.id, draft.now, draft.body.decode())
    headers = {
        "svix-id": draft.id,
        "svix-timestamp": str(int(draft.now.timestamp())),
        "svix-signature": signature,
    }
    return draft.sample(draft.body, headers)


def _unisender(draft: _Draft) -> Sample:
    keyed = draft.body.replace(b"{signature}", draft.key.encode())
    auth = hashlib.md5(keyed, usedforsecurity=False).hexdigest()
    return draft.sample(draft.body.replace(b"{signature}", auth.encode()), {})


def _sendgrid(draft: _Draft) -> Sample:
    key = ec.generate_private_key(ec.SECP256R1())
    public = base64.b64encode(
        key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    ).decode()
    stamp = str(int(draft.now.timestamp()))
    signature = key.sign(stamp.encode() + draft.body, ec.ECDSA(hashes.SHA256()))
    headers = {
        "x-twilio-email-event-webhook-timestamp": stamp,
        "x-twilio-email-event-webhook-signature": base64.b64encode(signature).decode(),
    }
    made = draft.sample(draft.body, headers, own=False)
    settings = _with(draft.settings, draft.provider, "public_key", public)
    return Sample(settings=settings, incoming=made.incoming, own=False)


def _postal(draft: _Draft) -> Sample:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    signature = key.sign(draft.body, padding.PKCS1v15(), hashes.SHA1())  # noqa: S303
    headers = {"x-postal-signature": base64.b64encode(signature).decode()}
    made = draft.sample(draft.body, headers, own=False)
    settings = _with(draft.settings, draft.provider, "public_key", public)
    return Sample(settings=settings, incoming=made.incoming, own=False)


def _sns(draft: _Draft) -> Sample:
    assert isinstance(draft.filled, dict)
    filled = {**draft.filled, "Message": json.dumps(draft.filled["Message"])}
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    digest = hashes.SHA1() if filled["SignatureVersion"] == "1" else hashes.SHA256()  # noqa: S303
    signature = key.sign(sns.signed_text(Item(filled)), padding.PKCS1v15(), digest)
    filled["Signature"] = base64.b64encode(signature).decode()
    pem = certificate(key, draft.now)
    return draft.sample(json.dumps(filled).encode(), {}, own=False, certificate=lambda url: pem)


def certificate(key: rsa.RSAPrivateKey, now: datetime) -> bytes:
    """A certificate that its own key issued, in PEM, good for an hour around `now`."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sample")])
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .sign(key, hashes.SHA256())
    )
    return built.public_bytes(Encoding.PEM)


_SIGNERS: Mapping[str, Callable[[_Draft], Sample]] = {
    "amazon_ses": _sns,
    "azure": _azure,
    "mailersend": _mailersend,
    "mailgun": _mailgun,
    "mailtrap": _mailtrap,
    "mandrill": _mandrill,
    "postal": _postal,
    "resend": _resend,
    "scaleway_tem": _sns,
    "sendgrid": _sendgrid,
    "unisender_go": _unisender,
}
