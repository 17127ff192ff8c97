"""Audit codes from any program: where they first depart from nearest-rounding OPTQ (claim `optq-certificate`)."""

from __future__ import annotations

import numpy as np

from .checking.arithmetic import is_exact, lift, rationals
from .checking.problem import Problem
from .checking.tolerance import relative_allowance


def departures(problem: Problem, codes: np.ndarray) -> np.ndarray:
    r"""The first step (K,) at which `codes` (N, K), processing order, break OPTQ's rule; N where they never do.

    With :math:`e = L(w - q)` and z = q + e, a code is right when it lies on the alphabet and is a nearest element of it to z:
    unsaturated within half a step, saturated at the end on z's side. In float64, distances within the allowance count as ties.

    >>> problem = Problem(np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([[0.4], [0.6]]), Grid(step=1.0))
    >>> departures(problem, problem.result.codes), departures(problem, problem.result.codes + np.array([[0], [1]]))
    (array([2]), array([1]))
    """
    q = problem.steps * (rationals(codes) if is_exact(problem.W) else codes)
    return first_departures(problem, codes, problem.factorization.L @ (problem.W[problem.order] - q))


def first_departures(problem: Problem, codes: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """`departures` of codes whose rounding errors (N, K) are at hand."""
    _, low, high = problem.alphabet
    ratios, half = errors / problem.steps, lift(0.5, errors) + tie_width(problem)
    too_high = (ratios > half) & (codes < high)
    too_low = (ratios < -half) & (codes > low)
    wrong = np.asarray(too_high | too_low | (codes < low) | (codes > high), dtype=bool)
    return np.where(wrong.any(axis=0), wrong.argmax(axis=0), problem.N)


def tie_width(problem: Problem) -> float:
    """How near, in steps, z must come to the middle between two codes to count as a tie: 0 in exact arithmetic."""
    if is_exact(problem.W):
        return 0
    return relative_allowance(problem.N, problem.factorization.magnification, problem.largest_ratio)
