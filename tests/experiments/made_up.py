"""Tables of studies that nobody ran: every setting is chosen, every fact is drawn. What a report says of them it has from their rows."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
from provable_ptq.experiments.cells.facts import FACTS
from provable_ptq.experiments.table import tidy

MADE = {"study": "s", "title": "t", "seed": 1, "cells": 2, "code": "c" * 64, "study_sha256": "d" * 64, "claims_files": {}, "inputs": {},
        "versions": {"numpy": "2"}}
CODES = ("largest_code", "sufficient_code", "likely_code", "largest_weight_code")
SHARES = {"saturated_share": 0.0, "unsaturated_neurons": 0.5, "optimum_decided": 1.0, "likely_probability": 0.95}
BASE = {"calibration": ["a", "b"], "layer": [""], "mismatch": ["none"], "algorithm": ["optq"], "form": ["alternating"],
        "rounding": ["nearest"], "bits": [7], "steps": ["uniform"], "alphabet": ["infinite"], "ordering": ["increasing-norm"],
        "damping": ["spectral:0.5"], "seed": [0], "draws": [0]}
PIVOTS = ("pivot_square_sum", "order_floor")  # facts of the factorization alone, and what they depend on
OF_PIVOTS = ("calibration", "layer", "mismatch", "damping", "ordering", "seed")
LAYERS = ["encoder.layer.3.attention.self.query", "encoder.layer.3.output.dense", "encoder.layer.8.output.dense"]
SWEEPS = {
    "damping": {},
    "ordering": {"ordering": ["natural", "decreasing-norm", "increasing-norm", "min-pivot"]},
    "heldout": {"damping": ["mean-diagonal:3", "mean-diagonal:7", "george-saab"]},
    "bits": {"damping": ["mean-diagonal:3", "mean-diagonal:7"], "rounding": ["nearest", "stochastic"]},
    "finite-alphabet": {"alphabet": ["finite"]},
    "layers": {"calibration": ["net"], "layer": LAYERS, "ordering": ["natural", "decreasing-norm", "min-pivot"],
               "rounding": ["nearest", "stochastic"]},
    "mismatch": {"mismatch": ["noise:0.7", "layers:3:5"], "algorithm": ["optq", "qronos", "gpfq"], "form": ["alternating", "projected"]},
    "optimum": {"mismatch": ["none", "noise:0.7"], "algorithm": ["optq", "qronos"], "form": ["alternating", "projected"]},
    "rate-distortion": {"ordering": ["natural", "min-pivot"], "steps": ["uniform", "inverse-pivot"]},
    "tail": {"rounding": ["stochastic"], "draws": [1000], "failure_probability": [0.2]},
}  # fmt: skip


def made_up_table(sweeps=tuple(SWEEPS), **settings: list) -> pd.DataFrame:
    """The rows of sweeps at these values of some axes, where a sweep does not have values of its own that it is about."""
    rng, pivots = np.random.default_rng(0), {}
    return tidy([row for sweep in sweeps for run in _runs(sweep, settings) for row in _rows(run, rng, pivots)])


def _runs(sweep: str, settings: dict):
    own = SWEEPS[sweep]
    several = {axis for axis, values in own.items() if len(values) > 1 or axis in ("rounding", "alphabet")}
    pinned = {axis: values for axis, values in settings.items() if axis not in several}
    axes = BASE | own | pinned
    for values in product(*axes.values()):
        run = {"study": "s", "sweep": sweep} | dict(zip(axes, values, strict=True))
        if run["algorithm"] == "qronos" or run["form"] == axes["form"][0]:
            yield run


def _rows(run: dict, rng: np.random.Generator, pivots: dict):
    size = {"samples": 30, "features": 10 + len(run["calibration"]), "neurons": 5}
    p = run.pop("failure_probability", 0.05)
    facts = dict(zip(FACTS, np.exp(rng.normal(size=len(FACTS))), strict=True))
    facts |= pivots.setdefault(tuple(run[axis] for axis in OF_PIVOTS), {name: facts[name] for name in PIVOTS})
    facts |= {name: float(rng.integers(3, 400)) for name in CODES} | SHARES | {"saturated_share": 0.125 * (run["alphabet"] == "finite")}
    if run["draws"] == 0:
        yield run | size | {"record": "run"} | facts
        return
    yield run | size | {"record": "tail", "deterministic_level": float(rng.uniform(1, 9)), "level": 1.0}
    for claim in ("sto-optq-linf", "sto-optq-linf-rowwise"):
        yield run | size | {"record": "claim", "claim": claim, "failure_probability": p, "outcome": "holds", "ratio": float(rng.uniform()),
                            "level": float(rng.uniform(1, 9)), "failures": int(rng.integers(1, 9)), "draws_used": run["draws"],
                            "interval_low": float(rng.uniform(0, 0.1)), "interval_high": float(rng.uniform(0.1, 1))}


def disturbed(rows: pd.DataFrame, axis: str, value: object) -> pd.DataFrame:
    """The same table with other facts in the rows of one setting: no setting, size or count changes, every number computed does."""
    rng = np.random.default_rng(1)
    changed, where = rows.copy(), rows[axis] == value
    kept = {*CODES, *SHARES, *(() if axis in OF_PIVOTS else PIVOTS)}
    for column in sorted({*FACTS, "level", "deterministic_level", "interval_low", "interval_high"}.intersection(rows) - kept):
        changed.loc[where, column] *= np.exp(rng.normal(scale=0.5, size=int(where.sum())))
    for column in CODES:
        changed.loc[where, column] *= rng.integers(2, 9, size=int(where.sum()))
    return changed
