"""`provable-ptq report STUDY`: the report of a study, written from its table."""

from __future__ import annotations

from pathlib import Path

import typer

from .options import OfSweep, Output, StudyName
from .results import drawn, failed_rows, pictures_in, study_of, tell_failures, tell_violations, written_table


def report_table(study: StudyName, output: Output = Path("out"), sweep: OfSweep = None) -> None:
    """Write the report of a study from its table; status 1 where the table holds a violation or a failed cell."""
    from ..report import write_report

    name = study_of(study, sweep).name
    table, pictures = written_table(output, name, study, sweep), pictures_in(output, name)
    typer.echo(write_report(table, pictures, output / name / "paper_results.md", drawn(table, pictures)))
    raise typer.Exit(max(tell_failures(failed_rows(table)), tell_violations(table)))
