"""What figures and the report need of a run beside its claims: sizes of errors, of predictions and of alphabets."""

from __future__ import annotations

import numpy as np

from ...algorithms import Result, round_to_nearest
from ...algorithms.closest_vector import closest_vector
from ...bounds import Problem, claims
from ...bounds.checking.arithmetic import tail_level
from ...bounds.checking.measure import (
    damped_deployed_error_squared,
    damped_error_squared,
    deployed_errors,
    own_errors,
    pivot_sum,
    ridge,
    squares,
)
from ...bounds.deterministic.optq_alphabet import drift_bounds
from ...bounds.mismatch.projection import mismatch_outputs, target, unexplained_squared
from ...bounds.predictions.high_resolution import second_moments
from ...bounds.stochastic.sto_optq_alphabet import alphabet_levels

FACTS = (
    "absolute_damping", "mean_diagonal", "condition", "pivot_square_sum", "order_floor", "rate_floor", "step_square_sum", "signal",
    "reconstruction", "ridge", "damped_error", "damped_bound", "damped_predicted", "zeroed_share", "rtn_reconstruction",
    "rtn_damped_error", "saturated_share", "unsaturated_neurons", "largest_code", "largest_weight_code", "sufficient_code", "likely_code",
    "likely_probability", "heldout_signal", "heldout_error", "heldout_predicted", "heldout_rtn_error", "original_signal",
    "mismatch_error", "deployed_error", "deployed_damped_error", "deployed_bounded", "deployed_bound", "optimum_error", "optimum_decided",
)  # fmt: skip
DEPLOYED_CLAIM = {"optq": "optq-mismatch", "qronos": "qronos-l2", "gpfq": "gpfq-mismatch"}
VARIANCES = {"nearest": 12, "stochastic": 6}  # a uniform error on a step, and the mean of a stochastic one, are step^2 over these


def run_facts(problem: Problem, X_validation: np.ndarray | None, optimum: bool) -> dict[str, float]:
    """Facts of one run, of all neurons together.

    Arguments:
        problem: what was run.
        X_validation: held-out inputs, or None.
        optimum: whether to search the closest grid points as well (small N).
    """
    matrix = _of_factorization(problem)
    rtn = round_to_nearest(problem.W, problem.grid)
    facts = matrix | _of_errors(problem, rtn) | {"rate_floor": _rate_floor(problem, matrix["order_floor"])}
    if problem.algorithm == "optq":
        facts |= _of_alphabet(problem)
    if X_validation is not None:
        facts |= _heldout(problem, X_validation, rtn)
    if problem.X_quantized is not None:
        facts |= _mismatch(problem)
    return facts | (_optimum(problem) if optimum else {})


def drawn_facts(problem: Problem) -> dict[str, float]:
    """Facts of the matrix, where one neuron is run many times."""
    return _of_factorization(problem)


def deterministic_level(problem: Problem) -> float:
    """What nearest rounding can never exceed in any output of the first neuron (`optq-linf`)."""
    rows = np.abs(problem.factorization.sample_rows_of_V) @ problem.steps[:, 0]
    return float(rows.max() / 2)


def _of_factorization(problem: Problem) -> dict[str, float]:
    f = problem.factorization
    squared = f.pivots_squared
    positive = bool((squared > 0).all())
    return {
        "absolute_damping": f.damping,
        "mean_diagonal": float(f.column_norms_squared[f.live].mean()) if f.live.any() else 0.0,
        "condition": f.condition,
        "pivot_square_sum": float(squared.sum()),
        "order_floor": float(len(squared) * np.exp(np.log(squared).mean())) if positive else 0.0,
    }


def _rate_floor(problem: Problem, order_floor: float) -> float:
    """The damped error predicted for steps inverse to the pivots, of these steps' geometric means (`rate-distortion-floor`)."""
    return float(np.exp(2 * np.log(problem.steps).mean(axis=0)).sum() * order_floor / 12)


