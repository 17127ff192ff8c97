"""Triangles of tall matrices by LAPACK's blocked QR; rows are folded in, so that memory does not grow with their number.

Kept as LAPACK keeps them: R (n, n), upper triangular in Fortran order, from the matrix with its columns reversed. Read backwards
in both directions it is T, lower triangular with T^T T the Gram matrix: what reverse Gram-Schmidt needs, with no other pass.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike
from scipy.linalg import get_lapack_funcs

PANEL = 64  # columns that LAPACK eliminates at a time, where there are many
BLOCK = 2**18  # numbers that are folded at a time, where that is more than n rows
STRIP = 2**15  # numbers turned from C to Fortran order at a time: as many as stay in the cache
TILE = 256  # rows and columns turned back at a time


class Triangle:
    """The triangle of rows that come block by block; it does not depend on where they were cut.

    >>> X = np.arange(12.0).reshape(6, 2) ** 2
    >>> whole, parts = Triangle(2), Triangle(2)
    >>> whole.add(X)
    >>> for row in X:
    ...     parts.add(row[None])
    >>> bool(np.allclose(whole.upper().T @ whole.upper(), X[:, ::-1].T @ X[:, ::-1])), np.array_equal(whole.upper(), parts.upper())
    (True, True)
    """

    def __init__(self, columns: int, dtype: DTypeLike = np.float64, rows: int | None = None):
        """`rows` is how many will come, where that is known."""
        capacity = max(columns, BLOCK // columns)
        self._block = np.empty((capacity if rows is None else min(rows, capacity), columns), dtype=dtype, order="F")
        self._held = 0
        self._upper: np.ndarray | None = None

    def add(self, rows: np.ndarray, columns: np.ndarray | slice = slice(None)) -> None:
        """Fold in rows (k, N), of which only `columns` are read; they may be reused afterwards."""
        everything = np.arange(rows.shape[1])
        chosen = everything[columns]
        backwards = slice(None, None, -1) if np.array_equal(chosen, everything) else chosen[::-1]
        while len(rows):
            if self._held == len(self._block):
                self._fold()
            strip = rows[: min(max(16, STRIP // len(chosen)), len(self._block) - self._held)]
            self._block[self._held : self._held + len(strip)] = strip[:, backwards]
            self._held += len(strip)
            rows = rows[len(strip) :]

    def _fold(self) -> None:
        first = self._upper is None
        self._upper, self._held = _folded(self._upper, self._block, overwrite=True), 0
        if first:  # the triangle may lie where these rows were
            self._block = np.empty_like(self._block)

    def upper(self, last: bool = False) -> np.ndarray:
        """R (n, n) of all rows so far, zero in rows for which there were none; in place where these are the `last`."""
        return _folded(self._upper, self._block[: self._held], overwrite=last)


def triangle_of(matrix: np.ndarray, columns: np.ndarray | slice = slice(None)) -> np.ndarray:
    """R (n, n) of a matrix (m, N), n of whose `columns` are read, in that order."""
    chosen = np.arange(matrix.shape[1])[columns]
    if not len(chosen):
        return np.zeros((0, 0), dtype=matrix.dtype)
    triangle = Triangle(len(chosen), matrix.dtype, len(matrix))
    triangle.add(matrix, chosen)
    return triangle.upper(last=True)


def with_ridge(R: np.ndarray, damping: float) -> np.ndarray:
    """The triangle of the same rows above sqrt(damping) I: pivots that damping alone keeps from zero come out to all digits."""
    if not damping or not len(R):
        return R
    ridge = np.zeros(R.shape, dtype=R.dtype, order="F")
    np.fill_diagonal(ridge, np.sqrt(np.asarray(damping, dtype=R.dtype)))
    return _update(len(R), R, ridge, overwrite=False)


def unit_lower(T: np.ndarray) -> np.ndarray:
    """Lower triangular T with its rows divided by its diagonal, in C order whatever the order of T (n, n)."""
    n = len(T)
    L, diagonal = np.zeros((n, n), dtype=T.dtype), np.diag(T)[:, None]
    for top in range(0, n, TILE):
        rows = slice(top, top + TILE)
        for left in range(0, top + 1, TILE):
            columns = slice(left, left + TILE)
            np.divide(T[rows, columns], diagonal[rows], out=L[rows, columns])
    return L


def inverse_lower(T: np.ndarray, unit_diagonal: bool = False) -> np.ndarray:
    """The inverse of a lower triangular matrix (n, n)."""
    (invert,) = get_lapack_funcs(("trtri",), (T,))
    return invert(T.T, lower=0, unitdiag=unit_diagonal)[0].T


def _folded(upper: np.ndarray | None, block: np.ndarray, overwrite: bool) -> np.ndarray:
    """The triangle of what `upper` stands for with the rows of `block` below it."""
    if upper is None:
        return _square(_triangularized(block, overwrite))
    if not len(block):
        return upper
    return _update(0, upper, block if overwrite else block.copy(order="F"), overwrite)


def _triangularized(block: np.ndarray, overwrite: bool) -> np.ndarray:
    """R and, below it, the reflectors of the QR factorization of `block`."""
    (reduce,) = get_lapack_funcs(("geqrt",), (block,))
    reduced, _, failed = reduce(min(_panel(block.shape[1]), *block.shape), block, overwrite_a=overwrite)
    _check("geqrt", failed)
    return reduced


def _update(triangular: int, upper: np.ndarray, below: np.ndarray, overwrite: bool) -> np.ndarray:
    """The triangle of `upper` above `below`, the last `triangular` rows of which form an upper triangle and which is used up."""
    (update,) = get_lapack_funcs(("tpqrt",), (upper,))
    updated, _, _, failed = update(triangular, _panel(len(upper)), upper, below, overwrite_a=overwrite, overwrite_b=True)
    _check("tpqrt", failed)
    return updated


def _panel(n: int) -> int:
    """Columns of n that are eliminated at a time: a few hundred are fastest in narrow panels."""
    return min(n, max(8, min(n // 8, PANEL)))


def _check(routine: str, failed: int) -> None:
    if failed:
        raise np.linalg.LinAlgError(f"LAPACK refused argument {-failed} of {routine}")


def _square(reduced: np.ndarray) -> np.ndarray:
    """The upper triangle of a reduced block (k, n) as (n, n), in place where k is n: nothing below, zero rows where k < n."""
    k, n = reduced.shape
    if k != n:
        R = np.zeros((n, n), dtype=reduced.dtype, order="F")
        R[: min(k, n)] = reduced[:n]
        reduced = R
    for left in range(0, n, PANEL):
        columns = slice(left, left + PANEL)
        reduced[columns, columns] = np.triu(reduced[columns, columns])
        reduced[left + PANEL :, columns] = 0
    return reduced
