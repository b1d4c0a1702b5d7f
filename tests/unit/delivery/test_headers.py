"""Header values: encoded words, mailboxes, folding, canonical forms."""

from __future__ import annotations

from email import message_from_bytes
from email.header import decode_header, make_header
from email.policy import default

import pytest
from dkim.canonicalization import Relaxed
from hypothesis import given
from hypothesis import strategies as st

from mailer.delivery import headers
from mailer.errors import SettingsInvalid

ANY = st.text(st.characters(exclude_categories=[]), max_size=300)


def assert_folded(name: str, value: bytes) -> None:
    for number, line in enumerate(value.split(b"\r\n")):
        length = len(line) + (len(name) + 2 if number == 0 else 0)
        assert length <= 78 or b" " not in line.strip()
        assert line.strip()


@given(ANY)
def test_a_subject_comes_back_as_it_went(text: str) -> None:
    clean = headers.clean(text, 500)
    value = headers.unstructured(clean, "Subject")
    assert value.isascii()
    if clean:
        assert_folded("Subject", value)
    unfolded = value.replace(b"\r\n", b"").decode("ascii")
    assert str(make_header(decode_header(unfolded))) == clean


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("News of the week", b"News of the week", id="ASCII"),
        pytest.param(
            "=?utf-8?b?SGk=?=", b"=?utf-8?b?PT91dGYtOD9iP1NHaz0/PQ==?=", id="looks encoded"
        ),
        pytest.param("é", b"=?utf-8?b?w6k=?=", id="beyond ASCII"),
        pytest.param("x" * 1200, None, id="one endless word"),
        pytest.param("word " * 40, None, id="many words"),
    ],
)
def test_a_value_is_encoded_only_where_ascii_will_not_do(text: str, value: bytes | None) -> None:
    written = headers.unstructured(text, "Subject")
    assert_folded("Subject", written)
    assert value is None or written == value


def test_no_character_is_cut_between_encoded_words() -> None:
    text = "漢" * 100 + "👩‍🔬" * 20
    for word in headers.encoded_words(text):
        assert len(word) <= 75
        ((octets, _),) = decode_header(word.decode("ascii"))
        assert isinstance(octets, bytes)
        assert octets.decode()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("", b"<a@example.org>", id="none"),
        pytest.param("Ada Lovelace", b"Ada Lovelace <a@example.org>", id="atoms"),
        pytest.param('Ada "A." \\ L.', b'"Ada \\"A.\\" \\\\ L." <a@example.org>', id="quoted"),
        pytest.param("b@example.com", b'"b@example.com" <a@example.org>', id="an address"),
        pytest.param("Ada\r\nBcc: x@y.z", b'"Ada Bcc: x@y.z" <a@example.org>', id="line ends"),
        pytest.param("Zoë", b"=?utf-8?b?Wm/Dqw==?= <a@example.org>", id="beyond ASCII"),
        pytest.param(" \x00\ud800 ", b"<a@example.org>", id="nothing that can be shown"),
    ],
)
def test_a_mailbox_says_who_and_where(name: str, value: bytes) -> None:
    assert headers.mailbox("To", name, "a@example.org") == value


@given(ANY)
def test_a_mailbox_has_one_address_whatever_the_name(name: str) -> None:
    value = headers.mailbox("To", name, "ada@example.org")
    assert_folded("To", value)
    mail = message_from_bytes(b"To: " + value + b"\r\n\r\n", policy=default)
    assert [each.addr_spec for each in mail["To"].addresses] == ["ada@example.org"]
    assert list(mail.keys()) == ["To"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Subject", b"a  b\t c\r\n d  "),
        ("X-Odd", b"  \r\n x"),
        ("List-Unsubscribe", b"<https://a/b>,\r\n <mailto:c@d>"),
    ],
)
def test_the_canonical_form_is_that_of_the_standard(name: str, value: bytes) -> None:
    ((key, canonical),) = Relaxed.canonicalize_headers([(name.encode(), b" " + value + b"\r\n")])
    assert headers.relaxed(name, value) == key + b":" + canonical


def test_the_quick_canonical_form_is_the_same_where_it_is_used() -> None:
    for value in (b"a b\r\n c", b"<https://a/b>,\r\n <mailto:c@d>"):
        assert headers.unfolded("To", value) == headers.relaxed("To", value)


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        pytest.param({"X Y": "1"}, "is no header's name", id="blank in name"),
        pytest.param({"X:": "1"}, "is no header's name", id="colon in name"),
        pytest.param({"X-A\r\nBcc": "1"}, "is no header's name", id="line end in name"),
        pytest.param({"X-A": "1\r\nBcc: a@b"}, "line end or control", id="line end in value"),
        pytest.param({"X-A": "1\x00"}, "line end or control", id="NUL in value"),
        pytest.param({"X-A": " "}, "is empty", id="empty"),
        pytest.param({"bcc": "a@b"}, "written by Pressrun itself", id="Bcc"),
        pytest.param({"DKIM-Signature": "v=1"}, "written by Pressrun itself", id="ours"),
    ],
)
def test_a_relay_header_that_no_mail_may_hold_is_refused(extra: dict[str, str], words: str) -> None:
    with pytest.raises(SettingsInvalid, match=words):
        headers.relay_headers(extra)


def test_relay_headers_are_folded_and_encoded() -> None:
    extra = {"X-SES-CONFIGURATION-SET": "news", "X-Long": "word " * 30, "X-Name": "Zoë"}
    for name, value in headers.relay_headers(extra):
        assert_folded(name, value)
        assert value.isascii()
