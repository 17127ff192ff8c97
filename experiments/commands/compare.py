"""`provable-ptq compare TABLE TABLE`: whether one table reproduces another, and in which sections, columns and outcomes it does not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from .options import AsJson


def compare_tables(
    first: Annotated[Path, typer.Argument(help="A table written by `provable-ptq run`.", metavar="TABLE")],
    second: Annotated[Path, typer.Argument(help="The table that is held against it.", metavar="TABLE")],
    as_json: AsJson = False,
) -> None:
    """Hold a table against another: status 0 where rows and outcomes are the same and every number is to 1e-6, else 1."""
    from ..compare import compare
    from ..table import read_table
    from .compare_words import document, told

    found = compare(read_table(first), read_table(second))
    for line in [json.dumps(document(found), indent=2, allow_nan=False)] if as_json else told(found, str(first), str(second)):
        typer.echo(line)
    raise typer.Exit(int(not found.same))
