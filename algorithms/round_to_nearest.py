"""RTN: every weight to its nearest grid point, the calibration matrix unread."""

from __future__ import annotations

import numpy as np

from .arguments import as_matrix
from .feedback import Rounded
from .grid import Grid, alphabet_of
from .result import Result, result_of
from .rounding import Nearest, round_row


def round_to_nearest(W: np.ndarray, grid: Grid) -> Result:
    """Round every weight to its nearest grid point (RTN), ties to the even code.

    Arguments:
        W: weights (N, K), one column per neuron.
        grid: the grid to round to.

    Raises:
        InvalidArgumentError: W not a finite (N, K) array, or a grid that does not broadcast to it.

    Source: bounds/THEORY.md#algorithms.

    >>> round_to_nearest(np.array([[0.4], [0.6]]), Grid(step=1.0)).codes.ravel()
    array([0, 1])
    """
    W = as_matrix("W", W, empty_columns=True)
    alphabet = alphabet_of(grid, W.shape)
    codes, saturated = round_row(alphabet, Nearest(), slice(None), W)  # pyright: ignore[reportArgumentType]  # all steps alike
    weights = alphabet.step * codes
    return result_of("round-to-nearest", Rounded(codes.astype(np.int64), weights, W - weights, saturated), W, np.arange(len(W)), None)
