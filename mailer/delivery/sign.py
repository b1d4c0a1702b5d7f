"""DKIM signatures (RFC 6376, RFC 8463) over headers and bodies that are canonical already."""

from __future__ import annotations

import hashlib
import logging
import re
from binascii import b2a_base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import idna
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from mailer.delivery.headers import LINE, relaxed
from mailer.errors import SettingsInvalid
from mailer.settings import DkimSettings

log = logging.getLogger(__name__)

#: Signed once more than they occur, so that none can be added on the way (section 8.15).
OVERSIGNED = (
    "from",
    "to",
    "subject",
    "date",
    "message-id",
    "reply-to",
    "mime-version",
    "content-type",
    "list-id",
    "list-unsubscribe",
    "list-unsubscribe-post",
    "feedback-id",
)
_RSA_LEAST = 1024
_RSA_ENOUGH = 2048
_SELECTOR = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9-]+)*")


@dataclass(frozen=True, kw_only=True)
class Key:
    """One private key, ready to sign; `algorithm` is the a= tag."""

    algorithm: str
    selector: str
    sign: Callable[[bytes], bytes]


@dataclass(frozen=True, kw_only=True)
class Signer:
    """The keys of one domain; each puts a signature of its own on every message."""

    domain: str
    keys: tuple[Key, ...]

    @classmethod
    def load(cls, settings: DkimSettings) -> Signer:
        """Read the keys; raises SettingsInvalid naming the setting, and how to mend it."""
        keys = []
        if settings.rsa_key:
            selector = checked_selector("dkim.rsa_selector", settings.rsa_selector)
            keys.append(_rsa(settings.rsa_key, selector))
        if settings.ed25519_key:
            selector = checked_selector("dkim.ed25519_selector", settings.ed25519_selector)
            keys.append(_ed25519(settings.ed25519_key, selector))
        if not keys:
            raise SettingsInvalid("dkim: no key; `mailer dkim new` makes one, or set rsa_key")
        return cls(domain=checked_domain(settings.domain), keys=tuple(keys))

    def seal(self, present: Sequence[str], *, unsigned: frozenset[str] = frozenset()) -> Seal:
        """Compile what is the same for all messages that have these headers.

        `unsigned` names, in lower case, headers that the relay rewrites.
        """
        have = [name.lower() for name in present]
        signed = tuple(name for name in OVERSIGNED if name not in unsigned)
        listed = sorted([*(name for name in signed if name in have), *signed], key=signed.index)
        stamps = tuple(_stamp(key, self.domain, listed) for key in self.keys)
        return Seal(signed=tuple(name for name in signed if name in have), stamps=stamps)


@dataclass(frozen=True, kw_only=True)
class Stamp:
    """One key's DKIM-Signature header, but for body hash and signature, as sent and canonical."""

    key: Key
    written: bytes
    canonical: bytes


@dataclass(frozen=True, kw_only=True)
class Seal:
    """Signs messages of one shape; `signed` are the headers to hand over, in this order."""

    signed: tuple[str, ...]
    stamps: tuple[Stamp, ...]

    def sign(self, canonical: bytes, body: bytes) -> bytes:
        """The DKIM-Signature headers of one message, with their line ends.

        `canonical` holds the relaxed forms of `signed`, each with CRLF; `body` must be its own
        relaxed form.
        """
        body_hash = b2a_base64(hashlib.sha256(body).digest(), newline=False)
        return b"".join(_stamped(stamp, canonical, body_hash) for stamp in self.stamps)


def _stamped(stamp: Stamp, canonical: bytes, body_hash: bytes) -> bytes:
    # Section 3.7: the header itself comes last, its b= empty, without a line end.
    signature = stamp.key.sign(canonical + stamp.canonical + body_hash + b"; b=")
    encoded = b2a_base64(signature, newline=False)
    lines = [encoded[start : start + LINE - 6] for start in range(0, len(encoded), LINE - 6)]
    return stamp.written + body_hash + b";\r\n b=" + b"\r\n  ".join(lines) + b"\r\n"


