r"""The recursion behind every algorithm: a triangular solve with rounding (claim `feedback-form`).

:math:`z_j = u_j + \sum_{i<j} L_{ji}(u_i - q_i)`, :math:`q_j = Q(z_j)`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .grid import Alphabet
from .rounding import RoundingRule, round_row


class Rounded(NamedTuple):
    """What the recursion leaves, in processing order: codes, weights, errors z - q, saturated steps; all (N, K)."""

    codes: np.ndarray
    weights: np.ndarray
    errors: np.ndarray
    saturated: np.ndarray


def round_with_feedback(L: np.ndarray, target: np.ndarray, alphabet: Alphabet, rule: RoundingRule,
                        first: np.ndarray | None = None) -> Rounded:
    """Round `target` (N, K) with the error feedback of the unit lower triangular `L` (N, N), all neurons at once.

    The index range is split in two: the first half is finished, its error is pushed into the second half with one
    matrix product, and each half does the same within itself. `first` (K,) replaces the number rounded at step one
    (Qronos); everything is in processing order.
    """
    z = target.copy()
    if first is not None:
        z[0] = first
    codes = np.empty(z.shape)  # float64 holds every code that is let through, float32 does not
    weights = np.empty_like(z)
    saturated = np.empty(z.shape, dtype=bool)

    def finish(start: int, stop: int) -> None:
        if stop - start == 1:
            codes[start], saturated[start] = round_row(alphabet, rule, start, z[start])
            weights[start] = alphabet.step[start] * codes[start]
            return
        middle = (start + stop) // 2
        finish(start, middle)
        z[middle:stop] += L[middle:stop, start:middle] @ (target[start:middle] - weights[start:middle])
        finish(middle, stop)

    finish(0, len(z))
    return Rounded(codes.astype(np.int64), weights, z - weights, saturated)
