"""The grid that weights are rounded to: steps, integer codes, and whether the alphabet ends (bounds/THEORY.md#rounding)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .arguments import LARGEST_CODE, as_array, as_count, as_matrix, reject


class Alphabet(NamedTuple):
    """A grid laid out for N features and K neurons: three (N, K) arrays, ends infinite where the alphabet is."""

    step: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @property
    def finite(self) -> bool:
        """Whether it has ends: both, everywhere, or none."""
        return bool(np.isfinite(self.low[:1, :1]).all())

    @property
    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        """Both ends, (N, K) or the one row (1, K) that all rows are."""
        low, high = (rows[:1] if rows.strides[0] == 0 else rows for rows in (self.low, self.high))
        return low, high

    def reordered(self, features: np.ndarray | slice) -> Alphabet:
        """The alphabet of these features, in this order; where all features have the same, it stays a view of one row."""
        return Alphabet(*(rows[: len(features)] if isinstance(features, np.ndarray) and rows.strides[0] == 0 else rows[features]
                          for rows in self))


@dataclass(frozen=True, eq=False)
class Grid:
    r"""The alphabet :math:`\{\delta k : k_{\min} \le k \le k_{\max}\}`; infinite when no ends are given.

    Arguments:
        step: the step :math:`\delta > 0` in units of the weights; anything that broadcasts to (N, K), so one
            step per neuron has shape (K,), one per feature (N, 1), group-wise scales (N, K).
        low, high: smallest and largest integer code; both or neither; they broadcast like `step`.

    Raises:
        InvalidArgumentError: a step that is not positive and finite, a code that is no integer, low > high, one end only.

    Source: the setting of arXiv 2508.04853; bounds/THEORY.md#rounding.

    >>> Grid(step=0.5, low=-2, high=1).nearest([[0.8], [-9.0]])
    array([[ 0.5],
           [-1. ]])
    """

    step: np.ndarray
    low: np.ndarray | None = None
    high: np.ndarray | None = None

    if TYPE_CHECKING:  # given may be numbers; kept are arrays

        def __init__(self, step: float | np.ndarray, low: int | np.ndarray | None = None, high: int | np.ndarray | None = None): ...

    def __post_init__(self):
        object.__setattr__(self, "step", _steps(self.step))
        if (self.low is None) != (self.high is None):
            missing = "low" if self.low is None else "high"
            raise reject(missing, None, "an integer code, since the other end is given (or give neither)")
        if self.low is None or self.high is None:
            return
        for name in ("low", "high"):
            object.__setattr__(self, name, _codes(name, getattr(self, name)))
        try:
            ordered = np.all(self.low <= self.high)
            np.broadcast_shapes(self.step.shape, self.low.shape, self.high.shape)
        except ValueError:
            shapes = (self.step.shape, self.low.shape, self.high.shape)
            raise reject("(step, low, high) shapes", shapes, "shapes that broadcast together") from None
        if not ordered:
            raise reject("low", self.low.tolist(), f"codes not above high = {self.high.tolist()}")

    @property
    def finite(self) -> bool:
        """Whether the alphabet has ends (and so can saturate)."""
        return self.low is not None

    def alphabet(self, features: int, neurons: int) -> Alphabet:
        """The grid laid out as (N, K) arrays; an error if it does not broadcast to that shape."""
        shape = (features, neurons)
        low = -np.inf if self.low is None else self.low
        high = np.inf if self.high is None else self.high
        laid = []
        for name, value in (("step", self.step), ("low", low), ("high", high)):
            try:
                laid.append(np.broadcast_to(np.asarray(value, dtype=np.float64), shape))
            except ValueError:
                raise reject(f"grid.{name}.shape", np.shape(value), f"a shape that broadcasts to (N, K) = {shape}") from None
        return Alphabet(*laid)

    def nearest(self, weights: np.ndarray) -> np.ndarray:
        """The closest grid point to each entry of `weights` (N, K), ties to the even code."""
        weights = as_matrix("weights", weights, empty_columns=True)
        step, low, high = self.alphabet(*weights.shape)
        return step * np.clip(np.rint(weights / step), low, high)

    @classmethod
    def for_weights(cls, W: np.ndarray, bits: int = 4, symmetric: bool = True, group_size: int | None = None) -> Grid:
        r"""The absmax (symmetric) or minmax (asymmetric) grid of a weight matrix.

        Symmetric: :math:`\delta = \max|w| / (2^{b-1}-1)`, codes :math:`-2^{b-1} \dots 2^{b-1}-1`. Asymmetric: the
        range includes 0, :math:`\delta = (\max-\min)/(2^b-1)`, `low = rint(min / step)`, `high = low + 2^b - 1`.

        Arguments:
            W: weights (N, K), one column per neuron; every neuron gets its own step.
            bits: width b of a code, 2 to 32.
            group_size: how many consecutive features share a step (the last group may be short); None: all of them.

        Raises:
            InvalidArgumentError: W not a finite (N, K) array, bits or group_size out of range.

        >>> grid = Grid.for_weights(np.array([[0.7], [-0.35]]), bits=4)
        >>> print(grid.step.round(12), grid.low, grid.high)
        [[0.1]] -8 7
        """
        W = as_matrix("W", W, empty_columns=True)
        features = W.shape[0]
        bits = as_count("bits", bits, 2, 32)
        group_size = min(as_count("group_size", group_size, optional=True) or features, features)
        if not isinstance(symmetric, (bool, np.bool_)):
            raise reject("symmetric", symmetric, "True or False")
        starts = np.arange(0, features, group_size)
        least, greatest = np.minimum.reduceat(W, starts, axis=0), np.maximum.reduceat(W, starts, axis=0)
        if symmetric:
            span, levels = np.maximum(-least, greatest), 2 ** (bits - 1) - 1
        else:
            least = np.minimum(least, 0)
            with np.errstate(over="ignore"):
                span, levels = np.maximum(greatest, 0) - least, 2**bits - 1
        step = np.where(span > 0, span / levels, 1.0)
        unfit = (step == 0) | np.isinf(step)
        if unfit.any():
            raise reject("range of W", float(span[unfit][0]), "a range that is zero or can be divided into steps (rescale the weights)")
        if symmetric:
            low, high = np.array(-(2 ** (bits - 1))), np.array(2 ** (bits - 1) - 1)
        else:
            low = np.rint(least / step).astype(np.int64)
            high = low + 2**bits - 1
        if len(starts) > 1:
            lengths = np.diff(starts, append=features)
            step = np.repeat(step, lengths, axis=0)
            if not symmetric:
                low, high = np.repeat(low, lengths, axis=0), np.repeat(high, lengths, axis=0)
        return cls(step, low, high)


def alphabet_of(grid: object, shape: tuple[int, int]) -> Alphabet:
    """`grid` laid out for weights of this shape (N, K); an error where it is no Grid."""
    if not isinstance(grid, Grid):
        raise reject("grid", grid, "a Grid, such as Grid(step=0.1)")
    return grid.alphabet(*shape)


def _steps(value: object) -> np.ndarray:
    try:
        given = as_array(value)
        if given.dtype.kind not in "fiu":
            raise TypeError
        step = given.astype(np.float64)
    except (TypeError, ValueError, MemoryError):
        raise reject("step", value, "positive finite numbers") from None
    if step.ndim > 2 or (step.size == 0 and step.ndim < 2):
        raise reject("step.shape", step.shape, "a shape that broadcasts to (N, K)")
    if not (np.isfinite(step) & (step > 0)).all():
        raise reject("step", float(step[~(np.isfinite(step) & (step > 0))].flat[0]), "positive finite numbers")
    step.setflags(write=False)
    return step


def _codes(name: str, value: object) -> np.ndarray:
    try:
        given = as_array(value)
        if given.dtype.kind not in "iuf" or not np.array_equal(np.rint(given), given):
            raise TypeError
    except (TypeError, ValueError, MemoryError):
        raise reject(name, value, "integer codes") from None
    if given.ndim > 2:
        raise reject(f"{name}.shape", given.shape, "a shape that broadcasts to (N, K)")
    if ((given < -LARGEST_CODE) | (given > LARGEST_CODE)).any():
        raise reject(name, value, "codes of at most 2**53 in size")
    codes = given.astype(np.int64)
    codes.setflags(write=False)
    return codes
