"""What all factorizations of one calibration matrix share: its rows and their triangle (a Gram matrix alone: `gram`)."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np

from .arguments import reject
from .condition import extreme_singular_values
from .triangles import triangle_of, unit_lower, with_ridge

PRECISIONS = ("float64", "float32")
STRIP = 2**16  # numbers that are looked at at a time


class Source:
    """A calibration matrix as far as its factorizations know it; zero columns (dead features) are not `live`."""

    reach = 1  # what is factorized is right to eps cond^reach

    def __init__(self, samples: int | None, column_norms_squared: np.ndarray):
        self.samples = samples
        self.column_norms_squared = column_norms_squared
        self.live = column_norms_squared > 0
        self._extremes: dict[float, tuple[float, float] | None] = {}

    @property
    def X(self) -> np.ndarray | None:
        """The rows (m, N), where they are at hand."""
        return None

    @cached_property
    def singular_values(self) -> np.ndarray:
        """Decreasing; those of live features at least."""
        raise NotImplementedError

    def with_rows(self, X: np.ndarray) -> RowSource:
        """The same matrix, seen at the rows `X` (n, N): V and the outputs are those of these rows."""
        raise NotImplementedError

    def lower_factor(self, order: np.ndarray, damping: float, natural: Callable[[], np.ndarray] | None = None) -> np.ndarray:
        """Lower triangular T (n, n) with T^T T = H over the n live features in `order`; zero where H is singular beyond doubt.

        `natural` gives D L of the factorization in natural order at this damping, where it is known.
        """
        raise NotImplementedError

    def pivot_tolerance(self, norm: float | None = None) -> float:
        """A pivot this small is rounding noise, for ||X||_2 or another norm's value."""
        raise NotImplementedError

    def largest_eigenvalue(self) -> float:
        """sigma_max(X^T X)."""
        return float(self.singular_values.max(initial=0.0) ** 2)

    def extreme_singular_values(self, damping: float, T: np.ndarray) -> tuple[float, float] | None:
        """Of the damped live columns, by way of one of their triangles T: no ordering changes them."""
        if damping not in self._extremes:
            self._extremes[damping] = extreme_singular_values(T[::-1, ::-1], lower=False)
        return self._extremes[damping]

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

    samples: int  # pyright: ignore[reportIncompatibleVariableOverride]  # known here, and never changed

    def __init__(self, samples: int, column_norms_squared: np.ndarray, X: np.ndarray | None = None,
                 triangle: np.ndarray | None = None):
        """`triangle` is R over live features, as in `triangles`."""
        super().__init__(samples, column_norms_squared)
        self._rows = X
        self._lent: np.ndarray | None = None
        if triangle is not None:
            self.triangle = triangle

    @classmethod
    def of(cls, X: np.ndarray, name: str = "X", lent: bool = False) -> RowSource:
        """Of an array, which V and the projections read later: a read-only one is kept, any other is copied.

        One that is `lent` is not copied either; its rows are refused once the caller has written to them.
        """
        source = cls(len(X), column_norms_squared(name, X), X=X if lent or _is_read_only(X) else X.copy())
        source._lent = _fingerprint(X) if lent and not _is_read_only(X) else None
        return source

    @property
    def X(self) -> np.ndarray | None:
        """The rows (m, N), where they are at hand."""
        return None if self._rows is None else self._unchanged(self._rows)

    def _unchanged(self, rows: np.ndarray) -> np.ndarray:
        """The rows, once it is seen that nobody has written to them since they were lent."""
        if self._lent is not None and not np.array_equal(self._lent, _fingerprint(rows)):
            raise reject("X", rows, "the matrix that was factored (it has been written to since; `factorize` keeps a copy)")
        return rows

    @cached_property
    def triangle(self) -> np.ndarray:
        """R (n, n) over live features; no more than m of its rows are not zero."""
        if self._rows is None:
            raise reject("triangle", None, "the triangle of a matrix whose rows are not at hand")
        return triangle_of(self._rows, np.flatnonzero(self.live))

    @cached_property
    def singular_values(self) -> np.ndarray:
        return np.linalg.svd(self.triangle[: self.samples], compute_uv=False)

    def with_rows(self, X: np.ndarray) -> RowSource:
        other = RowSource(self.samples, self.column_norms_squared, X=X, triangle=self.triangle)
        other.__dict__ |= {name: self.__dict__[name] for name in ("singular_values",) if name in self.__dict__}
        return other

    def root(self, damping: float) -> np.ndarray:
        """Few rows are taken as they are, so that equal columns stay equal; the ridge is stacked below, so that it stays exact."""
        N = len(self.live)
        if self._rows is not None and len(self._rows) == self.samples <= N:
            rows = self._unchanged(self._rows)
        else:
            rows = np.zeros((min(self.samples, len(self.triangle)), N), dtype=self.triangle.dtype)
            rows[:, self.live] = self.triangle[: len(rows), ::-1]
        ridge = np.sqrt(np.asarray(damping, dtype=rows.dtype)) * np.eye(N, dtype=rows.dtype)
        return np.vstack([rows, ridge]) if damping else rows

    def lower_factor(self, order: np.ndarray, damping: float, natural: Callable[[], np.ndarray] | None = None) -> np.ndarray:
        """From the triangle: as it is in natural order, by an N x N QR in another; damping updates it before that."""
        place = (np.cumsum(self.live) - 1)[order]
        if np.array_equal(place, np.arange(len(place))):
            return with_ridge(self.triangle, damping)[::-1, ::-1]
        if damping:
            T = _as_factored(with_ridge(self.triangle, damping)[::-1, ::-1]) if natural is None else natural()
            rows = T[::-1]  # large ones first
        else:
            rows = self.triangle[: self.samples, ::-1]
        return triangle_of(rows, place)[::-1, ::-1]

    def pivot_tolerance(self, norm: float | None = None) -> float:
        """max(m, N) eps ||X||_2."""
        norm = float(self.singular_values.max(initial=0.0)) if norm is None else norm
        return max(self.samples, len(self.live)) * self._eps * norm


