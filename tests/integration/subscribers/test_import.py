"""Imports and exports on real databases, with the files people really have."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from subscribers import audience, queries
from subscribers.address import parse
from subscribers.attribute.model import Definition, Kind
from subscribers.attribute.queries import declare, definitions
from subscribers.database import Database
from subscribers.errors import ImportRefused
from subscribers.model import Member, Newsletter, Status
from subscribers.tables import consents
from subscribers.tables import subscribers as subscribers_table
from subscribers.token import Keyring
from subscribers.transfer import importing
from subscribers.transfer.exporting import RefusedFile, export_csv, export_json
from subscribers.transfer.importing import Listeners, import_people
from subscribers.transfer.model import Import, Progress, Refused, Report

SAMPLE = Path(__file__).parents[3] / "templates/sample/subscribers.csv"


@pytest.fixture
def order(weekly: Newsletter, keyring: Keyring, now: datetime) -> Import:
    return Import(newsletter=weekly, keyring=keyring, declare=True, now=now)


def run(database: Database, content: str | bytes, order: Import) -> tuple[Report, list[Refused]]:
    refused: list[Refused] = []
    raw = content.encode() if isinstance(content, str) else content
    report = import_people(database, io.BytesIO(raw), order, tell=Listeners(refused=refused.append))
    assert report.refused == len(refused)
    return report, refused


def everybody(database: Database, order: Import) -> dict[str, Member]:
    with database.read() as session:
        found = [*queries.members(session, order.newsletter.id)]
    return {str(one.subscriber.address): one for one in found}


def test_the_sample_has_a_thousand_people_and_a_dozen_mistakes(
    database: Database, order: Import
) -> None:
    report, refused = run(database, SAMPLE.read_bytes(), order)
    assert (report.rows, report.added, report.refused) == (1012, 1000, 12)
    assert len({row.reason for row in refused}) == 12
    lines = SAMPLE.read_text(encoding="utf-8").splitlines()
    for row in refused:
        assert lines[row.line - 1].startswith(row.cells[0])
    people = everybody(database, order)
    assert sum(address.startswith("no-") for address in people) == 12
    assert sum(address.startswith("later-") for address in people) == 20
    assert {one.subscriber.attributes["plan"] for one in people.values()} == {"pro", "free"}
    again, _ = run(database, SAMPLE.read_bytes(), order)
    assert (again.added, again.updated, again.unchanged) == (0, 0, 1000)
    with database.read() as session:
        assert audience.count(session, order.newsletter.id).size == 1000
        assert session.execute(select(func.count()).select_from(consents)).scalar_one() == 1000


def test_a_second_file_adds_what_is_new_and_keeps_what_it_does_not_say(
    database: Database, order: Import
) -> None:
    run(database, "email,name,plan,tags\na@x.org,Ada,pro,one\nb@x.org,Bo,,\n", order)
    report, _ = run(
        database, "email,name,city,tags\nA@X.org,,Rome,two\nb@x.org,Bo,,\nc@x.org,,,\n", order
    )
    assert (report.added, report.updated, report.unchanged) == (1, 1, 1)
    ada = everybody(database, order)["a@x.org"].subscriber
    assert (ada.name, ada.attributes, ada.tags) == (
        "Ada",
        {"plan": "pro", "city": "Rome"},
        ("one", "two"),
    )


def test_nobody_who_left_is_brought_back(
    database: Database, order: Import, keyring: Keyring, now: datetime
) -> None:
    content = "email\nleft@x.org\nerased@x.org\nstays@x.org\n"
    run(database, content, order)
    with database.write() as session:
        left = queries.find(session, parse("left@x.org"))
        queries.unsubscribe(session, left.id, order.newsletter, now=now)
        queries.remove(session, parse("erased@x.org"), keyring=keyring, now=now)
    report, refused = run(database, content, order)
    assert (report.added, report.unchanged, refused) == (0, 1, [])
    assert report.left_out == {"suppressed": 1, "unsubscribed": 1}
    assert report.rows == 3
    people = everybody(database, order)
    assert people["left@x.org"].status is Status.UNSUBSCRIBED
    assert set(people) == {"left@x.org", "stays@x.org"}


def test_a_file_says_who_has_left_elsewhere(database: Database, order: Import) -> None:
    run(database, "email\na@x.org\n", order)
    report, _ = run(
        database, "email,status\na@x.org,unsubscribed\nb@x.org,cleaned\nc@x.org,subscribed\n", order
    )
    assert (report.added, report.ended) == (2, 1)
    people = {address: one.status for address, one in everybody(database, order).items()}
    assert people == {
        "a@x.org": Status.UNSUBSCRIBED,
        "b@x.org": Status.BOUNCED,
        "c@x.org": Status.ACTIVE,
    }


def test_pending_people_wait_for_their_confirmation(
    database: Database, weekly: Newsletter, keyring: Keyring, now: datetime
) -> None:
    order = Import(newsletter=weekly, keyring=keyring, declare=True, now=now, status=Status.PENDING)
    run(database, "email\na@x.org\n", order)
    with database.read() as session:
        assert audience.count(session, weekly.id).excluded == {"not-confirmed": 1}


def test_a_dry_run_counts_and_changes_nothing(
    database: Database, weekly: Newsletter, keyring: Keyring, now: datetime
) -> None:
    order = Import(newsletter=weekly, keyring=keyring, declare=True, now=now, dry_run=True)
    report, _ = run(database, SAMPLE.read_bytes(), order)
    assert (report.added, report.refused) == (1000, 12)
    with database.read() as session:
        count = select(func.count()).select_from(subscribers_table)
        assert session.execute(count).scalar_one() == 0


def test_one_person_twice_in_a_file_is_one_person(database: Database, order: Import) -> None:
    report, _ = run(database, "email,name\na@x.org,First\nA@x.org,Second\na@X.ORG,Second\n", order)
    assert (report.added, report.updated, report.unchanged) == (1, 1, 1)
    assert [one.subscriber.name for one in everybody(database, order).values()] == ["Second"]


def test_hostile_rows_are_refused_one_by_one(database: Database, order: Import) -> None:
    good = "ok{}@example.org,Fine\n"
    hostile = [
        "a@x.org,\0\n",
        "a@x.org," + "x" * 1_000_000 + "\n",
        "a\u202e@x.org,A\n",
        'a@x.org,"never closed\n',
        "a@x.org\n",
        "a@x.org,b,c\n",
        '"a@x.org\nBcc: v@x.org",A\n',
        "a@x.org\x00,A\n",
        "',A\n",
    ]
    rows = "".join(good.format(at) + row for at, row in enumerate(hostile))
    report, refused = run(database, "email,name\n" + rows, order)
    assert (report.added, report.refused) == (len(hostile), len(hostile))
    assert all(row.reason.isprintable() for row in refused)
    assert set(everybody(database, order)) == {f"ok{at}@example.org" for at in range(len(hostile))}


def test_a_file_without_a_usable_header_changes_nothing(database: Database, order: Import) -> None:
    for content, message in (
        ("", "is empty"),
        ("a,b\n1,2\n", "1: no column is named email"),
        ("ada@x.org,Ada\n", "1: the first line is a person"),
        ("\n\nemail,email\n", "3:2: two columns mean email"),
    ):
        with pytest.raises(ImportRefused) as caught:
            run(database, content, order)
        assert str(caught.value).startswith(message)
    assert not everybody(database, order)


def test_what_is_exported_imports_without_a_change(
    database: Database, weekly: Newsletter, daily: Newsletter, keyring: Keyring, now: datetime
) -> None:
    order = Import(newsletter=weekly, keyring=keyring, declare=True, now=now)
    run(
        database,
        "email,name,lang,tags,status,formula\n"
        '=cmd@x.org,"=1+1",en,a|b,,@SUM\n'
        "bücher@bücher.example,林 思远,zh,,,'quoted\n"
        "gone@x.org,,,,unsubscribed,\n",
        order,
    )
    out = io.StringIO()
    with database.read() as session:
        assert export_csv(session, weekly.id, out) == 3
        lines = [json.loads(line) for line in export_json(session, weekly.id)]
    for row in csv.reader(io.StringIO(out.getvalue())):
        assert not [cell for cell in row if cell.startswith(("=", "+", "-", "@"))]
    same, _ = run(database, out.getvalue(), order)
    assert (same.unchanged, same.left_out) == (2, {"unsubscribed": 1})
    into_daily, _ = run(
        database, out.getvalue(), Import(newsletter=daily, keyring=keyring, declare=True, now=now)
    )
    assert into_daily.added == 3
    copied = everybody(database, Import(newsletter=daily, keyring=keyring, declare=True, now=now))
    assert copied == everybody(database, order)
    assert lines[0]["attributes"] == {"formula": "@SUM"}
    assert lines[1]["name"] == "林 思远"


def test_refused_rows_can_be_mended_and_imported(database: Database, order: Import) -> None:
    file = io.StringIO()
    raw = io.BytesIO(b"email,name\nada.example.org,=Ada\nbo@x.org,Bo\n")
    import_people(database, raw, order, tell=Listeners(refused=RefusedFile(file)))
    assert "refused_line,refused_reason,email,name" in file.getvalue()
    mended = file.getvalue().replace(",ada.example.org", ",ada@example.org")
    report, refused = run(database, mended, order)
    assert (report.added, refused) == (1, [])
    ada = everybody(database, order)["ada@example.org"].subscriber
    assert (ada.name, ada.attributes) == ("=Ada", {})


def test_two_imports_at_once_make_nobody_twice(
    database: Database, order: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "BATCH", 20)
    content = "email\n" + "".join(f"p{number}@x.org\n" for number in range(200))
    with ThreadPoolExecutor(3) as pool:
        reports = [*pool.map(lambda _n: run(database, content, order)[0], range(3))]
    assert len(everybody(database, order)) == 200
    assert all(report.rows == 200 for report in reports)
    assert sum(report.added for report in reports) == 200


def test_memory_stays_flat_and_progress_is_told(
    sqlite_url: str, keyring: Keyring, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "BATCH", 100)
    database = Database(sqlite_url)
    weekly = Newsletter(
        id=0,
        slug="w",
        name="W",
        from_name="W",
        from_address="w@x.org",
        postal_address="P",
        url="https://x.org",
    )
    with database.write() as session:
        weekly = queries.add_newsletter(session, weekly, now=now)
    order = Import(newsletter=weekly, keyring=keyring, declare=True, now=now)
    padding = "x" * 900

    def content(rows: int) -> io.BytesIO:
        lines = (f"p{number}@x.org,{padding}\n".encode() for number in range(rows))
        return io.BytesIO(b"email,about\n" + b"".join(lines))

    def peak(file: io.BytesIO) -> int:
        tracemalloc.start()
        import_people(database, file, order, tell=Listeners(progress=told.append))
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    told: list[Progress] = []
    small, large = content(200), content(800)
    peak(content(100))  # what is made once and kept
    few = peak(small)
    told.clear()
    assert peak(large) < few * 1.5
    assert [step.done for step in told] == sorted(step.done for step in told)
    assert told[-1].done == told[-1].total
    assert len(told) == 9
    database.dispose()


def test_a_later_import_leaves_the_joining_date(
    database: Database, weekly: Newsletter, keyring: Keyring, now: datetime
) -> None:
    run(
        database,
        "email\na@x.org\n",
        Import(newsletter=weekly, keyring=keyring, declare=True, now=now),
    )
    later = Import(newsletter=weekly, keyring=keyring, declare=True, now=now + timedelta(days=9))
    run(database, "email,joined\na@x.org,2020-01-01\n", later)
    assert everybody(database, later)["a@x.org"].joined_at == now


def test_a_column_that_is_no_attribute_stops_the_import_before_it_begins(
    database: Database, weekly: Newsletter, keyring: Keyring, now: datetime
) -> None:
    order = Import(newsletter=weekly, keyring=keyring, now=now)
    with database.write() as session:
        declare(session, [Definition(name="plan", kind=Kind.TEXT)], now=now)
    with pytest.raises(ImportRefused) as caught:
        run(database, "email,plam\na@x.org,pro\n", order)
    assert str(caught.value).startswith("1:2: no attribute is named 'plam'; did you mean plan?")
    assert not everybody(database, order)
    tried, _ = run(database, "email,plam\na@x.org,pro\n", replace(order, dry_run=True))
    assert (tried.added, tried.declared) == (1, ("plam",))
    with database.read() as session:
        assert [*definitions(session)] == ["plan"]


def test_attributes_keep_their_kinds(
    database: Database, weekly: Newsletter, keyring: Keyring, now: datetime
) -> None:
    kinds = dict(zip(("score", "vip", "born", "likes"), [*Kind][1:], strict=True))
    with database.write() as session:
        declare(session, [Definition(name=n, kind=kind) for n, kind in kinds.items()], now=now)
    order = Import(newsletter=weekly, keyring=keyring, now=now)
    content = (
        "email,score,vip,born,likes\n"
        "a@x.org,12,yes,2000-02-29,tea|jazz\n"
        "b@x.org,-0.5,FALSE,,\n"
        "c@x.org,many,yes,2000-01-01,\n"
        "d@x.org,inf,yes,2000-01-01,\n"
        "e@x.org,1,perhaps,2000-01-01,\n"
        "f@x.org,1,no,01/02/2000,\n"
    )
    report, refused = run(database, content, order)
    assert report.added == 2
    assert [row.reason for row in refused] == [
        "has a score that does not fit: 'many' is no number; write it like 12 or 12.5",
        "has a score that does not fit: 'inf' is no number; write it like 12 or 12.5",
        "has a vip that does not fit: 'perhaps' is no boolean; write true or false",
        "has a born that does not fit: '01/02/2000' is no date; write it like 2026-01-31",
    ]
    people = {a: one.subscriber.attributes for a, one in everybody(database, order).items()}
    assert people["a@x.org"] == {
        "score": 12,
        "vip": True,
        "born": "2000-02-29",
        "likes": ["tea", "jazz"],
    }
    assert people["b@x.org"] == {"score": -0.5, "vip": False}
    out = io.StringIO()
    with database.read() as session:
        export_csv(session, weekly.id, out)
    same, _ = run(database, out.getvalue(), order)
    assert (same.unchanged, same.refused) == (2, 0)
