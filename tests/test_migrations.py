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
from tests.services import rows


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


@pytest.mark.parametrize("step", migrations.STEPS)
def test_every_earlier_schema_with_people_in_it_is_upgraded_and_nothing_is_lost(
    empty: Database, step: str
) -> None:
    migrations.upgrade(empty, to=step)
    with empty.write() as session:
        before = rows.fill(session.connection())
    assert {"subscribers", "deliveries", "suppressions"} <= before.keys()
    migrations.upgrade(empty)
    migrations.check(empty)
    with empty.read() as session:
        after = {table.name: table for table in rows.reflected(session.connection())}
        for name, were in before.items():
            kept = [column for column in were[0] if column in after[name].columns]
            now = rows.standing(session.connection(), after[name])
            assert by_columns(now, kept) == by_columns(were, kept), name


def by_columns(found: list[dict[str, object]], columns: list[str]) -> list[str]:
    return sorted(str([row[column] for column in columns]) for row in found)
