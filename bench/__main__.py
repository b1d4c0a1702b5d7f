"""`python -m bench [--quick] [--out FOLDER]`."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench import plot, report
from bench.plan import FULL, QUICK, measure


def main() -> None:
    """Measure, then write the page and its plot."""
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("--quick", action="store_true", help="only see that everything runs")
    parser.add_argument("--out", type=Path, default=Path("docs"), help="a folder for the page")
    options = parser.parse_args()
    figures = measure(QUICK if options.quick else FULL)
    options.out.mkdir(parents=True, exist_ok=True)
    page, picture = options.out / "benchmarks.md", options.out / "benchmarks.svg"
    plot.draw(figures, picture)
    page.write_text(report.page(figures, quick=options.quick), encoding="utf-8")
    print(f"written: {page} and {picture}")


if __name__ == "__main__":
    main()
