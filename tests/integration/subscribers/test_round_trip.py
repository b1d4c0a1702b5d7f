"""What is exported comes back the same, whatever people are called; and ten thousand bad rows."""

from __future__ import annotations

import io
import json
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from subscribers import queries
from subscribers.attribute.model import Definition, Kind
from subscribers.attribute.queries import declare
from subscribers.database import Database
from subscribers.model import Member, Newsletter, Status
from subscribers.token import Keyring
from subscribers.transfer.exporting import RefusedFile, export_csv, export_json
from subscribers.transfer.importing import Listeners, import_people
from subscribers.transfer.model import Import, Refused
from tests.services import schema

NOW = datetime(2026, 11, 1, 9, 30, tzinfo=UTC)

#: Any text but what is refused: controls, surrogates, overrides, and what is not NFC.
_TEXT = st.text(st.characters(exclude_categories=("Cc", "Cs", "Cn", "Co", "Zl", "Zp")), max_size=20)
_PERSON = st.fixed_dictionaries(
    {"name": _TEXT, "tags": st.lists(_TEXT, max_size=4), "note": _TEXT},
    optional={
        "seats": st.integers(-(10**12), 10**12) | st.floats(allow_nan=False, allow_infinity=False),
        "vip": st.booleans(),
        "born": st.dates().map(str),
        "likes": st.lists(_TEXT, max_size=4),
        "status": st.sampled_from(Status),
        "joined_at": st.integers(0, 10**9).map(
            lambda ago: (NOW - timedelta(seconds=ago, microseconds=ago)).isoformat()
        ),
    },
)


_KINDS = [
    Definition(name="note", kind=Kind.TEXT),
    Definition(name="seats", kind=Kind.NUMBER),
    Definition(name="vip", kind=Kind.BOOLEAN),
    Definition(name="born", kind=Kind.DATE),
    Definition(name="likes", kind=Kind.LIST),
]


class World:
    """One database, in which each example has newsletters of its own."""

    def __init__(self, folder: Path) -> None:
        url = f"sqlite:///{folder / 'pressrun.db'}"
        schema.build(url)
        self.database = Database(url)
        with self.database.write() as session:
            # A CSV does not say what its columns hold.
            declare(session, _KINDS, now=NOW)
        self.keyring = Keyring.generate()
        self.count = 0

    def newsletter(self, name: str) -> Import:
        """An order to import into a new newsletter, in a database without people."""
        self.count += 1
        with self.database.write() as session:
            added = queries.add_newsletter(
                session,
                Newsletter(
                    id=0,
                    slug=f"{name}{self.count}",
                    name=name,
                    from_name="Ed",
                    from_address="ed@example.org",
                    postal_address="1 Quay Street",
                    url="https://example.org",
                ),
                now=NOW,
            )
        return Import(newsletter=added, keyring=self.keyring, now=NOW, declare=True)

    def take(self, content: str, order: Import) -> list[Refused]:
        refused: list[Refused] = []
        tell = Listeners(refused=refused.append)
        import_people(self.database, io.BytesIO(content.encode()), order, tell=tell)
        return refused

    def members(self, order: Import) -> list[Member]:
        with self.database.read() as session:
            return [*queries.members(session, order.newsletter.id)]

    def lines(self, order: Import) -> list[str]:
        with self.database.read() as session:
            return [*export_json(session, order.newsletter.id)]


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, World, World]:
    """Three that know nothing of each other."""
    first, second, third = (World(tmp_path_factory.mktemp("round")) for _ in range(3))
    return first, second, third


