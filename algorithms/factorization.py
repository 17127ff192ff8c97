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
from scipy.linalg import solve_triangular

from .arguments import as_count, as_matrix, choose, reject
from .condition import condition_number
from .damping import resolve_damping
from .folding import Folding
from .gram import GramSource
from .ordering import resolve_ordering
from .rank import RankDeficientError as RankDeficientError
from .rank import refuse_dependent
from .sources import PRECISIONS, RowSource, Source
from .triangles import inverse_lower, unit_lower


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

    source: Source
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

    @property
    def triangle(self) -> np.ndarray:
        """D L over the n live features, (n, n)."""
        L = self.L if self.live.all() else self.L[np.ix_(self.live, self.live)]
        return self.pivots[self.live, None] * L

    @cached_property
    def M(self) -> np.ndarray:
        """The inverse of L, (N, N) unit lower triangular: w - q = M e."""
        return inverse_lower(self.L, unit_diagonal=True)

    @cached_property
    def sample_rows_of_V(self) -> np.ndarray:
        """The first m rows of V, (m, N): the part of each feature that no later one explains."""
        return solve_triangular(self.L, self.X[:, self.order].T, lower=True, trans=1, unit_diagonal=True).T

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
        found = condition_number(self.pivots, self.L, self.live)
        if found is not None:
            return found
        values = self.singular_values[: int(self.live.sum())]
        if not values.size:
            return 1.0
        return float(values[0] / values[-1]) if values[-1] > 0 else np.inf

    @property
    def magnification(self) -> float:
        """How many times rounding errors grow in L and the pivots: cond, and its square where they come from a Gram matrix."""
        return self.condition**self.source.reach

    def with_damping(self, damping: float | str, ordering: str | np.ndarray | None = None) -> Factorization:
        """The same matrix with another damping (and ordering): re-triangularizes N x N, never touches X again."""
        return factored(self.source, damping, self.ordering if ordering is None else ordering)

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
        natural = np.array_equal(self.order, np.arange(self.features))
        return factored(self.source, self.damping_rule, ordering, natural=(lambda: self.triangle) if natural else None)

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
        source = GramSource.of(gram, as_count("samples", samples, optional=True))
        return factored(source, damping, ordering)

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
        return factored(folding.source(), damping, ordering)


def factorize(X: np.ndarray, damping: float | str = 0.0, ordering: str | np.ndarray = "natural",
              dtype: str = "float64") -> Factorization:
    r"""Factor the calibration matrix: :math:`\hat X = V L`, pivots :math:`d_j = \|v_j\|_2`.

    Arguments:
        X: calibration matrix (m, N), one row per sample, one column per feature. A copy is kept, since V reads it later, unless
            X is read-only or of another precision.
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
    return factored(_rows_of("X", X, dtype, lent=False), damping, ordering)


def factorization_of(X: np.ndarray | Factorization, damping: float | str, ordering: str | np.ndarray, dtype: str,
                     name: str = "X") -> Factorization:
    """`X` factored, or `X` itself where it is a Factorization already (which then brings damping and ordering).

    The rows are only lent: an algorithm has read what it needs of them, and who wants V later must not have written to them.
    """
    if not isinstance(X, Factorization):
        return factored(_rows_of(name, X, dtype, lent=True), damping, ordering)
    refuse_beside(name, damping=(damping, 0.0), ordering=(ordering, "natural"), dtype=(dtype, "float64"))
    return X


def _rows_of(name: str, X: np.ndarray, dtype: str, lent: bool) -> RowSource:
    array = as_matrix(name, X, choose("dtype", dtype, PRECISIONS))
    if isinstance(X, np.ndarray) and not np.may_share_memory(X, array):
        array.flags.writeable = False  # converted from X: nobody else's memory, so it need not be copied
    return RowSource.of(array, name, lent)


def refuse_beside(name: str, **arguments: tuple[object, object]) -> None:
    """Refuse arguments, given as (value, default), that a Factorization passed as `name` brings itself."""
    for argument, (value, default) in arguments.items():
        if not (isinstance(value, type(default)) and value == default):
            raise reject(argument, value, f"nothing beside a Factorization as {name}, which brings its own {argument}")


def factored(source: Source, damping: float | str, ordering: str | np.ndarray,
             natural: Callable[[], np.ndarray] | None = None) -> Factorization:
    """The factorization of a source at one damping and ordering; `natural` gives D L of that in natural order, where it is known."""
    value = resolve_damping(damping, source)
    order = resolve_ordering(ordering, source, value)
    live = source.live[order]
    T = source.lower_factor(order[live], value, natural)
    live_pivots = np.abs(np.diag(T))
    refuse_dependent(source, T, live_pivots, value)
    if live.all():
        return Factorization(source, value, damping, order, ordering, live_pivots, unit_lower(T), live)
    pivots = np.full(len(order), np.sqrt(value), dtype=T.dtype)
    pivots[live] = live_pivots
    L = np.eye(len(order), dtype=T.dtype)
    L[np.ix_(live, live)] = unit_lower(T)
    return Factorization(source, value, damping, order, ordering, pivots, L, live)
