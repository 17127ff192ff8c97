"""`provable-ptq merge STUDY`: the table of a study that was run in parts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import Output, StudyName
from .results import table_in, tell, tell_violations


def merge_stores(
    study: StudyName,
    store: Annotated[list[Path], typer.Option(help="A folder that `run --shard` wrote; may be repeated.")],
    output: Output = Path("out"),
) -> None:
    """Write the table of a study that was run in parts; refused where a cell is missing."""
    from ..runner import merge
    from ..study import read_study

    read = read_study(study)
    table = table_in(output, read.name)
    tell(merge(read, table, store), f"in {table}")
    raise typer.Exit(tell_violations(table))
