"""The tidy table of a study: what its columns are, and the one Parquet file that holds it and says how it was made."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pandas.api.types import infer_dtype

from ..algorithms.arguments import as_path, reject
from .cells.facts import FACTS
from .environment import claims_sha256, environment
from .places import write_whole

if TYPE_CHECKING:
    from .store import Shard
    from .study import Study

KEY = ["study", "sweep", "calibration", "layer", "mismatch", "algorithm", "form", "rounding", "bits", "steps", "alphabet", "ordering",
       "damping", "seed", "draws", "record", "claim", "failure_probability", "level"]  # fmt: skip
VERDICT = ("outcome", "advice", "ratio", "measured_sum", "bound_sum", "interval_low", "interval_high")
TEXTS = ("outcome", "advice", "claim", "record", "layer")  # columns of text, where no row has any
FAILED = "failed"  # the `record` of a row that stands for a cell without rows


def tidy(rows: list[dict]) -> pd.DataFrame:
    """Rows as one table with fixed column types, sorted by what identifies a row."""
    frame = pd.DataFrame(rows)
    for column in frame.columns:
        kind = infer_dtype(frame[column], skipna=True)
        if kind == "empty":
            frame[column] = float("nan")
        elif kind == "string":
            frame[column] = frame[column].astype("string").fillna("")
        elif kind in ("mixed", "mixed-integer"):  # text beside numbers
            frame[column] = frame[column].map(str, na_action="ignore").astype("string").fillna("")
    for column in (*KEY, *VERDICT, *FACTS):
        if column not in frame:
            frame[column] = "" if column in TEXTS else float("nan")
    order = [*KEY, *sorted(set(frame.columns) - set(KEY))]
    return frame[order].sort_values(KEY, kind="stable", ignore_index=True)


def described(spec: dict) -> str:
    """A cell in words: the axes that identify its rows."""
    return ", ".join(f"{name} {value}" for name, value in _axes(spec).items() if name != "study" and value != "")


def sweep_of(spec: dict) -> str:
    """The sweep that a cell belongs to."""
    return str(spec.get("sweep", spec.get("cell")))


def failed_row(spec: dict, error: str) -> dict:
    """The one row that says how a cell failed."""
    return _axes(spec) | {"record": FAILED, "error": error}


def _axes(spec: dict) -> dict[str, Any]:
    return {name: spec[name] for name in KEY if isinstance(spec.get(name), (str, int, float))}


def provenance(study: Study, shards: Iterable[Shard]) -> dict[str, Any]:
    """What a table says of its making: study, seed, code version, library versions, SHA-256 of its files, kernels, own claims."""
    shards = list(shards)
    return {
        "study": study.name, "title": study.title, "seed": study.seed, "study_sha256": study.sha256, "cells": len(study.cells),
        **environment(), "claims_files": {Path(file).name: claims_sha256(file) for file in study.claims_files},
        "inputs": _together(shard.inputs for shard in shards),
        "kernels": sorted({shard.kernel for shard in shards}),
        "own_claims": _together(shard.own_claims for shard in shards),
    }


def _together(noted: Iterable[dict]) -> dict:
    """What shards note by name, of all of them, in the order of the names."""
    found = {name: what for of_shard in noted for name, what in of_shard.items()}
    return dict(sorted(found.items(), key=lambda item: item[0]))


def write_table(rows: pd.DataFrame, made: dict[str, Any], path: str | Path) -> Path:
    """Write a table and what it says of its making as one Parquet file."""
    table = pa.Table.from_pandas(rows, preserve_index=False)
    table = table.replace_schema_metadata({"provenance": json.dumps(made, sort_keys=True)})
    return write_whole(path, lambda temporary: pq.write_table(table, temporary, compression="zstd"))


def read_table(path: str | Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """A table and what it says of its making.

    Raises:
        InvalidArgumentError: no such file, or a file that no study wrote.
    """
    path = as_path("table", path, "a Parquet table written by `provable-ptq run`")
    try:
        table = pq.read_table(path) if path.is_file() else pa.table({})
        made = json.loads(table.schema.metadata[b"provenance"])
        return table.to_pandas(), made
    except Exception:  # another file, or a damaged one, can fail anywhere in the reader
        raise reject("table", str(path), "a Parquet table written by `provable-ptq run`") from None
