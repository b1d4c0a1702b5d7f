"""Tokens in links and Return-Paths, and the keyed hashes of addresses: pure, no clock.

A token is key id (1 byte), number (8 bytes), and the first 128 bits of an HMAC-SHA256 over
scope, key id and number: nobody without the key can make one, and one made for a scope is
worth nothing in another. Keys rotate; a retired one verifies for a year more.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache

from subscribers.errors import KeyringInvalid, TokenInvalid

VERIFIES_AFTER_RETIREMENT = timedelta(days=365)
VERP_PREFIX = "b-"

_KEY_BYTES = 32
_MAC_BYTES = 16
_NUMBER_BYTES = 8
_TOKEN_BYTES = 1 + _NUMBER_BYTES + _MAC_BYTES
_TOKEN_CHARACTERS = 34  # base64 without padding
_VERP_CHARACTERS = 40  # base32, which 25 bytes fill without padding
_HEADER = "# Pressrun's keys. Keep them secret, keep them: links in mail already sent need them."


class Scope(StrEnum):
    """What a token is good for."""

    #: Names a delivery in a Return-Path.
    VERP = "verp"
    #: Ends a subscription.
    UNSUBSCRIBE = "unsubscribe"
    #: Shows a message in the browser.
    VIEW = "view"
    #: Confirms an address.
    CONFIRM = "confirm"
    #: Opens a person's own settings.
    PREFERENCES = "preferences"
    #: Follows a link.
    CLICK = "click"
    #: Shows all that is known of a person.
    DATA = "data"
    #: Erases a person.
    ERASE = "erase"


@dataclass(frozen=True, kw_only=True)
class SigningKey:
    """One key; `retired_at` is None for the one that signs."""

    id: int
    secret: bytes
    retired_at: datetime | None = None

    def __repr__(self) -> str:
        """Never the secret: values end up in logs."""
        return f"SigningKey(id={self.id}, retired_at={self.retired_at})"

    def verifies(self, now: datetime) -> bool:
        """Whether what it signed still counts."""
        return self.retired_at is None or now < self.retired_at + VERIFIES_AFTER_RETIREMENT


@dataclass(frozen=True, kw_only=True)
class Keyring:
    """The signing keys, newest first, and the one hash key that never rotates.

    The hash key can't: suppressions outlive every key and are compared by its hashes.
    """

    signing: tuple[SigningKey, ...]
    hash_key: bytes

    def __repr__(self) -> str:
        """Never the secrets."""
        return f"Keyring(signing={self.signing})"

    @classmethod
    def generate(cls) -> Keyring:
        """Make a new one from the system's randomness."""
        first = SigningKey(id=1, secret=secrets.token_bytes(_KEY_BYTES))
        return cls(signing=(first,), hash_key=secrets.token_bytes(_KEY_BYTES))

    @classmethod
    def parse(cls, text: str) -> Keyring:
        """Read what `to_text` wrote; raises KeyringInvalid, naming the line and no secret."""
        signing: list[SigningKey] = []
        hash_key: bytes | None = None
        for number, line in enumerate(text.replace(";", "\n").splitlines(), start=1):
            words = line.split()
            if not words or words[0].startswith("#"):
                continue
            try:
                if words[0] == "hash" and hash_key is None:
                    hash_key = _secret(*words[1:])
                else:
                    signing.append(_signing_key(words))
            except (ValueError, TypeError) as exc:
                message = f"keys, line {number}: not a key as Pressrun writes them"
                raise KeyringInvalid(f"{message}; restore the file from a backup") from exc
        return cls(signing=_checked(signing), hash_key=_present(hash_key))

    def to_text(self) -> str:
        """Write it as lines of text, for a file that only the owner may read."""
        lines = [_HEADER, f"hash {_encode(self.hash_key)}"]
        for key in self.signing:
            retired = f" retired {key.retired_at.isoformat()}" if key.retired_at else ""
            lines.append(f"sign {key.id} {_encode(key.secret)}{retired}")
        return "\n".join(lines) + "\n"

    def rotate(self, now: datetime) -> Keyring:
        """Sign with a new key from now on; keys that verify nothing any more are dropped."""
        retired = replace(self.signing[0], retired_at=now.astimezone(UTC))
        kept = (retired, *(key for key in self.signing[1:] if key.verifies(now)))
        used = {key.id for key in kept}
        ids = [(retired.id + step - 1) % 255 + 1 for step in range(1, 255)]
        free = next((number for number in ids if number not in used), None)
        if free is None:
            raise KeyringInvalid("255 keys are still needed; rotate less often than daily")
        newest = SigningKey(id=free, secret=secrets.token_bytes(_KEY_BYTES))
        return replace(self, signing=(newest, *kept))

    def address_hash(self, address_key: str) -> bytes:
        """16 bytes that stand for an address key where the address itself must not be."""
        mac = _keyed(self.hash_key).copy()
        mac.update(address_key.encode())
        return mac.digest()[:_MAC_BYTES]

    @property
    def fingerprint(self) -> str:
        """Tells whether two installations have the same hash key, and not what it is."""
        return hmac.digest(self.hash_key, b"fingerprint", "sha256").hex()[:16]

    def domain_hash(self, domain: str) -> bytes:
        """16 bytes that stand for a whole (ASCII, lower-case) domain."""
        return _domain_hash(self.hash_key, domain)

    def derived_secret(self, purpose: str, seed: str) -> bytes:
        """32 secret bytes for a purpose, the same ever after: only the seed need be stored.

        From the key that never rotates, since others know the secret and keep it.
        """
        return hmac.digest(self.hash_key, f"{purpose}:{seed}".encode(), "sha256")

    def as_of(self, moment: datetime) -> Keyring:
        """The same keys, signing with the one that signed at that time.

        What is tried again must carry the same tokens, though the keys were rotated meanwhile.
        """
        still = [key for key in self.signing if key.retired_at and key.retired_at > moment]
        if not still:
            return self
        first = min(still, key=lambda key: key.retired_at or moment)
        return replace(self, signing=(first, *(key for key in self.signing if key is not first)))

    def key(self, key_id: int, now: datetime) -> SigningKey | None:
        """The key with this id, where it still verifies."""
        for key in self.signing:
            if key.id == key_id and key.verifies(now):
                return key
        return None