def _of_errors(problem: Problem, rtn: Result) -> dict[str, float]:
    result = problem.result
    return {
        "step_square_sum": float((problem.steps[0] ** 2).sum()),
        "signal": float(squares(problem.calibration @ problem.W).sum()),
        "reconstruction": float(squares(own_errors(problem, result)).sum()),
        "ridge": float(ridge(problem, result).sum()),
        "damped_error": float(damped_error_squared(problem, result).sum()),
        "damped_bound": float(pivot_sum(problem).sum() / 4),
        "damped_predicted": float(pivot_sum(problem).sum() / VARIANCES[problem.rounding]),
        "zeroed_share": _zeroed_share(problem),
        "rtn_reconstruction": float(squares(problem.calibration @ (problem.W - rtn.weights)).sum()),
        "rtn_damped_error": float(damped_error_squared(problem, rtn).sum()),
        "saturated_share": float(result.saturated.mean()),
        "unsaturated_neurons": float((~result.saturated.any(axis=0)).mean()),
    }


def _zeroed_share(problem: Problem) -> float:
    """The share of the bound that lies on weights below half a step: nearest rounding sets them to zero, at an error of their own size."""
    small = np.abs(problem.W[problem.order]) < problem.steps / 2
    total = pivot_sum(problem).sum()
    return float((problem.factorization.pivots_squared @ (small * problem.steps**2)).sum() / total) if total else 0.0


def _of_alphabet(problem: Problem) -> dict[str, float]:
    """Largest code that was used, and the largest that nearest (surely) and stochastic rounding (with 1 - p) can need."""
    strays, likely_strays = _drifts(problem)
    sure = (np.abs(problem.W[problem.order]) + strays) / problem.steps - 0.5
    likely = (np.abs(problem.W) + likely_strays) / problem.steps[np.argsort(problem.order)]
    return {
        "largest_code": float(np.abs(problem.result.codes).max()),
        "largest_weight_code": float(np.abs(np.rint(problem.W / problem.steps[np.argsort(problem.order)])).max()),
        "sufficient_code": float(np.ceil(sure.max())),
        "likely_code": float(np.ceil(likely.max())),
        "likely_probability": 1 - problem.failure_probability,
    }


def _drifts(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """How far rounded numbers surely stray from the weights (N, K), and grid points with probability 1 - p (K,).

    Where a neuron has one step for all features, both are that step times the drift of a unit step.
    """
    steps = problem.steps
    if not (steps == steps[0]).all():
        return drift_bounds(problem), alphabet_levels(problem)[0]
    M = problem.factorization.M
    sure = (np.abs(M).sum(axis=1) - 1) / 2  # the diagonal of M is 1
    likely = tail_level(np.square(M).sum(axis=1)[:, None], problem.failure_probability)
    return np.outer(sure, steps[0]), likely[0] * steps[0]


def _heldout(problem: Problem, X_validation: np.ndarray, rtn: Result) -> dict[str, float]:
    predicted = second_moments(problem, X_validation) @ problem.steps**2 / VARIANCES[problem.rounding]
    return {
        "heldout_signal": float(squares(X_validation @ problem.W).sum()),
        "heldout_error": float(squares(X_validation @ (problem.W - problem.result.weights)).sum()),
        "heldout_predicted": float(predicted.sum()),
        "heldout_rtn_error": float(squares(X_validation @ (problem.W - rtn.weights)).sum()),
    }


def _mismatch(problem: Problem) -> dict[str, float]:
    """Sizes of the mismatch and of the deployed layer's error, and both sides of the algorithm's own claim about it, squared."""
    facts = {
        "original_signal": float(squares(problem.X @ problem.W).sum()),
        "mismatch_error": float(squares(mismatch_outputs(problem)).sum()),
        "deployed_error": float(squares(deployed_errors(problem, problem.result)).sum()),
        "deployed_damped_error": float(damped_deployed_error_squared(problem, problem.result).sum()),
    }
    if problem.algorithm not in DEPLOYED_CLAIM:
        return facts
    claim = claims()[DEPLOYED_CLAIM[problem.algorithm]]
    sides, power = claim(problem, problem.result), 1 if claim.unit.startswith("squared") else 2
    return facts | {"deployed_bounded": float((sides.measured**power).sum()), "deployed_bound": float((sides.bound**power).sum())}


def _optimum(problem: Problem) -> dict[str, float]:
    """The least damped error that any grid points reach, on the deployed inputs where they are given."""
    f = problem.factorization
    aim = target(problem.but(algorithm="qronos"))[np.argsort(problem.order)]
    found = closest_vector(f, aim, problem.grid)
    floor = unexplained_squared(problem.but(algorithm="qronos"))
    return {"optimum_error": float((floor + found.distance_squared).sum()), "optimum_decided": float(found.decided.mean())}
