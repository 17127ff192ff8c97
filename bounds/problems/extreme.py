"""Problems at the ends of float64, and results that are wrong on purpose: float verdicts are held against exact ones on both.

Scales from 1e-300 to 1e300 (and subnormal numbers), decimal ties, graded and Vandermonde columns, huge damping, mismatches that cancel,
one feature or one sample, dead and duplicated features, huge codes. Small, so that exact arithmetic replays each in milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from flint import fmpq

from ...algorithms import Grid
from ...algorithms.qronos import FORMS
from ...algorithms.rounding import ROUNDINGS
from ..checking.arithmetic import is_exact, rationals
from ..checking.claim import Claim
from ..checking.hypotheses import mismatched_inputs
from ..checking.law import LAW_KINDS
from ..checking.problem import Problem

LARGEST = 4  # features; of claims about a law 3: all their paths are replayed exactly
SCALES = (0, 0, 0, -300, -200, -158, -100, 100, 140, 200, 300)  # decimal exponents
ORDERINGS = ("natural", "decreasing-norm", "increasing-norm", "min-pivot", "random:3")


def extreme_problem(claim: Claim, rng: np.random.Generator) -> Problem:
    """A problem that `claim` is about (N <= 4 features, m <= 5 samples, 1 or 2 neurons), extreme in several ways at once."""
    N, m, K = int(rng.integers(1, LARGEST + (claim.kind not in LAW_KINDS))), int(rng.integers(1, 6)), int(rng.integers(1, 3))
    unit, weight_unit = 10.0 ** rng.choice(SCALES), 10.0 ** rng.choice(SCALES)
    X = MATRICES[rng.integers(len(MATRICES))](m, N, rng)
    W, step = _weights_and_steps(N, K, rng)
    with np.errstate(over="ignore", under="ignore"):
        X, W, step = (_finite(part) for part in (X * unit, W * weight_unit, step * weight_unit))
    step = np.maximum(step, 5e-324)
    algorithm = str(rng.choice(claim.algorithms))
    rounding = claim.rounding or str(rng.choice(ROUNDINGS))
    mismatched = mismatched_inputs in claim.hypotheses or (algorithm == "qronos") or rng.random() < 0.2
    ends = {"low": -int(rng.integers(1, 9)), "high": int(rng.integers(0, 9))} if rng.random() < 0.15 else {}
    return Problem(
        X, W, Grid(step, **ends), algorithm, str(rng.choice(FORMS)), _damping(X, rng), str(rng.choice(ORDERINGS)),
        "nearest" if algorithm == "round-to-nearest" else rounding,
        X_quantized=_mismatched(X, rng) if mismatched else None,
        X_validation=rng.standard_normal((2, N)) * 10.0 ** rng.choice(SCALES), seed=int(rng.integers(2**31)),
        failure_probability=float(rng.choice([0.5, 0.1, 0.01])))


def _gaussian(m: int, N: int, rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal((m, N))


def _decimal(m: int, N: int, rng: np.random.Generator) -> np.ndarray:
    return rng.integers(-9, 10, (m, N)) / rng.choice([1.0, 2.0, 10.0])


def _identity(m: int, N: int, rng: np.random.Generator) -> np.ndarray:
    return np.eye(max(m, N), N)


def _graded(m: int, N: int, rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal((m, N)) * 10.0 ** rng.uniform(-rng.choice([3, 8, 60]), 0, N)


def _vandermonde(m: int, N: int, rng: np.random.Generator) -> np.ndarray:
    return np.vander(rng.uniform(0.5, 2, m + N), N)


def _near_twins(m: int, N: int, rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal((m + N, 1)) + 10.0 ** -rng.uniform(1, 14) * rng.standard_normal((m + N, N))


def _with_dead(m: int, N: int, rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal((m, N)) * (rng.random(N) < 0.6)


def _duplicated(m: int, N: int, rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal((m, N))[:, rng.integers(0, N, N)]


MATRICES = (_gaussian, _decimal, _identity, _graded, _vandermonde, _near_twins, _with_dead, _duplicated)


def _weights_and_steps(N: int, K: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Weights of a few steps, decimal ties, weights on the grid or next to it, or of up to 1e14 steps."""
    step = np.broadcast_to(rng.choice([0.1, 0.2, 0.3, 0.7, 1.0]) * 10.0 ** rng.uniform(-1, 1, _shape(N, K, rng)), (N, K))
    if rng.random() < 0.5:
        step = np.full((N, K), rng.choice([0.1, 0.2, 0.3, 0.05, 1.0]))
    kind = rng.integers(5)
    if kind == 0:
        return step * 3 * rng.standard_normal((N, K)), step
    if kind == 1:
        return step * rng.integers(-9, 10, (N, K)) / 2, step
    if kind == 2:
        return rng.integers(-99, 100, (N, K)) / 100, step
    if kind == 3:
        return step * (rng.integers(-9, 10, (N, K)) + 10.0 ** -rng.uniform(3, 17) * rng.standard_normal((N, K))), step
    return step * 10.0 ** rng.uniform(3, 14) * rng.standard_normal((N, K)), step


