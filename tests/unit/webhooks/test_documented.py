"""docs/webhooks.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from mailer.webhooks import generic
from mailer.webhooks.providers import PROVIDERS
from subscribers.reason import Reason

DOCUMENT = (Path(__file__).parents[3] / "docs" / "webhooks.md").read_text(encoding="utf-8")


def test_its_examples_are_understood() -> None:
    incoming = DOCUMENT.partition("## Telling your own systems")[0]
    examples = re.findall(r"```json\n(.*?)```", incoming, re.DOTALL)
    reports = [generic.parse(example.encode()) for example in examples]
    assert [len(report.events) for report in reports] == [1, 2]
    assert all(report.mistakes == () for report in reports)


def test_it_names_every_field_and_every_reason() -> None:
    for field in (*generic._FIELDS, "hard"):
        assert f"\n| `{field}` |" in DOCUMENT
    for reason in Reason:
        assert f"`{reason}`" in DOCUMENT


def test_it_names_every_provider_and_the_setting_that_opens_it() -> None:
    for provider in PROVIDERS.values():
        assert f"`webhooks.{provider.name}.{provider.setting}`" in DOCUMENT
