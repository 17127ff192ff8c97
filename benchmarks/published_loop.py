"""The published GPTQ loop in PyTorch, written from its description: arXiv 2210.17323, algorithm 1 (lazy batches, Cholesky reformulation).

It is what others run, so it is what this toolkit is timed against, and its integers are compared with the toolkit's in the same
run. Its conventions: weights (K, N), one row per neuron; the damping is a share of the mean diagonal of the Gram matrix, a feature
without energy counts as one of energy 1 (`mean-diagonal-all` here); the factor of the inverse is the upper Cholesky factor.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

BLOCK = 128  # columns between two updates of all weights


class Levels(NamedTuple):
    """A grid in the loop's layout: the step of each neuron (K,), the smallest and the largest code."""

    step: Tensor
    low: int
    high: int

    def codes(self, w: Tensor) -> Tensor:
        """The nearest codes of one feature's weights (K,)."""
        return torch.clamp(torch.round(w / self.step), self.low, self.high)


def gram_matrix(X: Tensor) -> Tensor:
    """X^T X (N, N) of the calibration matrix (m, N)."""
    return X.T @ X


def inverse_factor(H: Tensor, damping: float) -> Tensor:
    """The upper triangular U (N, N) with U^T U the inverse of the damped Gram matrix."""
    H = H.clone()
    diagonal = H.diagonal()
    diagonal[diagonal == 0] = 1
    diagonal += damping * diagonal.mean()
    return torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(H)), upper=True)


def published_loop(H: Tensor, W: Tensor, levels: Levels, damping: float = 0.01, act_order: bool = False) -> Tensor:
    """Codes (K, N) of the weights W (K, N), a float tensor of integers.

    Arguments:
        H: undamped Gram matrix (N, N).
        W: weights, one row per neuron.
        levels: the grid.
        damping: share of the mean diagonal that is added to the diagonal.
        act_order: features of most energy first; of equal ones the first.
    """
    if act_order:
        order = torch.argsort(H.diagonal(), descending=True, stable=True)
        return published_loop(H[order][:, order], W[:, order], levels, damping)[:, torch.argsort(order)]
    U = inverse_factor(H, damping)
    W, codes = W.clone(), torch.empty_like(W)
    features = W.shape[1]
    for start in range(0, features, BLOCK):
        stop = min(start + BLOCK, features)
        block, factor = W[:, start:stop].clone(), U[start:stop, start:stop]
        errors = torch.empty_like(block)
        for j in range(stop - start):
            codes[:, start + j] = levels.codes(block[:, j])
            errors[:, j] = (block[:, j] - levels.step * codes[:, start + j]) / factor[j, j]
            block[:, j:] -= errors[:, j, None] @ factor[None, j, j:]
        W[:, stop:] -= errors @ U[start:stop, stop:]
    return codes


def features_first(H: Tensor, W: Tensor, levels: Levels, damping: float = 0.01) -> Tensor:
    """The same loop where each feature's weights lie side by side in memory, W (N, K): the layout that suits it. Codes (N, K)."""
    U = inverse_factor(H, damping)
    W, codes = W.clone(), torch.empty_like(W)
    features = len(W)
    for start in range(0, features, BLOCK):
        stop = min(start + BLOCK, features)
        errors = torch.empty_like(W[start:stop])
        for j in range(start, stop):
            codes[j] = levels.codes(W[j])
            errors[j - start] = (W[j] - levels.step * codes[j]) / U[j, j]
            W[j:stop].addr_(U[j, j:stop], errors[j - start], alpha=-1)
        W[stop:].addmm_(U[start:stop, stop:].T, errors, alpha=-1)
    return codes
