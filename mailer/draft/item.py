"""An item as lines of an issue, and what is known of a link without asking anybody."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from mailer.draft.facts import PageFacts
from mailer.draft.markdown import escaped, link, plain
from mailer.issue.urls import arxiv_id

_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
_MOST_NAME = 60


def known_name(url: str) -> str:
    """What stands for a title until there is one: the paper's id, or host and path."""
    if paper := arxiv_id(url):
        return f"arXiv:{paper}"
    parts = urlsplit(url)
    host = (parts.hostname or "").removeprefix("www.")
    return plain(host + parts.path.rstrip("/"), _MOST_NAME)


def is_named(words: str, url: str) -> bool:
    """Whether a link's text, as Markdown, says more than its URL."""
    said = _ESCAPE.sub(r"\1", words).strip()
    return said not in ("", url, known_name(url))


def paper_line(paper: str, title: str) -> str:
    """The first line below an item that names a paper."""
    return f"[{paper}] {escaped(title)}"


def item_lines(url: str, facts: PageFacts, note: str) -> list[str]:
    """An item: heading, paper, and what the author says of it, which is their own Markdown."""
    lines = [f"### {link(facts.title or known_name(url), url)}"]
    below = [paper_line(paper, facts.title)] if (paper := arxiv_id(url)) and facts.title else []
    below += note.strip().splitlines()
    return [*lines, "", *below] if below else lines
