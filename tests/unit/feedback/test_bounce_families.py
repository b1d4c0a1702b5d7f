"""What the families of mail servers write, and what each message means."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mailer.feedback.understand import understand
from mailer.feedback.understood import Kind

MESSAGES = Path(__file__).parents[2] / "data" / "bounces"
EXPECTED = json.loads((MESSAGES / "expected.json").read_text(encoding="utf-8"))
LINE_ENDS = {"LF": b"\n", "CRLF": b"\r\n", "CR": b"\r"}


def message(name: str, line_end: bytes = b"\n") -> bytes:
    return (MESSAGES / f"{name}.eml").read_bytes().replace(b"\n", line_end)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_family_is_understood(name: str) -> None:
    expected = EXPECTED[name]

    understood = understand(message(name))

    assert understood.kind == expected["kind"]
    hard = {row["recipient"]: row["hard"] for row in expected["recipients"]}
    assert {report.recipient: report.hard for report in understood.recipients} == hard
    for row in expected["recipients"]:
        reasons = {report.recipient: report.reason for report in understood.recipients}
        assert row["reason"] in (None, reasons[row["recipient"]])


@pytest.mark.parametrize("line_end", LINE_ENDS.values(), ids=LINE_ENDS.keys())
@pytest.mark.parametrize("name", EXPECTED)
def test_line_ends_change_nothing(name: str, line_end: bytes) -> None:
    assert understand(message(name, line_end)) == understand(message(name))


@pytest.mark.parametrize("name", EXPECTED)
def test_every_beginning_is_read(name: str) -> None:
    whole = message(name)

    for end in range(0, len(whole), 37):
        understood = understand(whole[:end])
        if EXPECTED[name]["kind"] not in (Kind.BOUNCE, Kind.COMPLAINT):
            assert not any(report.hard for report in understood.recipients)


def test_the_marks_of_our_copy_are_found() -> None:
    understood = understand(message("verp-named"))

    assert understood.tokens == (
        "b-aeaaaaaaaaaaaac5rk5m2k7zqkz3h6qfd4gqgq2w",
        "AQAAAAAAAAAHabcdefghijklmnop_-qrst",
    )
    assert understood.message_id == "<AQAAAAAAAAAHabcdefghijklmnop_-qrst@news.example>"


def test_a_request_carries_its_token() -> None:
    assert understand(message("unsubscribe-token")).request == "AQAAAAAAAAAHabcdefghijklmnop_-qrst"
    assert understand(message("unsubscribe-word")).request == ""


def test_an_authentication_report_is_no_persons_complaint() -> None:
    report = message("arf-plain").replace(b"Feedback-Type: abuse", b"Feedback-Type: auth-failure")

    assert understand(message("arf-plain")).is_complaint_of_person
    assert understand(report).kind is Kind.COMPLAINT
    assert not understand(report).is_complaint_of_person
