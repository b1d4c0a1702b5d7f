"""A report's page as HTML: one file, no scripts, nothing fetched from anywhere."""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from mailer.report.page.model import Page
from mailer.report.plot import marks
from mailer.report.plot.words import clean
from mailer.resources import templates


def as_html(page: Page) -> str:
    """The whole document."""
    return _environment().get_template("page.html").render(page=page)


def _points(path: marks.Path) -> str:
    return " ".join(f"{_short(x)},{_short(y)}" for x, y in path.points)


def _short(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


@lru_cache(maxsize=1)
def _environment() -> Environment:
    folder = templates() / "report"
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = (folder / "style.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    environment.globals["style"] = Markup(style)  # noqa: S704  our own file
    environment.globals["policy"] = f"default-src 'none'; style-src 'sha256-{digest}'"
    environment.filters |= {"points": _points, "short": _short, "clean": clean}
    environment.tests["rect"] = lambda mark: isinstance(mark, marks.Rect)
    environment.tests["path"] = lambda mark: isinstance(mark, marks.Path)
    return environment
