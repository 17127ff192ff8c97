"""From one cell to its rows: a pure function of the cell and the code."""

from __future__ import annotations

from dataclasses import asdict
from functools import lru_cache

import numpy as np
from threadpoolctl import threadpool_limits

from ..algorithms import Grid, RankDeficientError, factorize, round_to_nearest
from ..bounds import Outcome, Problem, Verdict, check
from ..bounds.claim import Claim, Kind, claims, load_claims, select
from ..bounds.deterministic.order_floor import spectral_floor
from ..bounds.measure import damped_error_squared, own_errors, pivot_sum, ridge, squares
from ..bounds.sampling import monte_carlo
from ..bounds.stochastic.levels import largest_error
from ..bounds.verdict import CONFIDENCE, binomial_interval, ratios
from .calibration import LayerData, load_layer
from .seeds import seed_of
from .study import Cell

TAIL_FRACTIONS = np.arange(0.1, 1.0001, 0.025)  # of the row-wise level: where the empirical tail is counted
TAIL_CLAIM = "sto-optq-linf-rowwise"


def run_cell(cell: Cell) -> tuple[list[dict], dict[str, str]]:
    """The rows of a cell, one per claim, and the SHA-256 of the input files it read. BLAS runs on one thread."""
    with threadpool_limits(limits=1):
        for file in cell.claims_files:
            load_claims(file)
        layer = _layer(cell.calibration, cell.parameters, cell.study_seed, cell.seed)
        inputs = {cell.calibration: layer.source_sha256} if layer.source_sha256 else {}
        try:
            problem = _problem(cell, layer)
            rows = _drawn_rows(cell, problem) if cell.draws else _claim_rows(cell, problem, _facts(problem))
        except RankDeficientError as error:
            rows = [{"claim": "", "outcome": Outcome.NOT_APPLICABLE.value, "advice": str(error)}]
        return [_axes(cell, layer) | row for row in rows], inputs


@lru_cache(maxsize=2)
def _layer(name: str, parameters: tuple, study_seed: int, seed: int) -> LayerData:
    return load_layer(name, dict(parameters), study_seed, seed)


@lru_cache(maxsize=2)
def _undamped(name: str, parameters: tuple, study_seed: int, seed: int):
    """The matrix factored once with a damping that never fails; every cell derives its own damping and ordering from it."""
    return factorize(_layer(name, parameters, study_seed, seed).X, "mean-diagonal:1")


def _problem(cell: Cell, layer: LayerData) -> Problem:
    grid = Grid.for_weights(layer.W, cell.bits)
    if cell.alphabet == "infinite":
        grid = Grid(grid.step)
    shared = _undamped(cell.calibration, cell.parameters, cell.study_seed, cell.seed)
    factorization = shared.with_damping(cell.damping, cell.ordering)
    seed = seed_of(study=cell.study_seed, calibration=cell.calibration, seed=cell.seed, axis="rounding")
    return Problem(factorization, layer.W, grid, cell.algorithm, cell.form, rounding=cell.rounding,
                   X_validation=layer.X_validation, seed=seed, failure_probability=cell.failure_probability[0])


def _axes(cell: Cell, layer: LayerData) -> dict:
    axes = asdict(cell)
    for name in ("study_seed", "parameters", "failure_probability", "claims", "claims_files"):
        del axes[name]
    m, N = layer.X.shape
    return axes | {"damping": str(cell.damping), "samples": m, "features": N, "neurons": layer.W.shape[1]}


def _facts(problem: Problem) -> dict:
    """What the figures need beside the claims: sizes of the errors of all neurons together, and of the factorization."""
    f, result = problem.factorization, problem.result
    rtn = round_to_nearest(problem.W, problem.grid)
    floor = problem.N * spectral_floor(problem)[0] if f.live.all() or f.damping else 0.0
    return {
        "absolute_damping": f.damping,
        "condition": f.condition,
        "pivot_square_sum": float(f.pivots_squared.sum()),
        "order_floor": float(floor),
        "step_square_sum": float((problem.steps[0] ** 2).sum()),
        "signal": float(squares(problem.calibration @ problem.W).sum()),
        "reconstruction": float(squares(own_errors(problem, result)).sum()),
        "ridge": float(ridge(problem, result).sum()),
        "damped_error": float(damped_error_squared(problem, result).sum()),
        "damped_bound": float(pivot_sum(problem).sum() / 4),
        "rtn_reconstruction": float(squares(problem.calibration @ (problem.W - rtn.weights)).sum()),
        "rtn_damped_error": float(damped_error_squared(problem, rtn).sum()),
        "saturated_share": float(result.saturated.mean()),
    }


