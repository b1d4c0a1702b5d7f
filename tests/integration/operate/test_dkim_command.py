"""`mailer dkim`: keys made, kept, published; a verifier of others accepts what they sign."""

from __future__ import annotations

import json
import re
import tomllib

import dkim
import pytest

from mailer.delivery.headers import relaxed
from mailer.delivery.sign import Signer
from mailer.settings import load
from tests.integration.operate.conftest import Home


@pytest.fixture
def home(home_on_sqlite: Home) -> Home:
    """Keys have nothing to do with the database."""
    return home_on_sqlite


@pytest.mark.parametrize(
    ("arguments", "kind"), [((), "rsa"), (("--ed25519",), "ed25519")], ids=["rsa", "ed25519"]
)
def test_a_key_is_made_published_and_signs(
    home: Home, arguments: tuple[str, ...], kind: str
) -> None:
    said = home.run("dkim", "new", "--selector", "s1", "--add", "--json", *arguments)
    told = json.loads(said.out)
    key = home.folder / "dkim-s1.pem"
    assert key.stat().st_mode & 0o777 == 0o600
    assert told["name"] == "s1._domainkey.example.com"
    assert f"k={kind};" in told["value"]
    settings = load(home.settings).dkim
    assert settings is not None
    assert settings.domain == "example.com"
    assert getattr(settings, f"{kind}_key") == home.folder / "dkim-s1.pem"
    assert json.loads(home.run("dkim", "show", "--json").out)[0]["value"] == told["value"]
    assert is_verified(home, told["value"])


def is_verified(home: Home, record: str) -> bool:
    """What the key signs, judged by dkimpy with the record as it is printed."""
    settings = load(home.settings).dkim
    assert settings is not None
    seal = Signer.load(settings).seal(["From"])
    signature = seal.sign(relaxed("from", b"weekly@example.com"), b"hello\r\n")
    content = signature + b"From: weekly@example.com\r\n\r\nhello\r\n"

    def answer(name: bytes, timeout: int = 5) -> bytes | None:
        return record.encode() if name == b"s1._domainkey.example.com." else None

    return bool(dkim.DKIM(content).verify(dnsfunc=answer))


def test_long_values_are_cut_into_strings(home: Home) -> None:
    said = home.run("dkim", "new", "--selector", "s1").out
    [line] = re.findall(r"^publish   (.*)$", said, re.MULTILINE)
    name, _, strings = line.partition(" IN TXT ")
    assert name == "s1._domainkey.example.com."
    parts = re.findall(r'"([^"]*)"', strings)
    assert [len(part) <= 255 for part in parts] == [True, True]
    assert "".join(parts).startswith("v=DKIM1; k=rsa; p=MIIB")


def test_a_key_is_never_overwritten(home: Home) -> None:
    home.run("dkim", "new", "--selector", "s1")
    before = (home.folder / "dkim-s1.pem").read_bytes()
    said = home.run("dkim", "new", "--selector", "s1", code=2)
    assert "is there already" in said.err
    said = home.run("dkim", "new", "--selector", "s1", "--ed25519", "--add", code=2)
    assert "dkim-s1.pem" in said.err
    assert (home.folder / "dkim-s1.pem").read_bytes() == before
    assert "dkim" not in tomllib.loads(home.settings.read_text())


def test_a_key_whose_record_was_published_first_is_put_to_use(home: Home) -> None:
    published = json.loads(home.run("dkim", "new", "--selector", "s1", "--json").out)["value"]
    assert "there     " in home.run("dkim", "new", "--selector", "s1", "--add").out
    assert json.loads(home.run("dkim", "show", "--json").out)[0]["value"] == published
    assert is_verified(home, published)


def test_the_second_kind_joins_the_first_and_a_second_of_a_kind_does_not(home: Home) -> None:
    home.run("dkim", "new", "--selector", "s1", "--add")
    home.run("dkim", "new", "--selector", "e1", "--ed25519", "--add")
    assert len(json.loads(home.run("dkim", "show", "--json").out)) == 2
    said = home.run("dkim", "new", "--selector", "s2", "--add", code=2)
    assert "rsa_selector, rsa_key already" in said.err
    assert not (home.folder / "dkim-s2.pem").exists()


def test_what_a_comment_says_is_no_section(home: Home) -> None:
    home.settings.write_text(home.settings.read_text() + '\n# [dkim]\n# domain = "x"\n')
    home.run("dkim", "new", "--selector", "s1", "--add")
    assert tomllib.loads(home.settings.read_text())["dkim"]["domain"] == "example.com"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("new", "--selector", "../x"), "--selector: '../x' is no DNS label"),
        (("new", "--selector", "s1", "--domain", "exa mple"), "is no domain name"),
        (("show",), "`mailer dkim new --add` begins"),
    ],
)
def test_a_mistake_is_one_line(home: Home, arguments: tuple[str, ...], words: str) -> None:
    said = home.run("dkim", *arguments, code=2)
    assert words in said.err
    assert said.err.count("\n") == 1
    assert [path.name for path in home.folder.glob("*.pem")] == []