def column_norms_squared(name: str, X: np.ndarray) -> np.ndarray:
    """Squared norms of the columns (N,), which make up the Gram matrix: none may overflow, and no live column may vanish in them."""
    info = np.finfo(X.dtype)
    rows = max(1, STRIP // X.shape[1])
    with np.errstate(over="ignore", invalid="ignore"):
        norms = np.zeros(X.shape[1], dtype=X.dtype)
        for start in range(0, len(X), rows):
            norms += np.square(X[start : start + rows]).sum(axis=0)
    largest = np.maximum(X.max(axis=0), -X.min(axis=0))
    if largest.max() > np.sqrt(info.max) / X.size:
        raise reject(f"max|{name}|", float(largest.max()), "entries whose squares do not overflow (rescale the matrix)")
    vanishing = (largest > 0) & (largest < 1e3 * np.sqrt(info.tiny))
    if vanishing.any():
        column = int(np.argmax(vanishing))
        accepted = "zero, or entries whose squares do not vanish (rescale the matrix)"
        raise reject(f"max|{name}[:, {column}]|", float(largest[column]), accepted)
    return norms


def _as_factored(T: np.ndarray) -> np.ndarray:
    """T as it comes back from its pivots and L, to the bit: so it does not matter which of them is at hand."""
    L = unit_lower(T)
    L *= np.abs(np.diag(T))[:, None]
    return L


def _fingerprint(X: np.ndarray) -> np.ndarray:
    """Two numbers per column of X (m, N) from all its bits, one in float32: no 32 bits can change alone without changing them."""
    odd = np.random.default_rng(0).integers(2**64 - 1, size=len(X), dtype=np.uint64) | np.uint64(1)
    return np.einsum("i,ij->j", odd, X.view(np.uint32), dtype=np.uint64, casting="unsafe")


def _is_read_only(array: np.ndarray) -> bool:
    """Whether nobody can write to its memory through numpy."""
    owner: object = array
    while isinstance(owner, np.ndarray) and not owner.flags.writeable:
        owner = owner.base
    return owner is None
