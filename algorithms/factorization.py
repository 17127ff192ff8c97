r"""Reverse Gram-Schmidt: pivots, L, M and V of the damped calibration matrix (bounds/THEORY.md#reverse-gram-schmidt).

With :math:`\hat X` the calibration matrix (features in processing order) stacked on :math:`\sqrt\lambda I`,
:math:`\hat X = V L` where the columns of V are orthogonal with norms :math:`d_j` (the pivots) and L is unit lower
triangular, so :math:`H = \hat X^\top\hat X = L^\top D^2 L`. Every algorithm and every bound reads this one object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.linalg import cholesky, get_lapack_funcs, solve_triangular
from scipy.linalg import qr as _qr
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

from .arguments import InvalidArgumentError, as_count, as_matrix, choose, reject
from .damping import resolve_damping
from .ordering import resolve_ordering

PRECISIONS = ("float64", "float32")
PANEL = 32  # columns that LAPACK eliminates at a time
EXACT_CONDITION = 256  # features up to which the condition number comes from all singular values


class RankDeficientError(InvalidArgumentError):
    """Live features are linearly dependent in this precision and the damping is too small to part them.

    Attributes:
        rank: numerical rank of the calibration matrix.
        smallest_damping: a damping that makes every pivot twice the size that counts as zero.
    """

    def __init__(self, damping: float, rank: int, live: int, smallest_damping: float):
        self.rank = rank
        self.smallest_damping = smallest_damping
        super().__init__(
            f"damping = {damping!r} is not accepted: the calibration matrix has numerical rank {rank} with {live} live "
            f"features, so their pivots vanish; the smallest damping that will do is {smallest_damping!r}"
        )


class RowSource:
    """A calibration matrix kept as the triangle of its QR factorization: no damping or ordering touches X again."""

    def __init__(self, samples: int, column_norms_squared: np.ndarray, X: np.ndarray | None = None,
                 triangle: np.ndarray | None = None):
        self.samples = samples
        self.column_norms_squared = column_norms_squared
        self.live = column_norms_squared > 0
        self.X = X
        if triangle is not None:
            self.triangle = triangle

    @classmethod
    def of(cls, X: np.ndarray, name: str = "X") -> RowSource:
        _check_magnitude(name, X)
        X = X.copy()  # V and the projections read it later: the caller may go on using the array
        return cls(len(X), np.square(X).sum(axis=0), X=X)

    @cached_property
    def triangle(self) -> np.ndarray:
        return _triangle(self.X)

    @cached_property
    def singular_values(self) -> np.ndarray:
        return np.linalg.svd(self.triangle[:, self.live], compute_uv=False)

    def largest_eigenvalue(self) -> float:
        return float(self.singular_values.max(initial=0.0) ** 2)

    def stacked(self, order: np.ndarray, damping: float) -> np.ndarray:
        ridge = np.sqrt(np.asarray(damping, dtype=self.triangle.dtype)) * np.eye(len(order), dtype=self.triangle.dtype)
        return np.vstack([self.triangle[:, order], ridge]) if damping else self.triangle[:, order]

    def root(self, damping: float) -> np.ndarray:
        return self.stacked(np.arange(len(self.live)), damping)

    def with_rows(self, X: np.ndarray) -> RowSource:
        """The same triangle, seen at the rows `X` (n, N) of the matrix: V and the outputs are those of these rows."""
        other = RowSource(self.samples, self.column_norms_squared, X=X, triangle=self.triangle)
        other.__dict__ |= {name: self.__dict__[name] for name in ("singular_values",) if name in self.__dict__}
        return other

    def factorize(self, damping: float | str = 0.0, ordering: str | np.ndarray = "natural") -> Factorization:
        """The factorization at one damping and ordering; the triangle and the singular values are shared by all of them."""
        return _factorize(self, damping, ordering)

    def lower_factor(self, order: np.ndarray, damping: float) -> np.ndarray:
        """Lower triangular T (n, n) with T^T T = H, from the QR of the column-reversed stacked matrix."""
        return _square(_qr(self.stacked(order[::-1], damping), mode="r", check_finite=False)[0])[::-1, ::-1]

    def pivot_tolerance(self, norm: float | None = None) -> float:
        """A pivot this small is rounding noise: max(m, N) eps ||X||_2 (or another norm's value)."""
        norm = float(self.singular_values.max(initial=0.0)) if norm is None else norm
        return max(self.samples, len(self.live)) * self._eps * norm

    def smallest_damping(self) -> float:
        """Makes every pivot twice the tolerance; never below the smallest normal number, whose root is still far above it."""
        return max((2 * self.pivot_tolerance()) ** 2, float(np.finfo(self.column_norms_squared.dtype).tiny))

    def numerical_rank(self) -> int:
        return int((self.singular_values > self.pivot_tolerance()).sum())

    @property
    def _eps(self) -> float:
        return float(np.finfo(self.column_norms_squared.dtype).eps)


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
        self.triangle: np.ndarray | None = None
        self.column_norms_squared: np.ndarray | float = 0.0
        self.samples = 0
        self._blocks = 0

    def add(self, block: np.ndarray) -> None:
        """Fold a block of rows (n, N) into the triangle; the block may be reused afterwards."""
        name = f"blocks[{self._blocks}]"
        block = as_matrix(name, block, self.dtype, columns=None if self.triangle is None else self.triangle.shape[1])
        _check_magnitude(name, block)
        self.column_norms_squared = self.column_norms_squared + np.square(block).sum(axis=0)
        self.samples += len(block)
        self._blocks += 1
        self.triangle = _triangle(block.copy()) if self.triangle is None else _folded(self.triangle, block)

    def source(self) -> RowSource:
        """What all factorizations of the matrix share.

        Raises:
            InvalidArgumentError: no block was added.
        """
        if self.triangle is None:
            raise reject("blocks", [], "at least one block of rows (m_i, N)")
        return RowSource(self.samples, self.column_norms_squared, triangle=self.triangle)


class GramSource:
    """A calibration matrix of which only X^T X is at hand; accurate to the square of its condition number."""

    X = None

    def __init__(self, gram: np.ndarray, samples: int | None):
        self.gram = gram
        self.samples = samples
        self.column_norms_squared = np.diag(gram).copy()
        self.live = self.column_norms_squared > 0

    @cached_property
    def _eigen(self) -> tuple[np.ndarray, np.ndarray]:
        values, vectors = np.linalg.eigh(self.gram)
        return np.maximum(values, 0), vectors

    @property
    def singular_values(self) -> np.ndarray:
        return np.sqrt(self._eigen[0][::-1])

    def largest_eigenvalue(self) -> float:
        return float(self._eigen[0].max(initial=0.0))

    def root(self, damping: float) -> np.ndarray:
        values, vectors = self._eigen
        return np.sqrt(values + damping)[:, None] * vectors.T

    def lower_factor(self, order: np.ndarray, damping: float) -> np.ndarray:
        reverse = order[::-1]
        H = self.gram[np.ix_(reverse, reverse)] + damping * np.eye(len(order), dtype=self.gram.dtype)
        try:
            return cholesky(H, lower=False, check_finite=False)[::-1, ::-1]
        except np.linalg.LinAlgError:
            return np.zeros_like(H)

    def pivot_tolerance(self, norm: float | None = None) -> float:
        """Cholesky leaves errors of N eps ||X||_2^2 (or another norm's value) in the squared pivots."""
        norm = np.sqrt(self.largest_eigenvalue()) if norm is None else norm
        return float(np.sqrt(len(self.live) * np.finfo(self.gram.dtype).eps) * norm)

    def smallest_damping(self) -> float:
        """Makes every pivot twice the tolerance, on top of what lifts a slightly negative eigenvalue to zero."""
        return (2 * self.pivot_tolerance()) ** 2 + max(0.0, -float(np.linalg.eigvalsh(self.gram)[0]))

    def numerical_rank(self) -> int:
        return int((self.singular_values > self.pivot_tolerance()).sum())


@dataclass(frozen=True, eq=False)
class Factorization:
    r"""Pivots, L, M and V of one calibration matrix, one damping and one ordering.

    Build it with `factorize`, `Factorization.from_gram` or `Factorization.from_blocks`; `with_damping` and
    `with_ordering` give it for another damping or ordering of the same matrix without touching X again.

    Attributes (N features, m samples, everything after the ordering):
        order: (N,) original index of the feature processed at each step.
        damping: the absolute damping; `damping_rule` is what was asked for.
        pivots: (N,) :math:`d_j \ge 0`, in units of the entries of X.
        L: (N, N) unit lower triangular, :math:`H = L^\top D^2 L`.
        live: (N,) bool, False where the feature's column of X is zero.
    """

    source: RowSource | GramSource
    damping: float
    damping_rule: float | str
    order: np.ndarray
    ordering: str | np.ndarray
    pivots: np.ndarray
    L: np.ndarray
    live: np.ndarray

    @property
    def features(self) -> int:
        """N."""
        return len(self.order)

    @property
    def samples(self) -> int | None:
        """m, or None when a Gram matrix came without it."""
        return self.source.samples

    @property
    def column_norms_squared(self) -> np.ndarray:
        """(N,) squared norms of the columns of X, in processing order."""
        return self.source.column_norms_squared[self.order]

    @property
    def X(self) -> np.ndarray:
        """The calibration matrix (m, N), original feature order; an error when its rows are not at hand."""
        if self.source.X is None:
            raise reject("factorization", self, "one made from the rows of X (this one has only a Gram matrix or a triangle)")
        return self.source.X

    @cached_property
    def pivots_squared(self) -> np.ndarray:
        """(N,) squared pivots."""
        return self.pivots**2

    @cached_property
    def M(self) -> np.ndarray:
        """The inverse of L, (N, N) unit lower triangular: w - q = M e."""
        (invert,) = get_lapack_funcs(("trtri",), (self.L,))
        return invert(self.L.T, lower=0, unitdiag=1)[0].T

    @cached_property
    def sample_rows_of_V(self) -> np.ndarray:
        """The first m rows of V, (m, N): the part of each feature that no later one explains."""
        return solve_triangular(self.L, self.X[:, self.order].T, lower=True, trans="T", unit_diagonal=True).T

    @property
    def V(self) -> np.ndarray:
        """(m + N, N) with orthogonal columns of norm `pivots`; the lower block is sqrt(damping) M."""
        return np.vstack([self.sample_rows_of_V, np.sqrt(self.damping) * self.M])

    @cached_property
    def singular_values(self) -> np.ndarray:
        """The N singular values of the damped matrix, decreasing."""
        values = np.zeros(self.features)
        found = self.source.singular_values
        values[: len(found)] = found
        return np.hypot(values, np.sqrt(self.damping))

    @cached_property
    def condition(self) -> float:
        """cond of the damped matrix over live features (dead ones decouple and do not count).

        Above 256 features only the two extreme singular values are sought, by a Lanczos iteration on the triangle: right to 1 %.
        """
        live = int(self.live.sum())
        if live > EXACT_CONDITION and self.pivots[self.live].min() > 0:
            try:
                return self._condition_of_extremes()
            except ArpackNoConvergence:
                pass
        values = self.singular_values[:live]
        if not values.size:
            return 1.0
        return float(values[0] / values[-1]) if values[-1] > 0 else np.inf

    def _condition_of_extremes(self) -> float:
        """The condition number of D L over live features: the square root of the largest eigenvalues of its Gram matrix and its inverse."""
        triangle = (self.pivots[:, None] * self.L).astype(np.float64, copy=False)
        if not self.live.all():
            triangle = triangle[np.ix_(self.live, self.live)]
        start = np.random.default_rng(0).standard_normal(len(triangle))

        def largest(product: Callable[[np.ndarray], np.ndarray]) -> float:
            operator = LinearOperator(triangle.shape, matvec=product, dtype=np.float64)
            return float(eigsh(operator, k=1, ncv=8, tol=1e-2, v0=start, return_eigenvectors=False)[0])

        def inverse_gram(x: np.ndarray) -> np.ndarray:
            solved = solve_triangular(triangle, x, lower=True, trans="T", check_finite=False)
            return solve_triangular(triangle, solved, lower=True, check_finite=False)

        return float(np.sqrt(largest(lambda x: triangle.T @ (triangle @ x))) * np.sqrt(largest(inverse_gram)))

    def with_damping(self, damping: float | str, ordering: str | np.ndarray | None = None) -> Factorization:
        """The same matrix with another damping (and ordering): re-triangularizes N x N, never touches X again."""
        return _factorize(self.source, damping, self.ordering if ordering is None else ordering)

    def on_rows(self, X: np.ndarray) -> Factorization:
        """The same factorization seen at other rows (n, N): `X`, `sample_rows_of_V` and V are those of these rows.

        Pivots, L and M stay those of the matrix that was folded, so row-wise statements about a few of its rows can be
        evaluated without the others.
        """
        other = replace(self, source=self.source.with_rows(as_matrix("X", X, columns=self.features)))
        other.__dict__.update({name: self.__dict__[name] for name in ("M", "pivots_squared") if name in self.__dict__})
        return other

    def with_ordering(self, ordering: str | np.ndarray) -> Factorization:
        """The same matrix and damping with another ordering."""
        return _factorize(self.source, self.damping_rule, ordering)

    @classmethod
    def from_gram(cls, gram: np.ndarray, damping: float | str = 0.0, ordering: str | np.ndarray = "natural",
                  samples: int | None = None, dtype: str = "float64") -> Factorization:
        """From the undamped Gram matrix X^T X (N, N); accurate only to cond(X)^2.

        Raises:
            InvalidArgumentError: not a symmetric positive semidefinite matrix.
            RankDeficientError: dependent live features at a damping too small to part them.

        >>> Factorization.from_gram(np.array([[2.0, 1.0], [1.0, 1.0]])).pivots
        array([1., 1.])
        """
        gram = as_matrix("gram", gram, choose("dtype", dtype, PRECISIONS))
        if gram.shape[0] != gram.shape[1]:
            raise reject("gram.shape", gram.shape, "a square matrix")
        scale = float(np.abs(gram).max())
        slack = 100 * len(gram) * float(np.finfo(gram.dtype).eps) * scale
        if np.abs(gram - gram.T).max() > slack:
            raise reject("gram", float(np.abs(gram - gram.T).max()), "a symmetric matrix (the value is its largest asymmetry)")
        gram = (gram + gram.T) / 2
        dead = np.diag(gram) == 0
        smallest = float(np.linalg.eigvalsh(gram)[0])
        if (np.diag(gram) < 0).any() or gram[dead].any() or smallest < -slack:
            raise reject("gram", smallest, "a positive semidefinite matrix (the value is its smallest eigenvalue)")
        samples = as_count("samples", samples, optional=True)
        return _factorize(GramSource(gram, samples), damping, ordering)

    @classmethod
    def from_blocks(cls, blocks: Iterable[np.ndarray], damping: float | str = 0.0, ordering: str | np.ndarray = "natural",
                    dtype: str = "float64") -> Factorization:
        """From blocks of rows (m_i, N), folded one by one into a triangle: memory does not grow with m.

        >>> X = np.arange(12.0).reshape(6, 2) ** 2
        >>> streamed = Factorization.from_blocks([X[:2], X[2:]])
        >>> bool(np.allclose(streamed.pivots, factorize(X).pivots))
        True
        """
        if not isinstance(blocks, Iterable) or getattr(blocks, "ndim", 1) == 0:
            raise reject("blocks", blocks, "blocks of rows (m_i, N), one after the other")
        folding = Folding(dtype)
        for block in blocks:
            folding.add(block)
        return folding.source().factorize(damping, ordering)


def factorize(X: np.ndarray, damping: float | str = 0.0, ordering: str | np.ndarray = "natural",
              dtype: str = "float64") -> Factorization:
    r"""Factor the calibration matrix: :math:`\hat X = V L`, pivots :math:`d_j = \|v_j\|_2`.

    Arguments:
        X: calibration matrix (m, N), one row per sample, one column per feature.
        damping: absolute damping >= 0, or a rule: "none", "mean-diagonal:0.01" (of live features), "mean-diagonal-all:0.01" (of all
            features, dead ones counted as 1, as GPTQ libraries do; see `resolve_damping`), "spectral:1e-6", "george-saab".
        ordering: "natural", "decreasing-norm", "increasing-norm", "min-pivot", "random:SEED", or a permutation (N,).
        dtype: precision of the computation; everything verified is "float64".

    Raises:
        InvalidArgumentError: X not a finite (m, N) array, unknown rule or ordering, negative damping.
        RankDeficientError: dependent live columns at a damping too small to part them. Zero columns never raise:
            such a feature decouples.

    Source: arXiv 2508.04853, setting; bounds/THEORY.md#reverse-gram-schmidt.

    >>> f = factorize(np.array([[1.0, 1.0], [0.0, 1.0], [1.0, 0.0]]))
    >>> print(f.pivots.round(6), f.L[1, 0].round(6))
    [1.224745 1.414214] 0.5
    """
    X = as_matrix("X", X, choose("dtype", dtype, PRECISIONS))
    return _factorize(RowSource.of(X), damping, ordering)


def factorization_of(X: np.ndarray | Factorization, damping: float | str, ordering: str | np.ndarray, dtype: str,
                     name: str = "X") -> Factorization:
    """`X` factored, or `X` itself where it is a Factorization already (which then brings damping and ordering)."""
    if not isinstance(X, Factorization):
        X = as_matrix(name, X, choose("dtype", dtype, PRECISIONS))
        return _factorize(RowSource.of(X, name), damping, ordering)
    refuse_beside(name, damping=(damping, 0.0), ordering=(ordering, "natural"), dtype=(dtype, "float64"))
    return X


def refuse_beside(name: str, **arguments: tuple[object, object]) -> None:
    """Refuse arguments, given as (value, default), that a Factorization passed as `name` brings itself."""
    for argument, (value, default) in arguments.items():
        if not (isinstance(value, type(default)) and value == default):
            raise reject(argument, value, f"nothing beside a Factorization as {name}, which brings its own {argument}")


def _factorize(source: RowSource | GramSource, damping: float | str, ordering: str | np.ndarray) -> Factorization:
    value = resolve_damping(damping, source)
    order = resolve_ordering(ordering, source, value)
    N = len(order)
    live = source.live[order]
    index = np.flatnonzero(live)
    factor = source.lower_factor(order[live], value)
    live_pivots = np.abs(np.diag(factor))
    if not _clearly_independent(source, factor, value):
        smallest = min(live_pivots.min(), _smallest_singular_value(source, len(index), value))
        if smallest <= source.pivot_tolerance():
            raise RankDeficientError(value, source.numerical_rank(), len(index), source.smallest_damping())
    pivots = np.full(N, np.sqrt(value), dtype=factor.dtype)
    pivots[live] = live_pivots
    L = np.eye(N, dtype=factor.dtype)
    L[np.ix_(index, index)] = factor / np.diag(factor)[:, None]
    return Factorization(source, value, damping, order, ordering, pivots, L, live)


def _clearly_independent(source: RowSource | GramSource, factor: np.ndarray, damping: float) -> bool:
    """Whether cheap bounds on both sides already tell the smallest singular value from rounding noise, so that no SVD is needed."""
    if not len(factor):
        return True
    tolerance = 2 * source.pivot_tolerance(float(np.sqrt(source.column_norms_squared.sum())))
    pivots = np.abs(np.diag(factor))
    if pivots.min() <= tolerance:
        return False
    if np.sqrt(damping) > tolerance:
        return True
    inverse = solve_triangular(factor, np.eye(len(factor), dtype=factor.dtype), lower=True, check_finite=False)
    return bool(tolerance * np.linalg.norm(inverse) < 1)


def _smallest_singular_value(source: RowSource | GramSource, live: int, damping: float) -> float:
    """Of the damped live columns. No pivot lies below it, and rounding does not lift it as it can lift a pivot that vanishes."""
    values = source.singular_values
    return float(np.hypot(values[live - 1] if live <= len(values) else 0.0, np.sqrt(damping)))


def _triangle(X: np.ndarray) -> np.ndarray:
    """The triangle of a QR factorization of X; X itself while it has no more rows than columns."""
    if X.shape[0] <= X.shape[1]:
        return X
    return _square(_qr(X, mode="r", check_finite=False)[0])


def _folded(triangle: np.ndarray, block: np.ndarray) -> np.ndarray:
    """The triangle of what `triangle` stands for with the rows of `block` below it; few rows are not a triangle yet."""
    if len(triangle) < triangle.shape[1] or np.tril(triangle, -1).any():
        return _triangle(np.vstack([triangle, block]))
    (update,) = get_lapack_funcs(("tpqrt",), (triangle,))
    updated, _, _, failed = update(0, min(PANEL, len(triangle)), triangle, block)
    if failed:
        raise np.linalg.LinAlgError(f"LAPACK refused argument {-failed} of tpqrt")
    return updated


def _square(R: np.ndarray) -> np.ndarray:
    """The first n rows of an R factor with n columns; missing rows are zero."""
    rows, columns = R.shape
    if rows >= columns:
        return R[:columns].copy()  # not a view, which would keep the other rows in memory
    return np.vstack([R, np.zeros((columns - rows, columns), dtype=R.dtype)])


def _check_magnitude(name: str, X: np.ndarray) -> None:
    """Squares of entries make up the Gram matrix: none may overflow, and no live column may vanish in them."""
    info = np.finfo(X.dtype)
    largest = np.abs(X).max(axis=0)
    if largest.max() > np.sqrt(info.max) / X.size:
        raise reject(f"max|{name}|", float(largest.max()), "entries whose squares do not overflow (rescale the matrix)")
    vanishing = (largest > 0) & (largest < 1e3 * np.sqrt(info.tiny))
    if vanishing.any():
        column = int(np.argmax(vanishing))
        accepted = "zero, or entries whose squares do not vanish (rescale the matrix)"
        raise reject(f"max|{name}[:, {column}]|", float(largest[column]), accepted)
