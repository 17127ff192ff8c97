"""The `Choices` that builders ask for, made by Hypothesis: what fails shrinks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from hypothesis import strategies as st

from .built import Option


class FromHypothesis:
    """The `Choices` of a builder, made by Hypothesis."""

    def __init__(self, draw):
        self.draw = draw

    def integer(self, low: int, high: int) -> int:
        return self.draw(st.integers(low, high))

    def integers(self, shape: tuple[int, ...], low: int, high: int, most: tuple[int, ...]) -> np.ndarray:
        return self.draw(_integers(shape, low, high, most))

    def pick(self, options: Sequence[Option]) -> Option:
        return self.draw(st.sampled_from(options))

    def permutation(self, size: int) -> np.ndarray:
        return np.array(self.draw(st.permutations(range(size))))

    def given(self, **arguments: object) -> dict[str, Any]:
        """Arguments, each itself or drawn from the strategy it is."""
        return {name: self.draw(value) if isinstance(value, st.SearchStrategy) else value for name, value in arguments.items()}


@cache
def _integers(shape: tuple[int, ...], low: int, high: int, most: tuple[int, ...]) -> st.SearchStrategy[np.ndarray]:
    """Integer arrays with entries in [low, high], which includes 0; one draw of two bytes per entry, so large arrays are quick.

    `most` is the largest shape there can be: that much is drawn and folded to `shape`, so that smaller sizes keep the numbers.
    """
    size, span = 2 * math.prod(most), high - low + 1
    folded = np.ix_(*(np.arange(longest) % length for longest, length in zip(most, shape, strict=True)))

    def decode(drawn: bytes) -> np.ndarray:
        values = np.zeros(shape, dtype=np.int64)
        np.add.at(values, folded, np.frombuffer(drawn, dtype=">u2").reshape(most))
        values %= span
        return np.where(values > high, values - span, values)

    return st.binary(min_size=size, max_size=size).map(decode)
