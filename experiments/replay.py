"""How tight is each theorem? The problems that came closest to each bound, replayed (see `provable-ptq attack`)."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources

from threadpoolctl import threadpool_limits

from ..bounds import Problem, check

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

    def rows(self) -> tuple[list[dict], dict[str, str]]:
        """One row: the ratio that the replayed problem reaches. BLAS runs on one thread."""
        with threadpool_limits(limits=1), resources.as_file(_FOLDER / self.size / f"{self.claim}.npz") as path:
            problem = Problem.load(path)
            verdict = check(problem, [self.claim], draws=DRAWS)[self.claim]
        row = {"study": self.study, "sweep": SWEEP, "calibration": self.size, "claim": self.claim, "algorithm": problem.algorithm,
               "form": problem.form, "rounding": problem.rounding, "alphabet": "finite" if problem.grid.finite else "infinite",
               "ordering": problem.ordering if isinstance(problem.ordering, str) else "permutation", "damping": str(problem.damping),
               "samples": problem.m, "features": problem.N, "neurons": problem.K, "seed": 0, "bits": 0, "draws": 0,
               "failure_probability": problem.failure_probability, "ratio": verdict.ratio, "outcome": verdict.outcome.value}
        return [row], {}


def shipped_attacks() -> list[tuple[str, str]]:
    """Claim id and size of every shipped problem."""
    return [(file.name.removesuffix(".npz"), size) for size in SIZES for file in sorted((_FOLDER / size).iterdir(), key=lambda f: f.name)]
