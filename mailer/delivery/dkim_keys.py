"""Making DKIM keys, and the records that publish them (RFC 6376 section 3.6.1, RFC 8463)."""

from __future__ import annotations

import base64

from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from mailer.delivery.sign import Signer, private_key
from mailer.errors import SettingsInvalid
from mailer.settings import DkimSettings
from mailer.zone import Record

#: What receivers ask for; longer ones don't fit into many DNS consoles.
RSA_BITS = 2048


def new_key(*, is_ed25519: bool) -> str:
    """A fresh private key as PEM."""
    key: ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey = (
        ed25519.Ed25519PrivateKey.generate()
        if is_ed25519
        else rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    )
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")


def records(settings: DkimSettings) -> list[Record]:
    """What must stand in the DNS for the keys of `[dkim]`; raises SettingsInvalid."""
    domain = Signer.load(settings).domain
    found = []
    if settings.rsa_key:
        key = private_key("dkim.rsa_key", settings.rsa_key)
        found.append(_record(settings.rsa_selector, domain, key))
    if settings.ed25519_key:
        key = private_key("dkim.ed25519_key", settings.ed25519_key)
        found.append(_record(settings.ed25519_selector, domain, key))
    return found


def _record(selector: str | None, domain: str, key: object) -> Record:
    if isinstance(key, rsa.RSAPrivateKey):
        kind = "rsa"
        public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    elif isinstance(key, ed25519.Ed25519PrivateKey):
        # RFC 8463 section 4.2: the bare 32 bytes, without what says which algorithm.
        kind = "ed25519"
        public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    else:
        raise SettingsInvalid("dkim: a key must be RSA or Ed25519")
    value = f"v=DKIM1; k={kind}; p={base64.b64encode(public).decode('ascii')}"
    return Record(name=f"{selector}._domainkey.{domain}", kind="TXT", value=value)
