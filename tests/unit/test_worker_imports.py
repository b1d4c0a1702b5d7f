"""A worker is small: what it never uses is not loaded into it."""

from __future__ import annotations

import subprocess
import sys

import pytest

#: What only pages, the clock, commands and rendering need.
_OTHERS = (
    "alembic", "babel", "cssutils", "dns", "fastapi", "httpx", "jinja2.sandbox", "lxml", "mjml",
    "mailer.feedback", "mailer.notice", "mailer.web", "pika", "premailer", "prometheus_client",
    "redis", "rich", "starlette", "uvicorn",
)  # fmt: skip


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    """The modules of a worker on SQLite, all that it needs to send among them."""
    program = (
        "import sys, mailer.cli.app, mailer.cli.processes, mailer.cli.engine, mailer.delivery.send;"
        "print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return {*done.stdout.split()}


@pytest.mark.parametrize("name", _OTHERS)
def test_a_worker_does_without(loaded: set[str], name: str) -> None:
    assert "mailer.delivery.send" in loaded
    assert name not in loaded
