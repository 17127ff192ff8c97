"""Claims about constructions of their own: no sweep can try them, so a cell of a study checks each on what it constructs."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from ...algorithms import Grid
from ...bounds import Problem, check, claims
from ...bounds.checking.claim import CHAPTERS
from . import Rows, axes

SWEEP = "constructions"
FEATURES = 32  # of the problem that a construction starts from


@dataclass(frozen=True)
class ConstructionCell:
    """One claim about a construction of its own."""

    study: str
    study_seed: int
    claim: str

    def spec(self) -> dict[str, Any]:
        """Everything that the row depends on, apart from the code."""
        return asdict(self) | {"cell": "construction", "sweep": SWEEP}

    def group(self) -> Hashable:
        """Shares nothing with other cells."""
        return ("construction", self.claim)

    def cost(self) -> float:
        """Seconds, roughly."""
        return 0.05

    def rows(self, cache: Path | None = None) -> Rows:
        """One row: the verdict on the construction. BLAS runs on one thread."""
        with threadpool_limits(limits=1):
            start = Problem(np.eye(FEATURES), np.zeros((FEATURES, 1)), Grid(step=1.0), seed=self.study_seed)
            construct = claims()[self.claim].construct
            problem = start if construct is None else construct(start)
            verdict = check(start, [self.claim])[self.claim]
        row = axes(record="claim", study=self.study, sweep=SWEEP, calibration="construction", claim=self.claim, samples=problem.m,
                   algorithm=problem.algorithm, form=problem.form, rounding=problem.rounding, features=problem.N, neurons=problem.K,
                   alphabet="finite" if problem.grid.finite else "infinite", damping=str(problem.damping), ordering=str(problem.ordering),
                   ratio=verdict.ratio, outcome=verdict.outcome.value, advice=verdict.advice, covered=verdict.covered)
        return [row], {}


def constructions() -> list[str]:
    """The shipped claims that are about constructions of their own."""
    return [claim_id for claim_id, made in claims().items() if made.fixed and made.chapter in CHAPTERS]
