"""No adapter takes what its provider did not send, and none loses what it did."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mailer.errors import SettingsInvalid, WebhookRefused
from mailer.settings import Settings
from mailer.webhooks.model import Incoming, Received, Report, WebhookUnreadable
from mailer.webhooks.providers import PROVIDERS, Provider
from mailer.webhooks.sample import Sample, make
from subscribers.event import EventType, Hardness
from subscribers.reason import Reason

NOW = datetime.now(UTC).replace(microsecond=0)
SETTINGS = Settings(public_url="https://news.example.com")
#: Those whose proof carries a time.
STAMPED = ("amazon_ses", "mailgun", "resend", "scaleway_tem", "sendgrid")
#: Those that prove a request by a password: what they say of its body nobody vouches for.
BODILESS = ("azure", "brevo", "haraka", "kumomta", "mailjet", "mailtrap", "postmark", "sparkpost")
#: Those in whose scheme nothing says what the body was.
PARTIAL = {"mailgun", "zonemta", *BODILESS}


@pytest.fixture(autouse=True)
def this_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests' clock starts with the test: Standard Webhooks are held against the real one."""
    monkeypatch.setattr(sys.modules[__name__], "NOW", datetime.now(UTC).replace(microsecond=0))


every_provider = pytest.mark.parametrize("provider", PROVIDERS.values(), ids=lambda p: p.name)


def fresh(provider: Provider) -> Sample:
    return make(provider, SETTINGS, now=NOW)


def accepted(provider: Provider, sample: Sample, incoming: Incoming | None = None) -> bool:
    try:
        provider.verify(sample.settings.webhooks, incoming or sample.incoming)
    except WebhookRefused:
        return False
    return True


def read(provider: Provider, sample: Sample) -> Report:
    request_id = provider.verify(sample.settings.webhooks, sample.incoming)
    return provider.parse(Received(id=request_id, at=NOW, body=sample.incoming.body))


@every_provider
def test_a_genuine_bounce_is_understood(provider: Provider) -> None:
    report = read(provider, fresh(provider))
    assert (report.mistakes, report.passed, report.confirm) == ((), (), "")
    [event] = report.events
    assert event.type is EventType.BOUNCED
    assert event.hardness is Hardness.HARD
    assert event.reason is Reason.NO_SUCH_USER
    assert event.recipient == "nobody@example.com"
    assert abs(event.at - NOW) <= timedelta(seconds=1)
    assert 0 < len(event.id) <= 200


@every_provider
def test_a_request_without_proof_is_refused(provider: Provider) -> None:
    sample = fresh(provider)
    for body in (sample.incoming.body, b"", b"{}", b"[]", b"\xff", b"[" * 50_000):
        bare = Incoming(body=body, now=NOW, url=sample.incoming.url)
        if body == sample.incoming.body and provider.name in ("mailgun", "unisender_go"):
            continue  # their proof stands in the body
        assert not accepted(provider, sample, bare)


@every_provider
def test_a_request_signed_with_another_secret_is_refused(provider: Provider) -> None:
    ours, theirs = fresh(provider), fresh(provider)
    if provider.setting == "topics":
        forged = replace(theirs.incoming, certificate=ours.incoming.certificate)
        assert not accepted(provider, ours, forged)
    else:
        assert not accepted(provider, ours, theirs.incoming)


@every_provider
def test_a_closed_provider_takes_nothing(provider: Provider) -> None:
    sample = fresh(provider)
    assert not provider.is_open(SETTINGS)
    with pytest.raises((WebhookRefused, SettingsInvalid)):
        provider.verify(SETTINGS.webhooks, sample.incoming)


