"""`python -m bench [--quick] [--only FIGURE] [--out FOLDER]`."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench import plot, report
from bench.plan import FULL, QUICK, measure
from bench.targets import model as targets_model
from bench.targets import run as targets
from bench.targets.run import FIGURES


def main() -> None:
    """Measure, then write the page and its plot."""
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("--quick", action="store_true", help="only see that everything runs")
    parser.add_argument(
        "--only", choices=[*FIGURES], action="append", help="measure this figure alone, and print"
    )
    parser.add_argument("--out", type=Path, default=Path("docs"), help="a folder for the page")
    options = parser.parse_args()
    extent = targets_model.QUICK if options.quick else targets_model.FULL
    if options.only:
        targets.measure(extent, options.only)
        return
    lines = targets.short(extent) if options.quick else targets.measure(extent, [*FIGURES])
    figures = measure(QUICK if options.quick else FULL)
    options.out.mkdir(parents=True, exist_ok=True)
    page, picture = options.out / "benchmarks.md", options.out / "benchmarks.svg"
    plot.draw(figures, picture)
    held = targets.table(lines)
    page.write_text(report.page(figures, held, quick=options.quick), encoding="utf-8")
    print(f"{held}\nwritten: {page} and {picture}")


if __name__ == "__main__":
    main()
