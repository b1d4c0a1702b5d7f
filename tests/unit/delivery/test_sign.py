"""Keys, and signatures that a verifier sharing no code with us accepts."""

from __future__ import annotations

import base64
import dataclasses
import logging
import re
from pathlib import Path
from typing import Any

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from mailer.delivery.dialects import DIALECTS
from mailer.delivery.model import Message
from mailer.delivery.sign import OVERSIGNED, Signer
from mailer.errors import SettingsInvalid
from mailer.settings import DkimSettings
from tests.unit.delivery.letters import (
    ADA,
    CHINESE,
    DATE,
    HTML,
    NEWSLETTER,
    assert_fit_for_the_wire,
    composer,
    rendering,
)

PrivateKey = rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey


@dataclasses.dataclass(frozen=True, kw_only=True)
class KeyFiles:
    """A folder of keys, and the DNS that publishes them."""

    folder: Path
    records: dict[bytes, bytes]

    def settings(self, *kinds: str) -> DkimSettings:
        return DkimSettings(
            domain="example.org",
            rsa_selector="r2026" if "rsa" in kinds else None,
            rsa_key=self.folder / "rsa.pem" if "rsa" in kinds else None,
            ed25519_selector="e2026" if "ed25519" in kinds else None,
            ed25519_key=self.folder / "ed25519.pem" if "ed25519" in kinds else None,
        )

    def verifies(self, content: bytes, index: int = 0) -> bool:
        def dnsfunc(name: bytes, timeout: int = 5) -> bytes | None:
            return self.records.get(name)

        try:
            return bool(dkim.DKIM(content).verify(idx=index, dnsfunc=dnsfunc))
        except dkim.ValidationError:  # a body hash that differs is told this way
            return False


def write(path: Path, key: PrivateKey, password: bytes | None = None) -> Path:
    encryption = (
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption()
    )
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    )
    return path


def record(key: PrivateKey) -> bytes:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        raw = key.public_key().public_bytes_raw()
        return b"v=DKIM1; k=ed25519; p=" + base64.b64encode(raw)
    der = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return b"v=DKIM1; k=rsa; p=" + base64.b64encode(der)


def weak_key() -> rsa.RSAPrivateKey:
    """An RSA key of 511 bits, which no generator makes any more, from two well-known primes."""
    p, q, e = 2**255 - 19, 2**256 - 2**224 + 2**192 + 2**96 - 1, 65539
    d = pow(e, -1, (p - 1) * (q - 1))
    numbers = rsa.RSAPrivateNumbers(
        p=p,
        q=q,
        d=d,
        dmp1=rsa.rsa_crt_dmp1(d, p),
        dmq1=rsa.rsa_crt_dmq1(d, q),
        iqmp=rsa.rsa_crt_iqmp(p, q),
        public_numbers=rsa.RSAPublicNumbers(e, p * q),
    )
    return numbers.private_key()


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> KeyFiles:
    folder = tmp_path_factory.mktemp("keys")
    of_rsa = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    of_ed25519 = ed25519.Ed25519PrivateKey.generate()
    write(folder / "rsa.pem", of_rsa)
    write(folder / "ed25519.pem", of_ed25519)
    return KeyFiles(
        folder=folder,
        records={
            b"r2026._domainkey.example.org.": record(of_rsa),
            b"e2026._domainkey.example.org.": record(of_ed25519),
        },
    )


def signed(keys: KeyFiles, *kinds: str, name: str = "Ada", **options: Any) -> Message:
    made = composer(signer=Signer.load(keys.settings(*kinds)), **options)
    message = made.compose(dataclasses.replace(ADA, name=name), date=DATE)
    assert_fit_for_the_wire(message)
    return message


@pytest.mark.parametrize("kinds", [("rsa",), ("ed25519",), ("rsa", "ed25519")], ids="+".join)
@pytest.mark.parametrize("html", [HTML, HTML + CHINESE * 30], ids=["markup", "Chinese"])
def test_each_signature_verifies(keys: KeyFiles, kinds: tuple[str, ...], html: str) -> None:
    content = signed(keys, *kinds, of=rendering(html=html), inbound_domain="in.example.org").content
    assert content.count(b"DKIM-Signature: ") == len(kinds)
    for index in range(len(kinds)):
        assert keys.verifies(content, index)


@settings(max_examples=60)
@given(name=st.text(st.characters(exclude_categories=[]), max_size=200))
def test_a_signature_verifies_whatever_the_name(keys: KeyFiles, name: str) -> None:
    assert keys.verifies(signed(keys, "ed25519", name=name).content)


@pytest.mark.parametrize(
    "added",
    [
        b"From: x@evil.example",
        b"Subject: Win!",
        b"Reply-To: x@evil.example",
        b"To: y@z.example",
        b"List-Unsubscribe: <https://evil.example>",
        b"Content-Type: text/plain",
    ],
    ids=lambda added: added.partition(b":")[0].decode(),
)
def test_no_signed_header_can_be_added_on_the_way(keys: KeyFiles, added: bytes) -> None:
    content = signed(keys, "rsa", "ed25519").content
    for index in range(2):
        assert not keys.verifies(added + b"\r\n" + content, index)


