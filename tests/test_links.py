"""No link in the pages is dead: as a Git host shows them, and as the site that MkDocs builds."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from lxml import html
from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[1]
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    ROOT / "templates" / "README.md",
]
#: What a page loads by itself, unlike what a reader may follow.
LOADED = ("script[@src]", "link[@href]", "img[@src]", "iframe[@src]", "source[@src]")


def inline(page: Path) -> Iterator[Token]:
    for token in MarkdownIt().enable("table").parse(page.read_text(encoding="utf-8")):
        yield from token.children or ()


def targets(page: Path) -> list[str]:
    """Where the links and images of a Markdown page lead to, within the repository."""
    found = [str(token.attrs.get("href") or token.attrs.get("src") or "") for token in inline(page)]
    return [each for each in found if each and not urlsplit(each).scheme]


@cache
def anchors(page: Path) -> frozenset[str]:
    """The anchors that a Git host gives the headings of a page."""
    tokens = MarkdownIt().enable("table").parse(page.read_text(encoding="utf-8"))
    seen: dict[str, int] = {}
    for heading, words in pairwise(tokens):
        if heading.type == "heading_open":
            text = "".join(token.content for token in words.children or ())
            slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
            seen[slug] = seen.get(slug, -1) + 1
    return frozenset(
        f"{slug}-{number}" if number else slug
        for slug, last in seen.items()
        for number in range(last + 1)
    )


def dead(page: Path, target: str) -> str | None:
    """What is wrong with a link of a page, or None."""
    path, _, anchor = unquote(target).partition("#")
    file = page if not path else (page.parent / path).resolve()
    if not file.exists() or not file.is_relative_to(ROOT):
        return f"{target}: there is no such file"
    if anchor and (file.suffix != ".md" or anchor not in anchors(file)):
        return f"{target}: there is no such heading"
    return None


def test_there_are_links_to_follow() -> None:
    assert sum(len(targets(page)) for page in PAGES) > 60


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    assert [wrong for target in targets(page) if (wrong := dead(page, target))] == []


def test_a_dead_link_is_found(tmp_path: Path) -> None:
    page = ROOT / "README.md"
    assert dead(page, "docs/none.md") == "docs/none.md: there is no such file"
    assert dead(page, "docs/cli.md#mailer-nothing") is not None
    assert dead(page, "docs/cli.md#mailer-init") is None
    assert dead(page, "../outside.md") is not None
    mine = tmp_path / "mine.md"
    mine.write_text(
        "# A `b` & c!\n\n## Twice\n\n## Twice\n\n```\n# none\n```\n[x](y.md) ![z](z.png)\n"
    )
    assert anchors(mine) == {"a-b--c", "twice", "twice-1"}
    assert targets(mine) == ["y.md", "z.png"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make site` does."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@cache
def ids(page: Path) -> frozenset[str]:
    return frozenset(map(str, html.parse(page).xpath("//@id | //a/@name")))


def test_the_site_has_every_page_and_no_dead_link(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) >= len([page for page in PAGES if page.is_relative_to(ROOT / "docs")])
    wrong = [
        f"{page.relative_to(site)}: {target}"
        for page in pages
        for target in map(str, html.parse(page).xpath("//@href | //@src"))
        if not urlsplit(target).scheme and not reaches(site, page, target)
    ]
    assert wrong == []


def reaches(site: Path, page: Path, target: str) -> bool:
    """Whether a link of a built page leads to a file, and to a place in it."""
    path, _, anchor = unquote(target).partition("#")
    path = path.partition("?")[0]
    start = site if path.startswith("/") else page.parent
    file = page if not path else (start / path.lstrip("/")).resolve()
    if file.is_dir():
        file = file / "index.html"
    return file.is_file() and (not anchor or anchor in ids(file))


def test_the_site_loads_nothing_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        tree = html.parse(page)
        for element in LOADED:
            name, attribute = element.rstrip("]").split("[@")
            loaded = map(str, tree.xpath(f"//{name}[not(@rel='canonical')]/@{attribute}"))
            assert [url for url in loaded if urlsplit(url).netloc] == [], page.name
    for sheet in site.rglob("*.css"):
        urls = re.findall(r"url\(['\"]?([^)'\"]+)|@import ['\"]([^'\"]+)", sheet.read_text())
        found = ["".join(pair) for pair in urls]
        assert [url for url in found if re.match(r"(https?:)?//", url)] == [], sheet.name


def test_the_site_shows_what_a_git_host_shows(site: Path) -> None:
    """Python-Markdown reads fences in lists, and lists right below a paragraph, otherwise."""
    for page in site.rglob("*.html"):
        [body] = html.parse(page).xpath("//div[@role='main']") or [None]
        if body is None:
            continue
        for other in body.xpath(".//code | .//pre | .//h1 | .//h2 | .//h3"):
            other.drop_tree()
        text = body.text_content()
        assert "```" not in text, page.name
        assert not re.search(r"^ *(- |\d\. |\| )", text, re.MULTILINE), page.name
