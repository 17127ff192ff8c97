r"""The damped error as a norm of what the weights lost, :math:`\|\hat X(w-q)\|`, and when one is lower than another beyond doubt.

What improves a result must never make it worse, not by a rounding either: whoever compares reads here how far float64 may be off.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .arguments import as_matrix
from .damping import resolve_damping
from .factorization import Factorization, refuse_beside
from .sources import RowSource

ALLOWANCE = 8  # eps (m + N), what a triangle, a product with it and a difference lose together, as a share of norms times sizes
EXTREME = 200  # binary digits: a matrix larger or smaller than that changes its unit
LEAST_NORM = 2.0**-500  # products with a smaller column are lost to underflow


@dataclass(frozen=True, eq=False)
class Seminorm:
    r"""S (k, N) and a ridge with :math:`S^\top S + \text{ridge}\,I = H`, features in processing order; H may be singular.

    Both in units that float64 can square. `factorization` is what they were made from, None where that was X itself.
    """

    root: np.ndarray
    ridge: float
    order: np.ndarray
    damping: float
    factorization: Factorization | None
    slack: float
    squares_only: bool

    @classmethod
    def of(cls, X: np.ndarray | Factorization, damping: float | str) -> Seminorm:
        """Of a calibration matrix, dependent columns and all, in natural order; or of a Factorization, in its order."""
        if isinstance(X, Factorization):
            refuse_beside("X", damping=(damping, 0.0))
            return cls.factored(X)
        X = as_matrix("X", X)
        source = RowSource.of(X)
        value = resolve_damping(damping, source)
        return cls._scaled(X, value, np.arange(X.shape[1]), value, None, len(X))

    @classmethod
    def factored(cls, f: Factorization) -> Seminorm:
        """Of a Factorization."""
        return cls._scaled(f.pivots[:, None].astype(np.float64) * f.L, 0.0, f.order, f.damping, f, f.samples or 0)

    @classmethod
    def _scaled(cls, root: np.ndarray, ridge: float, order: np.ndarray, damping: float, f: Factorization | None, samples: int) -> Seminorm:
        precision = np.finfo(np.float64 if f is None else f.L.dtype).eps
        slack = ALLOWANCE * (samples + root.shape[1]) * float(precision)
        exponent = int(np.frexp(max(root.max(), -root.min(), np.sqrt(ridge)))[1])
        if abs(exponent) > EXTREME:
            root, ridge = np.ldexp(root, -exponent), float(np.ldexp(ridge, -2 * exponent))
        squares_only = f is not None and f.source.reach > 1  # from a Gram matrix, whose own rounding is as large in every direction
        return cls(root, ridge, order, damping, f, slack, squares_only)

    @cached_property
    def gram(self) -> np.ndarray:
        """H (N, N); a feature that it does not see decouples: it gets a diagonal entry of its own, which changes no error."""
        H = self.root.T @ self.root
        H[np.diag_indices_from(H)] += self.ridge
        squares = np.diag(H)
        unseen = squares == 0
        H[unseen, unseen] = squares[~unseen].min(initial=1.0)
        return H

    @cached_property
    def column_norms(self) -> np.ndarray:
        """(N,), none of them zero."""
        return np.maximum(np.sqrt(np.square(self.root).sum(axis=0) + self.ridge), LEAST_NORM)

    def surely_lower(self, w: np.ndarray, q: np.ndarray, other: np.ndarray,
                     left: tuple[np.ndarray, np.ndarray] | None = None) -> np.ndarray:
        """For which neurons (K,) the damped error of `q` is below that of `other`, all (N, K) in processing order.

        `left` has what both leave, L(w - q), where that is at hand and this was made from a Factorization.
        """
        outputs = [self.pivots * e for e in left] if left else [self.root @ (w - p) for p in (q, other)]
        sizes = [self.column_norms @ (np.abs(w) + np.abs(p)) for p in (q, other)]
        unit = np.maximum(np.maximum(*sizes), np.finfo(np.float64).tiny)
        (lower, doubt), (higher, other_doubt) = (self._squared(output / unit, (w - p) / unit, size / unit)
                                                 for output, p, size in zip(outputs, (q, other), sizes, strict=True))
        return lower + doubt < higher - other_doubt

    @property
    def pivots(self) -> np.ndarray:
        """(N, 1), of a Factorization: the diagonal of its triangle."""
        return np.diag(self.root)[:, None]

    def _squared(self, outputs: np.ndarray, left: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The squared norm of every column (K,) of `left`, from the `outputs` of the root, and what rounding may have done to it."""
        squared = np.square(outputs).sum(axis=0)
        if self.ridge:
            squared += self.ridge * np.square(left).sum(axis=0)
        lost = self.slack * size
        doubt = self.slack * size**2 if self.squares_only else lost * (2 * np.sqrt(squared) + lost)
        return squared, doubt + np.finfo(np.float64).tiny
