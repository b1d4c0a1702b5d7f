"""What was reported changes what it should, once, and nothing else."""

from __future__ import annotations

import random
import threading
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from mailer.delivery import grants
from mailer.delivery.tables import deliveries
from mailer.feedback import queries
from mailer.feedback.tables import intake
from subscribers.errors import DatabaseUnavailable
from subscribers.tables import consents, events
from subscribers.token import Scope
from tests.integration.feedback.world import Json, World


def ada(world: World, text: str = "ada@example.org", **fields: str) -> tuple[int, int]:
    """Somebody with a copy: the person and the delivery."""
    person = world.add_person(text)
    return person, world.add_copy(world.add_campaign(), text, person, **fields)


#: What is reported; then the person's status, whether suppressed, what stands beside the copy.
KINDS: dict[str, tuple[Json, tuple[str, bool, str | None]]] = {
    "delivered": ({"type": "delivered"}, ("active", False, "delivered")),
    "deferred": ({"type": "deferred"}, ("active", False, None)),
    "hard": ({"type": "bounced", "hard": True}, ("bounced", True, "bounced")),
    "soft": ({"type": "bounced", "hard": False}, ("active", False, "bounced")),
    "spam": ({"type": "bounced", "reason": "spam"}, ("active", False, "bounced")),
    "complained": ({"type": "complained"}, ("complained", True, "complained")),
    "unsubscribed": ({"type": "unsubscribed"}, ("unsubscribed", False, None)),
}


def test_each_kind_of_report(world: World) -> None:
    sent = {name: ada(world, f"{name}@example.org") for name in KINDS}
    for name, (_, delivery) in sent.items():
        report = {**world.report("bounced"), **KINDS[name][0]}
        world.keep({**report, "delivery": world.verp(delivery)})
    assert world.apply() == len(KINDS)
    became = {
        name: (
            world.status(person),
            world.is_suppressed(f"{name}@example.org"),
            world.copy(delivery)[1],
        )
        for name, (person, delivery) in sent.items()
    }
    assert became == {name: told for name, (_, told) in KINDS.items()}


def test_a_report_proves_that_an_unknown_copy_had_left(world: World) -> None:
    for kind in ("delivered", "bounced", "complained"):
        _, delivery = ada(world, f"{kind}@example.org", state="unknown")
        world.keep(world.report(kind, delivery=world.verp(delivery)))
        world.apply()
        assert world.copy(delivery) == ("sent", kind)


def test_the_graver_word_stands_in_whatever_order(world: World) -> None:
    person, delivery = ada(world)
    for kind in ("complained", "bounced", "delivered"):
        world.keep(world.report(kind, delivery=world.verp(delivery)))
    world.apply()
    assert world.copy(delivery) == ("sent", "complained")
    assert world.status(person) == "complained"


NAMES: dict[str, dict[str, str]] = {
    "return-path": {"delivery": "{verp}"},
    "whole-in-capitals": {"delivery": "<{verp_upper}@bounces.example.com>"},
    "header": {"delivery": "{token}"},
    "message-id": {"message_id": "<{token}@example.com>", "recipient": "{name}@EXAMPLE.org"},
    "message-id-of-a-test": {
        "message_id": "<{token}.n0nce@example.com>",
        "recipient": "{name}@example.org",
    },
    "provider-id": {"provider_id": "Q1", "recipient": "{name}@example.org"},
    "rewritten-message-id": {
        "message_id": "<rewritten@relay>",
        "provider_id": "Q1",
        "recipient": "{name}@example.org",
    },
}


def test_a_copy_can_be_named_in_many_ways(world: World) -> None:
    people = {}
    for name, names in NAMES.items():
        people[name], delivery = ada(world, f"{name}@example.org", provider_id="Q1")
        marks = {
            "name": name,
            "verp": world.verp(delivery),
            "verp_upper": world.verp(delivery).upper(),
            "token": world.token(Scope.VERP, delivery),
        }
        world.keep(world.report("bounced", **{k: v.format(**marks) for k, v in names.items()}))
    world.apply()
    assert {name: world.status(person) for name, person in people.items()} == dict.fromkeys(
        NAMES, "bounced"
    )


STRANGE: list[tuple[dict[str, str], str]] = [
    ({"delivery": "b-forged"}, "its delivery token is not ours"),
    ({"delivery": "{unsubscribe}"}, "its delivery token is not ours"),
    ({"delivery": "{cut}"}, "its delivery token is not ours"),
    ({"delivery": "{nobody}"}, "its delivery token is not ours"),
    ({"delivery": "{queued}"}, "its copy never left (queued)"),
    ({"delivery": "{failed}"}, "its copy never left (failed)"),
    ({"provider_id": "Q1", "recipient": "eve@example.org"}, "its message went to another address"),
    ({"provider_id": "Q2", "recipient": "ada@example.org"}, "its message is not ours"),
    ({"message_id": "<x@y>", "recipient": "ada@example.org"}, "its message is not ours"),
    (
        {"message_id": "{token}@y", "recipient": "eve@example.org"},
        "its message went to another address",
    ),
    ({"message_id": "{token}@y", "recipient": "ada"}, "its recipient is no address"),
]


