"""The exports of other services: who comes, who had left, since when, and what was agreed to."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from subscribers import queries
from subscribers.address import parse
from subscribers.attribute.model import Kind
from subscribers.attribute.queries import definitions
from subscribers.database import Database
from subscribers.errors import ImportRefused
from subscribers.model import Newsletter, Status
from subscribers.tables import suppressions
from subscribers.token import Keyring
from subscribers.transfer import importing
from subscribers.transfer.importing import Listeners, import_people
from subscribers.transfer.model import Import, Progress, Reading, Refused, Report

EXPORTS = Path(__file__).parents[2] / "data/exports"

ADA, BO, CY, DI, ED, FAY = (
    f"{name}@example.org" for name in ("ada", "bo", "cy", "di", "ed", "fay")
)
GONE, DEAD, SPAM = Status.UNSUBSCRIBED, Status.BOUNCED, Status.COMPLAINED


@pytest.fixture
def order(weekly: Newsletter, keyring: Keyring, now: datetime) -> Import:
    return Import(newsletter=weekly, keyring=keyring, declare=True, now=now)


def content(name: str) -> bytes:
    """An export as its service hands it out: a file, or a zip of a folder's files."""
    path = EXPORTS / name
    if not path.is_dir():
        return path.read_bytes()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(path.iterdir()):
            archive.write(file, f"export/{file.name}")
        archive.writestr("__MACOSX/export/._a.csv", "junk")
    return packed.getvalue()


def run(database: Database, name: str, order: Import) -> tuple[Report, list[Reading]]:
    readings: list[Reading] = []
    refused: list[Refused] = []
    tell = Listeners(reading=readings.append, refused=refused.append)
    report = import_people(database, io.BytesIO(content(name)), order, name=name, tell=tell)
    assert not refused
    return report, readings


def everybody(database: Database, order: Import) -> dict[str, tuple[Status, str]]:
    """Each one's status, and the day they joined."""
    with database.read() as session:
        return {
            str(one.subscriber.address): (one.status, one.joined_at.date().isoformat())
            for one in queries.members(session, order.newsletter.id)
        }


SERVICES = {
    "mailchimp": (
        "mailchimp",
        {
            ADA: (Status.ACTIVE, "2018-02-05"),
            BO: (Status.ACTIVE, "2019-03-01"),
            CY: (GONE, "2018-02-12"),
            DI: (DEAD, "2018-02-05"),
        },
        {"company": "Engines"},
        0,
    ),
    "substack": (
        "substack",
        {ADA: (Status.ACTIVE, "2021-05-03"), CY: (GONE, "2021-06-01")},
        {"paid": True, "plan": "yearly", "paid_until": "2027-01-31", "paid_since": "2022-01-31"},
        0,
    ),
    "substack, of the page": (
        "substack-page.csv",
        {ADA: (Status.ACTIVE, "2021-05-03")},
        {"plan": "Free", "country": "GB"},
        0,
    ),
    "ghost": (
        "ghost.csv",
        {ADA: (Status.ACTIVE, "2020-10-30"), CY: (GONE, "2021-11-30")},
        {
            "note": "met in Turin",
            "complimentary_plan": True,
            "stripe_customer_id": "cus_1",
            "tiers": ["Gold"],
        },
        0,
    ),
    "buttondown": (
        "buttondown.csv",
        {
            ADA: (Status.ACTIVE, "2022-04-05"),
            BO: (Status.PENDING, "2022-04-06"),
            CY: (GONE, "2022-04-07"),
            DI: (DEAD, "2022-04-08"),
            ED: (SPAM, "2022-04-09"),
            FAY: (GONE, "2022-04-10"),
        },
        {"seats": 3, "came_from": "embedded_form"},
        2,
    ),
    "beehiiv": (
        "beehiiv.csv",
        {
            ADA: (Status.ACTIVE, "2023-03-24"),
            BO: (Status.PENDING, "2023-03-25"),
            CY: (GONE, "2023-03-26"),
            DI: (DEAD, "2023-03-27"),
        },
        {"tier": "premium", "stripe_customer_id": "cus_1", "favourite_colour": "red"},
        0,
    ),
    "kit": (
        "kit.csv",
        {
            ADA: (Status.ACTIVE, "2021-05-03"),
            BO: (Status.PENDING, "2021-05-04"),
            CY: (GONE, "2021-05-05"),
            DI: (DEAD, "2021-05-06"),
            ED: (SPAM, "2021-05-07"),
        },
        {"company": "Engines"},
        1,
    ),
    "listmonk": (
        "listmonk.csv",
        {
            ADA: (Status.ACTIVE, "2023-05-02"),
            CY: (GONE, "2023-05-03"),
            FAY: (GONE, "2023-05-04"),
        },
        {"city": "Turin", "seats": 3, "address_zip": "10121", "likes": ["tea", "jazz"]},
        1,
    ),
    "revue": (
        "revue",
        {ADA: (Status.ACTIVE, "2019-09-09"), CY: (GONE, "2019-10-10")},
        {},
        0,
    ),
}


