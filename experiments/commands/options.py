"""The options and arguments that several commands share, each said once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ...algorithms.arguments import as_workers


def _processes(workers: int) -> int:
    return as_workers("workers", workers)


AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
ClaimId = Annotated[str, typer.Argument(help="Claim id.")]
OwnClaims = Annotated[Path | None, typer.Option(help="A Python file of your own claims.")]
StudyName = Annotated[str, typer.Argument(help="A TOML file, or a shipped study by name.")]
OfSweep = Annotated[str | None, typer.Option("--sweep", help="The table STUDY-SWEEP that `run --sweep` wrote.")]
Output = Annotated[Path, typer.Option(help="Folder that holds the table, and the figures and the report in a folder of the study's name.")]
Workers = Annotated[int, typer.Option(help="Processes; -1: one per core.", callback=_processes)]
