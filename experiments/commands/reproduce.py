"""`provable-ptq reproduce`: the shipped study once more, its figures and report, and whether the shipped results came out again."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...algorithms.arguments import reject
from .options import Workers
from .results import drawn, tell, tell_failures, tell_violations

if TYPE_CHECKING:
    from ..compare import Comparison


@dataclass(frozen=True)
class Places:
    """Where a run of the shipped study writes, and the shipped table that its own is held against, where there is one."""

    table: Path
    pictures: Path
    report: Path
    store: Path
    shipped: Path | None

    @classmethod
    def of(cls, checkout: Path, quick: bool, update: bool) -> Places:
        """In `out/quick`; else beside the shipped results, in `out/paper`, or in their place."""
        out, shipped = checkout / "out", checkout / "experiments" / "results" / "paper.parquet"
        if update:
            return cls(shipped, checkout / "figures" / "rendered", checkout / "paper_results.md", out / "store", shipped)
        name = "quick" if quick else "paper"
        folder = out / name
        return cls(folder / f"{name}.parquet", folder / "figures", folder / "paper_results.md",
                   folder / "store" if quick else out / "store", None if quick else shipped)


def reproduce_study(
    output: Annotated[Path, typer.Option(help="Checkout in whose `out` folder the results go.")] = Path(),
    workers: Workers = -1,
    quick: Annotated[bool, typer.Option("--quick", help="The small study `quick` instead, in out/quick.")] = False,
    update: Annotated[bool, typer.Option("--update", help="Replace the shipped table, figures and paper_results.md.")] = False,
) -> None:
    """Run the shipped study, draw its figures, write its report, and say whether the shipped table came out again.

    Everything goes to out/paper, beside the shipped results. The same command resumes. Exit status 1: a claim is violated, a cell
    failed, or the table is not the shipped one within what is stated for another machine (see `provable-ptq compare`).
    """
    from ...figures.render import FIGURES, render
    from ..compare import compare
    from ..report import write_report
    from ..runner import run_study
    from ..study import read_study
    from ..table import read_table

    if quick and update:
        raise reject("update", update, "--quick or --update, not both: no results of the quick study are shipped")
    to = Places.of(output, quick, update)
    shipped = read_table(to.shipped) if to.shipped and to.shipped.is_file() else None
    done = run_study(read_study("quick" if quick else "paper"), to.table, workers, store=to.store)
    made = render(to.table, to.pictures, sys.stderr.isatty())
    written = write_report(to.table, to.pictures, to.report, drawn(to.table, to.pictures))
    tell(done, f"in {to.table}, {len(made.paths)} files in {to.pictures}, report in {written}")
    status = tell_failures(done.failures) or tell_violations(to.table)
    if shipped:
        found = compare(shipped, read_table(to.table))
        for line in _reproduced(found, {path.stem: FIGURES[path.stem].sweep for path in made.paths}):
            typer.echo(line)
        status = status or int(not update and not found.same)
    elif to.shipped:
        typer.echo(f"no table is shipped at {to.shipped}: nothing to compare with")
    raise typer.Exit(status)


def _reproduced(found: Comparison, figures: dict[str, str]) -> Iterator[str]:
    """What came out again of the shipped results, line by line; of figures, by name, the section that each is drawn from."""
    from ..compare import AGREED
    from .compare_words import told

    *lines, verdict = told(found, "the shipped table", "this one")
    yield "compared with the shipped table:"
    yield from lines
    others = [name for name, sweep in figures.items() if sweep in found.sweeps]
    yield (f"figures drawn from the same numbers to {AGREED:g}: {len(figures) - len(others)} of {len(figures)}"
           + (f", not {', '.join(others)}" if others else ""))
    yield verdict
