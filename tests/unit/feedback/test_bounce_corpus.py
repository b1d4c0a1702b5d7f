"""Real bounces, complaints and look-alikes, where somebody has them."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from bench.bounces import Figures, compare, pressrun
from mailer.feedback.understand import understand
from mailer.feedback.understood import Kind

CORPUS = Path(os.environ.get("PRESSRUN_CORPUS", "")) / "bounces"

pytestmark = pytest.mark.skipif(
    "PRESSRUN_CORPUS" not in os.environ,
    reason="PRESSRUN_CORPUS names no folder with real bounces",
)


@pytest.fixture(scope="module")
def figures() -> Figures:
    return compare(CORPUS, {"ours": pressrun})["ours"]


def test_recipients_are_found(figures: Figures) -> None:
    assert figures.recipients.recall >= 0.97
    assert figures.recipients.precision >= 0.98  # some of what is missed has no true answer


def test_hard_is_told_from_soft(figures: Figures) -> None:
    assert figures.hard.precision >= 0.97
    assert figures.hard.recall >= 0.95


def test_whoever_is_well_is_left_alone() -> None:
    for name, rows in json.loads((CORPUS / "expected.json").read_text("utf-8")).items():
        understood = understand((CORPUS / name).read_bytes())
        if rows and all(row["reason"] == "delivered" for row in rows):
            assert understood.kind is Kind.DELIVERED, name
        if any(row["feedback"] for row in rows):
            assert understood.kind in (Kind.COMPLAINT, Kind.UNSUBSCRIBE), name
        if understood.kind is not Kind.BOUNCE:
            assert not any(report.hard for report in understood.recipients), name


def test_each_is_quick_and_the_same_with_any_line_end() -> None:
    for file in CORPUS.glob("*.eml"):
        raw = file.read_bytes().replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        started = time.process_time()
        understood = understand(raw)
        assert time.process_time() - started < 0.05, file.name
        assert understand(raw.replace(b"\n", b"\r\n")) == understood, file.name
        assert understand(raw.replace(b"\n", b"\r")) == understood, file.name