# An import hashes millions: what the key alone decides is done once.
@lru_cache(maxsize=8)
def _keyed(hash_key: bytes) -> hmac.HMAC:
    return hmac.new(hash_key, digestmod="sha256")


# Many people share few domains.
@lru_cache(maxsize=1 << 14)
def _domain_hash(hash_key: bytes, domain: str) -> bytes:
    return hmac.digest(hash_key, f"@{domain}".encode(), "sha256")[:_MAC_BYTES]


def make(keyring: Keyring, scope: Scope, number: int) -> str:
    """Make a URL token, 34 characters of base64url, for a number from 0 to 2**64 - 1."""
    return _encode(_make(keyring, scope, number))


def read(keyring: Keyring, scope: Scope, token: str, *, now: datetime) -> int:
    """Give the number in a token; raises TokenInvalid where it is not of ours or too old."""
    if len(token) != _TOKEN_CHARACTERS:
        raise TokenInvalid
    try:
        raw = base64.urlsafe_b64decode(f"{token}==")
    except (binascii.Error, ValueError) as exc:
        raise TokenInvalid from exc
    # Python's decoder skips foreign characters and ignores the last four bits: one number
    # must have one spelling.
    if len(raw) != _TOKEN_BYTES or _encode(raw) != token:
        raise TokenInvalid
    return _read(keyring, scope, raw, now)


def make_verp(keyring: Keyring, delivery_id: int) -> str:
    """Make the local part of a delivery's Return-Path: 42 characters, lower case."""
    encoded = base64.b32encode(_make(keyring, Scope.VERP, delivery_id))
    return VERP_PREFIX + encoded.decode("ascii").lower()


def read_verp(keyring: Keyring, local_part: str, *, now: datetime) -> int:
    """Give the delivery a Return-Path names; servers may have changed its case.

    Raises TokenInvalid.
    """
    prefix, encoded = local_part[: len(VERP_PREFIX)], local_part[len(VERP_PREFIX) :]
    if prefix.lower() != VERP_PREFIX or len(encoded) != _VERP_CHARACTERS:
        raise TokenInvalid
    try:
        raw = base64.b32decode(encoded, casefold=True)
    except (binascii.Error, ValueError) as exc:
        raise TokenInvalid from exc
    if len(raw) != _TOKEN_BYTES:
        raise TokenInvalid
    return _read(keyring, Scope.VERP, raw, now)


def _make(keyring: Keyring, scope: Scope, number: int) -> bytes:
    key = keyring.signing[0]
    head = bytes((key.id,)) + number.to_bytes(_NUMBER_BYTES)
    return head + _mac(key, scope, head)


def _read(keyring: Keyring, scope: Scope, raw: bytes, now: datetime) -> int:
    head, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
    key = keyring.key(head[0], now)
    if key is None or not hmac.compare_digest(mac, _mac(key, scope, head)):
        raise TokenInvalid
    return int.from_bytes(head[1:])


def _mac(key: SigningKey, scope: Scope, head: bytes) -> bytes:
    return hmac.digest(key.secret, scope.encode() + b"\0" + head, "sha256")[:_MAC_BYTES]


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _secret(text: str) -> bytes:
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if len(raw) != _KEY_BYTES:
        raise ValueError("a key has 32 bytes")
    return raw


def _signing_key(words: list[str]) -> SigningKey:
    kind, number, secret, *retirement = words
    retired_at = None
    if retirement:
        word, moment = retirement
        retired_at = datetime.fromisoformat(moment)
        if word != "retired" or retired_at.tzinfo is None:
            raise ValueError("a retirement has a time with its zone")
    if kind != "sign" or not 1 <= int(number) <= 255:
        raise ValueError("a key's id is 1 to 255")
    return SigningKey(id=int(number), secret=_secret(secret), retired_at=retired_at)


def _checked(signing: list[SigningKey]) -> tuple[SigningKey, ...]:
    if len([key for key in signing if key.retired_at is None]) != 1:
        raise KeyringInvalid("the keys need exactly one that signs; restore them from a backup")
    if len({key.id for key in signing}) != len(signing):
        raise KeyringInvalid("two keys have the same id; restore the keys from a backup")
    return tuple(sorted(signing, key=lambda key: key.retired_at is not None))


def _present(hash_key: bytes | None) -> bytes:
    if hash_key is None:
        raise KeyringInvalid("the keys have no hash key; restore them from a backup")
    return hash_key
