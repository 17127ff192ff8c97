"""Whether live features are independent as far as the arithmetic can tell: bounds first, all singular values only in doubt."""

from __future__ import annotations

import numpy as np

from .arguments import InvalidArgumentError
from .condition import EXACT
from .sources import Source
from .triangles import inverse_lower


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


def refuse_dependent(source: Source, T: np.ndarray, pivots: np.ndarray, damping: float) -> None:
    """Raise RankDeficientError where a pivot or the smallest singular value of the damped live columns is rounding noise.

    No pivot lies below that singular value, which rounding does not lift as it can lift a pivot that vanishes.
    """
    if not len(T) or _clearly_independent(source, T, pivots, damping):
        return
    values = source.singular_values
    smallest = np.hypot(values[len(T) - 1] if len(T) <= len(values) else 0.0, np.sqrt(damping))
    if min(pivots.min(), smallest) <= source.pivot_tolerance():
        raise RankDeficientError(damping, source.numerical_rank(), len(T), source.smallest_damping())


def _clearly_independent(source: Source, T: np.ndarray, pivots: np.ndarray, damping: float) -> bool:
    """Whether bounds that are had for less than all singular values already tell the smallest one from rounding noise."""
    tolerance = 2 * source.pivot_tolerance(float(np.sqrt(source.column_norms_squared.sum())))
    if pivots.min() > tolerance and np.sqrt(damping) > tolerance:
        return True
    if len(T) <= EXACT:
        return bool(pivots.min() > tolerance and tolerance * np.linalg.norm(inverse_lower(T)) < 1)
    extremes = source.extreme_singular_values(damping, T) if pivots.min() > 0 else None
    return extremes is not None and min(pivots.min(), extremes[1]) > 2 * source.pivot_tolerance(extremes[0])
