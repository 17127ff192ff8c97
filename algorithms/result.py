"""What every algorithm returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .factorization import Factorization
from .feedback import Rounded


class OnDemand:
    """A field of a dataclass that may be given as a function: it is called when the field is first read, and not again."""

    def __set_name__(self, owner: type, name: str):
        self.name = name

    def __get__(self, instance: object, owner: type | None = None):
        if instance is None:
            raise AttributeError(self.name)  # dataclasses take it to have no default
        value = instance.__dict__[self.name]
        if callable(value):
            value = instance.__dict__[self.name] = value()
        return value

    def __set__(self, instance: object, value: object):
        instance.__dict__[self.name] = value


@dataclass(frozen=True, eq=False)
class Result:
    """A quantized weight matrix and how it came about (N features, K neurons).

    Attributes:
        algorithm: "optq", "qronos-alternating", "qronos-projected", "gpfq" or "round-to-nearest".
        weights: (N, K) grid points, original feature order; `weights = step * codes`.
        codes: (N, K) int64, original feature order.
        rounding_errors: (N, K), z - q with z the number each step rounded, in processing order.
        saturated: (N, K) bool, whether z lay beyond the alphabet, in processing order.
        target: (N, K), the u whose error is fed back (the weights themselves for OPTQ), original feature order.
        order: (N,) original index of the feature processed at each step.
        damping: absolute damping; 0.0 where the algorithm has none.
        seed: the seed of the stochastic draws; None where nothing was drawn.
        factorization: what the algorithm read; None for round-to-nearest and GPFQ.
    """

    algorithm: str
    weights: np.ndarray
    codes: np.ndarray
    rounding_errors: np.ndarray
    saturated: np.ndarray
    target: np.ndarray = OnDemand()
    order: np.ndarray
    damping: float
    seed: int | None
    factorization: Factorization | None


def result_of(algorithm: str, rounded: Rounded, target: np.ndarray | Callable[[], np.ndarray], order: np.ndarray, seed: int | None,
              factorization: Factorization | None = None, damping: float = 0.0) -> Result:
    """What was rounded, with where it came from; `damping` where no factorization brings it."""
    damping = damping if factorization is None else factorization.damping
    return Result(algorithm, rounded.weights, rounded.codes, rounded.errors, rounded.saturated, target, order, damping, seed, factorization)