def test_what_names_no_copy_of_ours_is_recorded_and_ignored(world: World) -> None:
    person, delivery = ada(world, provider_id="Q1")
    eve = world.add_person("eve@example.org")
    marks = {
        "unsubscribe": world.token(Scope.UNSUBSCRIBE, delivery),
        "token": world.token(Scope.VERP, delivery),
        "cut": world.verp(delivery)[:-1],
        "nobody": world.verp(delivery + 1000),
        "queued": world.verp(world.add_copy(world.add_campaign(), "e@x.org", eve, state="queued")),
        "failed": world.verp(world.add_copy(world.add_campaign(), "e@x.org", eve, state="failed")),
    }
    for names, _ in STRANGE:
        world.keep(world.report("bounced", **{k: v.format(**marks) for k, v in names.items()}))
    world.apply()
    assert world.status(person) == world.status(eve) == "active"
    assert world.copy(delivery) == ("sent", None)
    assert world.events() == [("bounced", why) for _, why in STRANGE]
    assert world.results() == [f"1 ignored: {why}" for _, why in STRANGE]


def test_a_test_copy_is_nobodys(world: World) -> None:
    delivery = world.add_copy(world.add_campaign(), "me@example.org", None)
    world.keep(world.report("complained", delivery=world.verp(delivery)))
    world.apply()
    assert world.copy(delivery) == ("sent", "complained")
    assert not world.is_suppressed("me@example.org")


def test_what_is_not_understood_holds_up_nobody(world: World) -> None:
    person, delivery = ada(world)
    bodies = {
        b"": "not understood: not JSON",
        b"\xff": "not understood: not UTF-8",
        b"[" * 100_000: "not understood: nested too deep",
        b"[]": "nothing in it",
        b"[1]": "event 1: not an object",
    }
    for body in bodies:
        world.keep(body)
    world.keep(world.report("bounced", delivery=world.verp(delivery)))
    assert world.apply() == 6
    for result, words in zip(world.results(), bodies.values(), strict=False):
        assert (result or "").startswith(words)
    assert world.status(person) == "bounced"


def test_a_provider_nobody_knows_any_more_holds_up_nobody(world: World) -> None:
    world.keep(b"{}")
    with world.database.write() as session:
        session.execute(update(intake).values(provider="gone"))
    assert world.apply() == 1
    assert world.results() == ["not understood: no provider is called gone"]


def test_an_event_counts_once_however_often_it_comes(world: World) -> None:
    person, delivery = ada(world)
    told = world.report(
        "bounced", id="e1", hard=False, reason="mailbox-full", delivery=world.verp(delivery)
    )
    for batch in ([told], [told, told], [told, {**told, "type": "complained"}]):
        world.keep(batch)
    assert world.apply() == 3
    assert world.events() == [("bounced", "soft bounce 1 of 5")]
    assert world.status(person) == "active"


def test_the_evidence_holds_no_address(world: World) -> None:
    _, delivery = ada(world)
    text = "550 5.1.1 <ada@example.org> and ADA@example.org: unknown"
    world.keep(world.report("bounced", delivery=world.verp(delivery), text=text))
    world.apply()
    with world.database.read() as session:
        kept = str(session.execute(select(events.c.evidence, events.c.effect)).all())
        kept += str(session.execute(select(consents.c.evidence)).all())
    assert "550 5.1.1" in kept
    assert "ada@example" not in kept.lower()


def test_a_clock_that_runs_ahead_does_not_reach_the_future(world: World) -> None:
    _, delivery = ada(world)
    world.keep(world.report("delivered", at="2999-01-01T00:00:00Z", delivery=world.verp(delivery)))
    world.apply()
    with world.database.read() as session:
        assert session.execute(select(events.c.at)).scalars().all()[-1] == world.now


def test_a_request_that_was_understood_is_emptied_at_once(world: World) -> None:
    _, delivery = ada(world)
    event = world.report("bounced", recipient="ada@example.org", delivery=world.verp(delivery))
    world.keep(event)
    world.keep([{**event, "id": "e2"}, 1])
    world.apply()
    first, second = world.bodies()
    assert first == b""
    assert b"ada@example.org" in second


def test_bodies_are_forgotten_and_requests_still_known(world: World) -> None:
    world.keep(b"ada@example.org", id="r1")
    world.apply()
    world.keep(b"waits", id="r2")
    with world.database.write() as session:
        assert queries.forget_bodies(session, until=world.now) == 1
    assert world.bodies() == [b"", b"waits"]
    assert not world.keep(b"ada@example.org", id="r1")


