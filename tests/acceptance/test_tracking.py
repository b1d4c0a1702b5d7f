"""Opens and clicks from end to end: an issue in mail, readers and machines, a report."""

from __future__ import annotations

import json
import re
import signal
import sys
from collections.abc import Callable
from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select, update

from mailer.cli.app import main
from mailer.delivery.tables import outcomes
from tests.acceptance.installation import Installation
from tests.services.process import free_port
from tests.services.smtp import SmtpSink

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
ISSUE = """---
subject: Links
number: 1
preheader: of this week
---
Read [the first](https://first.example/?a=1&b=2), [the second](https://second.example/)
or [your own](https://own.example/{{ subscriber.id }}).
"""


def links_in(message: bytes, kind: str) -> list[str]:
    mail = message_from_bytes(message, policy=policy.default)
    part = mail.get_body((kind,))  # type: ignore[attr-defined]
    return re.findall(r'(?:href="|src="|<)(http[^"<>]*)', part.get_content())


def age(installation: Installation) -> None:
    """Let it be an hour ago that the relay took the copies: nobody clicks within seconds."""
    with installation.database.write() as session:
        at = session.scalars(select(outcomes.c.at)).first()
        assert at is not None
        session.execute(update(outcomes).values(at=at - timedelta(hours=1)))


Mailer = Callable[..., str]


@pytest.fixture
def mailer(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Mailer:
    """Run `mailer …` in this process, which must go well; gives what it said."""

    def run(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["mailer", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        assert not ended.value.code, said.err
        return said.out

    return run


@pytest.mark.parametrize(("kind", "mode"), [("sqlite", "full"), ("postgres", "anonymous")])
def test_from_the_newsletter_to_the_report(
    kind: str,
    mode: str,
    mailer: Mailer,
    tmp_path: Path,
    smtp_sink: SmtpSink,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    port = free_port()
    installation = Installation(
        folder=tmp_path,
        database_url=request.getfixturevalue(f"{kind}_url"),
        broker_url=None,
        sink_port=smtp_sink.port,
        sink_log=tmp_path / "unused",
        extra={"PRESSRUN_PUBLIC_URL": f"http://127.0.0.1:{port}"},
    )
    monkeypatch.chdir(tmp_path)
    for name, value in installation.environment.items():
        monkeypatch.setenv(name, value)
    try:
        installation.add_people(2)
        done = mailer("newsletter", "set", "weekly", "--tracking", mode)
        assert done == f"tracking\toff\t{mode}\n"
        (tmp_path / "issue.md").write_text(ISSUE, encoding="utf-8")
        scheduled = mailer("campaign", "schedule", "issue.md", "--now", "--yes", "--json")
        campaign = json.loads(scheduled)["campaign"]
        serving = installation.start("serve", "--port", str(port))
        installation.wait_until_over(campaign)
        age(installation)
        copies = [smtp_sink.copies(f"p{n}@example.com")[0].content for n in range(2)]
        first, second = (links_in(copy, "html") for copy in copies)
        counted = [url for url in first if "/c/" in url]
        assert [url.rpartition("/")[2] for url in counted] == ["1", "2", "3", "0", "open.gif"]
        assert set(counted).isdisjoint(second) == (mode == "full")
        # The merge field's link stays as it is, and so does the way out.
        assert any(url.startswith("https://own.example/") for url in first)
        assert any("/u/" in url for url in first)
        assert set(links_in(copies[0], "plain")) - set(first) == set()
        visit(counted, [url for url in second if "/c/" in url])
        serving.send_signal(signal.SIGTERM)
        assert serving.wait(30) == 0
        looks = json.loads(mailer("campaign", "report", str(campaign), "--json"))["looks"]
        people = (1, 1) if mode == "full" else (None, None)
        assert looks["opens"] == {"raw": 2, "human": 1, "people": people[0]}
        assert looks["clicks"] == {"raw": 4, "human": 2, "people": people[1]}
        assert looks["machines"] == {"head": 1, "scanner": 1, "prefetch": 1}
        assert looks["links"][0]["url"] == "https://first.example/?a=1&b=2"
        told = mailer("campaign", "report", str(campaign))
        shown = "1" if mode == "full" else "-"
        assert f"opens\t2\t1\t{shown}\nclicks\t4\t2\t{shown}\nhttps://first.example/" in told
        mailer("campaign", "audit", str(campaign))
        exported = json.loads(mailer("privacy", "export", "p0@example.com"))
        kept = [one for one in exported["events"] if one["type"] in ("opened", "clicked")]
        urls = [one["evidence"].get("url") for one in kept]
        expected = [None, "https://first.example/?a=1&b=2", "https://second.example/"]
        assert urls == (expected if mode == "full" else [])
    finally:
        installation.end()


def visit(first: list[str], second: list[str]) -> None:
    """A reader of the first copy; a scanner, a prefetcher and a HEAD of the second."""
    one, two, _, _, pixel = first
    with httpx.Client() as http:
        reader = {"user-agent": FIREFOX}
        assert http.get(pixel, headers=reader).headers["content-type"] == "image/gif"
        answer = http.get(one, headers=reader)
        assert answer.headers["location"] == "https://first.example/?a=1&b=2"
        answer = http.get(two, headers=reader)
        assert answer.headers["location"] == "https://second.example/"
        assert http.get(second[0], headers={"user-agent": "curl/8"}).status_code == 302
        assert http.head(second[1], headers=reader).status_code == 302
        assert http.get(second[4], headers={"user-agent": "Mozilla/5.0"}).status_code == 200
