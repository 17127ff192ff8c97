"""Problems drawn at random: what `provable-ptq check` tries the claims on.

They are built by what the Hypothesis strategies build (see `built`), so that both know the same special cases; half of them then
get numbers of full precision and a calibration matrix of the zoo, of the same shape and with the same dead features.
"""

from __future__ import annotations

import numpy as np

from ...algorithms import Grid
from ...algorithms.qronos import FORMS
from ..checking.problem import Problem
from .built import UNDAMPED, Random, make_attackers, make_problem
from .zoo import ZOO

LARGEST = 16  # features
SMALL = 4  # features at most of a third of the problems: there many a statement is true that is false beyond
ZOO_KINDS = tuple(kind for kind in ZOO if kind != "adversarial")


def draw_problem(rng: np.random.Generator, largest: int = LARGEST, algorithm: str = "optq", rounding: str = "nearest",
                 mismatched: bool = True) -> Problem:
    """A problem with at most `largest` features: any shape, conditioning, grid, damping, ordering and number of neurons.

    Every regime that the strategies know is drawn: fewer, as many and more samples than features, one of either, one neuron; no
    damping, some, and so much that it outweighs the features; steps per feature or neuron, alphabets with ends; dead and
    duplicated features; weights as they come, or a hair from a tie at every step. X_validation is always given.

    >>> draw_problem(np.random.default_rng(0)).N <= 16
    True
    """
    choices = Random(rng)
    N = choices.integer(1, choices.pick((min(SMALL, largest), largest, largest)))
    attacked = choices.pick((False, True))
    built = make_problem(choices, algorithm, FORMS[0], rounding, features=N, largest=largest, mismatched=mismatched, near_ties=attacked)
    if choices.pick((False, True)):
        return built
    problem = _in_full_precision(built, rng)
    return problem.but(W=make_attackers(choices, problem.factorization, problem.grid, problem.K)) if attacked else problem


def _in_full_precision(problem: Problem, rng: np.random.Generator) -> Problem:
    """The problem with other numbers, nearly all of which need every digit, in matrices of the same shape and dead features."""
    X = _calibration(problem, rng) * problem.X.any(axis=0)
    ends = (problem.grid.low, problem.grid.high) if problem.grid.finite else (None, None)
    changes = {"X_validation": X[rng.permutation(problem.m)] + 0.3 * (np.abs(X).max() or 1.0) * rng.standard_normal(X.shape)}
    if problem.X_quantized is not None:
        noise = 10.0 ** rng.uniform(-3, 0) * rng.standard_normal(X.shape)
        changes["X_quantized"] = X * (1 + noise) * problem.X_quantized.any(axis=0)
    W = rng.standard_normal(problem.W.shape) * rng.choice([0.3, 1.0, 10.0])
    return problem.but(X=X, W=W, grid=Grid(problem.grid.step * 2.0 ** rng.uniform(-1, 1), *ends), **changes)


def _calibration(problem: Problem, rng: np.random.Generator) -> np.ndarray:
    """A matrix of the zoo, or with prescribed singular values; without damping its live columns are independent."""
    m, N = problem.X.shape
    if rng.random() < 0.5:
        X = ZOO[rng.choice(ZOO_KINDS)](m, N, rng)
        if problem.damping not in UNDAMPED or _independent(X):
            return X
    k = min(m, N)
    left = np.linalg.qr(rng.standard_normal((m, k)))[0]
    right = np.linalg.qr(rng.standard_normal((N, k)))[0]
    return left * 10.0 ** -np.sort(rng.uniform(0, rng.uniform(0, 6), k)) @ right.T


def _independent(X: np.ndarray) -> bool:
    live = X[:, X.any(axis=0)]
    return live.shape[1] == 0 or np.linalg.matrix_rank(live, tol=1e-9 * np.linalg.norm(live, 2)) == live.shape[1]
