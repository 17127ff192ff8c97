"""From one cell to its rows: a pure function of the cell and the code."""

from __future__ import annotations

from dataclasses import asdict
from functools import lru_cache

import numpy as np
from threadpoolctl import threadpool_limits

from ..algorithms import Grid, RankDeficientError, factorize, round_to_nearest
from ..bounds import Evaluation, Outcome, Problem, Verdict, check
from ..bounds.arithmetic import tail_level
from ..bounds.claim import Claim, Kind, load_claims
from ..bounds.deterministic.order_floor import spectral_floor
from ..bounds.law import LAW_KINDS, draws_of
from ..bounds.measure import damped_error_squared, own_errors, pivot_sum, ridge, squares
from ..bounds.sampling import repeat_neuron
from ..bounds.stochastic.levels import largest_error, row_variances
from ..bounds.verdict import CONFIDENCE, binomial_interval, ratios
from .calibration import LayerData, load_layer
from .seeds import seed_of
from .study import Cell, available_claims

TAIL_FRACTIONS = np.arange(0.1, 1.0001, 0.025)  # of the row-wise level: where the empirical tail is counted
TAIL_SCALE = 0.05  # its failure probability


def run_cell(cell: Cell) -> tuple[list[dict], dict[str, str]]:
    """The rows of a cell, one per claim, and the SHA-256 of the input files it read. BLAS runs on one thread."""
    with threadpool_limits(limits=1):
        chosen = _chosen(cell, [claim_id for file in cell.claims_files for claim_id in load_claims(file)])
        layer = _layer(cell.calibration, cell.parameters, cell.study_seed, cell.seed)
        inputs = {cell.calibration: layer.source_sha256} if layer.source_sha256 else {}
        try:
            problem = _problem(cell, layer)
            rows = _drawn_rows(cell, problem, chosen) if cell.draws else _claim_rows(cell, problem, chosen, _facts(problem))
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
        "unsaturated_neurons": float((~result.saturated.any(axis=0)).mean()),
    }


def _chosen(cell: Cell, own: list[str]) -> list[Claim]:
    """The cell's claims: about its algorithm and rounding, and about the law of a run where runs are drawn, else about the run.

    What other studies loaded into this process is not seen.
    """
    known = available_claims(own)
    wanted = [made for made in known.values() if not made.fixed] if cell.claims == ("all",) else [known[name] for name in cell.claims]
    return [
        made for made in wanted
        if cell.algorithm in made.algorithms and made.rounding in (None, cell.rounding) and (made.kind in LAW_KINDS) == (cell.draws > 0)
    ]


def _claim_rows(cell: Cell, problem: Problem, chosen: list[Claim], facts: dict) -> list[dict]:
    rows = []
    for p in cell.failure_probability:
        at_p = problem.but(failure_probability=p)
        verdicts = check(at_p, [made.id for made in chosen])
        rows += [facts | {"failure_probability": p} | _verdict_row(made, verdicts[made.id]) for made in chosen]
    return rows


def _verdict_row(made: Claim, verdict: Verdict) -> dict:
    row = {"claim": made.id, "outcome": verdict.outcome.value, "ratio": verdict.ratio, "advice": verdict.advice,
           "failures": verdict.failures, "draws": verdict.draws}
    row |= dict(zip(("interval_low", "interval_high"), verdict.interval or (None, None), strict=True))
    if verdict.measured is not None:
        one_sided = Kind.LOWER if made.kind is Kind.LOWER else Kind.UPPER
        entries = ratios(one_sided, Evaluation(verdict.measured, verdict.bound))
        row |= {"measured_sum": float(np.sum(verdict.measured)), "bound_sum": float(np.sum(verdict.bound)),
                "measured_max": float(np.max(verdict.measured)), "bound_max": float(np.max(verdict.bound)),
                "ratio_median": float(np.median(entries))}
    return row


def _drawn_rows(cell: Cell, problem: Problem, chosen: list[Claim]) -> list[dict]:
    """Many stochastic runs of the first neuron: claims about their law at every p, and the empirical tail."""
    facts = {"absolute_damping": problem.factorization.damping, "condition": problem.factorization.condition}
    rows = []
    for p in cell.failure_probability:
        at_p = problem.but(failure_probability=p)
        for made in chosen:
            verdict = check(at_p, [made.id], draws=cell.draws)[made.id]
            decided = made.kind is Kind.PROBABILITY and verdict.bound is not None
            level = {"level": float(np.ravel(verdict.bound)[0])} if decided else {}
            rows.append(facts | {"failure_probability": p} | level | _verdict_row(made, verdict))
    return rows + [facts | row for row in _tail(problem, cell.draws)]


def _tail(problem: Problem, draws: int) -> list[dict]:
    """How often the largest error exceeds fixed fractions of the row-wise level; a saturated draw counts as no failure."""
    errors = np.concatenate([
        np.where(result.saturated.any(axis=0), 0.0, largest_error(repeated, result))
        for repeated, result in draws_of(problem, draws)
    ])
    one = repeat_neuron(problem, 0, 1).but(failure_probability=TAIL_SCALE)
    rows = []
    for level in TAIL_FRACTIONS * tail_level(row_variances(one), TAIL_SCALE)[0]:
        failures = int((errors > level).sum())
        low, high = binomial_interval(failures, draws, CONFIDENCE)
        rows.append({"claim": "", "level": float(level), "failures": failures, "draws": draws,
                     "interval_low": low, "interval_high": high, "measured_max": float(errors.max())})
    return rows