def _chosen(cell: Cell) -> list[Claim]:
    wanted = None if cell.claims == ("all",) else cell.claims
    return [made for made in select(wanted) if made.algorithm in (None, cell.algorithm) and made.rounding in (None, cell.rounding)]


def _claim_rows(cell: Cell, problem: Problem, facts: dict) -> list[dict]:
    rows = []
    for p in cell.failure_probability:
        at_p = problem.but(failure_probability=p)
        at_p.__dict__["result"] = problem.result
        for claim_id, verdict in check(at_p, [made.id for made in _chosen(cell)]).items():
            rows.append(facts | {"failure_probability": p} | _verdict_row(claims()[claim_id], verdict))
    return rows


def _verdict_row(made: Claim, verdict: Verdict) -> dict:
    row = {"claim": made.id, "outcome": verdict.outcome.value, "ratio": verdict.ratio, "advice": verdict.advice,
           "failures": verdict.failures, "draws": verdict.draws}
    row |= dict(zip(("interval_low", "interval_high"), verdict.interval or (None, None), strict=True))
    if verdict.measured is not None:
        entries = ratios(made.kind, _Sides(verdict.measured, verdict.bound)) if made.kind is not Kind.IDENTITY else np.array([verdict.ratio])
        row |= {"measured_sum": float(np.sum(verdict.measured)), "bound_sum": float(np.sum(verdict.bound)),
                "measured_max": float(np.max(verdict.measured)), "bound_max": float(np.max(verdict.bound)),
                "ratio_median": float(np.median(entries))}
    return row


class _Sides:
    scale = None

    def __init__(self, measured, bound):
        self.measured, self.bound = measured, bound


def _drawn_rows(cell: Cell, problem: Problem) -> list[dict]:
    """Many stochastic runs of the first neuron: failures of every probability claim at every p, and the empirical tail."""
    facts = {"absolute_damping": problem.factorization.damping, "condition": problem.factorization.condition}
    one = problem.but(W=problem.W[:, :1], grid=Grid(problem.grid.step[..., :1]))
    chosen = [made for made in _chosen(cell) if made.kind is Kind.PROBABILITY]
    at = {(made.id, p): _level(made, one, p) for made in chosen for p in cell.failure_probability}
    scale = _level(claims()[TAIL_CLAIM], one, 0.05)
    errors = np.concatenate([_unsaturated_errors(*block) for block in monte_carlo(problem, 0, cell.draws)])
    rows = [facts | {"claim": claim_id, "failure_probability": p, "level": level} | _counted(errors, level, p)
            for (claim_id, p), level in at.items()]
    for fraction in TAIL_FRACTIONS:
        level = float(fraction * scale)
        rows.append(facts | {"claim": "", "level": level} | _counted(errors, level, None))
    return rows


def _unsaturated_errors(problem: Problem, result) -> np.ndarray:
    """Largest errors of the draws; a saturated draw counts as no failure, so it stands as 0."""
    return np.where(result.saturated.any(axis=0), 0.0, largest_error(problem, result))


def _level(made: Claim, one: Problem, p: float) -> float:
    at_p = one.but(failure_probability=p)
    return float(np.ravel(made(at_p, at_p.result).bound)[0])


def _counted(errors: np.ndarray, level: float, p: float | None) -> dict:
    failures, draws = int((errors > level).sum()), len(errors)
    low, high = binomial_interval(failures, draws, CONFIDENCE)
    counted = {"failures": failures, "draws": draws, "interval_low": low, "interval_high": high,
               "measured_max": float(errors.max()), "ratio": float(errors.max() / level) if level else 0.0}
    if p is None:
        return counted
    outcome = Outcome.VIOLATED if low > p else Outcome.HOLDS if high <= p else Outcome.UNDECIDED
    return counted | {"outcome": outcome.value}
