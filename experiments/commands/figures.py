"""`provable-ptq figures STUDY`: the figures of a study, drawn from its table."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from .options import OfSweep, Output, StudyName
from .results import pictures_in, study_of, written_table


def draw_figures(study: StudyName, output: Output = Path("out"), sweep: OfSweep = None) -> None:
    """Draw the figures of a study from its table."""
    from ...figures.render import render

    name = study_of(study, sweep).name
    made = render(written_table(output, name, study, sweep), pictures_in(output, name), sys.stderr.isatty())
    for path in made.paths:
        typer.echo(path)
    for note in made.notes:
        typer.echo(note, err=True)
