"""RTN: every weight to its nearest grid point, the calibration matrix unread."""

from __future__ import annotations

import numpy as np

from .arguments import as_matrix
from .feedback import round_with_feedback
from .grid import Grid, alphabet_of
from .result import Result, result_of
from .rounding import Nearest


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
    no_feedback = np.eye(len(W))
    rounded = round_with_feedback(no_feedback, W, alphabet_of(grid, W.shape), Nearest())
    return result_of("round-to-nearest", rounded, W, np.arange(len(W)), None)