@pytest.mark.parametrize(
    ("file", "people", "attributes", "suppressed"), SERVICES.values(), ids=SERVICES
)
def test_a_service_is_known_and_everybody_stands_where_they_stood(
    database: Database,
    order: Import,
    file: str,
    people: dict[str, tuple[Status, str]],
    attributes: dict[str, object],
    suppressed: int,
) -> None:
    tried, readings = run(database, file, replace(order, declare=False, dry_run=True))
    assert not everybody(database, order)
    service = file.partition(".")[0].partition("-")[0]
    assert {one.profile for one in readings if not one.left_out} == {service}
    report, _ = run(database, file, order)
    assert replace(report, declared=()) == replace(tried, declared=())
    assert {*report.declared} == {*tried.declared}
    assert (report.added, report.suppressed) == (len(people), suppressed)
    assert everybody(database, order) == people
    with database.read() as session:
        ada = queries.find(session, parse(ADA))
    assert dict(ada.attributes) == attributes
    again, _ = run(database, file, order)
    assert (again.added, again.updated, again.ended, again.suppressed) == (0, 0, 0, 0)


def agreed(database: Database, order: Import, address: str) -> list[tuple[str, str, object]]:
    with database.read() as session:
        person = queries.show(session, parse(address), keyring=order.keyring)
    return [(one.action, f"{one.at:%Y-%m-%d %H:%M}", dict(one.evidence)) for one in person.consents]


def test_what_was_agreed_to_keeps_its_time_and_place(database: Database, order: Import) -> None:
    run(database, "mailchimp", order)
    theirs = {"from": "mailchimp"}
    assert agreed(database, order, ADA) == [
        ("requested", "2018-02-05 19:28", {"network": "192.0.2.7"} | theirs),
        ("confirmed", "2018-02-05 19:31", {"network": "192.0.2.8"} | theirs),
        ("imported", "2026-11-01 09:30", {"line": 2}),
    ]
    assert agreed(database, order, CY)[:2] == [
        ("given", "2018-02-12 10:54", theirs),
        ("withdrawn", "2020-07-23 12:19", {"reason": "No longer interested"} | theirs),
    ]
    # A bounce is nobody's word.
    assert [action for action, *_ in agreed(database, order, DI)] == ["given", "imported"]
    with database.read() as session:
        left = queries.show(session, parse(CY), keyring=order.keyring).subscriptions[0].left_at
        tags = queries.find(session, parse(ADA)).tags
    assert left == datetime(2020, 7, 23, 12, 19, 27, tzinfo=UTC)
    assert tags == ("Editors", "Red, blue")


def test_who_never_subscribed_is_left_out_and_told(database: Database, order: Import) -> None:
    _, readings = run(database, "mailchimp", order)
    assert [(one.table, one.left_out) for one in readings if one.left_out] == [
        ("export/nonsubscribed_members_export_4f1c.csv", "people who never subscribed")
    ]
    _, readings = run(database, "substack", order)
    assert [one.table for one in readings if one.left_out] == ["export/1.opens.csv"]
    assert "reader@example.org" not in everybody(database, order)


def test_who_left_elsewhere_leaves_here_unless_they_came_since(
    database: Database, order: Import, now: datetime
) -> None:
    with database.write() as session:
        for address in (CY, ED):
            queries.add(session, parse(address), order.newsletter, keyring=order.keyring, now=now)
    run(database, "revue", order)
    # Without a time of leaving, the file's word counts; with an older one, the person's.
    assert everybody(database, order)[CY][0] is GONE
    report, _ = run(database, "kit.csv", order)
    assert everybody(database, order)[ED][0] is SPAM
    assert report.ended == 1
    with database.write() as session:
        lifted = queries.add(
            session, parse(CY), order.newsletter, keyring=order.keyring, now=now, source="web"
        )
    assert lifted[1].effect == "confirmed"
    report, _ = run(database, "mailchimp", order)
    assert everybody(database, order)[CY][0] is Status.ACTIVE
    assert report.ended == 0


def test_who_complained_elsewhere_never_comes_back(database: Database, order: Import) -> None:
    run(database, "kit.csv", order)
    with database.read() as session:
        reasons = [*session.execute(select(suppressions.c.reason)).scalars()]
    assert reasons == ["complaint"]
    everyone = b"email\n" + f"{CY}\n{DI}\n{ED}".encode()
    report = import_people(database, io.BytesIO(everyone), order)
    assert report.left_out == {"unsubscribed": 1, "bounced": 1, "suppressed": 1}


