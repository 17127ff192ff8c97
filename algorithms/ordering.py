"""Feature orderings: `order[t]` is the original index of the feature that step t processes (claim `order-floor`)."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from .arguments import as_array, reject

ORDERINGS = ("natural", "decreasing-norm", "increasing-norm", "min-pivot", "random:SEED")
TIE = 1e-12  # squared residual norms this close (relative) differ by rounding only: they count as equal
PANEL = 64  # eliminations between two updates of all residuals
DOUBT = 2.0**16  # eps, what a panel of downdates may lose of a squared norm: 2 N sqrt(PANEL) eps at N = 4096
LONGEST_SEED = 1000  # digits
AFFORDABLE = 8  # candidates times directions, per residual, that cost about as much as one product with all residuals


class Columns(Protocol):
    """What an ordering reads of a calibration matrix."""

    column_norms_squared: np.ndarray

    def root(self, damping: float) -> np.ndarray:
        """S (k, N) with S^T S = X^T X + damping I."""
        ...


def resolve_ordering(ordering: str | np.ndarray, source: Columns, damping: float) -> np.ndarray:
    """The permutation (N,) of a named ordering, or the given permutation once it is seen to be one.

    Of two equal norms the lower index is processed first; in `min-pivot` the higher index is eliminated first.
    `decreasing-norm` is what GPTQ implementations call act-order.
    """
    norms = source.column_norms_squared
    N = len(norms)
    if not isinstance(ordering, str):
        return as_permutation(ordering, N)
    if ordering == "natural":
        return np.arange(N)
    if ordering == "decreasing-norm":
        return np.argsort(-norms, kind="stable")
    if ordering == "increasing-norm":
        return np.argsort(norms, kind="stable")
    if ordering == "min-pivot":
        return min_pivot_order(source.root(damping))
    name, _, seed = ordering.partition(":")
    if name == "random" and seed.isdecimal() and len(seed) <= LONGEST_SEED:
        return np.random.default_rng(int(seed)).permutation(N)
    raise reject("ordering", ordering, "a permutation or one of " + ", ".join(ORDERINGS))


def min_pivot_order(root: np.ndarray) -> np.ndarray:
    """Going backwards, always eliminate the feature whose residual is smallest (arXiv 2507.18553); O(N^3).

    Arguments:
        root: a matrix (n, N) with root^T root = H, the damped Gram matrix.

    Residuals are kept as vectors (modified Gram-Schmidt), so small ones stay accurate to cond(X), not its square. They are
    brought up to date once per panel of eliminations; between, only those that may be the smallest are. Residuals below
    N eps times the largest feature are zero as far as can be told: they count as equal, and nothing is projected off them.

    >>> min_pivot_order(np.diag([1.0, 3.0, 2.0]))
    array([1, 2, 0])
    """
    residuals, features = np.array(root.T, order="C"), np.arange(root.shape[1])
    negligible = (len(features) * np.finfo(residuals.dtype).eps) ** 2 * _row_squares(residuals).max(initial=0.0)
    backwards = []
    while len(features):
        chosen, directions, parts = _eliminate_panel(residuals, negligible)
        backwards.extend(features[chosen])
        features = np.delete(features, chosen)
        residuals = np.delete(residuals, chosen, axis=0)
        residuals -= np.delete(parts, chosen, axis=0) @ directions
    return np.array(backwards[::-1], dtype=np.intp)


def _eliminate_panel(residuals: np.ndarray, negligible: float) -> tuple[list[int], np.ndarray, np.ndarray]:
    """Up to PANEL eliminations with the residuals (k, n) left as they are.

    Returns the rows that were eliminated, in turn, the unit vectors (s, n) to project off, and every row's parts (k, s) along them.
    Squared norms are downdated, which leaves each in doubt by a few eps of what it was; whatever that leaves open is settled on
    up-to-date residuals, and where those are too many the panel ends.
    """
    norms = _row_squares(residuals)
    doubt = DOUBT * np.finfo(norms.dtype).eps * norms
    directions, parts = np.empty((PANEL, residuals.shape[1]), norms.dtype), np.empty((len(norms), PANEL), norms.dtype)
    chosen, s = [], 0
    while s < PANEL and len(chosen) < len(norms):
        candidates = np.flatnonzero(norms - doubt <= max((norms + doubt).min() * (1 + TIE), negligible))
        if s * len(candidates) > AFFORDABLE * len(norms):
            break
        current = residuals[candidates] - parts[candidates, :s] @ directions[:s]
        sizes = _row_squares(current)
        if sizes.min() <= negligible:
            gone = candidates[sizes <= negligible][::-1]
        else:
            last = np.flatnonzero(sizes <= sizes.min() * (1 + TIE))[-1]
            gone = candidates[[last]]
            directions[s] = current[last] / np.sqrt(sizes[last])
            parts[:, s] = residuals @ directions[s] - parts[:, :s] @ (directions[:s] @ directions[s])
            norms -= parts[:, s] ** 2
            s += 1
        chosen.extend(gone)
        norms[gone] = np.inf
    return chosen, directions[:s], parts[:, :s]


def _row_squares(rows: np.ndarray) -> np.ndarray:
    return np.einsum("ij,ij->i", rows, rows)


def as_permutation(ordering: object, N: int) -> np.ndarray:
    """The given permutation (N,) of 0..N-1, once it is seen to be one."""
    accepted = f"a permutation of 0..{N - 1} or one of " + ", ".join(ORDERINGS)
    try:
        order = as_array(ordering)
    except TypeError:
        raise reject("ordering", ordering, accepted) from None
    if order.dtype.kind not in "iu" or order.shape != (N,) or not np.array_equal(np.sort(order), np.arange(N)):
        raise reject("ordering", ordering, accepted)
    return order.astype(np.intp)
