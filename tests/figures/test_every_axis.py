"""A study of every axis at two unusual values: figures show what was run, number by number and word by word, or say what they do not."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from provable_ptq.experiments.runner import run_study
from provable_ptq.experiments.settings import in_words
from provable_ptq.experiments.store import read_table
from provable_ptq.experiments.study import read_study
from provable_ptq.figures import panels
from provable_ptq.figures.render import FIGURES
from provable_ptq.figures.runs import NothingToDrawError

MATRICES = """
name = "unusual"
title = "Every axis at two unusual values"
seed = 5

[growth]
features = [16, 64]
eta = 0.20000171661376953

[permutations]
calibration = ["my-ar1"]
damping = ["spectral:1e-2", 0.5]
bits = [5, 8]

[calibration.my-ar1]
kind = "ar1"
samples = 24
features = 4
neurons = 5
correlation = 0.7

[calibration.my-low]
kind = "low-rank"
samples = 20
features = 5
neurons = 4
rank = 3
"""
SETTINGS = {
    "mismatch": ["none", "noise:0.25"], "damping": ["spectral:1e-2", 0.5], "ordering": ["increasing-norm", "random:3"], "bits": [5, 8],
    "calibration": ["my-ar1"], "claims": ["optq-l2"],
}  # fmt: skip
ONE = {"mismatch": "none", "damping": 0.5, "ordering": "random:3", "bits": 8}
REPEATED = ONE | {"calibration": "my-low", "seeds": 2}
METHODS = {"algorithm": ["optq", "qronos", "gpfq"], "form": ["alternating", "projected"]}
NOISES = {"mismatch": ["noise:0.25", "noise:0.7"], "claims": ["qronos-l2"]}
TAIL = {"rounding": "stochastic", "draws": 300, "failure_probability": [0.3, 0.02],
        "claims": ["sto-optq-linf", "sto-optq-linf-sharp", "sto-optq-linf-rowwise"]}  # fmt: skip
ROUNDINGS = {"rounding": ["nearest", "stochastic"], "failure_probability": 0.2}
SWEEPS = [
    *((name, changes)
      for name in ("damping", "ordering", "heldout", "layers", "rate-distortion")
      for changes in ({}, REPEATED, ONE | {"steps": "inverse-pivot"}, ONE | {"alphabet": "finite"}, ONE | {"rounding": "stochastic"})),
    ("bits", ROUNDINGS), ("bits", REPEATED | ROUNDINGS), ("bits", ONE | ROUNDINGS | {"steps": "inverse-pivot"}),
    ("tail", ONE | TAIL), ("tail", TAIL | {"mismatch": "none", "draws": 400, "claims": ["sto-optq-linf-rowwise"]}),
    ("mismatch", METHODS | NOISES), ("mismatch", REPEATED | METHODS | NOISES),
    ("optimum", METHODS | {"optimum": True, "algorithm": ["optq", "qronos"], "claims": ["optq-near-optimal"]}),
    ("optimum", REPEATED | METHODS | {"mismatch": ["none", "noise:0.7"], "optimum": True, "claims": ["optq-near-optimal"]}),
]  # fmt: skip
NOT_RUN = ["2-bit", "3-bit", "4-bit", "mean diagonal of live", "decreasing norm", "min-pivot", "natural order", "Digits", "MiniLM", "block",
           "0.05", "0.95", "noise of 20"]  # fmt: skip
RUN = ["seed", "calibration", "layer", "mismatch", "algorithm", "form", "rounding", "bits", "steps", "alphabet", "ordering", "damping", "draws"]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    folder = tmp_path_factory.mktemp("unusual")
    sections = [f'[[sweep]]\nname = "{name}"\n' + "\n".join(f"{key} = {written(value)}" for key, value in (SETTINGS | changes).items())
                for name, changes in SWEEPS]  # fmt: skip
    (folder / "unusual.toml").write_text(MATRICES + "\n\n".join(sections))
    study = read_study(folder / "unusual.toml")
    rows, _ = read_table(run_study(study, folder / "unusual.parquet", workers=1, store=folder / "store").table)
    return rows


def written(value):
    return str(value).lower() if isinstance(value, bool) else str(value).replace("'", '"') if isinstance(value, list) else repr(value)
