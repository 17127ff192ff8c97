"""One cell of a sweep: a layer, how it is quantized, and the claims to check on it."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from ...algorithms import Factorization, Grid, RankDeficientError
from ...algorithms.factorization import RowSource
from ...bounds import Evaluation, Outcome, Problem, Verdict, check
from ...bounds.checking.arithmetic import tail_level
from ...bounds.checking.claim import CHAPTERS, Claim, Kind
from ...bounds.checking.law import LAW_KINDS, draws_of
from ...bounds.checking.loading import load_claims
from ...bounds.checking.registry import claims
from ...bounds.checking.sampling import repeat_neuron
from ...bounds.checking.verdict import CONFIDENCE, binomial_interval, ratios
from ...bounds.stochastic.levels import largest_error, row_variances
from ..calibration import LayerData, load_layer
from ..calibration.load import identity, shape
from ..seeds import seed_of
from . import Rows
from .facts import deterministic_level, drawn_facts, run_facts

TAIL_FRACTIONS = np.arange(0.1, 1.0001, 0.025)  # of the row-wise level: where the empirical tail is counted
TAIL_SCALE = 0.05  # its failure probability
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
    parameters: tuple[tuple[str, object], ...]
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

    def spec(self) -> dict[str, object]:
        """Everything that the rows depend on, apart from the code."""
        return asdict(self) | {"cell": "sweep", "parameters": identity(dict(self.parameters)), "claims_files": len(self.claims_files)}

    def group(self) -> Hashable:
        """Cells that share a factorization."""
        return ("sweep", self.study_seed, self.calibration, self.parameters, self.mismatch, self.seed, str(self.damping), self.ordering)

    def data(self, cache: Path | None) -> tuple:
        """What its layer is loaded from: the arguments of `load_layer`, hashable."""
        return self.calibration, self.parameters, self.study_seed, self.seed, self.mismatch, cache

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
            layer = _layer(*self.data(cache))
            try:
                views = Views.of(self, layer, cache)
            except RankDeficientError as error:
                rows = [{"record": "run", "outcome": Outcome.NOT_APPLICABLE.value, "advice": str(error)}]
            else:
                rows = _drawn_rows(self, views, chosen) if self.draws else _run_rows(self, views, chosen)
            axes = self._axes(layer)
            return [axes | row for row in rows], dict(layer.files)

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


@lru_cache(maxsize=2)
def _layer(name: str, parameters: tuple, study_seed: int, seed: int, mismatch: str, cache: Path | None) -> LayerData:
    return load_layer(name, dict(parameters), study_seed, seed, mismatch, cache)


@lru_cache(maxsize=2)
def _source(*layer: object) -> RowSource:
    """What all dampings and orderings of a calibration matrix share: its triangle and its singular values."""
    data = _layer(*layer)
    deployed = data.X if data.X_quantized is None else data.X_quantized
    source = RowSource.of(deployed)
    if data.folded:
        source.samples = data.m
    return source


@lru_cache(maxsize=2)
def _factorization(layer: tuple, damping: float | str, ordering: str) -> Factorization:
    return _source(*layer).factorize(damping, ordering)


@dataclass(frozen=True)
class Views:
    """One run seen twice: through all samples, and through those rows that single outputs are looked at on.

    Where the samples are all at hand the two are the same. Of a folded matrix the triangle serves the 2-norm, and the kept rows
    serve the infinity norm, their number standing for m (the theorems hold for any rows, with V's rows beside them). Mismatched
    folded layers have no second view.
    """

    whole: Problem
    outputs: Problem | None

    @classmethod
    def of(cls, cell: SweepCell, layer: LayerData, cache: Path | None) -> Views:
        f = _factorization(cell.data(cache), cell.damping, cell.ordering)
        grid = _grid(cell, layer.W, f)
        seed = seed_of(study=cell.study_seed, calibration=cell.calibration, seed=cell.seed, axis="rounding")
        settings = {"W": layer.W, "grid": grid, "algorithm": cell.algorithm, "form": cell.form, "rounding": cell.rounding, "seed": seed,
                    "X_validation": layer.X_validation, "failure_probability": cell.failure_probability[0]}
        if layer.X_quantized is not None:
            whole = Problem(X=layer.X, X_quantized=f, **settings)
            return cls(whole, None if layer.folded else whole)
        whole = Problem(X=f, **settings)
        return cls(whole, Problem(X=f.on_rows(layer.rows), **settings) if layer.folded else whole)

    def at(self, failure_probability: float) -> Views:
        """The same run, with another failure probability for the claims."""
        whole, outputs = (view and view.but(failure_probability=failure_probability) for view in (self.whole, self.outputs))
        return Views(whole, whole if self.outputs is self.whole else outputs)

    def check(self, claim: Claim, draws: int = 0) -> Verdict | None:
        """The verdict of a claim on the view it is about; None where there is none."""
        if not claim.per_output or self.outputs is self.whole:
            return check(self.whole, [claim.id], draws=draws)[claim.id]
        if self.outputs is None:
            return None
        if draws or claim.construct is not None:
            return check(self.outputs, [claim.id], draws=draws)[claim.id]
        return check(self.outputs, [claim.id], algorithm=lambda problem: self.whole.result)[claim.id]


def _grid(cell: SweepCell, W: np.ndarray, f: Factorization) -> Grid:
    grid = Grid.for_weights(W, cell.bits)
    if cell.steps == "inverse-pivot":
        widths = np.empty(len(W))
        widths[f.order] = np.exp(np.log(f.pivots).mean()) / f.pivots
        return Grid(grid.step * widths[:, None])
    return grid if cell.alphabet == "finite" else Grid(grid.step)


def _run_rows(cell: SweepCell, views: Views, chosen: list[Claim]) -> list[dict]:
    X_validation = None if views.whole.X_quantized is not None else views.whole.X_validation  # held-out inputs are not mismatched
    rows = [{"record": "run"} | run_facts(views.whole, X_validation, cell.optimum)]
    for p in cell.failure_probability:
        at_p = views.at(p)
        verdicts = [(made, at_p.check(made)) for made in chosen]
        rows += [_verdict_row(made, verdict, p) for made, verdict in verdicts if verdict is not None]
    return rows


def _verdict_row(made: Claim, verdict: Verdict, p: float) -> dict:
    row = {"record": "claim", "claim": made.id, "failure_probability": p, "outcome": verdict.outcome.value, "ratio": verdict.ratio,
           "advice": verdict.advice, "covered": verdict.covered, "failures": verdict.failures, "draws_used": verdict.draws}
    row |= dict(zip(("interval_low", "interval_high"), verdict.interval or (None, None), strict=True))
    if verdict.measured is not None:
        one_sided = Kind.LOWER if made.kind is Kind.LOWER else Kind.UPPER
        entries = ratios(one_sided, Evaluation(verdict.measured, verdict.bound))
        row |= {"measured_sum": float(np.sum(verdict.measured)), "bound_sum": float(np.sum(verdict.bound)),
                "measured_max": float(np.max(verdict.measured)), "bound_max": float(np.max(verdict.bound)),
                "ratio_median": float(np.median(entries))}
    return row


def _drawn_rows(cell: SweepCell, views: Views, chosen: list[Claim]) -> list[dict]:
    """Many stochastic runs of the first neuron: claims about their law at every p, and the empirical tail."""
    rows = [{"record": "run"} | drawn_facts(views.whole)]
    for p in cell.failure_probability:
        at_p = views.at(p)
        for made in chosen:
            verdict = at_p.check(made, cell.draws)
            if verdict is None:
                continue
            decided = made.kind is Kind.PROBABILITY and verdict.bound is not None
            level = {"level": float(np.ravel(verdict.bound)[0])} if decided else {}
            rows.append(_verdict_row(made, verdict, p) | level)
    return rows if views.outputs is None else rows + _tail(views.outputs, cell.draws)


def _tail(problem: Problem, draws: int) -> list[dict]:
    """How often the largest error exceeds fixed fractions of the row-wise level; a saturated draw counts as no failure."""
    errors = np.concatenate([
        np.where(result.saturated.any(axis=0), 0.0, largest_error(repeated, result))
        for repeated, result in draws_of(problem, draws)
    ])
    one = repeat_neuron(problem, 0, 1).but(failure_probability=TAIL_SCALE)
    sure = deterministic_level(one)
    rows = []
    for level in TAIL_FRACTIONS * tail_level(row_variances(one), TAIL_SCALE)[0]:
        failures = int((errors > level).sum())
        low, high = binomial_interval(failures, draws, CONFIDENCE)
        rows.append({"record": "tail", "level": float(level), "failures": failures, "draws_used": draws, "interval_low": low,
                     "interval_high": high, "measured_max": float(errors.max()), "deterministic_level": sure})
    return rows
