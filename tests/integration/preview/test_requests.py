"""Who may ask the preview, and whom it finds."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from mailer.web.preview import queries
from subscribers import queries as people
from subscribers.database import Database
from tests.integration.feedback.world import World
from tests.integration.preview.conftest import ISSUE, Preview, picture

PATHS = ("", "state", "frame", "text", "message", "readers?q=a", "preview.js")


@pytest.mark.parametrize("path", PATHS)
def test_another_host_name_is_refused(preview: Preview, path: str) -> None:
    url = preview.origin + preview.path + path
    assert httpx.get(url).status_code == 200
    port = preview.origin.rpartition(":")[2]
    for host in (f"evil.example:{port}", "evil.example", "127.0.0.1", f"127.0.0.1.evil:{port}", ""):
        assert httpx.get(url, headers={"host": host}).status_code == 421, host
    assert httpx.get(url, headers={"host": f"localhost:{port}"}).status_code == 200


def test_another_sites_page_is_refused(preview: Preview) -> None:
    url = preview.origin + preview.path + "state"
    for site in ("cross-site", "same-site"):
        assert httpx.get(url, headers={"sec-fetch-site": site}).status_code == 403
    assert httpx.post(url).status_code == 405


def test_without_the_key_there_is_nothing(preview: Preview) -> None:
    for path in ("/", "/state", "/x/state", "/preview.js", preview.path + "../../etc/passwd"):
        assert httpx.get(preview.origin + path).status_code == 404


def test_nothing_comes_from_elsewhere(preview: Preview) -> None:
    base = preview.origin + preview.path
    page = httpx.get(base)
    assert "://" not in page.text + httpx.get(base + "preview.css").text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    frame = httpx.get(base + "frame", params={"images": "false"}).headers["content-security-policy"]
    assert "img-src 'none'" in frame
    assert "allow-scripts" not in frame
    assert httpx.get(base + "images/" + "0" * 32 + ".png").status_code == 404


def test_readers_of_this_newsletter_are_found(database_url: str) -> None:
    database = Database(database_url)
    world = World(database=database)
    world.add_newsletter("weekly")
    world.add_newsletter("daily")
    first = world.add_person("ann_1@example.org", "weekly")
    world.add_person("ann21@example.org", "weekly")
    other = world.add_person("ann_3@example.org", "daily")
    with database.read() as session:
        weekly = people.newsletter_by_slug(session, "weekly").id

        def found(words: str, limit: int = 9) -> list[str | None]:
            members = queries.search(session, weekly, words, limit=limit)
            return [member.subscriber.address for member in members]

        assert found("ANN_") == ["ann_1@example.org"]
        assert found("ann", limit=1) == ["ann_1@example.org"]
        assert len(found("example.org")) == 2
        assert found("%") == []
        assert queries.member(session, weekly, first) is not None
        assert queries.member(session, weekly, other) is None
        assert queries.member(session, weekly, 10**17) is None
    database.dispose()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "issue.md").write_text(ISSUE, encoding="utf-8")
    (tmp_path / "pear.png").write_bytes(picture(600, "green"))
    return tmp_path


def test_the_command_ends_at_once_though_somebody_looks(folder: Path) -> None:
    command = [sys.executable, "-m", "mailer", "issue", "preview", "issue.md", "--port", "0"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().split(" is shown at ")[1].split()[0]
        with httpx.stream("GET", address + "events") as stream:
            assert next(stream.iter_text()).startswith("data: ")
            assert "First words." in httpx.get(address + "frame").text
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=20) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["none.md"], "there is no such file"), (["issue.md", "--theme", "no"], "no theme")],
    ids=["file", "theme"],
)
def test_mistakes(folder: Path, arguments: list[str], words: str) -> None:
    command = [sys.executable, "-m", "mailer", "issue", "preview", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
