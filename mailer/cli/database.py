"""`mailer db`: the database's schema."""

from __future__ import annotations

import typer

from mailer import migrations
from mailer.cli.output import say
from mailer.cli.runtime import runtime

app = typer.Typer(help="The database's schema.", no_args_is_help=True, add_completion=False)


@app.command()
def upgrade() -> None:
    """Bring the database to this version's schema; harmless where it is there already.

    Run it after each update of Pressrun, before the processes start.

    Example: `mailer db upgrade`
    """
    database = runtime().unchecked_database
    migrations.upgrade(database)
    say("the database has this version's schema")


@app.command()
def check() -> None:
    """See whether the database has this version's schema.

    Example: `mailer db check && mailer worker`
    """
    migrations.check(runtime().unchecked_database)
    say("the database has this version's schema")
