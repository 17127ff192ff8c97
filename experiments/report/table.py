"""What the report reads of a study's table: the runs of a sweep, the verdicts, and ratios that several questions need."""

from __future__ import annotations

import numpy as np
import pandas as pd

TYPICAL_DAMPING = "mean-diagonal:1e-2"  # what GPTQ implementations use
NAMED_ORDERINGS = ("natural", "decreasing-norm", "increasing-norm", "min-pivot")
RULES = {"mean-diagonal:1e-2": "GPTQ, 0.01 mean diagonal", "spectral:1e-6": "Qronos, 1e-6 spectral",
         "spectral:1e-3": "Qronos, 1e-3 spectral", "george-saab": "George–Saab"}
LAYER = ["calibration", "layer"]


def runs(rows: pd.DataFrame, sweep: str) -> pd.DataFrame:
    """The runs of a sweep that were made: one row each, without those whose matrix was refused."""
    picked = rows[(rows["sweep"] == sweep) & (rows["record"] == "run")]
    return picked[picked["damped_error"].notna()] if "damped_error" in rows else picked.head(0)


def verdicts(rows: pd.DataFrame, sweep: str | None = None) -> pd.DataFrame:
    """The verdicts of a sweep, or all of them."""
    picked = rows[rows["record"] == "claim"]
    return picked if sweep is None else picked[picked["sweep"] == sweep]


def norm_ratio(over: pd.Series, under: pd.Series) -> pd.Series:
    """The ratio of two norms from their squares."""
    return np.sqrt(over / under)


def layer_name(calibration: str, layer: str) -> str:
    """A calibration matrix as the report calls it: its name in the study, and the layer where the network has several."""
    return f"{calibration}: {layer.removeprefix('encoder.layer.')}" if layer else calibration
