"""The adversarial construction at growing size: deterministic and stochastic OPTQ side by side (`adversarial-growth`)."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from ...bounds.checking.measure import own_errors
from ...bounds.checking.sampling import repeat_neuron
from ...bounds.problems.constructions import growth_problem
from ...bounds.stochastic.levels import rowwise_level
from ...bounds.stochastic.sto_optq_alphabet import alphabet_levels
from ..seeds import seed_of
from . import Rows, axes

SWEEP = "growth"
DRAWS = 9  # of stochastic rounding


@dataclass(frozen=True)
class GrowthCell:
    """One size and rounding of the construction; stochastic rounding at the levels of p = 0.05."""

    study: str
    study_seed: int
    features: int
    eta: float
    rounding: str

    def spec(self) -> dict[str, Any]:
        """Everything that the rows depend on, apart from the code."""
        return asdict(self) | {"cell": "growth", "sweep": SWEEP}

    def group(self) -> Hashable:
        """Shares nothing with other cells."""
        return ("growth", self.features, self.eta, self.rounding)

    def cost(self) -> float:
        """Seconds: one triangle of N features."""
        return 0.05 + 1.3e-10 * self.features**3

    def rows(self, cache: Path | None = None) -> Rows:
        """One row per run: errors and largest code, and what the theory says of them. BLAS runs on one thread."""
        with threadpool_limits(limits=1):
            seed = seed_of(study=self.study_seed, axis="rounding", sweep=SWEEP, features=self.features)
            problem = growth_problem(self.features, self.eta, self.rounding, seed)
            runs = repeat_neuron(problem, 0, DRAWS if self.rounding == "stochastic" else 1)
            errors, codes = np.abs(own_errors(runs, runs.result)).max(axis=0), np.abs(runs.result.codes).max(axis=0)
            if self.rounding == "nearest":
                level, code_level, p = self.eta * np.sqrt(self.features), float(np.rint(self.features * self.eta)), None
            else:
                level, p = float(rowwise_level(problem)[0]), problem.failure_probability
                code_level = float(np.abs(problem.W).max() + alphabet_levels(problem)[0, 0])
        shared = axes(study=self.study, sweep=SWEEP, calibration="adversarial", rounding=self.rounding, samples=self.features,
                      features=self.features, neurons=1, level=level, code_level=code_level, failure_probability=p)
        return [shared | {"seed": run, "measured_max": float(error), "largest_code": float(code)}
                for run, (error, code) in enumerate(zip(errors, codes, strict=True))], {}
