r"""Replays of OPTQ, Qronos and path following in rational arithmetic: one recursion, rounded row by row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from flint import fmpq

from ...algorithms.arguments import LARGEST_CODE, reject
from ..checking.arithmetic import as_float, rationals
from .factorization import ExactFactorization, product

if TYPE_CHECKING:
    from .problem import ExactProblem


@dataclass(frozen=True, eq=False)
class ExactResult:
    """What an exact replay leaves; same names as `Result`, and how close each neuron came to a rounding tie.

    Attributes:
        tie_distances: (K,), smallest distance of any z / step to a rounding tie, in steps.
    """

    codes: np.ndarray
    weights: np.ndarray
    rounding_errors: np.ndarray
    saturated: np.ndarray
    tie_distances: np.ndarray


def replay(problem: ExactProblem) -> ExactResult:
    r"""Run the problem's algorithm in rationals: :math:`z = y - (L - I)q` with y = L u from the target u.

    No projection is solved for: for Qronos :math:`y = D^{-2}M^\top C w` with C the damped cross-Gram matrix.
    """
    order = problem.order
    w = problem.W[order]
    first = None
    if problem.algorithm == "round-to-nearest":
        L = np.full((problem.N, problem.N), fmpq(0), dtype=object)
        y = w
    elif problem.algorithm == "gpfq":
        L, y = _path_following(problem, w)
    elif problem.algorithm == "optq":
        L = problem.factorization.L
        y = product(L, w)
    else:
        L = problem.factorization.L
        mismatch = product(problem.X - problem.calibration, problem.W)
        y = product(L, w) + _explained(problem.factorization, mismatch)
        if problem.form == "alternating":
            first = _first_minimizer(problem.factorization, w, mismatch)
    return _round_rows(problem, L, y, first)


def _explained(f: ExactFactorization, outputs: np.ndarray) -> np.ndarray:
    """L times the weights (N, K) that best explain `outputs` (m, K): D^-2 V^T outputs, zero where a pivot is."""
    if f.dependent:  # the columns of V are then no orthogonal basis: project with the minimum norm instead
        return product(f.L, f.minimum_norm_weights(outputs))
    explained = product(f.sample_rows_of_V.T, outputs)
    for j, squared in enumerate(f.pivots_squared):
        explained[j] = explained[j] / squared if squared != 0 else explained[j] * 0
    return explained


def _first_minimizer(f: ExactFactorization, w: np.ndarray, mismatch: np.ndarray) -> np.ndarray:
    column = f.ordered[:, :1]
    energy = (column * column).sum() + f.damping
    return w[0] + product(column.T, mismatch)[0] / energy if energy != 0 else w[0]


def _path_following(problem: ExactProblem, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lower triangle of the Gram matrix by its diagonal, and the lower cross-Gram times w by the same."""
    deployed, original = problem.calibration[:, problem.order], problem.X[:, problem.order]
    gram, cross = product(deployed.T, deployed), product(deployed.T, original)
    for t in range(problem.N):
        dead = gram[t, t] == 0
        gram[t, : t + 1] = gram[t, : t + 1] / (fmpq(1) if dead else gram[t, t])
        cross[t, : t + 1] = cross[t, : t + 1] / (fmpq(1) if dead else (deployed[:, t] * deployed[:, t]).sum())
        if dead:
            cross[t, t] = fmpq(1)
    above = ~np.tril(np.ones((problem.N, problem.N), dtype=bool))
    gram[above] = cross[above] = fmpq(0)
    return gram, product(cross, w)


def _round_rows(problem: ExactProblem, L: np.ndarray, y: np.ndarray, first: np.ndarray | None) -> ExactResult:
    N, K = y.shape
    step, low, high = problem.alphabet
    uniforms = None
    if problem.rounding == "stochastic" and problem.rule is None:
        uniforms = rationals(np.random.default_rng(problem.seed).random((N, K))[problem.order])
    codes = np.empty((N, K), dtype=np.int64)
    weights, errors = np.empty((N, K), dtype=object), np.empty((N, K), dtype=object)
    saturated = np.empty((N, K), dtype=bool)
    ties = np.full(K, np.inf)
    for t in range(N):
        z = y[t] - product(L[t : t + 1, :t], weights[:t])[0] if t else y[t]
        if t == 0 and first is not None:
            z = first
        for k in range(K):
            code, saturated[t, k], distance = _round_one(
                z[k] / step[t, k], low[t, k], high[t, k], None if uniforms is None else uniforms[t, k],
                None if problem.rule is None else problem.rule.up[t, k])
            if abs(code) > LARGEST_CODE:
                raise reject("weight / step", code, "ratios whose code is at most 2**53 in size (take a larger step or damping)")
            codes[t, k] = code
            ties[k] = min(ties[k], distance)
            weights[t, k] = step[t, k] * int(codes[t, k])
        errors[t] = z - weights[t]
    unordered_codes, unordered_weights = np.empty_like(codes), np.empty_like(weights)
    unordered_codes[problem.order], unordered_weights[problem.order] = codes, weights
    return ExactResult(unordered_codes, unordered_weights, errors, saturated, ties)


def _round_one(ratio: fmpq, low: float, high: float, uniform: fmpq | None, up: bool | None) -> tuple[int, bool, float]:
    """Code, saturation and distance to the decision's tie, of one exact ratio z / step."""
    below = ratio.floor()
    fraction = ratio - below
    if up is not None:
        code, slack, distance = below + int(up), fmpq(0), np.inf
    elif uniform is not None:
        code, slack, distance = below + int(uniform < fraction), fmpq(0), abs(uniform - fraction)
    else:
        half = fmpq(1, 2)
        up = fraction > half or (fraction == half and int(below) % 2 == 1)
        code, slack, distance = below + int(up), half, abs(fraction - half)
    saturated = (low > -np.inf and ratio < fmpq(int(low)) - slack) or (high < np.inf and ratio > fmpq(int(high)) + slack)
    code = int(code)
    clipped = int(min(max(code, low), high)) if low > -np.inf else code
    return clipped, saturated, float(as_float(np.array([distance], dtype=object))[0]) if distance is not np.inf else np.inf
