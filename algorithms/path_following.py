"""GPFQ and SPFQ: greedy path following, which steers the running output error instead of the weights."""

from __future__ import annotations

import numpy as np
from scipy.linalg import solve_triangular

from .arguments import as_matrix, reject
from .factorization import Factorization, RowSource
from .feedback import round_with_feedback
from .grid import Grid, alphabet_of
from .ordering import resolve_ordering
from .result import Result, result_of
from .rounding import RoundingRule, rounding_rule


def gpfq(X: np.ndarray | Factorization, W: np.ndarray, grid: Grid, X_quantized: np.ndarray | Factorization | None = None,
         ordering: str | np.ndarray = "natural", rounding: str | RoundingRule = "nearest", seed: int | None = None) -> Result:
    r"""Quantize by path following: :math:`z_t = \langle\tilde X_t, r_{t-1} + w_t X_t\rangle/\|\tilde X_t\|^2`, :math:`q_t = Q(z_t)`.

    The running error :math:`r_t = r_{t-1} + w_t X_t - q_t \tilde X_t` is never formed: with
    :math:`G = \tilde X^\top\tilde X`, the z follow from the feedback recursion on the lower triangle of G, each row
    divided by its diagonal entry. No damping.

    Arguments:
        X: calibration matrix (m, N), or a Factorization (its rows and ordering are used).
        X_quantized: calibration matrix that the quantized part of the network produces; None: X itself.
        W, grid, ordering, rounding, seed: as in `optq`; "stochastic" is SPFQ.

    Returns:
        Result with `factorization=None` and `damping=0.0`; a dead feature decouples, q = Q(w).

    Raises:
        InvalidArgumentError: any argument out of its range, by name; a Factorization with damping.

    Source: Lybrand & Saab 2021 (GPFQ), arXiv 2309.10975 (SPFQ); bounds/THEORY.md#algorithms.

    >>> X = np.array([[1.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
    >>> gpfq(X, np.array([[0.4], [0.4]]), Grid(step=1.0)).codes.ravel()
    array([0, 1])
    """
    X, X_quantized, order = calibration_pair(X, X_quantized, ordering)
    N = X.shape[1]
    W = as_matrix("W", W, rows=N, empty_columns=True)
    alphabet = alphabet_of(grid, W.shape)
    rule, seed = rounding_rule(rounding, seed, W.shape, order)
    deployed, original, w = X_quantized[:, order], X[:, order], W[order]
    gram, cross = np.tril(deployed.T @ deployed), np.tril(deployed.T @ original)
    dead = ~deployed.any(axis=0)
    energy = np.where(dead, 1.0, np.diag(gram))
    L = gram / energy[:, None]
    L[dead, dead] = 1.0
    cross[dead, dead] = 1.0
    target = np.empty_like(W)
    target[order] = w if deployed is original or np.array_equal(deployed, original) else solve_triangular(
        L, cross / energy[:, None] @ w, lower=True, unit_diagonal=True)
    rounded = round_with_feedback(L, target, alphabet, rule, order=order)
    return result_of("gpfq", rounded, target, order, seed)


def calibration_pair(X, X_quantized, ordering) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Both calibration matrices and the processing order, from arrays or Factorizations."""
    leading = X if X_quantized is None else X_quantized
    name = "X" if X_quantized is None else "X_quantized"
    if isinstance(leading, Factorization):
        if leading.damping:
            raise reject(f"{name}.damping", leading.damping, "0: path following has no damping")
        if not (isinstance(ordering, str) and ordering == "natural"):
            raise reject("ordering", ordering, f"nothing beside a Factorization as {name}, which brings its own ordering")
        order, leading = leading.order, leading.X
    else:
        leading = as_matrix(name, leading)
        order = resolve_ordering(ordering, RowSource.of(leading, name), 0.0)
    X = as_matrix("X", X.X if isinstance(X, Factorization) else X, rows=leading.shape[0], columns=leading.shape[1])
    return X, leading, order
