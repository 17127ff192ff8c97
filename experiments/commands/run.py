"""`provable-ptq run STUDY`: a study, or one part or one sweep of it, into its table."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from ...algorithms.arguments import reject
from .options import Output, StudyName, Workers
from .results import study_of, table_in, tell, tell_failures, tell_violations


def run_cells(
    study: StudyName,
    output: Output = Path("out"),
    workers: Workers = -1,
    store: Annotated[Path | None, typer.Option(help="Folder of finished cells. Default: `store` in the output folder.")] = None,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="Stop at the first cell that fails.")] = False,
    scheduler: Annotated[str | None, typer.Option(
        help="Run on the workers of a Dask scheduler, like tcp://host:8786 (extra `cluster`).")] = None,
    shard: Annotated[str | None, typer.Option(help="Run one part only, `2/4`: the second of four; then `merge`.")] = None,
    sweep: Annotated[str | None, typer.Option(help="Run one sweep only, into a table STUDY-SWEEP.")] = None,
) -> None:
    """Run a study and write its table. Finished cells are kept: the same command resumes."""
    from ..runner import run_shard, run_study

    part = None if shard is None else _part(shard)
    if part and sweep:
        raise reject("sweep", sweep, "--sweep or --shard, not both")
    read, kept = study_of(study, sweep), store or output / "store"
    if part:
        done = run_shard(read, part, kept, workers, fail_fast=fail_fast, scheduler=scheduler)
        tell(done, f"in {kept}; when all {part[1]} shards are done: provable-ptq merge {study} --store {kept}")
        raise typer.Exit(tell_failures(done.failures))
    table = table_in(output, read.name)
    done = run_study(read, table, workers, store=kept, fail_fast=fail_fast, scheduler=scheduler)
    tell(done, f"in {table}")
    raise typer.Exit(tell_failures(done.failures) or tell_violations(table))


def _part(shard: str) -> tuple[int, int]:
    given = re.fullmatch(r"([1-9]\d{0,5})/([1-9]\d{0,5})", shard)
    number, parts = map(int, given.groups()) if given else (1, 0)
    if number > parts:
        raise reject("shard", shard, "NUMBER/PARTS with a number from 1 to the parts, like 2/4")
    return number, parts
