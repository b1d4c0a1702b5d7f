"""A request is genuine or it is refused; nothing else comes out of a verifier."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from mailer.errors import SettingsInvalid, WebhookRefused
from mailer.webhooks.verify import standard_webhook, verifier_of

SECRET = "whsec_" + base64.b64encode(b"s" * 32).decode()
OTHER = "whsec_" + base64.b64encode(b"t" * 32).decode()
BODY = '{"id": "ä"}'.encode()
Headers = dict[str, str]


def signed(body: bytes = BODY, *, secret: str = SECRET, age: float = 0, id: str = "m1") -> Headers:
    at = datetime.fromtimestamp(time.time() - age, UTC)
    return {
        "webhook-id": id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(id, at, body.decode()),
    }


def test_a_genuine_request_gives_its_id() -> None:
    assert standard_webhook(SECRET, signed(), BODY) == "m1"


def test_one_good_signature_among_several_will_do() -> None:
    headers = signed()
    others = signed(secret=OTHER)["webhook-signature"]
    headers["webhook-signature"] = f"{others} v1a,AAAA {headers['webhook-signature']}"
    assert standard_webhook(SECRET, headers, BODY) == "m1"


def _without(name: str) -> Callable[[Headers], Headers]:
    return lambda headers: {key: value for key, value in headers.items() if key != name}


def _with(name: str, value: str) -> Callable[[Headers], Headers]:
    return lambda headers: {**headers, name: value}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(_without("webhook-id"), id="no id"),
        pytest.param(_without("webhook-timestamp"), id="no time"),
        pytest.param(_without("webhook-signature"), id="no signature"),
        pytest.param(_with("webhook-id", "m2"), id="another id"),
        pytest.param(_with("webhook-timestamp", "nan"), id="time is nan"),
        pytest.param(_with("webhook-timestamp", "inf"), id="time is endless"),
        pytest.param(_with("webhook-timestamp", "9" * 400), id="time beyond all bounds"),
        pytest.param(_with("webhook-timestamp", "soon"), id="time is a word"),
        pytest.param(_with("webhook-signature", "v1"), id="signature without comma"),
        pytest.param(_with("webhook-signature", "v1,a,b"), id="signature with two commas"),
        pytest.param(_with("webhook-signature", "v1,é"), id="signature beyond ASCII"),
        pytest.param(_with("webhook-signature", "v1,AAA"), id="signature of odd length"),
        pytest.param(_with("webhook-signature", "v2,AAAA"), id="unknown version"),
        pytest.param(_with("webhook-signature", "v1,"), id="empty signature"),
    ],
)
def test_malformed_headers_are_refused(change: Callable[[Headers], Headers]) -> None:
    with pytest.raises(WebhookRefused):
        standard_webhook(SECRET, change(signed()), BODY)


@pytest.mark.parametrize(
    ("options", "body"),
    [
        pytest.param({"secret": OTHER}, BODY, id="forged"),
        pytest.param({}, BODY + b" ", id="altered"),
        pytest.param({}, BODY[:-1], id="truncated"),
        pytest.param({}, b"\xff\xfe", id="invalid UTF-8"),
        pytest.param({"age": 301}, BODY, id="stale"),
        pytest.param({"age": -330}, BODY, id="from the future"),
        pytest.param({"id": "x" * 256}, BODY, id="an id there is no room for"),
    ],
)
def test_what_is_not_genuine_and_fresh_is_refused(options: dict[str, Any], body: bytes) -> None:
    with pytest.raises(WebhookRefused):
        standard_webhook(SECRET, signed(**options), body)


@given(
    st.dictionaries(
        st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]), st.text()
    ),
    st.binary(),
)
def test_nothing_invented_gets_through(headers: Headers, body: bytes) -> None:
    with pytest.raises(WebhookRefused):
        standard_webhook(SECRET, headers, body)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_é", "whsec_A"])
def test_a_secret_that_is_none_is_the_users_mistake(secret: str) -> None:
    with pytest.raises(SettingsInvalid, match=r"web\.generic_secret"):
        verifier_of(secret)
