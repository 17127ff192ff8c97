"""What every algorithm returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .factorization import Factorization
from .feedback import Rounded


@dataclass(frozen=True, eq=False)
class Result:
    """A quantized weight matrix and how it came about (N features, K neurons).

    Attributes:
        algorithm: "optq", "qronos-alternating", "qronos-projected", "gpfq", "k-best", "descent" or "round-to-nearest".
        weights: (N, K) grid points, original feature order; `weights = step * codes`.
        codes: (N, K) int64, original feature order.
        rounding_errors: (N, K), z - q with z the number each step rounded, in processing order.
        saturated: (N, K) bool, whether z lay beyond the alphabet, in processing order.
        target: (N, K), the u whose error is fed back (the weights themselves for OPTQ), original feature order.
        order: (N,) original index of the feature processed at each step.
        damping: absolute damping; 0.0 where the algorithm has none.
        seed: the seed of the stochastic draws; None where nothing was drawn.
        factorization: what the algorithm read; None for round-to-nearest, GPFQ and what read X itself.
    """

    algorithm: str
    weights: np.ndarray
    codes: np.ndarray
    rounding_errors: np.ndarray
    saturated: np.ndarray
    target: np.ndarray
    order: np.ndarray
    damping: float
    seed: int | None
    factorization: Factorization | None

    def __post_init__(self):
        if callable(self.target):
            vars(self)["_compute_target"] = vars(self).pop("target")

    def __getattr__(self, name: str) -> np.ndarray:
        """`target` where it was left to be computed when it is first read."""
        if name != "target" or "_compute_target" not in vars(self):
            raise AttributeError(f"a Result has no {name}")
        return vars(self).setdefault("target", vars(self).pop("_compute_target")())


def result_of(algorithm: str, rounded: Rounded, target: Any, order: np.ndarray, seed: int | None,
              factorization: Factorization | None = None, damping: float = 0.0) -> Result:
    """What was rounded, with where it came from: `target` may be a function that computes it, `damping` is for lack of a factorization."""
    damping = damping if factorization is None else factorization.damping
    return Result(algorithm, rounded.weights, rounded.codes, rounded.errors, rounded.saturated, target, order, damping, seed, factorization)
