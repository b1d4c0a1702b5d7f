"""The migrations add up to the tables, on both databases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from mailer import migrations
from subscribers.database import Database, metadata
from subscribers.errors import SchemaTooNew, SchemaTooOld


@pytest.fixture
def empty(empty_database_url: str) -> Iterator[Database]:
    database = Database(empty_database_url)
    yield database
    database.dispose()


def test_the_steps_add_up_to_the_tables(empty: Database) -> None:
    migrations.upgrade(empty)
    migrations.check(empty)
    with empty.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_upgrading_again_changes_nothing(empty: Database) -> None:
    migrations.upgrade(empty)
    migrations.upgrade(empty)
    migrations.check(empty)


def test_an_empty_database_is_told_from_a_ready_one(empty: Database) -> None:
    with pytest.raises(SchemaTooOld, match="mailer db upgrade"):
        migrations.check(empty)


def test_a_database_from_a_newer_version_is_left_alone(empty: Database) -> None:
    migrations.upgrade(empty)
    with empty.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = 'from-the-future'"))
    for verb in (migrations.check, migrations.upgrade):
        with pytest.raises(SchemaTooNew, match="newer Pressrun"):
            verb(empty)
