r"""The recursion behind every algorithm: a triangular solve with rounding (claim `feedback-form`).

:math:`z_j = u_j + \sum_{i<j} L_{ji}(u_i - q_i)`, :math:`q_j = Q(z_j)`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import get_blas_funcs

from .grid import Alphabet
from .rounding import RoundingRule, refuse_large, saturates

BLOCK = 32  # rows that are rounded one by one; what they miss goes into later rows by matrix products


class Rounded(NamedTuple):
    """What a run leaves, each (N, K): codes and weights by feature, errors z - q and saturated steps in processing order."""

    codes: np.ndarray
    weights: np.ndarray
    errors: np.ndarray
    saturated: np.ndarray

    @classmethod
    def of_steps(cls, order: np.ndarray, codes: np.ndarray, weights: np.ndarray, errors: np.ndarray, saturated: np.ndarray) -> Rounded:
        """The same where codes and weights are in processing order too."""
        features = np.argsort(order)
        return cls(codes[features], weights[features], errors, saturated)


def round_with_feedback(L: np.ndarray, target: np.ndarray, alphabet: Alphabet, rule: RoundingRule,
                        order: np.ndarray | None = None, start: np.ndarray | None = None) -> Rounded:
    r"""Round with the error feedback of the unit lower triangular `L` (N, N), all neurons at once.

    :math:`z_j = s_j + \sum_{i<j} L_{ji}(u_i - q_i)` with u the `target` (N, K) and s the `start`, which is u unless it is given.
    Rows are finished in blocks. After block number t, from one, what the last :math:`2^k` blocks missed goes into the next
    :math:`2^k`, the largest power of two that divides t: so it reaches every later row once, half of it in the largest product.

    Arguments:
        L, rule: in processing order.
        target, alphabet: by feature.
        order: (N,) the feature of each step; None: the natural order.
        start: (N, K), in processing order; its memory is used for the errors.
    """
    N, K = target.shape
    if order is not None and np.array_equal(order, np.arange(N)):
        order = None
    z = np.ascontiguousarray(start) if start is not None else target.copy() if order is None else np.take(target, order, axis=0)
    rounded = Rounded(np.empty((N, K), dtype=np.int64), np.empty_like(z), z, np.zeros((N, K), dtype=bool))
    blocks = -(-N // BLOCK)
    missed = np.empty((BLOCK << max((blocks - 1).bit_length() - 1, 0), K), dtype=z.dtype)  # a ring: older rows are through
    for t in range(1, blocks + 1):
        begin, end = BLOCK * (t - 1), min(BLOCK * t, N)
        features = slice(begin, end) if order is None else order[begin:end]
        place = begin % len(missed)
        codes, weights, rounded.saturated[begin:end] = _round_block(
            L[begin:end, begin:end], target[features], alphabet.reordered(features), rule, begin, z[begin:end],
            missed[place : place + end - begin])
        rounded.codes[features], rounded.weights[features] = codes, weights
        span = BLOCK * (t & -t)
        place = (end - span) % len(missed)
        _push(L[end : end + span, end - span : end], missed[place : place + span], z[end : end + span])
    return rounded


def _round_block(L: np.ndarray, target: np.ndarray, alphabet: Alphabet, rule: RoundingRule, begin: int, z: np.ndarray,
                 missed: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray | bool]:
    """Round the rows `z` (n, K) of the steps from `begin` on, which still lack what they feed into each other.

    Leaves the errors z - q in `z` and u - q in `missed`; returns codes, weights and which steps saturated.
    """
    ratio, codes, weights = np.empty(z.shape), np.empty(z.shape), np.empty_like(z)  # float64 holds every code let through, float32 not
    ends, done = alphabet.finite, 0
    with np.errstate(over="ignore", invalid="ignore"):  # a ratio beyond every number is saturated, or refused
        try:
            for i, (row, step) in enumerate(zip(z, alphabet.step, strict=True)):
                if i:
                    row += L[i, :i] @ missed[:i]
                np.divide(row, step, out=ratio[i])
                code = rule.codes(begin + i, ratio[i])
                codes[i] = np.minimum(np.maximum(code, alphabet.low[i]), alphabet.high[i]) if ends else code
                np.multiply(step, codes[i], out=weights[i], casting="same_kind")
                np.subtract(target[i], weights[i], out=missed[i])
                done = i + 1
        finally:  # also where a rule stumbles over what has become of a number that is refused
            refuse_large(codes[:done], ratio[:done])
    z -= weights
    return codes, weights, ends and saturates(ratio, *alphabet.ends, rule.slack)


def _push(L: np.ndarray, missed: np.ndarray, z: np.ndarray) -> None:
    """z += L @ missed, z with its rows one after the other: one BLAS product in place, transposed since that reads by columns."""
    if z.size:
        (gemm,) = get_blas_funcs(("gemm",), (L, z))
        gemm(1.0, missed.T, L.T, 1.0, z.T, overwrite_c=True)
