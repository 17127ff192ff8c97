"""The exact optimum over the infinite grid, as the claims about it read it. Not a claim itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from flint import fmpq

from ...algorithms import Grid
from ...algorithms.closest_vector import LARGEST_STEP_RATIO, ClosestVector, closest_vector
from ...algorithms.enumeration import near_closest
from ..checking import Hypothesis, Problem, as_float, is_exact, rationals, squares
from ..exact.factorization import product

SEARCHABLE = 12  # features
NODES = 200_000  # per neuron, before a search ends undecided
EXACT_NODES = 20_000  # in exact arithmetic, where all points near the nearest are kept


def optimum(problem: Problem) -> ClosestVector | ExactOptimum:
    """The closest grid points to the weights, all ends of the alphabet left out, as float64 finds them."""
    return problem.remember("optimum", None, lambda: _search(problem))


def _search(problem: Problem) -> ClosestVector | ExactOptimum:
    if is_exact(problem.W):
        return exact_optimum(problem)
    steps = problem.steps[np.argsort(problem.order)]
    return closest_vector(problem.factorization, problem.W, Grid(steps), node_budget=NODES)


@dataclass(frozen=True, eq=False)
class ExactOptimum:
    """The least damped error in rationals; same names as `ClosestVector` where they are the same.

    Attributes:
        distance_squared: (K,) rationals.
        decided: (K,) whether the search ended, so that nothing is nearer.
    """

    distance_squared: np.ndarray
    decided: np.ndarray


def exact_optimum(problem: Problem) -> ExactOptimum:
    """The least over every grid point that float64 cannot tell from the nearest, each measured exactly."""
    f, w, steps = problem.factorization, problem.W[problem.order], problem.steps
    distances, decided = np.full(problem.K, fmpq(0), dtype=object), np.zeros(problem.K, dtype=bool)
    for k in range(problem.K):
        errors = babai_errors(f.L, w[:, k], steps[:, k])
        scale = min(squared * step * step for squared, step in zip(f.pivots_squared, steps[:, k], strict=True))
        lengths = np.sqrt(as_float(f.pivots_squared * steps[:, k] ** 2 / scale))
        basis = lengths[:, None] * as_float(f.L * steps[None, :, k] / steps[:, None, k])
        near = near_closest(basis, lengths * as_float(errors / steps[:, k]), EXACT_NODES) if usable(basis) else None
        decided[k] = near is not None
        offsets = rationals(np.array([[0] * problem.N, *(near or [])]).T)
        left = errors[:, None] - product(f.L, steps[:, [k]] * offsets)
        distances[k] = min(product(f.pivots_squared[None, :], left * left)[0])
    return ExactOptimum(distances, decided)


def usable(basis: np.ndarray) -> bool:
    """Whether float64 holds a basis, in units of its smallest length, well enough to search it."""
    return bool(np.isfinite(basis).all() and np.abs(basis).max() < LARGEST_STEP_RATIO)


def babai_errors(L: np.ndarray, w: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """The rounding errors e = z - q (N,) that OPTQ leaves on the infinite grid, in rationals."""
    left, errors = np.full(len(w), fmpq(0), dtype=object), np.full(len(w), fmpq(0), dtype=object)
    for j in range(len(w)):
        z = w[j] + sum((L[j, i] * left[i] for i in range(j)), fmpq(0))
        q = steps[j] * (z / steps[j] + fmpq(1, 2)).floor()
        left[j], errors[j] = w[j] - q, z - q
    return errors


def optimum_squared(problem: Problem) -> np.ndarray:
    """The damped error (K,) of the optimum, computed on the problem's own matrix."""
    found = optimum(problem)
    return damped_squares(problem, found.codes) if isinstance(found, ClosestVector) else found.distance_squared


def damped_squares(problem: Problem, codes: np.ndarray) -> np.ndarray:
    """The damped error (K,) of codes (N, K) in original order."""
    difference = problem.W - problem.steps[np.argsort(problem.order)] * codes
    return squares(problem.calibration @ difference) + problem.factorization.damping * squares(difference)


optimum_decided = Hypothesis(
    "the search for the optimum ends within its budget",
    lambda problem, result: optimum(problem).decided,
    lambda problem, result: f"{int((~optimum(problem).decided).sum())} neurons undecided after {NODES} nodes each",
    "take fewer features or more damping",
)
