"""What all factorizations of one calibration matrix share: its rows, the triangle of its streamed rows, or its Gram matrix."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import get_lapack_funcs

from .arguments import as_matrix, choose, reject
from .triangles import Triangle, triangle_of, with_ridge

if TYPE_CHECKING:
    from .factorization import Factorization

PRECISIONS = ("float64", "float32")
GRAM_NOISE = 8  # eps, what a squared singular value of a Gram matrix must exceed, as a share of the largest, to count
STRIP = 2**16  # numbers that are looked at at a time


class Source:
    """A calibration matrix as far as its factorizations know it; zero columns (dead features) are not `live`."""

    X: np.ndarray | None = None

    def __init__(self, samples: int | None, column_norms_squared: np.ndarray):
        self.samples = samples
        self.column_norms_squared = column_norms_squared
        self.live = column_norms_squared > 0

    @property
    def singular_values(self) -> np.ndarray:
        """Decreasing; those of live features at least."""
        raise NotImplementedError

    def lower_factor(self, order: np.ndarray, damping: float) -> np.ndarray:
        """Lower triangular T (n, n) with T^T T = H over the n live features in `order`; zero where H is singular beyond doubt."""
        raise NotImplementedError

    def pivot_tolerance(self, norm: float | None = None) -> float:
        """A pivot this small is rounding noise, for ||X||_2 or another norm's value."""
        raise NotImplementedError

    def factorize(self, damping: float | str = 0.0, ordering: str | np.ndarray = "natural") -> Factorization:
        """The factorization at one damping and ordering; the triangle and the singular values are shared by all of them."""
        from .factorization import factored  # a factorization knows its source, which therefore is imported first

        return factored(self, damping, ordering)

    def largest_eigenvalue(self) -> float:
        """sigma_max(X^T X)."""
        return float(self.singular_values.max(initial=0.0) ** 2)

    def root(self, damping: float) -> np.ndarray:
        """S (k, N) with S^T S = X^T X + damping I, features in their original order."""
        raise NotImplementedError

    def smallest_damping(self) -> float:
        """Makes every pivot twice the tolerance; never below the smallest normal number, whose root is still far above it."""
        return max((2 * self.pivot_tolerance()) ** 2, float(np.finfo(self.column_norms_squared.dtype).tiny))

    def numerical_rank(self) -> int:
        """How many singular values are more than rounding noise."""
        return int((self.singular_values > self.pivot_tolerance()).sum())

    @property
    def _eps(self) -> float:
        return float(np.finfo(self.column_norms_squared.dtype).eps)


class RowSource(Source):
    """A calibration matrix kept as the triangle of its QR factorization: no damping or ordering touches X again."""

    def __init__(self, samples: int, column_norms_squared: np.ndarray, X: np.ndarray | None = None,
                 triangle: np.ndarray | None = None):
        """`triangle` is R over live features, as in `triangles`."""
        super().__init__(samples, column_norms_squared)
        self.X = X
        if triangle is not None:
            self.triangle = triangle

    @classmethod
    def of(cls, X: np.ndarray, name: str = "X") -> RowSource:
        """Of an array, which is copied (V and the projections read it later) unless it is read-only."""
        norms = column_norms_squared(name, X)
        return cls(len(X), norms, X=X if _is_read_only(X) else X.copy())

    @cached_property
    def triangle(self) -> np.ndarray:
        """R (n, n) over live features; no more than m of its rows are not zero."""
        return triangle_of(self.X, np.flatnonzero(self.live))

    @cached_property
    def singular_values(self) -> np.ndarray:
        return np.linalg.svd(self.triangle[: self.samples], compute_uv=False)

    def with_rows(self, X: np.ndarray) -> RowSource:
        """The same triangle, seen at the rows `X` (n, N) of the matrix: V and the outputs are those of these rows."""
        other = RowSource(self.samples, self.column_norms_squared, X=X, triangle=self.triangle)
        other.__dict__ |= {name: self.__dict__[name] for name in ("singular_values",) if name in self.__dict__}
        return other

    def root(self, damping: float) -> np.ndarray:
        """Few rows are taken as they are, so that equal columns stay equal; the ridge is stacked below, so that it stays exact."""
        N = len(self.live)
        if self.X is not None and len(self.X) == self.samples <= N:
            rows = self.X
        else:
            rows = np.zeros((min(self.samples, len(self.triangle)), N), dtype=self.triangle.dtype)
            rows[:, self.live] = self.triangle[: len(rows), ::-1]
        ridge = np.sqrt(np.asarray(damping, dtype=rows.dtype)) * np.eye(N, dtype=rows.dtype)
        return np.vstack([rows, ridge]) if damping else rows

    def lower_factor(self, order: np.ndarray, damping: float) -> np.ndarray:
        """From the triangle: as it is in natural order, by an N x N QR in another; damping updates it."""
        place = (np.cumsum(self.live) - 1)[order]
        natural = np.array_equal(place, np.arange(len(place)))
        R = self.triangle if natural else triangle_of(self.triangle[: self.samples, ::-1], place)
        return with_ridge(R, damping)[::-1, ::-1]

    def pivot_tolerance(self, norm: float | None = None) -> float:
        """max(m, N) eps ||X||_2."""
        norm = float(self.singular_values.max(initial=0.0)) if norm is None else norm
        return max(self.samples, len(self.live)) * self._eps * norm


