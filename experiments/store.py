"""The tidy table of a study: one Parquet file, written whole or not at all, with what made it in its metadata."""

from __future__ import annotations

import hashlib
import json
import os
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


def write_table(rows: pd.DataFrame, made: dict[str, object], path: str | Path) -> Path:
    """Write a table to a temporary name and rename it: readers see the old file or the new one, nothing between."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pandas(rows, preserve_index=False)
    table = table.replace_schema_metadata({"provenance": json.dumps(made, sort_keys=True)})
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        pq.write_table(table, temporary, compression="zstd")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def read_table(path: str | Path) -> tuple[pd.DataFrame, dict[str, object]]:
    """A table and what it says of its making.

    Raises:
        InvalidArgumentError: no such file, or a Parquet file that no study wrote.
    """
    path = Path(path)
    if not path.is_file():
        raise reject("table", str(path), "a Parquet table written by `provable-ptq run`")
    table = pq.read_table(path)
    metadata = table.schema.metadata or {}
    if b"provenance" not in metadata:
        raise reject("table", str(path), "a Parquet table written by `provable-ptq run`")
    return table.to_pandas(), json.loads(metadata[b"provenance"])
