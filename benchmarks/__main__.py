"""`python -m benchmarks`: measure, keep the table, write RESULTS.md and its figure."""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd
from provable_ptq.figures.style import save

from .machine import machine
from .measure import all_rows
from .report import FIGURE, report
from .scaling import draw
from .sizes import FULL, QUICK

HERE = Path(__file__).resolve().parent


def write(table: pd.DataFrame, folder: Path) -> None:
    """The table, the document and the figure."""
    folder.mkdir(parents=True, exist_ok=True)
    table.to_parquet(folder / "results.parquet")
    (folder / "RESULTS.md").write_text(report(table, table.attrs["machine"]), encoding="utf-8")
    save(draw(table), folder, FIGURE)


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="tiny sizes: shows that everything runs, measures nothing")
    parser.add_argument("--output", type=Path, default=HERE, help="folder of RESULTS.md (default: benchmarks/)")
    parser.add_argument("--again", action="store_true", help="write the document anew from the table that is there")
    options = parser.parse_args(words)
    if options.again:
        table = pd.read_parquet(options.output / "results.parquet")
    else:
        table = all_rows(QUICK if options.quick else FULL)
        table.attrs["machine"] = machine()
    write(table, options.output)


if __name__ == "__main__":
    main()