class Folding:
    """Rows of a calibration matrix folded block by block into one triangle: memory does not grow with their number.

    >>> X = np.arange(12.0).reshape(6, 2) ** 2
    >>> folding = Folding()
    >>> for block in (X[:2], X[2:]):
    ...     folding.add(block)
    >>> folding.samples, bool(np.allclose(folding.triangle.T @ folding.triangle, X.T @ X))
    (6, True)
    """

    def __init__(self, dtype: str = "float64"):
        self.dtype = choose("dtype", dtype, PRECISIONS)
        self.column_norms_squared: np.ndarray | float = 0.0
        self.samples = 0
        self._blocks = 0
        self._triangle: Triangle | None = None

    def add(self, block: np.ndarray) -> None:
        """Fold a block of rows (n, N) into the triangle; the block may be reused afterwards."""
        name = f"blocks[{self._blocks}]"
        block = as_matrix(name, block, self.dtype, columns=len(self.column_norms_squared) if self._blocks else None)
        self.column_norms_squared = self.column_norms_squared + column_norms_squared(name, block)
        self.samples += len(block)
        self._blocks += 1
        self._triangle = self._triangle or Triangle(block.shape[1], block.dtype)
        self._triangle.add(block)

    @property
    def triangle(self) -> np.ndarray | None:
        """T (min(m, N), N) with T^T T = X^T X for the m rows so far, lower triangular once m reaches N; None before the first."""
        if self._triangle is None:
            return None
        return np.ascontiguousarray(self._triangle.upper()[: self.samples, ::-1][::-1])

    def source(self) -> RowSource:
        """What all factorizations of the matrix share.

        Raises:
            InvalidArgumentError: no block was added.
        """
        if self._triangle is None:
            raise reject("blocks", [], "at least one block of rows (m_i, N)")
        live = self.column_norms_squared > 0
        R = self._triangle.upper()
        return RowSource(self.samples, self.column_norms_squared,
                         triangle=R if live.all() else triangle_of(R[: self.samples, ::-1], np.flatnonzero(live)))


class GramSource(Source):
    """A calibration matrix of which only X^T X is at hand; accurate to the square of its condition number."""

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

    @cached_property
    def eigenvalues(self) -> np.ndarray:
        """Increasing; rounding may leave some below zero."""
        return np.linalg.eigvalsh(self.gram)

    @property
    def singular_values(self) -> np.ndarray:
        return np.sqrt(np.maximum(self.eigenvalues[::-1], 0))

    def root(self, damping: float) -> np.ndarray:
        values, vectors = np.linalg.eigh(self.gram)
        return np.sqrt(np.maximum(values, 0) + damping)[:, None] * vectors.T

    def lower_factor(self, order: np.ndarray, damping: float) -> np.ndarray:
        """By one Cholesky factorization."""
        factor = self._cholesky(order[::-1], damping)
        return np.zeros((len(order), len(order)), self.gram.dtype) if factor is None else factor[::-1, ::-1]

    def pivot_tolerance(self, norm: float | None = None) -> float:
        """sqrt(8 eps) ||X||_2, whatever N: above it squared pivots were off by less than eps cond^2 (at most an eighth) wherever
        they were compared, and the squares of singular values that should have been zero stayed below 2 eps ||X||_2^2."""
        norm = float(self.singular_values.max(initial=0.0)) if norm is None else norm
        return float(np.sqrt(GRAM_NOISE * self._eps) * norm)

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


def column_norms_squared(name: str, X: np.ndarray) -> np.ndarray:
    """Squared norms of the columns (N,), which make up the Gram matrix: none may overflow, and no live column may vanish in them."""
    info = np.finfo(X.dtype)
    rows = max(1, STRIP // X.shape[1])
    with np.errstate(over="ignore", invalid="ignore"):
        norms = sum(np.square(X[start : start + rows]).sum(axis=0) for start in range(0, len(X), rows))
    largest = np.maximum(X.max(axis=0), -X.min(axis=0))
    if largest.max() > np.sqrt(info.max) / X.size:
        raise reject(f"max|{name}|", float(largest.max()), "entries whose squares do not overflow (rescale the matrix)")
    vanishing = (largest > 0) & (largest < 1e3 * np.sqrt(info.tiny))
    if vanishing.any():
        column = int(np.argmax(vanishing))
        accepted = "zero, or entries whose squares do not vanish (rescale the matrix)"
        raise reject(f"max|{name}[:, {column}]|", float(largest[column]), accepted)
    return norms


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


def _is_read_only(array: np.ndarray) -> bool:
    """Whether nobody can write to its memory through numpy."""
    while isinstance(array, np.ndarray) and not array.flags.writeable:
        array = array.base
    return array is None
