"""Reverse Gram-Schmidt in rationals: pivots, L and M with no rounding, of dependent columns too (bounds/THEORY.md#reverse-gram-schmidt)."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from flint import fmpq, fmpq_mat


def to_matrix(array: np.ndarray) -> fmpq_mat:
    """An object array of rationals as a flint matrix."""
    return fmpq_mat([list(row) for row in array])


def to_array(matrix: fmpq_mat) -> np.ndarray:
    """A flint matrix as an object array."""
    array = np.empty((matrix.nrows(), matrix.ncols()), dtype=object)
    array[...] = matrix.tolist()
    return array


def product(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    """A B for object arrays of rationals; flint clears denominators once instead of at every step."""
    if 0 in A.shape or 0 in B.shape:
        return np.full((A.shape[0], B.shape[1]), fmpq(0), dtype=object)
    return to_array(to_matrix(A) * to_matrix(B))


class ExactFactorization:
    """Pivots, L and M of the calibration matrix in rationals; same names as `Factorization`, features in processing order.

    Dependent columns without damping are allowed: M then has the minimum-norm columns of bounds/THEORY.md#reverse-gram-schmidt.
    """

    def __init__(self, X: np.ndarray, damping: fmpq, order: np.ndarray):
        self.X = X
        self.damping = damping
        self.order = order
        self.ordered = X[:, order]
        self.live = np.array([any(entry != 0 for entry in column) for column in self.ordered.T])

    @cached_property
    def gram(self) -> np.ndarray:
        """The damped Gram matrix H (N, N)."""
        H = product(self.ordered.T, self.ordered)
        for j in range(len(H)):
            H[j, j] += self.damping
        return H

    @cached_property
    def _eliminated(self) -> tuple[np.ndarray, np.ndarray] | None:
        """(L, pivots squared) by elimination from the last feature backwards; None when a live pivot vanishes."""
        S, N = self.gram.copy(), len(self.gram)
        L = np.full((N, N), fmpq(0), dtype=object)
        squared = np.full(N, fmpq(0), dtype=object)
        for k in range(N - 1, -1, -1):
            L[k, k], squared[k] = fmpq(1), S[k, k]
            if squared[k] == 0:
                if self.live[k]:
                    return None
                continue
            L[k, :k] = S[k, :k] / squared[k]
            S[:k, :k] -= np.outer(S[k, :k], L[k, :k])
        return L, squared

    @property
    def dependent(self) -> bool:
        """Whether live columns are dependent and undamped, so that no inverse of H exists on them."""
        return self._eliminated is None

    @cached_property
    def M(self) -> np.ndarray:
        """The inverse of L."""
        if self._eliminated is None:
            return self._minimum_norm_columns()
        (L, _), N = self._eliminated, len(self.order)
        M = np.full((N, N), fmpq(0), dtype=object)
        for j in range(N):
            M[j, j] = fmpq(1)
            for k in range(j + 1, N):
                M[k, j] = -sum((L[k, i] * M[i, j] for i in range(j, k)), fmpq(0))
        return M

    def _minimum_norm_columns(self) -> np.ndarray:
        N = len(self.order)
        M = np.full((N, N), fmpq(0), dtype=object)
        for j in range(N):
            M[j, j] = fmpq(1)
            if j + 1 < N:
                M[j + 1 :, j] = -minimum_norm_solution(self.ordered[:, j + 1 :], self.ordered[:, j])
        return M

    @cached_property
    def L(self) -> np.ndarray:
        """Unit lower triangular (N, N)."""
        return to_array(to_matrix(self.M).inv()) if self._eliminated is None else self._eliminated[0]

    @cached_property
    def pivots_squared(self) -> np.ndarray:
        """(N,) squared pivots."""
        if self._eliminated is not None:
            return self._eliminated[1]
        V = self.sample_rows_of_V
        return (V * V).sum(axis=0)

    @cached_property
    def sample_rows_of_V(self) -> np.ndarray:
        """The first m rows of V (m, N)."""
        return product(self.ordered, self.M)

    def minimum_norm_weights(self, outputs: np.ndarray) -> np.ndarray:
        """The weights (N, K) of smallest norm that best explain `outputs` (m, K), without damping."""
        return np.array([minimum_norm_solution(self.ordered, column) for column in outputs.T], dtype=object).T

    @cached_property
    def determinant(self) -> fmpq:
        """det H, not from the pivots."""
        return to_matrix(self.gram).det()

    @cached_property
    def inverse_diagonal(self) -> np.ndarray:
        """The diagonal of the inverse of H (N,), not from the pivots."""
        inverse = to_matrix(self.gram).inv()
        return np.array([inverse[j, j] for j in range(len(self.gram))], dtype=object)


def minimum_norm_solution(A: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The least-squares solution of A x = b of smallest norm, in rationals."""
    reduced, rank = to_matrix(A).rref()
    if rank == 0:
        return np.full(A.shape[1], fmpq(0), dtype=object)
    rows = to_array(reduced)[:rank]  # a basis of the row space: x = rows^T t
    B = product(A, rows.T)
    t = to_matrix(product(B.T, B)).solve(to_matrix(product(B.T, b[:, None])))
    return product(rows.T, to_array(t))[:, 0]
