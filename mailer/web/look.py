"""How pages look: Jinja templates from `templates/pages`, without a line of JavaScript."""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from http import HTTPStatus

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse

from mailer.resources import templates
from mailer.web.speech import Speech

_ENGLISH = Speech(lang="en")


def page(
    name: str,
    *,
    say: Speech = _ENGLISH,
    status: int = HTTPStatus.OK,
    headers: dict[str, str] | None = None,
    framed: bool = False,
    **values: object,
) -> HTMLResponse:
    """One page as a response, allowed its one style sheet and forms to this site alone.

    `framed`: any site may show it in a frame. Browsers heed that before X-Frame-Options.
    """
    html = render(f"{name}.html", **values, say=say, framed=framed)
    return as_html(html, status=status, headers=headers, framed=framed)


def as_html(
    html: str,
    *,
    status: int = HTTPStatus.OK,
    headers: dict[str, str] | None = None,
    framed: bool = False,
) -> HTMLResponse:
    """A page of ours as a response."""
    policy = {"content-security-policy": _policy("*" if framed else "'none'")}
    return HTMLResponse(html, status, {**policy, **(headers or {})})


def render(file: str, **values: object) -> str:
    """A template of `templates/pages`, filled in."""
    return _environment().get_template(file).render(values)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(templates() / "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["style"] = Markup(_style())  # noqa: S704  our own file
    return environment


@lru_cache(maxsize=1)
def _style() -> str:
    return (templates() / "pages" / "style.css").read_text(encoding="utf-8")


@lru_cache(maxsize=2)
def _policy(framers: str) -> str:
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self';"
        f" base-uri 'none'; frame-ancestors {framers}"
    )
