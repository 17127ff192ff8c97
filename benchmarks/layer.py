"""The layer that everything is timed on: correlated features, Gaussian weights, four bits, the usual damping."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from provable_ptq.algorithms import CrossGram, Factorization, Grid, factorize
from provable_ptq.bounds.problems import zoo_matrix
from torch import Tensor

from .published_loop import Levels

PRECISIONS = ("float64", "float32")
FRACTION = 0.01
DAMPING = f"mean-diagonal:{FRACTION}"
KIND, BITS, MISMATCH = "ar1", 4, 0.1


@dataclass(frozen=True, eq=False)
class Layer:
    """A layer of N features, K neurons and m calibration rows in one precision; both precisions hold the same numbers, rounded."""

    N: int
    K: int
    m: int
    precision: str = "float64"

    @cached_property
    def X(self) -> np.ndarray:
        """Calibration matrix (m, N)."""
        return zoo_matrix(KIND, self.m, self.N, np.random.default_rng([0, self.N])).astype(self.precision, copy=False)

    @cached_property
    def X_quantized(self) -> np.ndarray:
        """Another one (m, N), as a network whose first layers are quantized would produce it."""
        noise = np.random.default_rng([1, self.N]).standard_normal((self.m, self.N)).astype(self.precision, copy=False)
        return self.X + MISMATCH * noise

    @cached_property
    def weights(self) -> np.ndarray:
        """Weights (N, K) in float64: they fix the grid."""
        return np.random.default_rng([2, self.N]).standard_normal((self.N, self.K))

    @cached_property
    def W(self) -> np.ndarray:
        """Weights (N, K)."""
        return self.weights.astype(self.precision, copy=False)

    @cached_property
    def grid(self) -> Grid:
        """A step for each neuron."""
        return Grid.for_weights(self.weights, BITS)

    @cached_property
    def gram(self) -> np.ndarray:
        """X^T X (N, N)."""
        return self.X.T @ self.X

    @cached_property
    def gram_quantized(self) -> np.ndarray:
        """The Gram matrix (N, N) of the other calibration matrix."""
        return self.X_quantized.T @ self.X_quantized

    @cached_property
    def cross_gram(self) -> CrossGram:
        """The products of the features of both."""
        return CrossGram(self.X_quantized.T @ self.X)

    @cached_property
    def factorization(self) -> Factorization:
        """Of X."""
        return factorize(self.X, DAMPING, dtype=self.precision)

    @cached_property
    def levels(self) -> Levels:
        """The grid as the published loop reads it."""
        step = torch.tensor(self.grid.step.ravel(), dtype=self.W_rows.dtype)
        return Levels(step, int(self.grid.low), int(self.grid.high))

    @cached_property
    def W_rows(self) -> Tensor:
        """Weights (K, N), one row per neuron, as PyTorch keeps them."""
        return torch.from_numpy(np.ascontiguousarray(self.W.T))
