"""`mailer inbound parse`, as a person and as a program use it."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from mailer.cli.inbound import app
from mailer.errors import InboundUnreadable
from tests.unit.feedback.test_bounce_families import MESSAGES, message


def test_it_tells_a_line_a_recipient() -> None:
    run = CliRunner().invoke(app, ["parse", str(MESSAGES / "exim-two.eml")])

    lines = [line.split("\t")[1:] for line in run.stdout.splitlines()]
    assert lines == [
        ["bounce", "one@example.net", "hard", "5.1.1", "no-such-user"],
        ["bounce", "two@example.net", "soft", "5.7.1", "policy"],
    ]


def test_it_tells_json_of_standard_input() -> None:
    run = CliRunner().invoke(app, ["parse", "-", "--json"], input=message("vacation-plain"))

    (row,) = json.loads(run.stdout)
    assert (row["kind"], row["recipient"], row["hard"]) == (
        "auto-reply",
        "reader@example.net",
        False,
    )
    assert {"status", "reason", "code", "evidence"} <= set(row)


def test_an_mbox_is_many_messages() -> None:
    names = ("qmail-local", "arf-no-recipient", "exim-two")
    start = b"From MAILER-DAEMON Thu Apr 29 23:34:45 2021\n"
    mbox = b"\n".join(start + message(name) for name in names)

    run = CliRunner().invoke(app, ["parse", "-", "--json"], input=mbox)

    found = [(row["kind"], row["recipient"]) for row in json.loads(run.stdout)]
    assert found == [
        ("bounce", "reader@example.net"),
        ("complaint", ""),
        ("bounce", "one@example.net"),
        ("bounce", "two@example.net"),
    ]


def test_a_missing_file_is_one_clear_line() -> None:
    run = CliRunner().invoke(app, ["parse", "nowhere.eml"])

    assert isinstance(run.exception, InboundUnreadable)
    with pytest.raises(
        InboundUnreadable, match=r"^nowhere\.eml: No such file or directory; name a"
    ):
        raise run.exception
