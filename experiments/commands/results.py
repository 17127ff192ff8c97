"""What the commands about a study share: which study is meant, where its results are, and how they are told."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ...algorithms.arguments import as_path, reject

if TYPE_CHECKING:
    from ..report import Picture
    from ..study import Study
    from ..summary import Failure, Summary


def study_of(name: str, sweep: str | None) -> Study:
    """The study, or one of its sweeps as a study of its own."""
    from ..runner import one_sweep
    from ..study import read_study

    read = read_study(name)
    return read if sweep is None else one_sweep(read, sweep)


def table_in(output: Path, name: str) -> Path:
    """The file of a study's table."""
    return output / f"{name}.parquet"


def written_table(output: Path, name: str, study: str, sweep: str | None) -> Path:
    """The file of a table that must be there; the refusal names the command that makes it."""
    table = as_path("table", table_in(output, name))
    if not table.is_file():
        made = f"run {study}" + (f" --sweep {sweep}" if sweep else "") + (f" --output {output}" if output != Path("out") else "")
        raise reject("table", str(table), f"no such file; `provable-ptq {made}` makes it")
    return table


def pictures_in(output: Path, name: str) -> Path:
    """The folder of a study's figures."""
    return output / name / "figures"


def drawn(table: Path, folder: Path) -> list[Picture]:
    """The figures of a table that stand in a folder, as the report shows them."""
    from ...figures.render import FIGURES, captions
    from ..report import Picture

    return [Picture(name, caption, FIGURES[name].sweep) for name, caption in captions(table, folder).items()]


def tell(done: Summary, where: str) -> None:
    """Print how many cells a run has, found and computed."""
    failed = done.cells - done.found - done.computed
    said = [f"{done.found} found", f"{done.computed} computed"] if done.found else []
    said += [f"{failed} failed"] if failed else []
    counts = f" ({', '.join(said)})" if said else ""
    typer.echo(f"{done.cells} cells{counts} {where}")
    if len(done.kernels) > 1:
        typer.echo(f"these cells were computed by {len(done.kernels)} BLAS kernels ({'; '.join(done.kernels)}): digits may differ in the "
                   "last places, and on networks quantized layer by layer in more", err=True)


def tell_failures(failures: Sequence[Failure]) -> int:
    """Print the failures among the cells of a run; 1 where there are any, else 0."""
    from ..summary import listed

    for sentence in listed(failures):
        typer.secho(sentence, fg="red", err=True)
    return int(len(failures) > 0)


def failed_rows(table: Path) -> list[Failure]:
    """The failures that a table holds."""
    from ..summary import Failure
    from ..table import FAILED, read_table

    rows, _ = read_table(table)
    failed = rows[rows["record"] == FAILED].itertuples()
    return [Failure(f"{row.sweep}, {row.calibration}, {row.ordering}, {row.damping}", str(row.error)) for row in failed]


def tell_violations(table: Path) -> int:
    """Print the violations that a table holds; 1 where there are any, else 0."""
    from ...bounds import Outcome
    from ..table import read_table

    rows, _ = read_table(table)
    violated = rows[rows["outcome"] == Outcome.VIOLATED.value] if "outcome" in rows else rows[:0]
    for row in violated.itertuples():
        typer.secho(f"violated: {row.claim} in {row.sweep}, {row.calibration}, {row.ordering}, {row.damping}", fg="red", err=True)
    return int(len(violated) > 0)