def test_fault_27_a_thousand_requests_twice_and_shuffled_make_one_change_each(
    world: World,
) -> None:
    """Two appliers at once, duplicates under the same and under another request id."""
    campaign = world.add_campaign()
    people = [world.add_person(f"p{n}@example.org") for n in range(50)]
    copies = [
        world.add_copy(campaign, f"p{n}@example.org", person) for n, person in enumerate(people)
    ]
    reports = [
        world.report(
            "bounced",
            id=f"e{n}",
            hard=False,
            reason="mailbox-full",
            delivery=world.verp(copies[n % 50]),
        )
        # Four soft bounces each: a fifth would make the address bounced.
        for n in range(200)
    ]
    requests = [(f"r{n}", report) for n, report in enumerate(reports)] * 4
    requests += [(f"again{n}", report) for n, report in enumerate(reports)]
    random.Random(7).shuffle(requests)
    kept = world.keep_all(requests)
    assert (len(kept), sum(kept)) == (1_000, 400)

    applied: list[int] = []
    threads = [threading.Thread(target=lambda: applied.append(world.apply())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(applied) + world.apply() == 400
    with world.database.read() as session:
        by_effect = session.execute(
            select(events.c.effect, func.count())
            .where(events.c.source == "generic")
            .group_by(events.c.effect)
            .order_by(events.c.effect)
        ).all()
    assert [tuple(row) for row in by_effect] == [
        (f"soft bounce {n} of 5", 50) for n in (1, 2, 3, 4)
    ]
    assert {world.status(person) for person in people} == {"active"}


def test_fault_30_a_database_that_is_gone_loses_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    person, delivery = ada(world)
    world.keep(world.report("bounced", delivery=world.verp(delivery)))

    def gone(*_args: object, **_options: object) -> None:
        raise DatabaseUnavailable

    with monkeypatch.context() as broken:
        broken.setattr(queries, "mark_applied", gone)
        with pytest.raises(DatabaseUnavailable):
            world.apply()
    assert world.results() == [None]
    assert world.apply() == 1
    assert world.status(person) == "bounced"


def test_a_mistake_of_ours_holds_up_nobody(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    person, delivery = ada(world)
    world.keep(b"1")
    world.keep(world.report("bounced", delivery=world.verp(delivery)))

    def stumble(_body: bytes) -> None:
        raise ZeroDivisionError

    from mailer.feedback import apply

    with monkeypatch.context() as broken:
        broken.setattr(apply, "READERS", {"generic": stumble})
        assert world.apply(limit=1) == 1
    assert world.apply() == 1
    assert (world.results()[0] or "").startswith("failed: ZeroDivisionError")
    assert world.status(person) == "bounced"


def test_many_requests_are_applied_together(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """One by one would do, too, and nobody would notice but by the clock."""
    kinds = ("delivered", "bounced", "complained")
    sent = [ada(world, f"{n}@example.org", state="unknown") for n in range(30)]
    world.keep_all(
        [
            (f"r{n}", world.report(kinds[n % 3], delivery=world.verp(delivery)))
            for n, (_, delivery) in enumerate(sent)
        ]
    )
    assert world.apply() == 30
    assert caplog.records == []
    assert [world.copy(delivery) for _, delivery in sent] == [
        ("sent", kinds[n % 3]) for n in range(30)
    ]
    assert [world.status(person) for person, _ in sent[:3]] == ["active", "bounced", "complained"]


ENOUGH: dict[str, tuple[Json, bool]] = {
    "deferred, rate": ({"type": "deferred", "reason": "rate"}, True),
    "blocked, reputation": ({"type": "bounced", "hard": False, "reason": "reputation"}, True),
    "deferred, greylisted": ({"type": "deferred", "reason": "greylisted"}, False),
    "full": ({"type": "bounced", "hard": False, "reason": "mailbox-full"}, False),
    "delivered": ({"type": "delivered"}, False),
}


@pytest.mark.parametrize("name", ENOUGH)
def test_a_provider_behind_the_relay_that_has_enough_slows_its_lane(
    world: World, name: str
) -> None:
    report, slows = ENOUGH[name]
    _, delivery = ada(world)
    with world.database.write() as session:
        session.execute(update(deliveries).values(relay="default"))
    world.keep({**world.report("delivered"), **report, "delivery": world.verp(delivery)})
    world.apply()
    place = ("default", "other")
    with world.database.write() as session:
        since = world.now - timedelta(minutes=1)
        assert (place in grants.reported(session, since=since)) is slows
        # One worker heeds it, and only once.
        assert [grants.take_report(session, *place) for _ in range(2)] == [slows, False]


def test_what_left_before_the_lane_was_slowed_down_says_nothing_new(world: World) -> None:
    _, delivery = ada(world)
    with world.database.write() as session:
        session.execute(update(deliveries).values(relay="default"))
        grants.slow(session, "default", "other", measured=10, now=world.now + timedelta(seconds=1))
    world.keep(world.report("deferred", reason="rate", delivery=world.verp(delivery)))
    world.apply()
    with world.database.read() as session:
        assert not grants.reported(session, since=world.now - timedelta(minutes=1))