def test_a_list_of_those_who_left_is_imported_as_such(database: Database, order: Import) -> None:
    listed = replace(order, status=Status.UNSUBSCRIBED)
    report, _ = run(database, "listmonk.csv", listed)
    assert report.joined == {"unsubscribed": 3}


def test_columns_can_be_named_left_out_and_shown(database: Database, order: Import) -> None:
    raw = b"Contact,Who,Colour,Note\nada@x.org,Ada,red,secret\n"
    readings: list[Reading] = []
    chosen = replace(
        order, columns={"contact": "email", "Who": "name", "Colour": "hue", "Note": "-"}
    )
    tell = Listeners(reading=readings.append)
    assert import_people(database, io.BytesIO(raw), chosen, name="a.csv", tell=tell).added == 1
    assert readings[0].columns == (
        ("Contact", "email"),
        ("Who", "name"),
        ("Colour", "new attribute hue (text)"),
        ("Note", "left out"),
    )
    with database.read() as session:
        ada = queries.find(session, parse("ada@x.org"))
    assert (ada.name, ada.attributes) == ("Ada", {"hue": "red"})


JSON_LINES = """
{"email": "ada@x.org", "name": "'=Ada", "seats": 3, "likes": ["a|b", "c"], "vip": true}

{"email": "bo@x.org", "attributes": {"plan": "pro", "city": {"zip": 1}}, "status": "pending"}
{"email": "cy@x.org", "name": "\\u0000"}
{"email": "di@x.org", "tags": "not closed
["ed@x.org"]
{"email": "fay@x.org", "seats": NaN}
{"email": "gus@x.org", "name": "\\ud800"}
{"name": "nobody"}
"""


def test_json_lines_bring_kinds_with_them(database: Database, order: Import) -> None:
    refused: list[Refused] = []
    tell = Listeners(refused=refused.append)
    report = import_people(database, io.BytesIO(JSON_LINES.encode()), order, tell=tell)
    assert (report.added, [row.line for row in refused]) == (2, [5, 6, 7, 8, 9, 10])
    assert refused[1].reason == "is no JSON object; write one object on each line"
    with database.read() as session:
        ada = queries.find(session, parse("ada@x.org"))
        kinds = {name: one.kind for name, one in definitions(session).items()}
    assert ada.name == "'=Ada"
    assert ada.attributes == {"seats": 3, "likes": ["a|b", "c"], "vip": True}
    assert kinds == {
        "seats": Kind.NUMBER,
        "likes": Kind.LIST,
        "vip": Kind.BOOLEAN,
        "plan": Kind.TEXT,
        "city_zip": Kind.NUMBER,
    }


HOSTILE = {
    "no zip after all": (b"PK\x03\x04" + b"junk" * 50, "is a zip that can't be read"),
    "nothing in it": ("only.txt", "holds no list of people"),
    "no table in it": ("picture.png", "holds no CSV"),
    "excel": ("[Content_Types].xml", "is a spreadsheet; export it as CSV"),
    "opendocument": ("mimetype", "is a spreadsheet; export it as CSV"),
    "an array": (b'[{"email": "a@x.org"}]', "is one JSON array"),
    "a number": (b"{1}\n{2}\n", "is no JSON lines"),
    "deep": (b"{" + b'"a":{' * 5000, "is no JSON lines"),
    "too many names": (
        json.dumps({"email": "a@x.org"} | dict.fromkeys(map(str, range(300)), 1)).encode(),
        "more than 100 columns",
    ),
}


@pytest.mark.parametrize(("given", "words"), HOSTILE.values(), ids=HOSTILE)
def test_a_file_that_is_none_says_so(
    database: Database, order: Import, given: bytes | str, words: str
) -> None:
    if isinstance(given, str):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr(given, "nothing")
        given = packed.getvalue()
    with pytest.raises(ImportRefused, match=words):
        import_people(database, io.BytesIO(given), order)


def test_a_broken_table_in_a_zip_is_told_and_spoils_nothing(
    database: Database, order: Import
) -> None:
    raw = bytearray(content("revue"))
    at = raw.index(b"unsubscribed_2023") + 40
    raw[at : at + 20] = b"\xff" * 20
    with pytest.raises(ImportRefused, match="can't be read"):
        import_people(database, io.BytesIO(bytes(raw)), order)
    assert not everybody(database, order)


def test_an_import_that_broke_off_is_simply_started_again(
    database: Database, order: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "BATCH", 10)
    raw = b"email,joined\n" + b"".join(b"p%d@x.org,2020-01-01\n" % n for n in range(100))

    def stop(progress: Progress) -> None:
        if progress.report.added >= 50:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_people(database, io.BytesIO(raw), order, tell=Listeners(progress=stop))
    assert len(everybody(database, order)) == 50
    report = import_people(database, io.BytesIO(raw), order)
    assert (report.added, report.unchanged) == (50, 50)
    assert len(everybody(database, order)) == 100
