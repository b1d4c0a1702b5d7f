"""What a shell offers for a word half typed: campaigns, newsletters, themes, relays, providers.

The shell runs this at each press of the tab key, so whatever is wrong is no answer here, and the
command itself will say it. No database is made, and one elsewhere is waited for briefly.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import typer

from mailer import migrations
from mailer.settings import Settings, load
from subscribers.database import Database
from subscribers.errors import PressrunError

#: Seconds to wait for a database server; its client knows no shorter time.
PATIENCE = 2
#: Campaigns offered, the newest first.
MOST = 50

Offer = tuple[str, str]


def campaigns(ctx: typer.Context, incomplete: str) -> list[Offer]:
    """Numbers of campaigns, with state and subject."""
    from mailer.campaign import queries

    def ask() -> list[Offer]:
        with _database(ctx) as database, database.read() as session:
            found = queries.newest_first(session, limit=MOST, tests=True)
        return [(str(c.id), f"{c.state}, {c.subject}") for c in found]

    return _fitting(incomplete, ask)


def newsletters(ctx: typer.Context, incomplete: str) -> list[Offer]:
    """Short names of newsletters, with their names."""
    from subscribers import queries

    def ask() -> list[Offer]:
        with _database(ctx) as database, database.read() as session:
            return [(each.slug, each.name) for each in queries.newsletters(session)]

    return _fitting(incomplete, ask)


def themes(incomplete: str) -> list[Offer]:
    """Names of themes: Pressrun's, and those in ./themes."""
    from mailer.render import theme

    def ask() -> list[Offer]:
        return [
            (name, "yours" if at.is_relative_to(theme.OWN) else "Pressrun's")
            for name, at in theme.known().items()
        ]

    return _fitting(incomplete, ask)


def relays(ctx: typer.Context, incomplete: str) -> list[Offer]:
    """Names of the relays, with their hosts."""
    return _fitting(
        incomplete,
        lambda: [(name, relay.host) for name, relay in _settings(ctx).every_relay.items()],
    )


def _settings(ctx: typer.Context) -> Settings:
    # No command runs here, so that nothing has taken `--config` from the line yet.
    named = ctx.find_root().params.get("config")
    return load(Path(named) if named else None)


@contextlib.contextmanager
def _database(ctx: typer.Context) -> Iterator[Database]:
    """The database, if it is there and has this version's schema; raises PressrunError."""
    database = Database(_briefly(_settings(ctx).database_url), pool_size=1)
    try:
        migrations.check(database)
        yield database
    finally:
        database.dispose()


def _briefly(url: str) -> str:
    if url.startswith("sqlite") or "connect_timeout" in url:
        return url
    return f"{url}{'&' if '?' in url else '?'}connect_timeout={PATIENCE}"


def _fitting(incomplete: str, ask: Callable[[], list[Offer]]) -> list[Offer]:
    try:
        offers = ask()
    except (PressrunError, OSError):
        return []
    return [(word, _tame(words)) for word, words in offers if word.startswith(incomplete)]


def _tame(words: str) -> str:
    # zsh evaluates what it shows, and somebody else may have written a subject: nothing is
    # left that means something to a shell.
    kept = "".join(c if c.isalnum() or c in " ,./?-" else " " for c in words)
    return " ".join(kept.split())[:60]
