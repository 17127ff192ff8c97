r"""Replays of OPTQ, Qronos and path following in rational arithmetic, from the floats as they are given.

`ExactProblem` and its result carry the same names as `Problem` and `Result`, on object arrays of `flint.fmpq`, so a claim's
one formula serves both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from flint import fmpq

from ...algorithms.arguments import LARGEST_CODE, reject
from ...algorithms.damping import resolve_damping
from ...algorithms.factorization import RowSource
from ...algorithms.grid import Alphabet
from ...algorithms.ordering import resolve_ordering
from ..checking.arithmetic import as_float, rational, rationals
from ..checking.problem import Problem
from ..checking.units import in_units
from .factorization import ExactFactorization, minimum_norm_solution, product, to_array, to_matrix

VANISHING = 1e3 * float(np.sqrt(np.finfo(np.float64).tiny))  # what float64 refuses to square


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


class ExactProblem:
    """A problem in rational arithmetic, with the names that claims read (`Problem`'s)."""

    def __init__(self, problem: Problem, rounding: object = None):
        self.given = problem
        self.algorithm, self.form, self.rounding = problem.algorithm, problem.form, problem.rounding
        self.seed, self.grid = problem.seed, problem.grid
        self.rule = rounding
        self.m, self.N, self.K = problem.m, problem.N, problem.K
        self.failure_probability = rational(problem.failure_probability)
        self.X, self.W = rationals(problem.X), rationals(problem.W)
        self.X_quantized = None if problem.X_quantized is None else rationals(problem.X_quantized)
        self.X_validation = None if problem.X_validation is None else rationals(problem.X_validation)
        self._memo: dict = {}

    @property
    def calibration(self) -> np.ndarray:
        """The matrix the algorithm is calibrated on."""
        return self.X if self.X_quantized is None else self.X_quantized

    @cached_property
    def _settings(self) -> tuple[fmpq, np.ndarray]:
        """The absolute damping (the number that the float64 run uses) and the order."""
        given = self.given
        if "factorization" in given.__dict__:
            return rational(given.factorization.damping), given.factorization.order
        units, measured = in_units(given)
        source = RowSource.of(_lifted(measured.calibration))
        damping = resolve_damping(measured.damping, source)
        order = resolve_ordering(given.ordering, source, 0.0 if self.algorithm == "gpfq" else damping)
        return rational(damping) * fmpq(4) ** units.inputs if isinstance(given.damping, str) else rational(given.damping), order

    @property
    def order(self) -> np.ndarray:
        """(N,) original index of the feature processed at each step."""
        return self._settings[1]

    @cached_property
    def factorization(self) -> ExactFactorization:
        """Of the calibration matrix."""
        return ExactFactorization(self.calibration, self._settings[0], self.order)

    @cached_property
    def alphabet(self) -> Alphabet:
        """Exact steps, and ends as floats, (N, K), processing order."""
        laid = self.grid.alphabet(self.N, self.K).reordered(self.order)
        return Alphabet(rationals(laid.step), laid.low, laid.high)

    @property
    def steps(self) -> np.ndarray:
        """(N, K) exact steps, processing order."""
        return self.alphabet.step

    def remember(self, name: str, result: object, compute: Callable[[], object]) -> object:
        """`compute()` for this result, kept so that claims share it."""
        key = (name, id(result))
        if key not in self._memo:
            self._memo[key] = (result, compute())
        return self._memo[key][1]

    def but(self, **changes: object) -> ExactProblem:
        """The same problem with other exact weights (`W`) or a Grid; keeps the factorization."""
        other = object.__new__(ExactProblem)
        other.__dict__ |= {name: value for name, value in self.__dict__.items() if name not in ("alphabet", "_memo", "result")}
        other.__dict__ |= changes | {"_memo": {}}
        other.K = other.W.shape[1]
        return other

    def literal_numbers(self, result: ExactResult) -> list[np.ndarray]:
        """See `provable_ptq.bounds.checking.measure.literal_numbers`."""
        return literal_numbers(self, result)

    @cached_property
    def result(self) -> ExactResult:
        """The exact replay of the algorithm."""
        return replay(self)


def _lifted(X: np.ndarray) -> np.ndarray:
    """X with columns whose squares would vanish made just large enough: beside the others they decide no damping and no order."""
    largest = np.abs(X).max(axis=0)
    vanishing = (largest > 0) & (largest < VANISHING)
    factors = np.ones(X.shape[1])
    factors[vanishing] = 2 * VANISHING
    return X if not vanishing.any() else np.where(vanishing, X / np.where(largest > 0, largest, 1) * factors, X)


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
    triangle = np.tril(np.ones((problem.N, problem.N), dtype=bool))
    zero = fmpq(0)
    return np.where(triangle, gram, zero), product(np.where(triangle, cross, zero), w)


def literal_numbers(problem: ExactProblem, result: ExactResult) -> list[np.ndarray]:
    """The z (N, K) of the literal definition, a least-squares problem solved exactly at every step along the result's codes."""
    X, w, q = problem.calibration[:, problem.order], problem.W[problem.order].copy(), result.weights[problem.order]
    goal = product(problem.X, problem.W) if problem.algorithm == "qronos" else product(X, w)
    damping, z = problem.factorization.damping, np.empty_like(w)
    if problem.algorithm == "qronos" and problem.form == "projected":
        w = w + _refit(X, goal - product(X, w), damping)
    for t in range(problem.N):
        later = X[:, t + 1 :]
        z[t] = w[t]
        energy = (X[:, t] * X[:, t]).sum() + damping
        if problem.algorithm == "qronos" and problem.form == "alternating" and energy != 0:
            others = goal - product(X[:, :t], q[:t]) - product(later, w[t + 1 :])
            ridge = damping * problem.W[problem.order][t]
            z[t] = (product(X[:, t : t + 1].T, others)[0] + ridge) / energy
        if t + 1 < problem.N:
            if problem.algorithm == "optq":
                w[t + 1 :] += _refit(later, product(X[:, t : t + 1], (w[t] - q[t])[None, :]), damping)
            else:
                base = problem.W[problem.order][t + 1 :]
                w[t + 1 :] = _closest_refit(later, goal - product(X[:, : t + 1], q[: t + 1]), damping, base, w[t + 1 :])
    return [z]


def _refit(A: np.ndarray, goal: np.ndarray, damping: fmpq) -> np.ndarray:
    """The c that minimizes ||goal - A c||^2 + damping ||c||^2, of smallest norm."""
    if damping == 0:
        return np.array([minimum_norm_solution(A, column) for column in goal.T], dtype=object).T
    H = product(A.T, A)
    for j in range(len(H)):
        H[j, j] += damping
    return to_array(to_matrix(H).solve(to_matrix(product(A.T, goal))))


def _closest_refit(A: np.ndarray, goal: np.ndarray, damping: fmpq, base: np.ndarray, start: np.ndarray) -> np.ndarray:
    """The v that minimizes ||goal - A v||^2 + damping ||base - v||^2, closest to `start` where many do."""
    near = start if damping == 0 else base
    return near + _refit(A, goal - product(A, near), damping)


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