def _stamp(key: Key, domain: str, listed: Sequence[str]) -> Stamp:
    tags = (
        f"v=1; a={key.algorithm}; c=relaxed/relaxed;\r\n d={domain};\r\n s={key.selector};\r\n h="
    )
    value = tags + _folded_list(listed) + ";\r\n bh="
    return Stamp(
        key=key,
        written=b"DKIM-Signature: " + value.encode("ascii"),
        canonical=relaxed("dkim-signature", value.encode("ascii")).removesuffix(b"\r\n"),
    )


def _folded_list(names: Sequence[str]) -> str:
    lines = [names[0]]
    for name in names[1:]:
        if len(lines[-1]) + len(name) + 5 > LINE:
            lines.append(name)
        else:
            lines[-1] += ":" + name
    return ":\r\n  ".join(lines)


def checked_selector(setting: str, selector: str | None) -> str:
    """A selector that can stand in the DNS; raises SettingsInvalid naming the setting."""
    if not selector:
        raise SettingsInvalid(f"{setting}: missing; it names the DNS record of the key")
    if len(selector) > 63 or not _SELECTOR.fullmatch(selector):
        raise SettingsInvalid(f"{setting}: {selector!r} is no DNS label; use letters and digits")
    return selector


def checked_domain(domain: str) -> str:
    """The domain in ASCII; raises SettingsInvalid."""
    try:
        return idna.encode(domain, uts46=True, std3_rules=True).decode("ascii")
    except UnicodeError as exc:
        raise SettingsInvalid(f"dkim.domain: {domain!r} is no domain name; check it") from exc


def _rsa(path: Path, selector: str) -> Key:
    key = private_key("dkim.rsa_key", path)
    if not isinstance(key, RSAPrivateKey):
        raise SettingsInvalid(f"dkim.rsa_key: {path} holds no RSA key; check which file is which")
    if key.key_size < _RSA_LEAST:
        raise SettingsInvalid(
            f"dkim.rsa_key: {path} has {key.key_size} bits, which nobody accepts; "
            f"make one of {_RSA_ENOUGH} with `mailer dkim new`"
        )
    if key.key_size < _RSA_ENOUGH:
        log.warning("dkim.rsa_key: %s has %s bits; make one of 2048", path, key.key_size)
    padding, algorithm = PKCS1v15(), SHA256()

    def sign(octets: bytes) -> bytes:
        return key.sign(octets, padding, algorithm)

    return Key(algorithm="rsa-sha256", selector=selector, sign=sign)


def _ed25519(path: Path, selector: str) -> Key:
    key = private_key("dkim.ed25519_key", path)
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingsInvalid(
            f"dkim.ed25519_key: {path} holds no Ed25519 key; check which file is which"
        )

    def sign(octets: bytes) -> bytes:
        # RFC 8463 section 3: what Ed25519 signs is the SHA-256 hash.
        return key.sign(hashlib.sha256(octets).digest())

    return Key(algorithm="ed25519-sha256", selector=selector, sign=sign)


def private_key(setting: str, path: Path) -> object:
    """The key in a PEM file; raises SettingsInvalid naming the setting."""
    try:
        return load_pem_private_key(path.read_bytes(), password=None)
    except FileNotFoundError as exc:
        raise SettingsInvalid(f"{setting}: {path}: there is no such file; check the path") from exc
    except OSError as exc:
        raise SettingsInvalid(f"{setting}: {path} can't be read: {exc.strerror}") from exc
    except TypeError as exc:
        raise SettingsInvalid(
            f"{setting}: {path} is encrypted; store it without a passphrase, readable by Pressrun"
        ) from exc
    except (ValueError, UnsupportedAlgorithm) as exc:
        raise SettingsInvalid(f"{setting}: {path} is no private key in PEM form") from exc