@settings(
    max_examples=25,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(people=st.lists(_PERSON, min_size=1, max_size=6))
def test_json_lines_and_csv_come_back_the_same(
    worlds: tuple[World, World, World], people: list[dict[str, object]]
) -> None:
    orders = [world.newsletter("weekly") for world in worlds]
    told = [
        json.dumps({"email": f"p{worlds[0].count}.{number}@x.org"} | person, ensure_ascii=False)
        for number, person in enumerate(people)
    ]
    refused = worlds[0].take("\n".join(told), orders[0])
    exported = worlds[0].lines(orders[0])
    assert len(refused) + len(exported) == len(people)
    if not exported:
        return
    assert worlds[1].take("\n".join(exported), orders[1]) == []
    assert [*map(json.loads, worlds[1].lines(orders[1]))] == [*map(json.loads, exported)]
    csv = io.StringIO()
    with worlds[1].database.read() as session:
        export_csv(session, orders[1].newsletter.id, csv)
    assert worlds[2].take(csv.getvalue(), orders[2]) == []
    assert [*map(_without_consents, worlds[2].lines(orders[2]))] == [
        *map(_without_consents, exported)
    ]


def _without_consents(line: str) -> dict[str, object]:
    told: dict[str, object] = json.loads(line)
    del told["consents"]
    return told


_OVERRIDES = "\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u200b\u200f\ufeff"


def _hostile(pick: random.Random, number: int) -> bytes:
    """One row that means harm, or is broken."""
    address = f"h{number}@evil.example"
    trick = pick.choice(_OVERRIDES)
    kinds: list[bytes] = [
        f"{address},=cmd|' /C calc'!A0,plan\n".encode(),
        f"{address},@SUM(1+1)*cmd,-2+3\n".encode(),
        f"{address},\0,x\n".encode(),
        f"\0{address},x,x\n".encode(),
        f"h{number}{trick}@evil.example,x,x\n".encode(),
        f"h{number}@evil{trick}.example,x,x\n".encode(),
        f"{address},mia{trick}gro.live,x\n".encode(),
        f"{address},caf".encode() + b"\xe9\xff" + b",x\n",
        f"{address},x\n".encode("utf-16-le"),
        f'{address},"never closed,x\n'.encode(),
        f'"{address}\r\nBcc: victim@x.org",x,x\n'.encode(),
        f"{address}\r\rBcc: victim@x.org,x,x\n".encode(),
        f"<script>{address},<img src=x onerror=alert(1)>,x\n".encode(),
        f"{address},'; DROP TABLE subscribers; --,{{{{ 7*7 }}}}\n".encode(),
        f"{address},a,b,c,d,e,f,g\n".encode(),
        b"\n",
        b",,\n",
        f"{'a' * 70}{address},x,x\n".encode(),
        f"{address.replace('h', 'һ', 1)},x,x\n".encode(),
        f'"h {number}"@evil.example,x,x\n'.encode(),
        f"h{number}@[127.0.0.1],x,x\n".encode(),
        f"{address},{chr(0x10FFFF)}{chr(0xE000)},x\n".encode(),
        f"{address},{'e' + chr(0x301) * 300},x\n".encode(),
    ]
    return pick.choice(kinds)


def test_ten_thousand_hostile_rows_harm_nobody(tmp_path: Path) -> None:
    world = World(tmp_path)
    order = world.newsletter("weekly")
    pick = random.Random(5)
    rows = [_hostile(pick, number) for number in range(10_000)]
    for place in range(100, 10_000, 2500):
        rows[place] = b"big@evil.example," + b"A" * 1_000_000 + b",x\n"
    good = [f"good{number}@x.org,Zoë {number},plan\n".encode() for number in range(200)]
    for number, row in enumerate(good):
        # After a whole row: one that ends without a line end takes the next with it.
        rows.insert(number * 45, b"\n" + row)
    raw = b"email,name,plan\n" + b"".join(rows)
    refused: list[Refused] = []
    kept = io.StringIO()
    write = RefusedFile(kept)
    tell = Listeners(refused=lambda row: (refused.append(row), write(row))[0])
    report = import_people(world.database, io.BytesIO(raw), order, tell=tell)
    members = world.members(order)
    there = {str(one.subscriber.address) for one in members}
    assert there >= {f"good{number}@x.org" for number in range(200)}
    assert report.added == len(members)
    assert len(refused) == report.refused > 3000
    assert all(row.reason.isprintable() for row in refused)
    for one in members:
        told = (one.subscriber.address, one.subscriber.name, *one.subscriber.attributes.values())
        for text in map(str, told):
            assert not {*text} & {*"\0\r\n\u202a\u202b\u202d\u202e\u2066\u2067\u2068"}
    out = io.StringIO()
    with world.database.read() as session:
        export_csv(session, order.newsletter.id, out)
    for text in (out.getvalue(), kept.getvalue()):
        for line in text.splitlines():
            assert not line.startswith(("=", "+", "-", "@", "\t"))
            assert ",=" not in line
            assert ",@SUM" not in line
    later = replace(order, now=NOW + timedelta(days=1))
    again = import_people(world.database, io.BytesIO(raw), later)
    assert (again.added, again.updated, again.ended) == (0, 0, 0)