@pytest.mark.parametrize("name", sorted(PROVIDERS.keys() - PARTIAL))
def test_an_altered_body_is_refused(name: str) -> None:
    provider = PROVIDERS[name]
    sample = fresh(provider)
    body = sample.incoming.body
    changes = [body.replace(b"nobody", b"person"), body[:-1], body[: len(body) // 2]]
    if provider.setting != "topics":  # whose signature is over what JSON says, not its blanks
        changes.append(body + b" ")
    for changed in changes:
        assert not accepted(provider, sample, replace(sample.incoming, body=changed)), changed


@pytest.mark.parametrize("name", STAMPED)
def test_a_stale_request_is_refused(name: str) -> None:
    provider = PROVIDERS[name]
    for age in (timedelta(days=1), timedelta(hours=2), -timedelta(minutes=10)):
        sample = make(provider, SETTINGS, now=NOW - age)
        assert not accepted(provider, sample, replace(sample.incoming, now=NOW)), age


@pytest.mark.parametrize("name", ["mailgun", "sendgrid"])
def test_five_minutes_are_the_limit_where_nothing_else_is_set(name: str) -> None:
    provider = PROVIDERS[name]
    for seconds, taken in ((299, True), (301, False)):
        sample = make(provider, SETTINGS, now=NOW - timedelta(seconds=seconds))
        assert accepted(provider, sample, replace(sample.incoming, now=NOW)) is taken


@every_provider
def test_the_same_request_again_has_the_same_id_and_the_same_events(provider: Provider) -> None:
    sample = fresh(provider)
    ids = {provider.verify(sample.settings.webhooks, sample.incoming) for _ in range(2)}
    assert len(ids) == 1
    assert read(provider, sample) == read(provider, sample)


@every_provider
def test_headers_of_the_wrong_shape_are_refused(provider: Provider) -> None:
    sample = fresh(provider)
    for bad in (
        "",
        "\x00",
        "é" * 10,
        "\ud800",
        "Basic",
        "Basic ?",
        "Bearer ",
        "v1," * 999,
        "0" * 99,
    ):
        headers = dict.fromkeys(sample.incoming.headers, bad)
        if headers:
            assert not accepted(provider, sample, replace(sample.incoming, headers=headers)), bad


@every_provider
def test_each_single_header_counts(provider: Provider) -> None:
    sample = fresh(provider)
    for name in sample.incoming.headers:
        rest = {key: value for key, value in sample.incoming.headers.items() if key != name}
        assert not accepted(provider, sample, replace(sample.incoming, headers=rest)), name


# --- batches ------------------------------------------------------------------------------------

Wrap = Callable[[list[object]], object]
#: How each provider that sends batches wraps them.
BATCHES: Mapping[str, Wrap] = {
    "azure": lambda items: items,
    "brevo": lambda items: items,
    "haraka": lambda items: items,
    "kumomta": lambda items: items,
    "mailjet": lambda items: items,
    "mailtrap": lambda items: {"events": items},
    "sendgrid": lambda items: items,
    "sparkpost": lambda items: items,
    "unisender_go": lambda items: {"events_by_user": [{"events": items}]},
}


def single(provider: Provider, number: int) -> dict[str, object]:
    """One item of this provider's, as JSON has it."""
    body = make(provider, SETTINGS, now=NOW + timedelta(seconds=number)).incoming.body
    parsed = json.loads(body)
    for step in ("events_by_user", "events"):
        if isinstance(parsed, dict) and step in parsed:
            parsed = parsed[step][0]
    found: dict[str, object] = parsed[0] if isinstance(parsed, list) else parsed
    return found


def parse_batch(provider: Provider, items: list[object]) -> Report:
    body = json.dumps(BATCHES[provider.name](items)).encode()
    return provider.parse(Received(id="r", at=NOW, body=body))


@pytest.mark.parametrize("name", BATCHES)
def test_a_batch_in_any_order_and_twice_is_the_same_events(name: str) -> None:
    provider = PROVIDERS[name]
    items: list[object] = [single(provider, number) for number in range(20)]
    shuffled = items * 2
    random.Random(7).shuffle(shuffled)
    once = {event.id: event for event in parse_batch(provider, items).events}
    again = {event.id: event for event in parse_batch(provider, shuffled).events}
    assert len(once) == 20
    assert once == again


@pytest.mark.parametrize("name", BATCHES)
def test_a_mistake_in_a_batch_holds_up_nobody(name: str) -> None:
    provider = PROVIDERS[name]
    bad: list[object] = [None, 1, "x", [], {}, {"event": "no-such"}, {"event": 7}, {"type": {}}]
    report = parse_batch(provider, [*bad, single(provider, 1)])
    assert len(report.events) == 1
    assert len(report.mistakes) >= len(bad) - 1


@pytest.mark.parametrize("name", BATCHES)
def test_a_batch_without_end_is_not_read(name: str) -> None:
    with pytest.raises(WebhookUnreadable):
        parse_batch(PROVIDERS[name], [{}] * 10_001)


def test_the_password_alone_is_enough_as_a_bearer_token() -> None:
    provider = PROVIDERS["brevo"]
    sample = fresh(provider)
    key = provider.section(sample.settings).key
    for given, taken in ((f"Bearer {key}", True), (f"bearer {key} ", True), ("Bearer x", False)):
        incoming = replace(sample.incoming, headers={"authorization": given})
        assert accepted(provider, sample, incoming) is taken


def test_azure_takes_its_secret_from_the_url_and_answers_the_handshake() -> None:
    provider = PROVIDERS["azure"]
    sample = fresh(provider)
    key = provider.section(sample.settings).key
    for given, taken in ((key, True), ("", False), (key[:-1], False)):
        incoming = replace(sample.incoming, headers={}, query={"key": given})
        assert accepted(provider, sample, incoming) is taken
    hello = b"""[{"eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
                  "data": {"validationCode": "512d38b6"}}]"""
    assert provider.handshake(hello) == {"validationResponse": "512d38b6"}
    assert provider.handshake(sample.incoming.body) is None
    report = provider.parse(Received(id="r", at=NOW, body=hello))
    assert report.passed
    assert not report.events


def test_mandrill_signs_the_url_it_was_given() -> None:
    provider = PROVIDERS["mandrill"]
    sample = fresh(provider)
    assert not accepted(provider, sample, replace(sample.incoming, url="https://other.example/"))


def test_postal_may_not_fall_back_to_its_older_signature() -> None:
    provider = PROVIDERS["postal"]
    sample = fresh(provider)
    headers = {**sample.incoming.headers, "x-postal-signature-256": "AAAA"}
    assert not accepted(provider, sample, replace(sample.incoming, headers=headers))
