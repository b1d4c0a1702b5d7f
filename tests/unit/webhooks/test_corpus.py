"""Real requests of real providers mean what they mean."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.unit.webhooks.corpus import required, verdict


def test_every_real_request_is_understood(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [(case.provider, case.name, verdict(case)) for case in required()]
    right = Counter(provider for provider, _, words in rows if words == "right")
    every = Counter(provider for provider, _, _ in rows)
    with capsys.disabled():
        print()
        for provider, count in sorted(every.items()):
            print(f"{provider:14} {right[provider]:3} of {count:3} right")
    assert [row for row in rows if row[2] != "right"] == []
