"""How tight is each theorem? The problems that came closest to each bound, replayed (see `provable-ptq attack`)."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from ...bounds import Problem, check
from . import Rows, axes

SWEEP = "tightness"
DRAWS = 8192  # of stochastic claims above 12 features
SIZES = ("full", "small")

_FOLDER = resources.files("provable_ptq.experiments.studies") / "attacks"


@dataclass(frozen=True)
class ReplayCell:
    """One claim and a shipped problem that came close to it: `full` size (16 features, 8 or 12 where a search is costly) or `small`."""

    study: str
    claim: str
    size: str

    def spec(self) -> dict[str, Any]:
        """Everything that the row depends on, apart from the code and the shipped problem."""
        return asdict(self) | {"cell": "replay", "sweep": SWEEP}

    def group(self) -> Hashable:
        """Shares nothing with other cells."""
        return ("replay", self.claim, self.size)

    def cost(self) -> float:
        """Seconds, roughly."""
        return 0.02

    def rows(self, cache: Path | None = None) -> Rows:
        """One row: the ratio that the replayed problem reaches. BLAS runs on one thread."""
        with threadpool_limits(limits=1), resources.as_file(_FOLDER / self.size / f"{self.claim}.npz") as path:
            problem = Problem.load(path)
            verdict = check(problem, [self.claim], draws=DRAWS)[self.claim]
        row = axes(record="claim", study=self.study, sweep=SWEEP, calibration=self.size, claim=self.claim, algorithm=problem.algorithm,
                   form=problem.form, rounding=problem.rounding, alphabet="finite" if problem.grid.finite else "infinite",
                   ordering=problem.ordering if isinstance(problem.ordering, str) else "permutation", damping=str(problem.damping),
                   samples=problem.m, features=problem.N, neurons=problem.K,
                   failure_probability=problem.failure_probability, ratio=verdict.ratio, outcome=verdict.outcome.value)
        return [row], {}


def shipped_attacks() -> list[tuple[str, str]]:
    """Claim id and size of every shipped problem."""
    return [(file.name.removesuffix(".npz"), size) for size in SIZES for file in sorted((_FOLDER / size).iterdir(), key=lambda f: f.name)]
