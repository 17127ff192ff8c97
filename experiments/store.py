"""The tidy table of a study: one Parquet file, written whole or not at all, with what made it in its metadata."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ..algorithms.arguments import reject

ROOMS = ("algorithms", "bounds", "experiments")


def code_version() -> str:
    """The SHA-256 of the sources of `algorithms/`, `bounds/` and `experiments/`."""
    digest = hashlib.sha256()
    for room in ROOMS:
        folder = Path(find_spec(f"provable_ptq.{room}").origin).parent
        for source in sorted(folder.rglob("*.py")):
            digest.update(f"{room}/{source.relative_to(folder).as_posix()}\n".encode())
            digest.update(source.read_bytes())
    return digest.hexdigest()


def provenance(study, inputs: dict[str, str]) -> dict[str, object]:
    """What a table says of its making: study, seed, code version, library versions, SHA-256 of input files."""
    libraries = {name: version(name) for name in ("numpy", "scipy", "torch") if find_spec(name)}
    return {
        "study": study.name, "title": study.title, "seed": study.seed, "cells": len(study.cells),
        "code": code_version(), "versions": libraries, "inputs": dict(sorted(inputs.items())),
    }


def write_whole(path: str | Path, write: Callable[[Path], object]) -> Path:
    """Let `write` fill a temporary file and rename it: readers see the old file or the new one, nothing between."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def write_table(rows: pd.DataFrame, made: dict[str, object], path: str | Path) -> Path:
    """Write a table and what it says of its making as one Parquet file."""
    table = pa.Table.from_pandas(rows, preserve_index=False)
    table = table.replace_schema_metadata({"provenance": json.dumps(made, sort_keys=True)})
    return write_whole(path, lambda temporary: pq.write_table(table, temporary, compression="zstd"))


def read_table(path: str | Path) -> tuple[pd.DataFrame, dict[str, object]]:
    """A table and what it says of its making.

    Raises:
        InvalidArgumentError: no such file, or a file that no study wrote.
    """
    path = Path(path)
    try:
        table = pq.read_table(path) if path.is_file() else None
    except pa.ArrowInvalid:
        table = None
    if table is None or b"provenance" not in (table.schema.metadata or {}):
        raise reject("table", str(path), "a Parquet table written by `provable-ptq run`")
    return table.to_pandas(), json.loads(table.schema.metadata[b"provenance"])
