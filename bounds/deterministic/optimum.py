"""The exact optimum over the infinite grid, as the claims about it read it. Not a claim itself."""

from __future__ import annotations

import numpy as np

from ...algorithms import Grid
from ...algorithms.closest_vector import ClosestVector, closest_vector
from ..arithmetic import as_float, is_exact, rationals
from ..hypotheses import Hypothesis
from ..measure import squares

SEARCHABLE = 12  # features
NODES = 200_000  # per neuron, before a search ends undecided


def optimum(problem) -> ClosestVector:
    """The closest grid points to the weights, all ends of the alphabet left out."""
    return problem.remember("optimum", None, lambda: _search(problem))


def _search(problem) -> ClosestVector:
    f = problem.factorization
    order = np.argsort(problem.order)
    steps = as_float(problem.steps)[order]
    if not is_exact(f.L):
        return closest_vector(f, problem.W, Grid(steps), node_budget=NODES)
    return closest_vector(as_float(problem.calibration), as_float(problem.W), Grid(steps), float(as_float(f.damping)), NODES)


def optimum_squared(problem) -> np.ndarray:
    """The damped error (K,) of the optimum, computed on the problem's own matrix."""
    found = optimum(problem)
    codes = rationals(found.codes) if is_exact(problem.W) else found.codes
    difference = problem.W - problem.steps[np.argsort(problem.order)] * codes
    return squares(problem.calibration @ difference) + problem.factorization.damping * squares(difference)


optimum_decided = Hypothesis(
    "the search for the optimum ends within its budget",
    lambda problem, result: optimum(problem).decided,
    lambda problem, result: f"{int((~optimum(problem).decided).sum())} neurons undecided after {NODES} nodes each",
    "take fewer features or more damping",
)
