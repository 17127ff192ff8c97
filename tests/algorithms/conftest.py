"""Drawn problems, exact rational arithmetic and the identity check, handed to the tests of this folder as fixtures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
from provable_ptq.algorithms import Grid

ORDERINGS = ("natural", "decreasing-norm", "increasing-norm", "min-pivot", "random:5", "permutation")


@dataclass(frozen=True, eq=False)
class Drawn:
    """One drawn problem; `definite` says whether H is positive definite (no dead feature without damping)."""

    X: np.ndarray
    X_quantized: np.ndarray
    W: np.ndarray
    grid: Grid
    damping: float
    ordering: str | np.ndarray
    rounding: str
    seed: int

    @property
    def layer(self) -> dict:
        """The arguments that every algorithm shares, except the calibration matrices and the damping."""
        return {"W": self.W, "grid": self.grid, "ordering": self.ordering, "rounding": self.rounding, "seed": self.seed}

    @property
    def definite(self) -> bool:
        return self.damping > 0 or bool(self.X.any(axis=0).all())


def draw_problem(seed: int, index: int, degenerate: bool = True) -> Drawn:
    """A small problem of any shape; continuous numbers keep it away from rounding ties.

    Damping is zero only for matrices with more samples than features and independent live columns; fewer samples,
    duplicate columns and low rank always come with damping. Without `degenerate`: no dead or dependent columns beyond
    m < N, at least one neuron, nearest rounding on an infinite grid.
    """
    rng = np.random.default_rng([seed, index])
    N, K = int(rng.integers(1, 9)), int(rng.choice([0, 1, 2, 3], p=[0.02, 0.38, 0.3, 0.3] if degenerate else [0, 0.4, 0.3, 0.3]))
    kind = rng.choice(["tall", "wide", "duplicates", "low rank"], p=[0.5, 0.25, 0.15, 0.1] if degenerate else [0.6, 0.4, 0, 0])
    m = int(rng.integers(1, N + 1)) if kind == "wide" else N + int(rng.integers(2, 7))
    X = rng.normal(size=(m, N)) * 10 ** rng.uniform(-2, 2)
    if rng.random() < 0.3:
        X *= 10 ** rng.uniform(-1, 1, size=N)
    if kind == "duplicates":
        X = X[:, rng.integers(0, N, size=N)]
    if kind == "low rank":
        X = X @ rng.normal(size=(N, 1)) @ rng.normal(size=(1, N))
    if degenerate and rng.random() < 0.2:
        X[:, rng.random(N) < 0.4] = 0
    undamped = kind == "tall" and rng.random() < 0.5
    damping = 0.0 if undamped else float(10 ** rng.uniform(-4, 0.5) * max(np.square(X).sum() / N, 1e-3))
    ordering = str(rng.choice(ORDERINGS))
    W = rng.normal(size=(N, K)) * 10 ** rng.uniform(-2, 2)
    X_quantized = X + 0.1 * np.abs(X).max(axis=0) * rng.normal(size=X.shape)
    if degenerate and rng.random() < 0.15:
        X_quantized[:, rng.integers(0, N)] = 0
    return Drawn(
        X=X, X_quantized=X_quantized, W=W,
        grid=_draw_grid(rng, W, ends=degenerate), damping=damping, ordering=rng.permutation(N) if ordering == "permutation" else ordering,
        rounding=str(rng.choice(["nearest", "stochastic"], p=[0.65, 0.35])) if degenerate else "nearest",
        seed=int(rng.integers(0, 2**31)))


def _draw_grid(rng: np.random.Generator, W: np.ndarray, ends: bool) -> Grid:
    N, K = W.shape
    shape = [(), (K,), (N, 1), (N, K)][rng.integers(0, 4) if K else 0]
    step = np.exp(rng.normal(size=shape) * 0.5) * (np.abs(W).mean() if W.size else 1.0) * 10 ** rng.uniform(-1, 0.3)
    if not ends or rng.random() < 0.6:
        return Grid(step)
    low = rng.integers(-9, 1, size=(K,) if K and rng.random() < 0.5 else ())
    return Grid(step, low, low + rng.integers(1, 16))


def draw_problems(count: int, seed: int, degenerate: bool = True) -> Iterator[Drawn]:
    for index in range(count):
        yield draw_problem(seed, index, degenerate)


def stacked(X: np.ndarray, damping: float, order: np.ndarray) -> np.ndarray:
    """The damped calibration matrix (m + N, N) in processing order."""
    return np.vstack([X[:, order], np.sqrt(damping) * np.eye(X.shape[1])])


def check_identity(X: np.ndarray, damping: float, W: np.ndarray, result) -> None:
    """Assert ||X(w-q)||^2 + damping ||w-q||^2 = sum_j d_j^2 e_j^2 for every neuron, with pivots computed here.

    Tolerance relative to the right side: 1e-10 up to condition number 1e8, beyond it 100 N eps cond.
    """
    live = X[:, result.order].any(axis=0)
    matrix = stacked(X, damping, result.order)[:, live]
    pivots = np.full(len(live), np.sqrt(damping))  # what a dead feature has
    pivots[live] = np.abs(np.diag(np.linalg.qr(matrix[:, ::-1], mode="r")))[::-1]
    singular = np.linalg.svd(matrix, compute_uv=False)
    condition = singular[0] / singular[-1] if singular.size else 1.0
    tolerance = 1e-10 if condition <= 1e8 else 100 * len(live) * np.finfo(float).eps * condition
    error = W - result.weights
    measured = np.square(X @ error).sum(axis=0) + damping * np.square(error).sum(axis=0)
    proven = np.square(pivots[:, None] * result.rounding_errors).sum(axis=0)
    assert (np.abs(measured - proven) <= tolerance * proven).all(), (measured, proven, condition)


def fractions_of(array: np.ndarray) -> list[list[Fraction]]:
    """A float matrix as exact rationals: every float is one."""
    return [[Fraction(float(x)) for x in row] for row in np.atleast_2d(array)]


def exact_gram(X: np.ndarray, damping: float = 0.0, Y: np.ndarray | None = None) -> list[list[Fraction]]:
    """X^T Y + damping I in exact arithmetic (Y: X itself)."""
    left = list(zip(*fractions_of(X), strict=True))
    right = left if Y is None else list(zip(*fractions_of(Y), strict=True))
    ridge = Fraction(float(damping))
    return [[sum((a * b for a, b in zip(x, y, strict=True)), ridge if i == j else Fraction(0)) for j, y in enumerate(right)]
            for i, x in enumerate(left)]


def exact_solve(A: list[list[Fraction]], b: list[Fraction]) -> list[Fraction]:
    """The solution of A x = b for a positive definite A: Gaussian elimination without pivoting."""
    n = len(b)
    rows = [[*A[i], b[i]] for i in range(n)]
    for i in range(n):
        for k in range(i + 1, n):
            factor = rows[k][i] / rows[i][i]
            rows[k] = [x - factor * y for x, y in zip(rows[k], rows[i], strict=True)]
    x = [Fraction(0)] * n
    for i in reversed(range(n)):
        x[i] = (rows[i][n] - sum((rows[i][k] * x[k] for k in range(i + 1, n)), Fraction(0))) / rows[i][i]
    return x


def exact_factors(H: list[list[Fraction]]) -> tuple[list[Fraction], list[list[Fraction]]]:
    """Squared pivots and L with H = L^T D^2 L, eliminating the last feature first."""
    N = len(H)
    H = [list(row) for row in H]
    squares, L = [Fraction(0)] * N, [[Fraction(int(i == j)) for j in range(N)] for i in range(N)]
    for k in reversed(range(N)):
        squares[k] = H[k][k]
        for j in range(k):
            L[k][j] = H[k][j] / squares[k]
        for i in range(k):
            for j in range(k):
                H[i][j] -= L[k][i] * L[k][j] * squares[k]
    return squares, L


def exact_optq(H: list[list[Fraction]], w: list[Fraction], steps: list[Fraction]) -> tuple[list[int], list[Fraction]]:
    """Codes and errors z - q of OPTQ by its definition: after every step a least-squares problem, solved exactly."""
    w, N = list(w), len(w)
    codes, errors = [], []
    for t in range(N):
        codes.append(round(w[t] / steps[t]))  # nearest, ties to even
        errors.append(w[t] - codes[t] * steps[t])
        later = range(t + 1, N)
        change = exact_solve([[H[i][j] for j in later] for i in later], [H[i][t] for i in later])
        for i, c in zip(later, change, strict=True):
            w[i] += c * errors[t]
    return codes, errors


def exact_errors(X, damping, W, codes, grid):
    """The damped error (K,) of codes; every float is the rational that it is."""
    H, steps = exact_gram(X, damping), grid.alphabet(*W.shape).step
    left = [[Fraction(float(w)) - Fraction(float(s)) * int(c) for w, s, c in zip(*column, strict=True)]
            for column in zip(W.T, steps.T, codes.T, strict=True)]
    return [sum(a * h * b for a, row in zip(r, H, strict=True) for h, b in zip(row, r, strict=True)) for r in left]


def small_problem(seed, index):
    """Any shape, dependent and dead columns, with and without damping and ends; half of them integer, so that ties abound."""
    rng = np.random.default_rng([seed, index])
    N, K, m = int(rng.integers(1, 6)), int(rng.choice([0, 1, 2, 3], p=[0.03, 0.37, 0.3, 0.3])), int(rng.integers(1, 9))
    X = rng.integers(-5, 6, (m, N)).astype(float) if index % 2 else rng.normal(size=(m, N)) * 10 ** rng.uniform(-3, 3, N)
    X[:, rng.random(N) < 0.15] = 0
    if rng.random() < 0.2:
        X = X[:, rng.integers(0, N, N)]
    W = rng.integers(-12, 13, (N, K)) / 4 if index % 2 else rng.normal(size=(N, K)) * 3
    step = rng.choice([0.5, 1.0, 0.1], size=[(), (N, 1), (K,), (N, K)][rng.integers(0, 4 if K else 2)])
    low = int(rng.integers(-4, 1))
    grid = Grid(step) if rng.random() < 0.4 else Grid(step, low, low + int(rng.integers(0, 6)))
    return X, W, grid, float(rng.choice([0.0, 0.5, 1e-3])), rng


@pytest.fixture(scope="session")
def draws() -> SimpleNamespace:
    """Drawn problems and the checks on them."""
    return SimpleNamespace(problems=draw_problems, stacked=stacked, check_identity=check_identity, small=small_problem)


@pytest.fixture(scope="session")
def exact() -> SimpleNamespace:
    """Exact rational arithmetic for small problems."""
    return SimpleNamespace(matrix=fractions_of, gram=exact_gram, solve=exact_solve, factors=exact_factors, optq=exact_optq,
                           errors=exact_errors)
