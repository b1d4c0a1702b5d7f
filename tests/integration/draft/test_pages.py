"""`mailer issue new`, `add` and `enrich` as a user calls them, against a server on loopback.

Only these tests let the fetcher reach loopback; all else in it is as it is for users.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from typer.testing import CliRunner, Result

from mailer.cli.issue import app
from mailer.draft import look_up
from mailer.issue.model import Item
from mailer.issue.parse import parse, read

HEAD = "text/html; charset=utf-8"


def page(title: str, more: str = "") -> bytes:
    return f"<html><head><title>{title}</title>{more}</head><body>x</body></html>".encode()


class Handler(BaseHTTPRequestHandler):
    asked: ClassVar[list[str]] = []
    pages: ClassVar[dict[str, tuple[int, dict[str, str], bytes]]] = {
        "/pears": (200, {"content-type": HEAD},
                   page("Pears", '<meta property="og:description" content="All about pears.">'
                        '<meta property="og:image" content="https://img.example/p.png">')),
        "/script": (200, {"content-type": HEAD},
                    page("&lt;script&gt;alert(1)&lt;/script&gt; [x](javascript:y) {{ 7*7 }}")),
        "/huge": (200, {"content-type": HEAD}, page("Huge") + b"x" * 3_000_000),
        "/untitled": (200, {"content-type": HEAD}, b"<p>nothing</p>"),
        "/file": (302, {"location": "file:///etc/passwd"}, b""),
        "/inside": (302, {"location": "http://inside.example/"}, b""),
        "/round": (302, {"location": "/round"}, b""),
        "/picture": (200, {"content-type": "image/png"}, b"\x89PNG"),
        "/gone": (404, {"content-type": HEAD}, page("Not found")),
        "/moved": (302, {"location": "/pears"}, b""),
    }  # fmt: skip

    def do_GET(self) -> None:
        self.asked.append(self.path)
        status, headers, body = self.pages.get(self.path, (200, {"content-type": HEAD}, page("x")))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            if self.path == "/slow":
                for _ in range(100):
                    self.wfile.write(b" ")
                    time.sleep(0.1)
            self.wfile.write(body)
        except OSError:
            """Whoever asked has heard enough."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def resolve(host: str, port: int) -> list[str]:
    """`site.example` is here, `inside.example` where nobody may look, nothing else anywhere."""
    known = {"site.example": "127.0.0.1", "inside.example": "10.0.0.1"}
    if host not in known:
        raise socket.gaierror("no such host")
    return [known[host]]


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server that the fetcher may reach, though it is on loopback."""
    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    here = replace(
        look_up.FETCHER, resolve=resolve, allowed=lambda one: one.is_loopback, seconds=1.5
    )
    monkeypatch.setattr(look_up, "FETCHER", here)
    Handler.asked.clear()
    yield f"http://site.example:{made.server_port}"
    made.shutdown()
    made.server_close()
    thread.join()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str, answer: str | None = None) -> Result:
    return CliRunner().invoke(app, list(arguments), input=answer)


def draft(folder: Path, body: str, name: str = "issue.md") -> Path:
    file = folder / name
    file.write_bytes(f'---\nsubject: "x"\nnumber: 1\n---\n\n{body}'.encode())
    return file


def test_cards_and_items_are_filled_after_a_look(folder: Path, site: str) -> None:
    file = draft(folder, f"Mine.  \n\n### {site}/pears\n\n:::card\n{site}/moved\n:::\n")
    before = file.read_bytes()
    shown = run("enrich", "issue.md", "--dry-run")
    assert shown.exit_code == 0, shown.output
    assert f"+### [Pears]({site}/pears)" in shown.stdout
    asked = run("enrich", "issue.md")
    assert (asked.exit_code, file.read_bytes()) == (2, before)
    assert "--yes" in asked.stderr
    done = run("enrich", "issue.md", "--yes")
    assert done.exit_code == 0, done.output
    issue = parse("issue.md", read(file))
    assert [type(block) for block in issue.blocks[1:]] == [Item]
    text = file.read_text(encoding="utf-8")
    assert f"[Pears]({site}/moved)\n![Pears](https://img.example/p.png)\nAll about pears.\n" in text
    assert text.startswith(before.decode().partition("###")[0])
    again = run("enrich", "issue.md", "--yes")
    assert "nothing to fill" in again.stdout
    assert again.exit_code == 0


def test_images_are_left_out_where_they_are_not_wanted(folder: Path, site: str) -> None:
    file = draft(folder, f":::card\n{site}/pears\n:::\n")
    assert run("enrich", "issue.md", "--yes", "--no-images", "--json").exit_code == 0
    assert "img.example" not in file.read_text(encoding="utf-8")
    assert "All about pears." in file.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("path", "trouble"),
    [
        ("/slow", ""),
        ("/file", "only http or https URLs are fetched"),
        ("/inside", "does not lead to the public internet"),
        ("/round", "redirects more than"),
        ("/picture", "answers image/png, no page"),
        ("/gone", "answers 404"),
    ],
)
def test_what_can_not_be_read_is_told_and_left(
    folder: Path, site: str, path: str, trouble: str
) -> None:
    file = draft(folder, f"### {site}{path}\n\n### {site}/pears\n")
    done = run("enrich", "issue.md", "--yes")
    assert done.exit_code == 1
    assert "issue.md:6: left open: " in done.stderr
    assert trouble in done.stderr
    assert "root:" not in done.output
    text = file.read_text(encoding="utf-8")
    assert f"### {site}{path}\n" in text
    assert "[Pears]" in text


def test_loopback_is_refused_but_in_these_tests(folder: Path) -> None:
    draft(folder, "### http://127.0.0.1:1/\n\n### http://localhost/\n")
    done = run("enrich", "issue.md", "--yes")
    assert done.exit_code == 1
    assert done.stderr.count("does not lead to the public internet") == 2


def test_a_huge_page_is_read_as_far_as_its_head(folder: Path, site: str) -> None:
    file = draft(folder, f"### {site}/huge\n\n### {site}/script\n\n### {site}/untitled\n")
    done = run("enrich", "issue.md", "--yes")
    assert done.exit_code == 0, done.output
    assert "issue.md:10: left open: the page does not say more" in done.stderr
    issue = parse("issue.md", read(file))
    titles = [block.link.children for block in issue.blocks if isinstance(block, Item)]
    assert titles[0][0].text == "Huge"  # type: ignore[union-attr]
    assert titles[1][0].text == "<script>alert(1)</script> [x](javascript:y) {{ 7*7 }}"  # type: ignore[union-attr]


def test_windows_line_ends_a_mark_and_a_link_are_kept(folder: Path, site: str) -> None:
    real = folder / "real.md"
    real.write_bytes(
        b"\xef\xbb\xbf---\r\nsubject: x\r\n---\r\n\r\n### " + site.encode() + b"/pears\r\nMine."
    )
    real.chmod(0o640)
    (folder / "issue.md").symlink_to(real)
    assert run("enrich", "issue.md", "--yes").exit_code == 0
    wanted = f"\ufeff---\r\nsubject: x\r\n---\r\n\r\n### [Pears]({site}/pears)\r\nMine."
    assert real.read_bytes().decode() == wanted
    assert real.stat().st_mode & 0o777 == 0o640
    assert (folder / "issue.md").is_symlink()
    assert sorted(each.name for each in folder.iterdir()) == ["issue.md", "real.md"]


def test_a_save_meanwhile_is_not_overwritten(
    folder: Path, site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = draft(folder, f"### {site}/pears\n")
    ask = look_up.look_up

    def slow(*arguments: object) -> object:
        file.write_bytes(b"saved by the author")
        return ask(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(look_up, "look_up", slow)
    with pytest.raises(Exception, match="changed meanwhile"):
        CliRunner().invoke(app, ["enrich", "issue.md", "--yes"], catch_exceptions=False)
    assert file.read_bytes() == b"saved by the author"


def test_a_week_of_adding(folder: Path, site: str) -> None:
    assert run("new").exit_code == 0
    text = (folder / "issue.md").read_text(encoding="utf-8")
    (folder / "issue.md").write_text(text.replace("## 1. First section", "## 1. Papers"))
    done = run("new")
    assert done.exit_code == 0, done.output
    file = folder / "issue-2.md"
    assert "## 1. Papers" in file.read_text(encoding="utf-8")
    done = run("add", f"{site}/pears", "--note", "Worth *your* time.", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["file"], told["title"]) == ("issue-2.md", "Pears")
    lines = file.read_text(encoding="utf-8").split("\n")
    assert lines[told["line"] - 1] == f"### [Pears]({site}/pears)"
    done = run("add", "https://arxiv.org/abs/2108.02774", "--to", "issue-2.md")
    assert done.exit_code == 0, done.output
    assert "the title is not known" in done.stderr
    assert "mailer issue enrich issue-2.md" in done.stderr
    text = file.read_text(encoding="utf-8")
    assert text.index("## 1. Papers") < text.index("[arXiv:2108.02774]") < text.index("## 2.")
    assert "\n\nWorth *your* time.\n" in text
    twice = run("add", f"{site}/pears/?utm_source=x")
    assert twice.exit_code == 2
    line = text[: text.index("### [Pears]")].count("\n") + 1
    assert f"issue-2.md:{line} has it already" in twice.stderr
    assert file.read_text(encoding="utf-8") == text
    earlier = run("add", "https://arxiv.org/abs/1706.03762", "--dry-run", "--offline")
    assert "issue.md:35 had it" in earlier.stderr
    assert file.read_text(encoding="utf-8") == text
    checked = run("check", "issue-2.md")
    assert checked.exit_code == 0, checked.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["ftp://x.example/"], "ftp:"),
        (["javascript:x"], "javascript:"),
        (["mailto:a@x.example"], "http"),
        (["x"], "https://"),
        (["https://x.example/", "--section", "none"], "there are: "),
        (["https://x.example/", "--to", "none.md"], "there is no such file"),
        (["https://x.example/", "--note", "<b>x</b>\n\n:::card"], "not be a valid issue"),
    ],
)
def test_mistakes_change_nothing(folder: Path, arguments: list[str], words: str) -> None:
    file = draft(folder, "## 1. One\n\nWords.\n")
    before = file.read_bytes()
    done = run("add", "--offline", *arguments)
    assert done.exit_code != 0
    assert words in done.stderr + str(done.exception)
    assert file.read_bytes() == before


def test_where_there_is_no_draft(folder: Path) -> None:
    done = run("add", "https://x.example/")
    assert done.exit_code == 2
    assert "mailer issue new" in done.stderr


def test_new_goes_on_from_the_issue_named(folder: Path) -> None:
    draft(folder, "## 1. One\n\nWords.\n", "a-7.md").write_text(
        '---\nsubject: "x"\nnumber: 7\n---\n\n## 1. One\n\nWords.\n'
    )
    draft(folder, "[broken](/x)\n", "b.md")
    assert run("new", "c.md", "--from", "a-7.md").exit_code == 0
    text = (folder / "c.md").read_text(encoding="utf-8")
    assert "number: 8\n" in text
    assert "## 1. One" in text
    assert "Words." not in text
    assert run("new", "c.md", "--from", "a-7.md").exit_code == 2
    assert (folder / "c.md").read_text(encoding="utf-8") == text
    assert "commented" not in run("new", "d.md", "--blank").stdout
    assert "Comments like this" in (folder / "d.md").read_text(encoding="utf-8")
