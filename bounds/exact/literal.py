"""The literal definitions of OPTQ and Qronos in rational arithmetic: a least-squares problem solved at every step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from flint import fmpq

from .factorization import minimum_norm_solution, product, to_array, to_matrix

if TYPE_CHECKING:
    from .problem import ExactProblem
    from .replay import ExactResult


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
