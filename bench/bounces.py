"""Bounces understood: Pressrun, flufl.bounce and a reader of status codes alone, side by side.

`python -m bench.bounces FOLDER` reads `FOLDER/bounces/*.eml` and `expected.json` there; without
an argument `PRESSRUN_CORPUS` names the folder. Rows without a known recipient count for nobody.
"""

from __future__ import annotations

import email
import json
import os
import re
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mailer.feedback.inbound_message import messages_in
from mailer.feedback.understand import understand
from mailer.feedback.understood import Kind

#: What a classifier says of a message: its recipients, and which of them for good.
Classifier = Callable[[bytes], dict[str, bool]]

_FIELD = re.compile(
    rb"^(?:final|original)-recipient:[^;\n]*;\s*<?([^\s<>]+@[^\s<>]+)", re.IGNORECASE | re.MULTILINE
)
_STATUS = re.compile(rb"(?<![\d.])([45])\.\d{1,3}\.\d{1,3}(?![\d.])")
_CODE = re.compile(rb"(?<![\d.])([45])\d\d[ -]")


@dataclass(kw_only=True)
class Tally:
    """Right, wrong and missed answers."""

    right: int = 0
    wrong: int = 0
    missed: int = 0

    @property
    def precision(self) -> float:
        """Of what was said, so much is right."""
        return self.right / max(self.right + self.wrong, 1)

    @property
    def recall(self) -> float:
        """Of what is right, so much was said."""
        return self.right / max(self.right + self.missed, 1)

    def count(self, said: set[str], true: set[str]) -> None:
        """Add one message's answers."""
        self.right += len(said & true)
        self.wrong += len(said - true)
        self.missed += len(true - said)


@dataclass(kw_only=True)
class Figures:
    """How one classifier does; `slowest` is in seconds."""

    recipients: Tally = field(default_factory=Tally)
    hard: Tally = field(default_factory=Tally)
    slowest: float = 0.0


def pressrun(raw: bytes) -> dict[str, bool]:
    """Our own."""
    return {
        report.recipient: report.hard and understood.kind is Kind.BOUNCE
        for understood in map(understand, messages_in(raw))
        for report in understood.recipients
    }


def flufl(raw: bytes) -> dict[str, bool]:
    """flufl.bounce: what it calls permanent is hard."""
    from flufl.bounce import all_failures

    temporary, permanent = all_failures(email.message_from_bytes(raw))
    found = {address.decode("utf-8", "replace"): False for address in temporary}
    return found | {address.decode("utf-8", "replace"): True for address in permanent}


def status_code(raw: bytes) -> dict[str, bool]:
    """Status fields alone: 5.x.x, or 5xx where there is none, is hard."""
    report = raw.replace(b"\r\n", b"\n")
    found = _STATUS.search(report, report.lower().find(b"\nstatus:")) or _CODE.search(report)
    hard = found is not None and found[1] == b"5"
    return {address.decode("utf-8", "replace"): hard for address in _FIELD.findall(report)}


CLASSIFIERS: dict[str, Classifier] = {
    "pressrun": pressrun,
    "flufl.bounce": flufl,
    "status code": status_code,
}


def compare(corpus: Path, classifiers: Mapping[str, Classifier]) -> dict[str, Figures]:
    """Measure classifiers on a folder of messages with its `expected.json`."""
    figures = {name: Figures() for name in classifiers}
    for name, rows in json.loads((corpus / "expected.json").read_text("utf-8")).items():
        raw = (corpus / name).read_bytes()
        true = {row["recipient"].lower(): row["hard"] for row in rows if row["recipient"]}
        for peer, classify in classifiers.items():
            _measure(figures[peer], classify, raw, true)
    return figures


def _measure(figures: Figures, classify: Classifier, raw: bytes, true: dict[str, bool]) -> None:
    started = time.perf_counter()
    said = {address.lower(): hard for address, hard in classify(raw).items()}
    figures.slowest = max(figures.slowest, time.perf_counter() - started)
    if not true:
        return
    figures.recipients.count(set(said), set(true))
    # Whom nobody has found is a miss of both; whom only we found is judged once, above.
    hard = {address for address, is_hard in said.items() if is_hard and address in true}
    figures.hard.count(hard, {address for address, is_hard in true.items() if is_hard})


def table(figures: dict[str, Figures]) -> str:
    """The figures as a Markdown table."""
    lines = [
        "| classifier | recipients: precision | recall | hard: precision | recall | slowest |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, its in figures.items():
        numbers = (
            its.recipients.precision,
            its.recipients.recall,
            its.hard.precision,
            its.hard.recall,
        )
        cells = " | ".join(f"{number:.3f}" for number in numbers)
        lines.append(f"| {name} | {cells} | {its.slowest * 1000:.1f} ms |")
    return "\n".join(lines)


def main() -> None:
    """Print the table."""
    folder = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("PRESSRUN_CORPUS")
    if not folder or not (Path(folder) / "bounces" / "expected.json").is_file():
        sys.exit("bench.bounces: no bounces to read; name their folder, or set PRESSRUN_CORPUS")
    print(table(compare(Path(folder) / "bounces", CLASSIFIERS)))


if __name__ == "__main__":
    main()
