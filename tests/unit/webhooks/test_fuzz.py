"""Whatever comes: an answer in our words, no exception of others, nothing without proof."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailer.errors import WebhookRefused
from mailer.settings import Settings
from mailer.webhooks.model import Incoming, Received, Report
from mailer.webhooks.providers import PROVIDERS, READERS
from mailer.webhooks.sample import make

NOW = datetime.now(UTC).replace(microsecond=0)
SAMPLES = {
    name: make(provider, Settings(), now=NOW) for name, provider in sorted(PROVIDERS.items())
}

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=10**15, max_value=10**40),
    st.floats(),
    st.text(max_size=30),
    st.sampled_from(
        ["\x00", "\ud800", "-1", "1e999", "9" * 400, "2026-13-45T99:99:99Z", "0001-01-01", "@", "<"]
    ),
)
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner),
    max_leaves=20,
)
fuzz = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)


def fit(report: Report) -> None:
    """What a report may hold: ids, times and texts that a database can keep."""
    for event in report.events:
        assert 0 < len(event.id) <= 255
        assert event.at.tzinfo is not None
        for text in (event.id, event.recipient, event.token, event.text, event.provider_id):
            assert "\x00" not in text
            text.encode()  # no half of a surrogate pair
        assert len(event.provider_id) <= 255
        assert len(event.recipient) <= 320
    for words in (*report.mistakes, *report.passed):
        assert len(words) < 500


def read(name: str, body: bytes) -> None:
    try:
        report = READERS[name](Received(id="r", at=NOW, body=body))
    except WebhookRefused:
        return
    fit(report)


@pytest.mark.parametrize("name", READERS)
@fuzz
@given(body=st.binary(max_size=400))
def test_any_bytes(name: str, body: bytes) -> None:
    read(name, body)
    read(name, b"--x\r\n" + body)
    read(name, b"{" + body)


@pytest.mark.parametrize("name", READERS)
@fuzz
@given(value=json_values)
def test_any_json(name: str, value: object) -> None:
    read(name, json.dumps(value).encode())
    read(name, urlencode({"mandrill_events": json.dumps(value)}).encode())


def places(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every place in a JSON document."""
    found = [path]
    if isinstance(value, dict):
        for name, inner in value.items():
            found += places(inner, (*path, name))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            found += places(inner, (*path, number))
    return found


def put(value: object, path: tuple[str | int, ...], new: object) -> object:
    """A copy with something else at a place."""
    if not path:
        return new
    if isinstance(value, dict):
        return {k: put(v, path[1:], new) if k == path[0] else v for k, v in value.items()}
    assert isinstance(value, list)
    return [put(v, path[1:], new) if n == path[0] else v for n, v in enumerate(value)]


@pytest.mark.parametrize("name", PROVIDERS)
@fuzz
@given(data=st.data())
def test_a_field_of_any_other_type(name: str, data: st.DataObject) -> None:
    sample = PROVIDERS[name].sample
    path = data.draw(st.sampled_from(places(sample)))
    changed = put(sample, path, data.draw(json_values))
    if isinstance(changed, dict) and isinstance(changed.get("Message"), dict):
        changed = {**changed, "Message": json.dumps(changed["Message"])}
    body = json.dumps(changed).encode()
    read(name, urlencode({"mandrill_events": body}).encode() if name == "mandrill" else body)


@pytest.mark.parametrize("name", PROVIDERS)
@fuzz
@given(
    body=st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()),
    noise=st.text(max_size=60),
)
def test_nothing_without_proof(name: str, body: bytes, noise: str) -> None:
    sample = SAMPLES[name]
    headers = dict.fromkeys(sample.incoming.headers, noise)
    certificate = sample.incoming.certificate
    incoming = Incoming(
        body=body,
        now=NOW,
        headers=headers,
        query={"key": noise},
        url=sample.incoming.url,
        certificate=certificate,
    )
    with pytest.raises(WebhookRefused):
        PROVIDERS[name].verify(sample.settings.webhooks, incoming)


@pytest.mark.parametrize("name", PROVIDERS)
@fuzz
@given(data=st.data())
def test_a_genuine_request_cut_or_bent_anywhere(name: str, data: st.DataObject) -> None:
    """Cut anywhere it is refused or read; no exception that is not ours."""
    sample = SAMPLES[name]
    body = sample.incoming.body
    cut = data.draw(st.integers(0, len(body)))
    byte = data.draw(st.binary(max_size=2))
    bent = body[:cut] + byte + body[cut + data.draw(st.integers(0, 3)) :]
    incoming = Incoming(
        body=bent,
        now=NOW,
        headers=sample.incoming.headers,
        url=sample.incoming.url,
        certificate=sample.incoming.certificate,
    )
    with suppress(WebhookRefused):
        PROVIDERS[name].verify(sample.settings.webhooks, incoming)
    read(name, bent)
