"""The adversarial construction at growing size: deterministic and stochastic OPTQ side by side (`adversarial-growth`)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from ..bounds.measure import own_errors
from ..bounds.problems.constructions import growth_problem
from ..bounds.stochastic.levels import rowwise_level
from ..bounds.stochastic.sto_optq_alphabet import alphabet_levels
from .seeds import seed_of

SWEEP = "growth"


@dataclass(frozen=True)
class GrowthCell:
    """One size and rounding of the construction; stochastic rounding at the levels of p = 0.05."""

    study: str
    study_seed: int
    features: int
    eta: float
    rounding: str

    def rows(self) -> tuple[list[dict], dict[str, str]]:
        """One row: errors and largest code, and what the theory says of them. BLAS runs on one thread."""
        with threadpool_limits(limits=1):
            seed = seed_of(study=self.study_seed, axis="rounding", sweep=SWEEP, features=self.features)
            problem = growth_problem(self.features, self.eta, self.rounding, seed)
            errors, codes = own_errors(problem, problem.result), problem.result.codes
            if self.rounding == "nearest":
                level, code_level = self.eta * np.sqrt(self.features), float(np.rint(self.features * self.eta))
            else:
                level = float(rowwise_level(problem)[0])
                code_level = float(np.abs(problem.W).max() + alphabet_levels(problem)[0, 0])
        row = {"study": self.study, "sweep": SWEEP, "calibration": "adversarial", "rounding": self.rounding, "algorithm": "optq",
               "form": "alternating", "ordering": "natural", "damping": "0.0", "alphabet": "infinite", "claim": "",
               "samples": self.features, "features": self.features, "neurons": 1, "seed": 0, "bits": 0, "draws": 0,
               "measured_max": float(np.abs(errors).max()), "level": level,
               "largest_code": float(np.abs(codes).max()), "code_level": code_level}
        return [row], {}
