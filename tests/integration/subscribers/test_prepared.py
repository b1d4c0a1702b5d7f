"""Statements put into words once say the same as SQLAlchemy's own, on both databases."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import bindparam, insert, not_, select, text
from sqlalchemy.exc import IntegrityError

from subscribers.database import Database, as_moment
from subscribers.errors import DatabaseUnavailable
from subscribers.given import among, give_rows, given_rows
from subscribers.prepared import Prepared
from subscribers.tables import suppressions

_SOME = Prepared(
    lambda _: (
        select(suppressions.c.id, suppressions.c.value, suppressions.c.at)
        .where(among(suppressions.c.id, "ids"), suppressions.c.reason == bindparam("reason"))
        .order_by(suppressions.c.id)
    )
)
_OTHERS = Prepared(lambda _: select(suppressions.c.id).where(not_(among(suppressions.c.id, "ids"))))
_KEEP = Prepared(
    lambda dialect: insert(suppressions).from_select(
        ["value", "at", "value_hash", "newsletter_id", "scope", "reason", "source"],
        select(
            *given_rows(dialect, "rows", [suppressions.c.value, suppressions.c.at]).c,
            bindparam("hash", type_=suppressions.c.value_hash.type),
            *(bindparam(name, type_=suppressions.c[name].type) for name in _REST),
        ),
    )
)
_REST = ("newsletter_id", "scope", "reason", "source")
#: What JSON, arrays, quotes and PostgreSQL's casts could trip over.
_WORDS = "{\"a\": '1,2'} \\ %s :rows ü 郵 \u2028"


def keep(database: Database, number: int, *, value: str | None, at: datetime) -> None:
    with database.write() as session:
        give_rows(
            session,
            _KEEP,
            "rows",
            ["value", "at"],
            [(value, at)],
            hash=bytes([number]) * 16,
            newsletter_id=0,
            scope="address",
            reason="complained",
            source="test",
        )


def test_rows_and_ids_arrive_as_they_were_given(database: Database) -> None:
    moment = datetime(2026, 3, 1, 12, 0, 0, 120_000, tzinfo=timezone(timedelta(hours=5)))
    keep(database, 1, value=_WORDS, at=moment)
    keep(database, 2, value=None, at=moment.replace(microsecond=0))
    with database.read() as session:
        ids = [*session.execute(select(suppressions.c.id).order_by(suppressions.c.id)).scalars()]
        raw = _SOME.run(session, ids=ids, reason="complained")
        typed = session.execute(select(suppressions.c.at).order_by(suppressions.c.id)).scalars()
        assert [value for _, value, _ in raw] == [_WORDS, None]
        assert [as_moment(at) for *_, at in raw] == [*typed]
        assert as_moment(raw[0][2]) == moment.astimezone(UTC)
        assert _SOME.run(session, ids=ids[1:], reason="complained")[0][0] == ids[1]


def test_no_ids_are_nobody_and_the_rest_is_everybody(database: Database) -> None:
    keep(database, 1, value="a@example.org", at=datetime.now(UTC))
    with database.read() as session:
        assert _SOME.run(session, ids=[], reason="complained") == []
        assert len(_OTHERS.run(session, ids=[])) == 1
        assert len(_OTHERS.run(session, ids=[2**62])) == 1


def test_ids_are_looked_up_not_searched_for(database: Database) -> None:
    """`IN (…) = 1`, as SQLAlchemy would write it, looks at every row there is."""
    if database.is_sqlite:
        with database.read() as session:
            plan = session.connection().exec_driver_sql(
                "EXPLAIN QUERY PLAN " + _words(_SOME, database), ("[1]", "complained")
            )
            assert any("USING INTEGER PRIMARY KEY" in row[3] for row in plan)
    else:
        assert "suppressions.id = ANY (" in _words(_SOME, database)


def test_what_the_driver_refuses_is_told_as_ever(database: Database) -> None:
    keep(database, 1, value="a@example.org", at=datetime.now(UTC))
    with pytest.raises(IntegrityError) as refused:
        keep(database, 1, value="a@example.org", at=datetime.now(UTC))
    assert not refused.value.connection_invalidated
    with database.read() as session:
        assert len(_OTHERS.run(session, ids=[])) == 1


def _words(statement: Prepared, database: Database) -> str:
    return str(statement._make(database.engine.dialect).compile(database.engine))


def test_a_server_keeps_its_plans_while_sessions_that_read_come_and_go(postgres_url: str) -> None:
    database = Database(postgres_url)
    for _ in range(12):
        with database.read() as session:
            _SOME.run(session, ids=[1], reason="complained")
    with database.read() as session:
        kept = session.execute(text("SELECT statement FROM pg_prepared_statements")).scalars()
        assert any("suppressions" in statement for statement in kept)
    database.dispose()


def test_a_session_that_reads_leaves_nothing_behind(database: Database) -> None:
    added = insert(suppressions).values(
        newsletter_id=0, scope="address", value_hash=b"x" * 16, reason="complained",
        source="test", at=datetime.now(UTC),
    )  # fmt: skip
    refused = nullcontext() if database.is_sqlite else pytest.raises(DatabaseUnavailable)
    with refused, database.read() as session:
        session.execute(added)
    with database.read() as session:
        assert session.execute(select(suppressions.c.id)).all() == []
    keep(database, 1, value=None, at=datetime.now(UTC))  # and whoever writes next may write
