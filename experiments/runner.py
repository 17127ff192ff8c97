"""Run a study: cells in parallel processes, rows into one sorted table."""

from __future__ import annotations

from pathlib import Path

import joblib
import pandas as pd
from tqdm import tqdm

from .cell import run_cell
from .growth import GrowthCell
from .replay import ReplayCell
from .store import provenance, write_table
from .study import Cell, Study

KEY = ["study", "sweep", "calibration", "algorithm", "form", "rounding", "bits", "alphabet", "ordering", "damping", "seed", "draws",
       "claim", "failure_probability", "level"]


def run_study(study: Study, table: str | Path, workers: int = -1, progress: bool = True) -> Path:
    """Run every cell and write the table; the same bytes whatever the number of workers.

    Arguments:
        study: what to run.
        table: the Parquet file to write.
        workers: processes; -1: one per core.
        progress: whether to show a progress bar.
    """
    jobs = joblib.Parallel(n_jobs=workers, return_as="generator", batch_size="auto")(
        joblib.delayed(_rows)(cell) for cell in study.cells
    )
    rows, inputs = [], {}
    for cell_rows, cell_inputs in tqdm(jobs, total=len(study.cells), desc=f"run {study.name}", unit="cell", disable=not progress):
        rows += cell_rows
        inputs |= cell_inputs
    return write_table(tidy(rows), provenance(study, inputs), table)


def _rows(cell: Cell | GrowthCell | ReplayCell) -> tuple[list[dict], dict[str, str]]:
    return run_cell(cell) if isinstance(cell, Cell) else cell.rows()


def tidy(rows: list[dict]) -> pd.DataFrame:
    """Rows as one table with fixed column types, sorted by what identifies a row."""
    frame = pd.DataFrame(rows)
    for column in frame.columns:
        given = frame[column].dropna()
        if given.empty:
            frame[column] = float("nan")
        elif given.map(lambda value: isinstance(value, str)).all():
            frame[column] = frame[column].astype("string").fillna("")
    for column in KEY:
        if column not in frame:
            frame[column] = float("nan")
    order = [*KEY, *sorted(set(frame.columns) - set(KEY))]
    return frame[order].sort_values(KEY, kind="stable", ignore_index=True)
