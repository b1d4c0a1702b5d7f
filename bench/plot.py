"""The plot beside the page."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl

mpl.use("svg")

from matplotlib import pyplot
from matplotlib.axes import Axes

from bench.model import Figures, Signature, Spread

_COLOURS = {
    Signature.NONE: "#7a9e9f",
    Signature.ED25519: "#4f6d7a",
    Signature.RSA: "#c0563f",
}


def draw(figures: Figures, file: Path) -> None:
    """CPU per 10,000 messages beside the peers, and memory over the copies sent."""
    # Nothing in the file that a second run with the same figures would write otherwise.
    mpl.rcParams["svg.hashsalt"] = "pressrun"
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4.6), width_ratios=(3, 2))
    _draw_cpu(left, figures)
    _draw_memory(right, figures)
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})
    pyplot.close(figure)


def _draw_cpu(axes: Axes, figures: Figures) -> None:
    bars = [
        (f"{name}, transport alone", "#b0b0b0", [w.cpu_per_10k for w in windows])
        for name, windows in figures.peers.items()
    ] + [
        (
            f"{case.database}, {case.content}, {case.signature}, {case.processes} proc.",
            _COLOURS[case.signature],
            [window.cpu_per_10k for window in windows],
        )
        for case, windows in figures.sent.items()
    ]
    for place, (_, colour, values) in enumerate(bars):
        spread = Spread.of(values)
        noise = [[spread.median - spread.least], [spread.most - spread.median]]
        axes.barh(place, spread.median, color=colour, xerr=noise, ecolor="#333333", capsize=2)
    axes.set_yticks(range(len(bars)), [label for label, _, _ in bars], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("CPU seconds per 10,000 messages (least, median, most)")


def _draw_memory(axes: Axes, figures: Figures) -> None:
    for memory in figures.memory:
        sent, resident = zip(*memory.course, strict=True)
        share = [100 * copies / memory.recipients for copies in sent]
        axes.plot(share, resident, label=f"{memory.recipients:,} recipients")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("% of the list sent")
    axes.set_ylabel("resident memory of a worker (MiB)")
    axes.legend()
