"""The page: tables of figures, each with the peer or limit of the same run that it is held to."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bench.model import Case, Figures, Signature, Spread, Window

_PACKAGES = ("aiosmtplib", "cryptography", "psycopg", "sqlalchemy", "uvloop")

_INTRO = """\
# Benchmarks

Written by `make bench`{quick}; do not edit. The sample issues are sent by `mailer worker`
processes with the settings as shipped, from claim to durable outcome, to {sink} on loopback.
CPU is that of the workers and, where there is one, of the database server; never the sink's.

Machines are shared and their speed moves: trust ratios within one run, and CPU over messages per
second. Rounds, interleaved: {rounds}. Figures are their median, with least and most in brackets;
each window is in the midst of a campaign, after the first {warm} copies.

{machine}

![CPU per 10,000 messages, and memory over the copies sent](benchmarks.svg)
"""


_TARGETS = """\
A ratio is that of one round, its two sides measured one after the other. `make bench` measures all;
`python -m bench --only rsa` (or `unsigned`, `transport`, `far`, `tls`, `memory`, `database`,
`snapshot`) one. What a figure that is missed is made of, and what was tried, stands in
[speed.md](speed.md).
"""


def page(figures: Figures, targets: str, *, quick: bool) -> str:
    """The page in Markdown; `targets` is the table of figures that are held to something."""
    rounds = max(len(windows) for windows in figures.peers.values())
    parts = [
        _INTRO.format(
            quick=" in its short form, which only shows that it runs" if quick else "",
            sink=figures.about["sink"],
            rounds=rounds,
            warm=200,
            machine=_machine(figures),
        ),
        "## Figures held to targets\n",
        targets,
        _TARGETS,
        "## End to end\n",
        _end_to_end(figures),
        "## Two processes\n",
        _two_processes(figures),
        "## Where the CPU goes\n",
        _stages(figures),
        "## Rendering an issue\n",
        _rendered(figures),
        "## Memory\n",
        _memory(figures),
    ]
    return "\n".join(parts)


def _machine(figures: Figures) -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    sizes = ", ".join(f"{name} {size / 1000:.1f} kB" for name, size in figures.sizes.items())
    return (
        f"- {datetime.now(UTC):%Y-%m-%d}, {_processor()}, {os.cpu_count()} CPUs,"
        f" {platform.system()} {platform.machine()}, Python {platform.python_version()}\n"
        f"- {packages}\n"
        f"- a message as sent: {sizes}\n"
        f"- load before it began, by what else ran there: {figures.about['load']}"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "an unnamed processor"
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else "an unnamed processor"


def _end_to_end(figures: Figures) -> str:
    peer = Spread.of(w.cpu_per_10k for w in figures.peers["aiosmtplib"]).median
    header = [
        "", "issue", "signature", "processes", "messages/s", "CPU s per 10,000",
        "of it the database server", "CPU, aiosmtplib = 1", "of OpenSSL's signatures/CPU s",
    ]  # fmt: skip
    rows = [
        [f"plain {name}", "en", "finished", "1", *_common(windows), "", _over(windows, peer), ""]
        for name, windows in figures.peers.items()
    ]
    rows += [
        [
            case.database, case.content, case.signature, str(case.processes), *_common(windows),
            _server(case, windows), _over(windows, peer), _of_limit(case, windows, figures),
        ]
        for case, windows in figures.sent.items()
    ]  # fmt: skip
    notes = (
        "`plain smtplib` (one connection) and `plain aiosmtplib` (eight, uvloop) only carry"
        " finished messages: no ledger, no composing, no signature. The last column holds messages"
        " per CPU second of the workers against signatures per CPU second of `openssl speed`"
        f" ({_limits(figures)}).\n"
    )
    return f"{_table(header, rows)}\n{notes}"


def _common(windows: Sequence[Window]) -> list[str]:
    return [
        _spread([window.rate for window in windows], "{:,.0f}"),
        _spread([window.cpu_per_10k for window in windows], "{:.1f}"),
    ]


def _server(case: Case, windows: Sequence[Window]) -> str:
    if case.database == "SQLite":
        return ""
    share = Spread.of(window.server_cpu / window.messages * 10_000 for window in windows)
    return f"{share.median:.1f}"


def _over(windows: Sequence[Window], peer: float) -> str:
    return f"{Spread.of(window.cpu_per_10k for window in windows).median / peer:.2f}"


def _of_limit(case: Case, windows: Sequence[Window], figures: Figures) -> str:
    if case.signature is not Signature.RSA or case.signature not in figures.limits:
        return ""
    limit = Spread.of(figures.limits[case.signature]).median
    return f"{Spread.of(w.per_cpu_second for w in windows).median / limit:.2f}"


def _limits(figures: Figures) -> str:
    told = [f"{name} {_spread(speeds, '{:,.0f}')}" for name, speeds in figures.limits.items()]
    return "; ".join(told) or "which is not installed here"


def _two_processes(figures: Figures) -> str:
    rows = []
    for case, windows in figures.sent.items():
        alone = Case(
            database=case.database, content=case.content, signature=case.signature, processes=1
        )
        if case.processes == 2 and alone in figures.sent:
            gains = [
                two.rate / one.rate for one, two in zip(figures.sent[alone], windows, strict=True)
            ]
            rows.append([case.database, case.signature, _spread(gains, "{:.2f}")])
    header = ["", "signature", "messages/s of two processes, one = 1"]
    cores = f"The sink and the database server share the {os.cpu_count()} CPUs with the workers."
    return f"{_table(header, rows)}\n{cores}\n"


def _stages(figures: Figures) -> str:
    peer = Spread.of(w.cpu / w.messages * 1e6 for w in figures.peers["aiosmtplib"]).median
    rows = []
    for (stage, variant), costs in figures.stages.items():
        held_to = _held_to(figures, stage, variant)
        ratio = f"{Spread.of(costs).median / held_to[1]:.2f} × {held_to[0]}" if held_to else ""
        rows.append([stage, variant, _spread(costs, "{:,.0f}"), ratio])
    rows.append(["transport", "plain aiosmtplib", f"{peer:,.0f}", ""])
    header = ["stage alone", "", "CPU µs a message", "held to"]
    notes = (
        "`ledger` is claim, page, gate and outcomes in batches as the sender makes them, client and"
        " server together; `bare INSERT` writes one row for each intent and each outcome, in as"
        " many transactions, by the driver alone.\n"
    )
    return f"{_table(header, rows)}\n{notes}"


def _rendered(figures: Figures) -> str:
    rows = [
        [name, f"{rounds[0][1] / 1000:.1f}", _spread((took for took, _ in rounds), "{:.0f}")]
        for name, rounds in figures.rendered.items()
    ]
    notes = (
        "From the author's file to HTML and text, once for all readers, by the clock; the fastest"
        " of ten in each round, after three that do not count.\n"
    )
    return f"{_table(['issue', 'HTML, kB', 'ms, warm'], rows)}\n{notes}"


def _held_to(figures: Figures, stage: str, variant: str) -> tuple[str, float] | None:
    """The name and the microseconds of what a stage's cost is compared with."""
    if stage == "ledger":
        return "bare INSERT", Spread.of(figures.stages["bare INSERT", variant]).median
    if stage.startswith("compose") and variant in figures.limits:
        return "openssl's signature", 1e6 / Spread.of(figures.limits[variant]).median
    return None


def _memory(figures: Figures) -> str:
    rows = [
        [
            f"{memory.recipients:,}",
            f"{memory.peak:.0f}",
            f"{memory.peak / figures.memory[0].peak:.2f}",
        ]
        for memory in figures.memory
    ]
    header = ["recipients", "peak MiB of a worker", "the shortest list = 1"]
    notes = "The larger of two workers that send the whole list, unsigned, on SQLite.\n"
    return f"{_table(header, rows)}\n{notes}"


def _spread(values: Iterable[float], form: str) -> str:
    spread = Spread.of(values)
    if spread.least == spread.most:
        return form.format(spread.median)
    least, median, most = (
        form.format(value) for value in (spread.least, spread.median, spread.most)
    )
    return f"{median} ({least}–{most})"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