def _shape(N: int, K: int, rng: np.random.Generator) -> tuple[int, ...]:
    return [(), (1, K), (N, 1), (N, K)][rng.integers(4)]


def _damping(X: np.ndarray, rng: np.random.Generator) -> float | str:
    if rng.random() < 0.3:
        return 0.0
    if rng.random() < 0.5:
        return f"{rng.choice(['mean-diagonal', 'spectral'])}:{10.0 ** rng.uniform(-14, 13):.3g}"
    largest = np.abs(X).max() or 1.0
    root = np.clip(np.log10(largest) + rng.uniform(-7, 7), -150, 150)
    return float(10.0 ** (2 * root))


def _mismatched(X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Deployed inputs: nearly X, X up to a factor, X itself, or quite another matrix."""
    relative = 10.0 ** rng.uniform(-16, 1)
    factor = [1 + relative, 1 + relative * rng.standard_normal(X.shape), 1.0, rng.standard_normal(X.shape[1])][rng.integers(4)]
    with np.errstate(over="ignore", under="ignore"):
        return _finite(X * factor)


def _finite(array: np.ndarray) -> np.ndarray:
    return np.clip(array, -1e306, 1e306)


# --- results that are wrong on purpose: the same fault in float64 and in rationals ----------------------------------


def _moved(problem, result, step: int, codes: int):
    """The result with the codes of one step of the processing order moved, z as it was."""
    order = problem.order
    place = order[step % problem.N]
    moved = result.codes.copy()
    moved[place] += codes
    shift = problem.steps[step % problem.N] * codes
    errors, weights = result.rounding_errors.copy(), result.weights.copy()
    errors[step % problem.N] = errors[step % problem.N] - shift
    weights[place] = problem.steps[step % problem.N] * (rationals(moved[place]) if is_exact(problem.W) else moved[place])
    return replace(result, codes=moved, weights=weights, rounding_errors=errors)


def _as_rounded(problem, result):
    """Round-to-nearest handed in for the algorithm, with w - q for its rounding errors."""
    order, w = problem.order, problem.W
    steps = problem.steps[np.argsort(order)]
    ratios = w / steps if is_exact(w) else rationals(w) / rationals(steps)  # the same codes in both, at decimal ties too
    codes = np.array([[_to_even(ratio) for ratio in row] for row in ratios], dtype=np.int64)
    weights = steps * (rationals(codes) if is_exact(w) else codes)
    return replace(result, codes=codes, weights=weights, rounding_errors=(w - weights)[order], saturated=np.zeros_like(result.saturated))


def _to_even(ratio: fmpq) -> int:
    """The nearest integer, ties to the even one, as `rint` has it."""
    doubled = int((2 * ratio).floor())
    tie = 2 * ratio == doubled and doubled % 2 == 1
    return int((ratio + fmpq(1, 2)).floor()) - int(tie and (doubled + 1) // 2 % 2 == 1)


FAULTS: dict[str, Callable] = {
    "codes off by a thousand steps": lambda problem, result: _moved(problem, result, 0, 1000),
    "the last code off by two": lambda problem, result: _moved(problem, result, -1, 2),
    "errors halved": lambda problem, result: replace(result, rounding_errors=result.rounding_errors / 2),
    "round to nearest": _as_rounded,
}
