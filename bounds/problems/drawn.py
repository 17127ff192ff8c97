"""Problems drawn at random, built from factors and never filtered: what `provable-ptq check` tries the claims on."""

from __future__ import annotations

import numpy as np

from ...algorithms import Grid
from ..problem import Problem
from .zoo import ZOO

LARGEST = 16  # features
NEURONS = 3
PROBABILITIES = (0.5, 0.1, 0.01)
ORDERINGS = ("natural", "decreasing-norm", "increasing-norm", "min-pivot", "random:0", "random:1")
ZOO_KINDS = tuple(kind for kind in ZOO if kind != "adversarial")


def draw_problem(rng: np.random.Generator, largest: int = LARGEST, algorithm: str = "optq", rounding: str = "nearest") -> Problem:
    """A problem with at most `largest` features: any shape, conditioning, grid, damping and ordering.

    Half of the calibration matrices have prescribed singular values (condition number up to 1e6), the others come from the
    zoo; dead and duplicated features, m < N, one feature and one sample are all drawn, with a damping where dependent
    columns need one. X_quantized and X_validation are perturbed copies of X; X_quantized shares
    its zero columns.

    >>> draw_problem(np.random.default_rng(0)).N <= 16
    True
    """
    N = int(rng.integers(1, largest + 1))
    m = int(rng.integers(1, 2 * largest + 1))
    X = _calibration(m, N, rng)
    X_quantized = X * (1 + 10.0 ** rng.uniform(-3, 0) * rng.standard_normal((m, N)))
    W = rng.standard_normal((N, NEURONS)) * rng.choice([0.3, 1.0, 10.0])
    return Problem(
        X, W, _grid(W, rng), algorithm, damping=_damping(X, X_quantized, rng), ordering=str(rng.choice(ORDERINGS)),
        rounding=rounding, X_quantized=X_quantized,
        X_validation=X[rng.permutation(m)] + 0.3 * np.abs(X).max() * rng.standard_normal((m, N)),
        seed=int(rng.integers(2**31)), failure_probability=float(rng.choice(PROBABILITIES)),
    )


def _calibration(m: int, N: int, rng: np.random.Generator) -> np.ndarray:
    if rng.random() < 0.5:
        return ZOO[rng.choice(ZOO_KINDS)](m, N, rng)
    k = min(m, N)
    left = np.linalg.qr(rng.standard_normal((m, k)))[0]
    right = np.linalg.qr(rng.standard_normal((N, k)))[0]
    return left * 10.0 ** -np.sort(rng.uniform(0, rng.uniform(0, 6), k)) @ right.T


def _damping(X: np.ndarray, X_quantized: np.ndarray, rng: np.random.Generator) -> float | str:
    """No damping only where the live columns of both matrices are independent."""
    if _independent(X) and _independent(X_quantized) and rng.random() < 0.4:
        return 0.0
    return f"{rng.choice(['mean-diagonal', 'spectral'])}:{10.0 ** rng.uniform(-4, 1):.3g}"


def _independent(X: np.ndarray) -> bool:
    live = X[:, X.any(axis=0)]
    return live.shape[1] == 0 or np.linalg.matrix_rank(live, tol=1e-9 * np.linalg.norm(live, 2)) == live.shape[1]


def _grid(W: np.ndarray, rng: np.random.Generator) -> Grid:
    N, K = W.shape
    shape = [(), (1, K), (N, 1), (N, K)][rng.choice(4, p=[0.4, 0.3, 0.15, 0.15])]
    step = np.abs(W).max() * 2.0 ** rng.uniform(-6, 1, shape)
    if rng.random() < 0.75:
        return Grid(step)
    return Grid(step, low=-int(rng.integers(1, 64)), high=int(rng.integers(0, 64)))
