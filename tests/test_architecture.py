"""The rules of the house that a reader can't be trusted to remember."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted(path for top in ("mailer", "subscribers") for path in (ROOT / top).rglob("*.py"))

#: A third party, and the only modules that may know it (globs over dotted names).
CONFINED = {
    "mjml": ("mailer.render.html*",),
    "premailer": ("mailer.render.html*",),
    "cssutils": ("mailer.render.html*",),
    "tinycss2": ("mailer.lint.style", "mailer.lint.contrast", "mailer.render.sheet_check"),
    "aiosmtplib": ("mailer.delivery.smtp.*",),
    "dns": ("mailer.lookup",),
    "dramatiq": ("mailer.queue.*",),
    "prometheus_client": ("mailer.web.metrics",),
    "fastapi": ("mailer.web.*",),
    "starlette": ("mailer.web.*",),
    "typer": ("mailer.cli.*",),
    "rich": ("mailer.cli.*",),
    "aiosmtpd": ("mailer.cli.demo*", "mailer.cli.maildir_relay", "mailer.feedback.listener"),
    "httpx": ("mailer.fetch", "mailer.cli.demo*"),
    "alembic": ("mailer.migrations*",),
    "disposable_email_domains": ("subscribers.hygiene.flags",),
    "sqlalchemy": (
        "*.database",
        "*.tables",
        "*.queries",
        "subscribers.audience",
        "subscribers.given",
        "subscribers.prepared",
        "subscribers.record",
        "subscribers.segment.compile",
        "subscribers.transfer.*",
        "mailer.migrations*",
        # The ledger's own statements, too many for one file of queries.
        "mailer.delivery.claiming",
        "mailer.delivery.gate",
        "mailer.delivery.grants",
        "mailer.delivery.ledger",
        "mailer.delivery.orphans",
        "mailer.delivery.plan",
        "mailer.delivery.refusals",
    ),
}

#: Where coroutines may be written; a pure stage has no business with a loop.
ASYNC = (
    "mailer.delivery.smtp.*",
    "mailer.delivery.send",
    "mailer.delivery.fleet",
    "mailer.delivery.launch",
    "mailer.delivery.pacer",
    "mailer.delivery.relays",
    "mailer.delivery.threads",
    "mailer.delivery.recorder",
    "mailer.queue.*",
    "mailer.feedback.listener",
    "mailer.web.*",
    "mailer.cli.*",
)

#: Names that say nothing: such a module has no idea of its own.
NAMELESS = {"utils", "util", "helpers", "helper", "common", "base", "misc", "manager", "managers"}


def dotted(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def matches(name: str, patterns: tuple[str, ...]) -> bool:
    # A package's own __init__ counts as part of it.
    return any(
        fnmatchcase(name, pattern) or name == pattern.removesuffix(".*") for pattern in patterns
    )


def imported(tree: ast.AST) -> Iterator[str]:
    """The top names a module imports, wherever in it.

    A Session may be handed on by anybody, so to name its type is no use of SQLAlchemy.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            if node.module == "sqlalchemy.orm" and [a.name for a in node.names] == ["Session"]:
                continue
            yield node.module.partition(".")[0]


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def reads_environment(tree: ast.AST) -> bool:
    return any(
        (isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv", "environb"))
        or (
            isinstance(node, ast.ImportFrom)
            and node.module == "os"
            and any(alias.name in ("environ", "getenv") for alias in node.names)
        )
        for node in ast.walk(tree)
    )


def test_imports_go_one_way() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("library", CONFINED)
def test_a_third_party_stays_in_its_place(library: str) -> None:
    astray = [
        dotted(path)
        for path in SOURCES
        if library in imported(parse(path)) and not matches(dotted(path), CONFINED[library])
    ]
    assert astray == []


def test_only_settings_reads_the_environment() -> None:
    readers = {dotted(path) for path in SOURCES if reads_environment(parse(path))}
    assert readers <= {"mailer.settings"}


def test_coroutines_stay_where_mail_and_requests_wait() -> None:
    astray = [
        dotted(path)
        for path in SOURCES
        if any(isinstance(node, ast.AsyncFunctionDef) for node in ast.walk(parse(path)))
        and not matches(dotted(path), ASYNC)
    ]
    assert astray == []


def test_every_module_has_a_name_that_says_what_it_is() -> None:
    assert [dotted(path) for path in SOURCES if path.stem in NAMELESS] == []


def test_no_module_holds_two_ideas() -> None:
    long = {
        dotted(path): lines
        for path in SOURCES
        # A migration is one idea however many columns it makes.
        if "versions" not in path.parts
        and (lines := len(path.read_text(encoding="utf-8").splitlines())) > 400
    }
    assert long == {}


def test_the_rules_are_not_vacuous() -> None:
    assert SOURCES
    assert reads_environment(ast.parse("import os\nos.environ['A']"))
    assert reads_environment(ast.parse("from os import getenv"))
    assert list(imported(ast.parse("def f():\n    from premailer import transform"))) == [
        "premailer"
    ]
    assert matches("mailer.delivery.queries", CONFINED["sqlalchemy"])
    assert matches("mailer.queue", CONFINED["dramatiq"])
    assert not matches("mailer.delivery.compose", CONFINED["sqlalchemy"])


def test_importing_any_module_opens_nothing() -> None:
    """In a fresh process, where a connection or a listener is an error."""
    program = f"""
import importlib, sys
def watch(event, arguments):
    if event in ("socket.connect", "socket.bind", "sqlite3.connect", "subprocess.Popen"):
        raise SystemExit(f"importing {{name}}: {{event}} {{arguments}}")
sys.addaudithook(watch)
for name in {[dotted(path) for path in SOURCES if "migrations" not in path.parts]!r}:
    importlib.import_module(name)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
