"""Coordinate descent and the best of several prefixes by their definitions, each error computed from the matrix itself."""

from __future__ import annotations

import numpy as np

from ..arguments import as_count, as_matrix, choose
from ..descend import KEEP, codes_of
from ..factorization import Factorization
from ..feedback import Rounded
from ..grid import Alphabet, Grid, alphabet_of
from ..k_best import MOST_CANDIDATES
from ..result import Result, result_of
from ..round_to_nearest import round_to_nearest
from ..rounding import Nearest, refuse_large, saturates
from .step_by_step import closest_minimizer, stack


def descend(X: np.ndarray | Factorization, W: np.ndarray, start: Result | np.ndarray, grid: Grid, damping: float | str = 0.0,
            passes: int = 1, keep: str = "descent") -> Result:
    """Coordinate descent by its definition: round the minimizer over one weight, and move there if that lowers the error.

    Arguments and returns as in `provable_ptq.algorithms.descend`, but that errors are compared as they are computed.

    Source: QuantEase, arXiv 2309.01885.

    >>> X = np.array([[1.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
    >>> descend(X, np.array([[0.4], [0.4]]), np.zeros((2, 1)), Grid(step=1.0)).codes.ravel()
    array([1, 0])
    """
    choose("keep", keep, KEEP)
    stacked, value, order = stack(X, damping, "natural")
    W = as_matrix("W", W, rows=len(order), empty_columns=True)
    alphabet = alphabet_of(grid, W.shape)
    w, q, (step, low, high) = W[order], alphabet.step * codes_of(start, alphabet), alphabet.reordered(order)
    q, z = q[order], np.empty_like(w)

    def error(weights: np.ndarray) -> np.ndarray:
        return np.square(stacked @ (w - weights)).sum(axis=0)

    for _ in range(as_count("passes", passes)):
        before = q
        for t, column in enumerate(stacked.T):
            dead = not column.any()
            z[t] = w[t] if dead else q[t] + column @ (stacked @ (w - q)) / (column @ column)
            moved = q.copy()
            moved[t] = step[t] * np.clip(np.rint(z[t] / step[t]), low[t], high[t])
            q = np.where(dead | (error(moved) < error(q)), moved, q)
        if np.array_equal(q, before):
            break
    nearest = round_to_nearest(W, grid).weights[order]
    better = (error(nearest) < error(q)) & (keep == "better")
    q, z = np.where(better, nearest, q), np.where(better, w, z)
    rounded = Rounded.of_steps(order, np.rint(q / step).astype(np.int64), q, z - q, saturates(z / step, low, high, Nearest.slack))
    return result_of("descent", rounded, W, order, None, damping=value)


def k_best(X: np.ndarray | Factorization, W: np.ndarray, grid: Grid, candidates: int = 4, damping: float | str = 0.0,
           ordering: str | np.ndarray = "natural") -> Result:
    """The best of several prefixes by its definition: what a prefix costs is the error that is left once all later weights are refitted.

    Arguments and returns as in `provable_ptq.algorithms.k_best`, but that costs are compared as they are computed.

    Source: bounds/THEORY.md#algorithms; claim `optq-identity`.

    >>> X = np.array([[1.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
    >>> k_best(X, np.array([[0.4], [0.3]]), Grid(step=1.0), candidates=2).codes.ravel()
    array([1, 0])
    """
    candidates = as_count("candidates", candidates, 1, MOST_CANDIDATES)
    stacked, value, order = stack(X, damping, ordering)
    W = as_matrix("W", W, rows=len(order), empty_columns=True)
    alphabet = alphabet_of(grid, W.shape).reordered(order)
    best = [_best_path(stacked, w, Alphabet(*columns), candidates)
            for w, *columns in zip(W[order].T, *(rows.T for rows in alphabet), strict=True)]
    codes, z = np.moveaxis(np.array(best).reshape(W.shape[1], 2, len(W)), 0, 2)
    weights = alphabet.step * codes
    saturated = saturates(z / alphabet.step, *alphabet.ends, Nearest.slack)
    rounded = Rounded.of_steps(order, codes.astype(np.int64), weights, z - weights, saturated)
    return result_of("k-best", rounded, W, order, None, damping=value)


def _best_path(stacked: np.ndarray, w: np.ndarray, alphabet: Alphabet, candidates: int) -> tuple[list[float], list[float]]:
    """Codes of one neuron and the numbers that they round: a path is (cost, codes, numbers), and OPTQ's comes first."""
    paths = [(0.0, [], [])]
    for t, (step, low, high) in enumerate(zip(*alphabet, strict=True)):
        extended = []
        for _, codes, numbers in paths:
            goal = stacked @ w - stacked[:, :t] @ (alphabet.step[:t] * codes)
            number = _refitted(stacked[:, t:], goal, w[t:])[0]
            nearest = np.clip(np.rint(number / step), low, high)
            refuse_large(nearest[None], number[None] / step)
            nearby = np.arange(max(nearest - candidates, low), min(nearest + candidates, high) + 1)
            for code in sorted(nearby, key=lambda code: code != nearest):  # OPTQ's extension of OPTQ's path stays the first
                rest, left = stacked[:, t + 1 :], goal - stacked[:, t] * step * code
                cost = np.square(left - rest @ _refitted(rest, left, w[t + 1 :])).sum()
                extended.append((float(cost), [*codes, code], [*numbers, number]))
        paths = [extended[0], *sorted(extended[1:], key=lambda path: path[0])[: candidates - 1]]
    return min(paths, key=lambda path: path[0])[1:]


def _refitted(A: np.ndarray, goal: np.ndarray, start: np.ndarray) -> np.ndarray:
    """The minimizer (n,) of ||goal - A v|| closest to `start`."""
    return closest_minimizer(A, goal[:, None], start[:, None])[:, 0]
