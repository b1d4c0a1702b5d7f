"""Reading the generic webhook: what is understood, and the words for what is not."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.webhooks.generic import MAX_EVENTS, parse
from mailer.webhooks.model import ReportedEvent, WebhookUnreadable
from subscribers.event import EventType, Hardness
from subscribers.reason import Reason

BOUNCE: dict[str, object] = {
    "id": "1",
    "type": "bounced",
    "at": "2026-12-01T09:00:00Z",
    "recipient": "ada@example.org",
    "hard": True,
    "message_id": "<t@example.net>",
}


def one(**changes: object) -> ReportedEvent:
    report = parse(json.dumps({**BOUNCE, **changes}).encode())
    assert report.mistakes == ()
    return report.events[0]


def test_every_field_is_read() -> None:
    event = one(
        reason="mailbox-full",
        delivery="b-abc",
        provider_id="Q1",
        text="552 over quota",
        hard=False,
        at="2026-12-01T18:00:00+09:00",
    )
    assert event == ReportedEvent(
        id="1",
        type=EventType.BOUNCED,
        at=datetime(2026, 12, 1, 9, tzinfo=UTC),
        recipient="ada@example.org",
        hardness=Hardness.SOFT,
        reason=Reason.MAILBOX_FULL,
        token="b-abc",
        message_id="<t@example.net>",
        provider_id="Q1",
        text="552 over quota",
    )


@pytest.mark.parametrize("kind", ["delivered", "deferred", "complained", "unsubscribed"])
def test_only_bounces_are_hard_or_soft(kind: str) -> None:
    assert one(type=kind).hardness is None
    assert one(type=kind).type == kind


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({}, Reason.NO_SUCH_USER, id="hard alone is about the address"),
        pytest.param({"hard": False}, Reason.UNKNOWN, id="soft alone says nothing"),
        pytest.param({"reason": "spam"}, Reason.SPAM, id="named"),
        pytest.param({"reason": "unknown"}, Reason.UNKNOWN, id="named unknown stays so"),
        pytest.param({"text": "550 5.2.1 disabled"}, Reason.DISABLED, id="from the reply"),
        pytest.param(
            {"text": "554 5.7.1 blocked using zen.spamhaus.org"},
            Reason.REPUTATION,
            id="called hard, and yet a blocklist",
        ),
        pytest.param({"type": "complained"}, Reason.UNKNOWN, id="a complaint needs none"),
    ],
)
def test_the_reason_is_named_or_judged_from_the_reply(
    changes: dict[str, object], reason: Reason
) -> None:
    assert one(**changes).reason is reason


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"id": None}, "id is missing"),
        ({"id": 7}, "id must be text"),
        ({"id": "x" * 201}, "id is longer than 200 characters"),
        ({"id": "a\x00b"}, "id holds a control character"),
        ({"id": "\ud800"}, "id holds a control character"),
        ({"type": "opened"}, "type must be one of delivered, deferred"),
        ({"type": ["bounced"]}, "type must be text"),
        ({"at": "yesterday"}, "at is no time"),
        ({"at": "2026-12-01T09:00:00"}, "at has no time zone"),
        ({"at": "0001-01-01T00:00:00+14:00"}, "at is no time"),
        ({"at": 1796115600}, "at must be text"),
        ({"hard": None}, "hard must be true or false"),
        ({"hard": "yes"}, "hard must be true or false"),
        ({"hard": 1}, "hard must be true or false"),
        ({"reason": "dunno"}, "reason must be one of no-such-user"),
        ({"recipient": None}, "recipient is missing"),
        ({"recipient": {"email": "a@b.c"}}, "recipient must be text"),
        ({"message_id": None}, "names no message"),
    ],
)
def test_a_mistake_is_told_in_words(changes: dict[str, object], words: str) -> None:
    report = parse(json.dumps({**BOUNCE, **changes}).encode())
    assert report.events == ()
    assert words in report.mistakes[0]


def test_a_token_names_its_copy_without_an_address() -> None:
    assert one(delivery="b-abc", message_id=None, recipient=None).token == "b-abc"


def test_a_mistake_does_not_hold_up_the_others() -> None:
    report = parse(json.dumps([BOUNCE, 3, {**BOUNCE, "id": ""}, {**BOUNCE, "id": "2"}]).encode())
    assert [event.id for event in report.events] == ["1", "2"]
    assert report.mistakes == ("event 2: not an object", "event 3: id is missing")


def test_other_peoples_words_are_cut_and_cleaned() -> None:
    event = one(text="a\x00b\ud800\r\nc" + "x" * 5_000)
    assert event.text.startswith("ab\r\nc")
    assert len(event.text) == 4_000


def test_a_thousand_events_and_no_more() -> None:
    assert len(parse(json.dumps([BOUNCE] * MAX_EVENTS).encode()).events) == MAX_EVENTS
    with pytest.raises(WebhookUnreadable, match="at most 1000"):
        parse(json.dumps([BOUNCE] * (MAX_EVENTS + 1)).encode())


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param(b"", "not JSON", id="empty"),
        pytest.param(json.dumps(BOUNCE).encode()[:-5], "not JSON", id="truncated"),
        pytest.param(b'{"id": "\xff"}', "not UTF-8 at byte 8", id="invalid UTF-8"),
        pytest.param(b'{"id": "a\x00"}', "not JSON", id="NUL"),
        pytest.param(b"[" * 200_000, "nested too deep", id="deep"),
        pytest.param(b"9" * 10_000, "not JSON", id="a number beyond all bounds"),
        pytest.param(b'"bounced"', "neither an event", id="text"),
        pytest.param(b"null", "neither an event", id="null"),
        pytest.param(b"NaN", "neither an event", id="not a number"),
    ],
)
def test_what_is_no_report_at_all(body: bytes, words: str) -> None:
    with pytest.raises(WebhookUnreadable, match=words):
        parse(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*BOUNCE, "text"]), inner),
    max_leaves=12,
)


def understood(body: bytes) -> list[ReportedEvent]:
    """The events in a body, none where it is refused; anything else raised is a failure."""
    try:
        return [*parse(body).events]
    except WebhookUnreadable:
        return []


@given(JSON)
def test_any_json_is_read_or_refused(value: object) -> None:
    events = understood(json.dumps(value).encode("utf-8", "surrogatepass"))
    assert all(event.at.tzinfo is UTC and event.id for event in events)


@given(st.binary())
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    assert understood(body) == []
