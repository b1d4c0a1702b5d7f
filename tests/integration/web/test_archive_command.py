"""`mailer archive`: old issues taken in, and the site as files."""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest
from lxml import html

from mailer.cli.app import main

SITE = "https://letters.example.com"
PAGE = """<html lang="de"><head><title>Ausgabe: Tests</title></head><body>
<h2 onclick="steal()">Hallo</h2><script>steal()</script><style>*{color:red}</style>
<p>Ein <a href="https://example.com/a">Link</a> und <a href="javascript:steal()">keiner</a>.</p>
<img src="https://count.example.com/open.gif" width="1" height="1"><iframe src="//x"></iframe>
<form action="https://evil.example.com"><input name="password"></form></body></html>"""
ISSUES = """id,subject,description,sent_at,number
11,"First, of two","<p>Hello</p>",2021-02-03 08:00:00 UTC,1
12,Never sent,"<p>Draft</p>",,
13,Second,"<p>Again<script>steal()</script></p>",2021-02-10 08:00:00 UTC,2
"""
ITEMS = [
    {"issue_id": 11, "order": 2, "item_type": "link", "title": "A <b>paper</b>",
     "url": "https://arxiv.org/abs/2101.00001", "description": "<p>Worth it.</p>"},
    {"issue_id": 11, "order": 1, "item_type": "header", "title": "Papers"},
]  # fmt: skip


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    run = ("--name", "Letters", "--from", "Ann <ann@example.com>", "--postal-address", "1 Road")
    assert mailer("init", *run, "--public-url", "https://news.example.com", "--yes") == 0
    return tmp_path


def mailer(*arguments: str) -> int:
    sys.argv = ["mailer", *arguments]
    try:
        main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def listed(heard: pytest.CaptureFixture[str], *command: str) -> list[dict[str, object]]:
    heard.readouterr()
    mailer(*command, "--json")
    told: list[dict[str, object]] = json.loads(heard.readouterr().out)
    return told


def test_old_issues_come_in_once_and_nothing_is_sent(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = home / "old"
    old.mkdir()
    (old / "2020-05-06-hallo.html").write_text(PAGE, encoding="utf-8")
    front = "---\nsubject: Twelve\nnumber: 12\ndate: 2020-12-24\n---\n\nHello.\n"
    (old / "twelve.md").write_text(front)
    (old / "undated.html").write_text("<title>When?</title><p>Nobody knows.</p>")
    (old / "notes.txt").write_text("no issue")

    tried = listed(capsys, "archive", "import", "old", "--dry-run")
    assert [str(row["result"]).partition(":")[0] for row in tried] == [
        "would come in",
        "would come in",
        "refused",
    ]
    assert listed(capsys, "archive", "list") == []

    done = listed(capsys, "archive", "import", "old", "--at", "2019-01-01")
    assert [row["result"] for row in done] == ["in the archive"] * 3
    again = listed(capsys, "archive", "import", "old", "--at", "2019-01-01")
    assert [row["result"] for row in again] == ["there already"] * 3
    shown = listed(capsys, "archive", "list")
    assert [(row["number"], row["title"], str(row["at"])[:10]) for row in shown] == [
        (12, "Twelve", "2020-12-24"),
        (None, "Ausgabe: Tests", "2020-05-06"),
        (None, "When?", "2019-01-01"),
    ]
    # Its number is taken: it can't go out by accident.
    assert mailer("subscribers", "add", "ann@example.com") == 0
    assert mailer("campaign", "schedule", "old/twelve.md", "--now", "--yes") == 2
    for campaign in listed(capsys, "campaign", "list"):
        assert (campaign["state"], campaign["audience"]) == ("finished", 0)


def test_a_revue_export_and_the_site_as_files(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with zipfile.ZipFile("revue.zip", "w") as archive:
        archive.writestr("export/issues_1.csv", ISSUES)
        archive.writestr("export/items_1.json", json.dumps(ITEMS))
    assert mailer("archive", "import", "revue.zip") == 0
    Path("page.html").write_text(PAGE, encoding="utf-8")
    assert mailer("archive", "import", "page.html", "--at", "2020-01-01") == 0
    assert mailer("archive", "build", "--out", "site", "--url", SITE) == 0

    site = home / "site"
    first = html.fromstring((site / "letters" / "1" / "index.html").read_text(encoding="utf-8"))
    words = first.text_content()
    assert words.index("Papers") < words.index("A <b>paper</b>") < words.index("Worth it.")
    assert first.xpath("//h3/a/@href") == ["https://arxiv.org/abs/2101.00001"]
    assert first.xpath("//form/@action") == ["https://news.example.com/s/letters"]
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        for trace in ("steal", "count.example.com", "evil.example.com", "iframe", "Draft"):
            assert trace not in text, (page, trace)
    feed = ElementTree.fromstring((site / "letters" / "feed.xml").read_bytes())
    assert len(feed.findall("{http://www.w3.org/2005/Atom}entry")) == 3
    places = ElementTree.fromstring((site / "sitemap.xml").read_bytes())
    for place in places.iter("{http://www.sitemaps.org/schemas/sitemap/0.9}loc"):
        path = str(place.text).removeprefix(SITE).lstrip("/")
        assert (site / path / "index.html").is_file(), path


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.zip", b"PK\x03\x04 no zip", "a.zip: this .zip can't be read"),
        ("absent.html", None, "absent.html: there is no such file"),
        ("a.txt", b"text", "there is no .md or .html file"),
    ],
)
def test_a_mistake_is_one_line(
    home: Path,
    name: str,
    content: bytes | None,
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if content is not None:
        (home / name).write_bytes(content)
    capsys.readouterr()
    assert mailer("archive", "import", name) == 2
    told = capsys.readouterr().err
    assert words in told
    assert told.count("\n") == 1


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"<script>x</script>", b"<title>x</title>"])
def test_what_is_no_issue_is_refused_and_the_others_come_in(
    home: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "bad-2020-01-01.html").write_bytes(content)
    (home / "good-2020-01-02.html").write_text("<title>Good</title><p>Good</p>")
    told = listed(capsys, "archive", "import", "bad-2020-01-01.html", "good-2020-01-02.html")
    assert [str(row["result"]).partition(":")[0] for row in told] == ["refused", "in the archive"]


@pytest.mark.parametrize("day", ["garbage", "2021-02-30", "2021-03-01 09:00", ""])
def test_a_day_that_is_none_is_told_as_it_was_written(
    day: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "old.html").write_text(PAGE)
    capsys.readouterr()
    assert mailer("archive", "import", "old.html", "--at", day) == 2
    told = capsys.readouterr().err
    assert told == f"mailer: --at: {day!r} is no day; write it as 2021-03-01\n"
