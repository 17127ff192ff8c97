"""The two extreme singular values of a triangle, and what they say of the matrix behind it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.linalg import solve_triangular
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

EXACT = 256  # columns up to which all singular values are had for less


def extreme_singular_values(triangle: np.ndarray, lower: bool) -> tuple[float, float] | None:
    """The largest and the smallest singular value, right to 1 %, of a triangular matrix (n, n) without zeros on its diagonal.

    By Lanczos iterations on the Gram matrix and on its inverse, O(n^2) each; None where one does not converge or the inverse
    overflows.

    >>> print(*np.round(extreme_singular_values(np.diag(np.arange(1.0, 20.0)), lower=True), 1))
    19.0 1.0
    """
    start = np.random.default_rng(0).standard_normal(len(triangle)).astype(triangle.dtype)
    unit = np.abs(np.diag(triangle)).max()

    def solve(x: np.ndarray, transposed: bool) -> np.ndarray:
        with np.errstate(over="ignore", invalid="ignore"):
            solved = unit * solve_triangular(triangle, x, lower=lower, trans=int(transposed), check_finite=False)
        if not np.isfinite(solved).all():
            raise OverflowError
        return solved

    def largest(product: Callable[[np.ndarray], np.ndarray]) -> float:
        operator = LinearOperator(triangle.shape, matvec=product, dtype=triangle.dtype)  # pyright: ignore[reportCallIssue]  # its `__new__` misleads
        values = eigsh(operator, k=1, ncv=8, tol=1e-2, v0=start, return_eigenvectors=False)  # pyright: ignore[reportArgumentType]
        return float(np.sqrt(values[0]))

    try:
        norm = largest(lambda x: triangle.T @ (triangle @ (x / unit)) / unit)
        inverse_norm = largest(lambda x: solve(solve(x, transposed=True), transposed=False))
    except (ArpackNoConvergence, OverflowError):
        return None
    return float(unit * norm), float(unit / inverse_norm)


def condition_number(pivots: np.ndarray, L: np.ndarray, live: np.ndarray) -> float | None:
    """cond of D L over live features, right to 1 %; None where it takes all singular values or they are few enough."""
    if live.sum() <= EXACT or pivots[live].min() <= 0:
        return None
    triangle = (pivots[:, None] * L).astype(np.float64, copy=False)
    if not live.all():
        triangle = triangle[np.ix_(live, live)]
    extremes = extreme_singular_values(triangle, lower=True)
    return None if extremes is None else extremes[0] / extremes[1]
