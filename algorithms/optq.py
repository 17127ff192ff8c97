"""OPTQ (= GPTQ) and stochastic OPTQ in feedback form; the literal definition is `definitions.optq`."""

from __future__ import annotations

import numpy as np

from .arguments import as_matrix
from .factorization import Factorization, factorization_of
from .feedback import round_with_feedback
from .grid import Grid, alphabet_of
from .result import Result, result_of
from .rounding import RoundingRule, rounding_rule


def optq(X: np.ndarray | Factorization, W: np.ndarray, grid: Grid, damping: float | str = 0.0,
         ordering: str | np.ndarray = "natural", rounding: str | RoundingRule = "nearest", seed: int | None = None,
         dtype: str = "float64") -> Result:
    r"""Quantize weights one feature at a time, each rounding error absorbed by the features that follow.

    :math:`z_j = w_j + \sum_{i<j} L_{ji}(w_i - q_i)`, :math:`q_j = Q(z_j)` with L from the factorization of X: the same
    codes as OPTQ's least-squares definition, without an inverse Hessian.

    Arguments:
        X: calibration matrix (m, N), or a Factorization (which then brings damping and ordering).
        W: weights (N, K), one column per neuron.
        grid: the grid to round to.
        damping: absolute damping >= 0 or a rule by name, see `factorize`.
        ordering: feature ordering by name or as a permutation, see `factorize`.
        rounding: "nearest", "stochastic" for stochastic OPTQ, or a RoundingRule of your own (in processing order).
        seed: seed of the stochastic draws; None draws fresh entropy, kept in the result.
        dtype: precision of the computation.

    Returns:
        Result; its `rounding_errors` e satisfy L(w - q) = e (claim `optq-identity`).

    Raises:
        InvalidArgumentError: any argument out of its range, by name. RankDeficientError: see `factorize`.

    Source: arXiv 2508.04853; claims `optq-update`, `feedback-form`.

    >>> X = np.array([[1.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
    >>> optq(X, np.array([[0.4], [0.4]]), Grid(step=1.0)).codes.ravel()
    array([0, 1])
    """
    f = factorization_of(X, damping, ordering, dtype)
    W = as_matrix("W", W, f.L.dtype, rows=f.features, empty_columns=True)
    alphabet = alphabet_of(grid, W.shape)
    rule, seed = rounding_rule(rounding, seed, W.shape, f.order)
    rounded = round_with_feedback(f.L, W, alphabet, rule, order=f.order)
    return result_of("optq", rounded, W, f.order, seed, f)
