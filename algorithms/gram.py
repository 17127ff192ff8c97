"""A calibration matrix of which only the Gram matrix is at hand: one Cholesky factorization for every damping and ordering."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
from scipy.linalg import get_lapack_funcs

from .arguments import reject
from .sources import STRIP, RowSource, Source

NOISE = 8  # eps: what a squared singular value must exceed, as a share of the largest, to count


class GramSource(Source):
    """A calibration matrix of which only X^T X is at hand; accurate to the square of its condition number."""

    reach = 2

    def __init__(self, gram: np.ndarray, samples: int | None):
        super().__init__(samples, np.diag(gram).copy())
        self.gram = gram

    @classmethod
    def of(cls, gram: np.ndarray, samples: int | None) -> GramSource:
        """Of a symmetric positive semidefinite matrix (N, N), which is copied.

        Raises:
            InvalidArgumentError: it is not square, symmetric or positive semidefinite.
        """
        if gram.shape[0] != gram.shape[1]:
            raise reject("gram.shape", gram.shape, "a square matrix")
        slack = 100 * len(gram) * float(np.finfo(gram.dtype).eps) * max(float(gram.max()), -float(gram.min()))
        gram = _symmetric(gram, slack)
        source = cls(gram, samples)
        diagonal = source.column_norms_squared
        if (diagonal < 0).any() or gram[diagonal == 0].any() or not source._is_semidefinite(slack):
            raise reject("gram", float(source.eigenvalues[0]), "a positive semidefinite matrix (the value is its smallest eigenvalue)")
        return source

    def with_rows(self, X: np.ndarray) -> RowSource:
        other = RowSource(len(X) if self.samples is None else self.samples, self.column_norms_squared, X=X)
        other.reach = self.reach
        return other

    @cached_property
    def eigenvalues(self) -> np.ndarray:
        """Increasing; rounding may leave some below zero."""
        return np.linalg.eigvalsh(self.gram)

    @cached_property
    def singular_values(self) -> np.ndarray:
        return np.sqrt(np.maximum(self.eigenvalues[::-1], 0))

    def root(self, damping: float) -> np.ndarray:
        """Right to eps for every pair of columns in proportion to their norms, not to the largest; dead features stay zero."""
        sizes = np.sqrt(self.column_norms_squared + np.asarray(damping, dtype=self.gram.dtype))
        seen = np.flatnonzero(sizes)
        H = self.gram[np.ix_(seen, seen)]
        np.fill_diagonal(H, np.square(sizes[seen]))
        values, vectors = np.linalg.eigh(H / sizes[seen] / sizes[seen, None])
        root = np.zeros_like(self.gram)
        root[: len(seen), seen] = np.sqrt(np.maximum(values, 0))[:, None] * vectors.T * sizes[seen]
        return root

    def lower_factor(self, order: np.ndarray, damping: float, natural: Callable[[], np.ndarray] | None = None) -> np.ndarray:
        """By one Cholesky factorization."""
        factor = self._cholesky(order[::-1], damping)
        return np.zeros((len(order), len(order)), self.gram.dtype) if factor is None else factor[::-1, ::-1]

    def pivot_tolerance(self, norm: float | None = None) -> float:
        """sqrt(8 eps) ||X||_2, whatever N: above it squared pivots were off by less than eps cond^2 (at most an eighth) wherever
        they were compared, and the squares of singular values that should have been zero stayed below 2 eps ||X||_2^2."""
        norm = float(self.singular_values.max(initial=0.0)) if norm is None else norm
        return float(np.sqrt(NOISE * self._eps) * norm)

    def smallest_damping(self) -> float:
        """Makes every pivot twice the tolerance, on top of what lifts a slightly negative eigenvalue to zero."""
        return (2 * self.pivot_tolerance()) ** 2 + max(0.0, -float(self.eigenvalues[0]))

    def _is_semidefinite(self, slack: float) -> bool:
        """Whether no eigenvalue lies below -slack; one Cholesky factorization shows that, and only its failure takes eigenvalues."""
        return self._cholesky(np.arange(len(self.gram)), slack) is not None or bool(self.eigenvalues[0] >= -slack)

    def _cholesky(self, order: np.ndarray, damping: float) -> np.ndarray | None:
        """Upper triangular U (n, n) in C order with U^T U = H over the features in `order`; None where H is not positive definite."""
        H = self.gram[np.ix_(order, order)]
        np.fill_diagonal(H, H.diagonal() + np.asarray(damping, dtype=H.dtype))
        (factor,) = get_lapack_funcs(("potrf",), (H,))
        lower, failed = factor(H.T, lower=1, overwrite_a=1)
        return None if failed else lower.T


def _symmetric(gram: np.ndarray, slack: float) -> np.ndarray:
    """A copy of `gram` (N, N) without its asymmetry, which may be as large as `slack`."""
    gram, largest = gram.copy(), 0.0
    rows = max(1, STRIP // len(gram))
    for start in range(0, len(gram), rows):
        here, there = gram[start : start + rows, start:], gram[start:, start : start + rows].T
        largest = max(largest, float(np.abs(here - there).max()))
        here[...] = (here + there) / 2
        there[...] = here
    if largest > slack:
        raise reject("gram", largest, "a symmetric matrix (the value is its largest asymmetry)")
    return gram
