"""Feature orderings: `order[t]` is the original index of the feature that step t processes (THEORY, `order-floor`)."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from .arguments import reject

ORDERINGS = ("natural", "decreasing-norm", "increasing-norm", "min-pivot", "random:SEED")
TIE = 1e-12  # residual norms this close (relative) differ by rounding only: they count as equal


class Columns(Protocol):
    """What an ordering reads of a calibration matrix."""

    column_norms_squared: np.ndarray

    def root(self, damping: float) -> np.ndarray:
        """A square S with S^T S = X^T X + damping I."""


def resolve_ordering(ordering: str | np.ndarray, source: Columns, damping: float) -> np.ndarray:
    """The permutation (N,) of a named ordering, or the given permutation once it is seen to be one.

    Of two equal norms the lower index is processed first; in `min-pivot` the higher index is eliminated first.
    `decreasing-norm` is what GPTQ implementations call act-order.
    """
    norms = source.column_norms_squared
    N = len(norms)
    if not isinstance(ordering, str):
        return _permutation(ordering, N)
    if ordering == "natural":
        return np.arange(N)
    if ordering == "decreasing-norm":
        return np.argsort(-norms, kind="stable")
    if ordering == "increasing-norm":
        return np.argsort(norms, kind="stable")
    if ordering == "min-pivot":
        return min_pivot_order(source.root(damping))
    name, _, seed = ordering.partition(":")
    if name == "random" and seed.isdecimal():
        return np.random.default_rng(int(seed)).permutation(N)
    raise reject("ordering", ordering, "a permutation or one of " + ", ".join(ORDERINGS))


def min_pivot_order(root: np.ndarray) -> np.ndarray:
    """Going backwards, always eliminate the feature whose residual is smallest (arXiv 2507.18553); O(N^3).

    Arguments:
        root: a matrix (n, N) with root^T root = H, the damped Gram matrix.

    Residuals are kept as vectors (modified Gram-Schmidt), so small ones stay accurate to cond(X), not its square.

    >>> min_pivot_order(np.diag([1.0, 3.0, 2.0]))
    array([1, 2, 0])
    """
    residuals = np.array(root.T, order="C")
    N = len(residuals)
    features = np.arange(N)
    norms = np.einsum("ij,ij->i", residuals, residuals)
    negligible = (N * np.finfo(residuals.dtype).eps) ** 2 * norms.max(initial=0.0)
    order = np.empty(N, dtype=np.intp)
    for last in range(N - 1, -1, -1):
        smallest = norms[: last + 1].min()
        tied = np.flatnonzero(norms[: last + 1] <= smallest * (1 + TIE))
        chosen = tied[np.argmax(features[tied])]
        order[last] = features[chosen]
        eliminated = residuals[chosen].copy()
        residuals[chosen], features[chosen] = residuals[last], features[last]
        norms[chosen] = norms[last]
        if smallest > negligible:
            rest = residuals[:last]
            rest -= np.outer(rest @ (eliminated / smallest), eliminated)
            norms[:last] = np.einsum("ij,ij->i", rest, rest)
    return order


def _permutation(ordering: object, N: int) -> np.ndarray:
    try:
        order = np.asarray(ordering)
        valid = order.dtype.kind in "iu" and order.shape == (N,) and np.array_equal(np.sort(order), np.arange(N))
    except ValueError:
        valid = False
    if not valid:
        raise reject("ordering", ordering, f"a permutation of 0..{N - 1} or one of " + ", ".join(ORDERINGS))
    return order.astype(np.intp)
