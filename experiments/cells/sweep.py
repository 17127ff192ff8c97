"""One cell of a sweep: a layer, how it is quantized, and the claims to check on it."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from ...algorithms import RankDeficientError
from ...bounds import Outcome
from ...bounds.checking.claim import CHAPTERS, Claim
from ...bounds.checking.law import LAW_KINDS
from ...bounds.checking.loading import load_claims
from ...bounds.checking.registry import claims
from ..calibration import LayerData
from ..calibration.load import identity, shape
from . import Rows
from .verdict_rows import drawn_rows, run_rows
from .views import Inputs, Views

NOT_COLUMNS = ("study_seed", "parameters", "failure_probability", "claims", "claims_files", "optimum")


@dataclass(frozen=True)
class SweepCell:
    """One cell of a sweep.

    The step of each neuron is that of the symmetric absmax grid with `bits`; `alphabet` says whether its ends are kept. With
    `steps` inverse to the pivots, features have steps of their own, of that geometric mean (`rate-distortion-floor`).
    `draws` > 0 asks for that many stochastic runs of the first neuron instead of one run of all; `optimum`, for small N, for
    the error of the closest grid point beside the algorithm's.
    """

    study: str
    study_seed: int
    sweep: str
    calibration: str
    layer: str
    parameters: tuple[tuple[str, Any], ...]
    mismatch: str
    damping: float | str
    ordering: str
    rounding: str
    algorithm: str
    form: str
    bits: int
    steps: str
    alphabet: str
    seed: int
    draws: int
    failure_probability: tuple[float, ...]
    claims: tuple[str, ...]
    claims_files: tuple[str, ...]
    optimum: bool = False

    def spec(self) -> dict[str, Any]:
        """Everything that the rows depend on, apart from the code."""
        return asdict(self) | {"cell": "sweep", "parameters": identity(dict(self.parameters)), "claims_files": len(self.claims_files)}

    def group(self) -> Hashable:
        """Cells that share a factorization."""
        return ("sweep", self.study_seed, self.calibration, self.parameters, self.mismatch, self.seed, str(self.damping), self.ordering)

    def cost(self) -> float:
        """Seconds, from the sizes alone: a triangle, the recursion, the draws, and what each claim takes."""
        m, N, K = shape(dict(self.parameters))
        once = 1.5e-10 * N**3 * (5 if self.ordering == "min-pivot" else 1) + 5e-10 * N * N * K + 2e-9 * min(m, 1024) * N * K
        drawn = 4e-10 * self.draws * N * (N + min(m, 1024))
        return 0.02 + once + drawn + (0.06 if self.claims == ("all",) else 0.0)

    def rows(self, cache: Path | None = None) -> Rows:
        """One row of facts and one row per claim and failure probability; of drawn runs, the empirical tail as well."""
        with threadpool_limits(limits=1):
            chosen = self._chosen([claim_id for file in self.claims_files for claim_id in load_claims(file)])
            inputs = Inputs(self.calibration, self.parameters, self.study_seed, self.seed, self.mismatch, cache)
            layer = inputs.layer()
            try:
                views = Views.of(self, inputs)
            except RankDeficientError as error:
                rows = [{"record": "run", "outcome": Outcome.NOT_APPLICABLE.value, "advice": str(error)}]
            else:
                rows = self._rows(views, chosen)
            axes = self._axes(layer)
            return [axes | row for row in rows], dict(layer.files)

    def _rows(self, views: Views, chosen: list[Claim]) -> list[dict]:
        if self.draws:
            return drawn_rows(views, chosen, self.failure_probability, self.draws)
        return run_rows(views, chosen, self.failure_probability, self.optimum)

    def _axes(self, layer: LayerData) -> dict:
        axes = {name: value for name, value in asdict(self).items() if name not in NOT_COLUMNS}
        N, K = layer.W.shape
        deployed = {"deployed_codes": layer.deployed_codes} if layer.deployed_codes else {}
        return axes | {"damping": str(self.damping), "samples": layer.m, "features": N, "neurons": K, "claim": ""} | deployed

    def _chosen(self, own: list[str]) -> list[Claim]:
        """The claims about this algorithm and rounding, and about the law of a run where runs are drawn, else about the run."""
        known = available_claims(own)
        wanted = [made for made in known.values() if not made.fixed] if self.claims == ("all",) else [known[name] for name in self.claims]
        return [
            made for made in wanted
            if self.algorithm in made.algorithms and made.rounding in (None, self.rounding) and (made.kind in LAW_KINDS) == (self.draws > 0)
        ]


def available_claims(own: list[str]) -> dict[str, Claim]:
    """The claims that a study can name: the shipped ones, and those with ids in `own` that its own files registered."""
    return {claim_id: made for claim_id, made in claims().items() if made.chapter in CHAPTERS or claim_id in own}
