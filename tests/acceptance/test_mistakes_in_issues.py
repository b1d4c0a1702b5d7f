"""Mistakes in issues, themes and campaigns are told by line, and nothing is scheduled."""

from __future__ import annotations

import json
import shutil

import pytest

from mailer import resources
from tests.acceptance.home import AT, FRONT, SCHEDULE, STATS, Home

# -- issues --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "issue.md:1:1: error: the front matter is missing"),
        (b"\xff\xfe\0", "issue.md:1:1: error: not UTF-8"),
        ("---\nsubject: x\n", "issue.md:1:1: error: the front matter is not closed"),
        ("---\nsubject: 'x\n---\nhi", "issue.md:2:12: error: not valid YAML"),
        ("---\nnumber: 3\n---\nhi", "issue.md:1:1: error: the subject is missing"),
        ("---\nsubject: x\nsubjekt: y\n---\nhi", "issue.md:3:1: error: unknown key 'subjekt'"),
        ("---\nsubject: x\nnumber: -1\n---\nhi", "issue.md:3:9: error: number"),
        ("---\nsubject: x\ndate: 2026-13-01\n---\nhi", "issue.md:3:7: error: date"),
        (FRONT, "the issue is empty; write something below"),
        (FRONT + "a\0b\n", "issue.md:6:2: error: control character U+0000; remove it"),
        (FRONT + "{{ subscriber.password }}\n", "issue.md:6:1: error: unknown merge field"),
        (FRONT + "Hello {{ subscriber.name\n", "issue.md:6:7: error: this {{ is never closed"),
        (FRONT + "{% if subscriber.name %}\n", "issue.md:6:1: error: this condition is not closed"),
        (FRONT + "[a](b.html)\n", "issue.md:6:5: error: relative link"),
        (FRONT + "[](https://example.com)\n", "issue.md:6:4: error: this link has no text"),
        (FRONT + "[a](javascript:x)\n", "issue.md:6:5: error: javascript: can't stand in mail"),
        (FRONT + "::nope[x]\n", "issue.md:6:1: error: unknown directive ::nope"),
        (FRONT + ">" * 3000 + " x\n", "issue.md:6:1: error: nested too deep"),
    ],
    ids=range(18),
)
def test_an_issue(home: Home, text: str | bytes, words: str) -> None:
    home.write("issue.md", text)
    home.mailer(*SCHEDULE, "--now").mistake(words)
    assert home.sql("SELECT count(*) FROM campaigns") == [(0,)]


def test_every_mistake_of_an_issue_is_told_at_once(home: Home) -> None:
    home.write("issue.md", FRONT + "[a](b.html)\n\n[](https://example.com)\n")
    told = home.mailer("issue", "check", "issue.md")
    assert told.code == 2
    assert [line.split(": ")[0] for line in told.out.splitlines()] == [
        "issue.md:6:5",
        "issue.md:8:4",
    ]


def test_an_issue_that_is_absent(home: Home) -> None:
    told = home.mailer("campaign", "schedule", "nope.md", "--now", "--yes")
    told.mistake("nope.md: there is no such file", "mailer issue new nope.md")


def test_a_theme_that_is_absent(home: Home) -> None:
    home.sql("UPDATE newsletters SET theme = 'nope'")
    told = home.mailer(*SCHEDULE, "--now")
    told.mistake("there is no theme 'nope'; there are digest")


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("layout.mjml.j2", "<mjml>{{ nobody.knows }}</mjml>", ("layout.mjml.j2:1:1", "nobody")),
        ("layout.mjml.j2", "<mjml>{% if %}", ("layout.mjml",)),
        ("layout.mjml.j2", "<mjml><mj-body>", ("layout.mjml",)),
        ("brand.toml", "colours = ", ("brand.toml",)),
    ],
)
def test_a_theme_that_is_broken(home: Home, name: str, text: str, words: tuple[str, ...]) -> None:
    theme = home.folder / "themes" / "broken"
    shutil.copytree(resources.templates() / "issue" / "digest", theme)
    (theme / name).write_text(text)
    home.sql("UPDATE newsletters SET theme = 'broken'")
    home.mailer(*SCHEDULE, "--now").mistake(*words)
    assert home.sql("SELECT count(*) FROM campaigns") == [(0,)]


# -- campaigns -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (SCHEDULE, "say when"),
        ((*AT, "tomorrow"), "says no time of day; write it as 9:00 or 17:30"),
        ((*AT, "2020-03-28 02:30"), "is past; add --now"),
        ((*AT, "9999-12-31 23:59"), "out of range"),
        ((*AT, "2099-12-01 09:00", "--timezone", "Mars/Base"), "Europe/Berlin or Asia/Tokyo"),
        (
            (*AT, "2027-03-28 02:30", "--timezone", "Europe/Berlin"),
            "does not exist in Europe/Berlin: clocks go forward over it;"
            " the next that does is 2027-03-28 03:30",
        ),
        ((*AT, "2027-10-31 02:30", "--timezone", "Europe/Berlin"), "say --earlier or --later"),
        (("campaign", "schedule", "issue.md", "--now"), "Nobody is here to answer: add --yes"),
        (("campaign", "status", "77"), "no campaign 77; `mailer campaign list`"),
        (("campaign", "status", "9" * 30), "`mailer campaign list`"),
        (("campaign", "pause", "77"), "`mailer campaign list`"),
        (("campaign", "pause"), "a campaign's number, or --all"),
        (("campaign", "resume", "77"), "`mailer campaign list`"),
        (("campaign", "cancel", "77", "--yes"), "`mailer campaign list`"),
        (("campaign", "report", "77"), "`mailer campaign list`"),
        (("campaign", "audit", "77"), "`mailer campaign list`"),
        (("campaign", "explain", "ann@example.com", "77"), "`mailer campaign list`"),
        (("campaign", "explain", "nobody", "77"), "has no @"),
        (("campaign", "test", "issue.md", "--to", "nobody"), "has no @"),
        (("campaign", "test", "issue.md", "--to", "me@example.com", "--to", "nobody"), "has no @"),
    ],
    ids=lambda value: "-".join(value[1:])[:60] if isinstance(value, tuple) else "",
)
def test_campaigns(home: Home, command: tuple[str, ...], words: str) -> None:
    home.mailer(*command).mistake(words)
    assert home.sql("SELECT count(*) FROM campaigns") == [(0,)]


def test_json_parses(home: Home) -> None:
    assert json.loads(home.mailer(*SCHEDULE, "--now", "--json").out)["campaign"] == 1
    for command in (
        STATS,
        ("subscribers", "show", "ann@example.com"),
        ("issue", "check", "issue.md"),
        *(("campaign", what, "1") for what in ("status", "report", "audit")),
        ("campaign", "list"),
        ("campaign", "explain", "ann@example.com", "1"),
    ):
        told = home.mailer(*command, "--json")
        json.loads(told.out)
        assert told.err == ""
