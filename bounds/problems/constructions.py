"""The adversarial constructions (bounds/THEORY.md#adversarial-constructions), as problems."""

from __future__ import annotations

import numpy as np
from scipy.linalg import hadamard

from ...algorithms import Grid
from ..checking.problem import Problem
from .zoo import zoo_matrix


def growth_weights(features: int, eta: float) -> np.ndarray:
    """(N, 1) weights w_t = t eta - round(t eta), at most 1/2 in size; t eta must never be half an integer."""
    multiples = np.arange(1, features + 1) * eta
    return (multiples - np.rint(multiples))[:, None]


def growth_problem(features: int, eta: float, rounding: str = "nearest", seed: int = 0) -> Problem:
    """`adversarial-growth`: nearest-rounding OPTQ errs by eta on every step, and all of it lands on one output.

    Arguments:
        features: N.
        eta: the error of each step, 0 < eta < 1/2; take an odd multiple of a negative power of two beyond N.

    >>> problem = growth_problem(64, eta=0.3)
    >>> print(np.abs(problem.X @ (problem.W - problem.result.weights)).max().round(6))
    2.4
    """
    X = zoo_matrix("adversarial", features, features, np.random.default_rng(0))
    return Problem(X, growth_weights(features, eta), Grid(step=1.0), rounding=rounding, seed=seed)


def rational_growth_problem(features: int, eta: float) -> Problem:
    """The same construction on the Sylvester-Hadamard basis, which is rational: N = 4^k. Exact arithmetic decides it."""
    basis = hadamard(features) / np.sqrt(features)
    X = basis - np.hstack([basis[:, 1:], np.zeros((features, 1))])
    return Problem(X, growth_weights(features, eta), Grid(step=1.0))


def clamped_problem(features: int, epsilon: float, clamp: bool = True) -> Problem:
    """`finite-grid-counterexample`: clamping to codes 0..3 saturates the last step alone, and OPTQ loses to rounding.

    Arguments:
        features: N, even.
        epsilon: size of the features' own parts; the smaller, the worse for OPTQ.
        clamp: False for the same problem on the infinite grid.

    >>> int(clamped_problem(32, 1.0).result.saturated.sum())
    1
    """
    N, c = features, 0.01
    X = np.zeros((N, N))  # orthonormal s, f_1 .. f_{N-1} are the unit vectors 0, 1 .. N-1
    X[0, :] = 1
    X[0, 0] = 1 + c
    for j in range(1, N - 1):
        X[j + 1, j] = epsilon
    X[1, 0] = epsilon
    X[2:N, 0] = c * epsilon
    W = np.where(np.arange(N) % 2 == 0, 0.499, 0.501)[:, None]
    return Problem(X, W, Grid(step=1.0, low=0, high=3) if clamp else Grid(step=1.0))