def test_no_octet_can_be_changed_on_the_way(keys: KeyFiles) -> None:
    content = signed(keys, "ed25519").content
    for old, new in [(b"Dear", b"Bear"), (b"One-Click", b"One-Clack"), (b"/u/", b"/v/")]:
        assert old in content
        assert not keys.verifies(content.replace(old, new, 1))


def test_both_unsubscribe_headers_are_signed_and_no_length_is_given(keys: KeyFiles) -> None:
    head = signed(keys, "rsa").content.partition(b"\r\nFrom:")[0].replace(b"\r\n", b"")
    listed = re.search(r"h=([^;]*);", head.decode())
    assert listed is not None
    names = re.sub(r"\s", "", listed[1]).split(":")
    present = set(OVERSIGNED) - {"reply-to"}
    assert {name: names.count(name) for name in OVERSIGNED} == {
        name: 2 if name in present else 1 for name in OVERSIGNED
    }
    assert b" l=" not in head


def test_what_the_relay_rewrites_is_not_signed(keys: KeyFiles) -> None:
    content = signed(keys, "ed25519", dialect=DIALECTS["ses"]).content
    assert keys.verifies(content)
    changed = re.sub(rb"Message-ID: .*", b"Message-ID: <1@ses.example>\r", content)
    changed = re.sub(rb"\nDate: .*", b"\nDate: Tue, 24 Nov 2026 00:00:00 +0000\r", changed)
    assert changed != content
    assert keys.verifies(changed)


def test_a_message_beyond_ascii_verifies(keys: KeyFiles) -> None:
    made = composer(signer=Signer.load(keys.settings("rsa")))
    message = made.compose(dataclasses.replace(ADA, address="zoë@bücher.example"), date=DATE)
    assert message.smtputf8
    assert keys.verifies(message.content)


def test_a_foreign_signing_domain_is_warned_of(
    keys: KeyFiles, caplog: pytest.LogCaptureFixture
) -> None:
    for domain, warned in [("news.example.org", False), ("ample.org", True), ("a.example", True)]:
        caplog.clear()
        signer = dataclasses.replace(Signer.load(keys.settings("rsa")), domain=domain)
        composer(signer=signer, newsletter=NEWSLETTER)
        assert ("DMARC" in caplog.text) is warned


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({"rsa_key": None}, "no key", id="no key"),
        pytest.param({"rsa_selector": None}, "dkim.rsa_selector: missing", id="no selector"),
        pytest.param({"rsa_selector": "a;\r\n b"}, "is no DNS label", id="bad selector"),
        pytest.param({"domain": "exa mple"}, "dkim.domain: 'exa mple'", id="bad domain"),
        pytest.param({"rsa_key": "gone.pem"}, "there is no such file", id="no file"),
        pytest.param({"rsa_key": "."}, "can't be read", id="a folder"),
        pytest.param({"rsa_key": "ed25519.pem"}, "holds no RSA key", id="Ed25519 for RSA"),
        pytest.param({"rsa_key": "ec.pem"}, "holds no RSA key", id="elliptic curve"),
        pytest.param(
            {"rsa_key": None, "ed25519_key": "rsa.pem", "ed25519_selector": "e"},
            "holds no Ed25519 key",
            id="RSA for Ed25519",
        ),
        pytest.param({"rsa_key": "secret.pem"}, "is encrypted", id="passphrase"),
        pytest.param({"rsa_key": "text.pem"}, "no private key in PEM form", id="no PEM"),
        pytest.param({"rsa_key": "weak.pem"}, "511 bits", id="too weak"),
    ],
)
def test_a_key_that_can_not_sign_is_refused(
    keys: KeyFiles, change: dict[str, str | None], words: str
) -> None:
    write(keys.folder / "ec.pem", ec.generate_private_key(ec.SECP256R1()))
    write(keys.folder / "secret.pem", ed25519.Ed25519PrivateKey.generate(), b"open sesame")
    (keys.folder / "text.pem").write_text("not a key")
    write(keys.folder / "weak.pem", weak_key())
    files = {
        name: keys.folder / value if name.endswith("_key") and value else value
        for name, value in change.items()
    }
    with pytest.raises(SettingsInvalid, match=words):
        Signer.load(keys.settings("rsa").model_copy(update=files))


def test_a_key_of_1024_bits_signs_with_a_warning(
    keys: KeyFiles, caplog: pytest.LogCaptureFixture
) -> None:
    short = write(keys.folder / "short.pem", rsa.generate_private_key(65537, 1024))
    with caplog.at_level(logging.WARNING):
        Signer.load(keys.settings("rsa").model_copy(update={"rsa_key": short}))
    assert "1024 bits" in caplog.text
