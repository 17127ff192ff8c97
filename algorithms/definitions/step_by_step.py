r"""OPTQ, Qronos and path following by their definitions: a least-squares problem at every step.

Where it has many minimizers (dependent columns, no damping) the change of the weights is the one of minimum norm
(bounds/THEORY.md#algorithms).
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import cholesky

from ..arguments import as_matrix, choose, reject
from ..damping import resolve_damping
from ..factorization import Factorization, RowSource, refuse_beside
from ..feedback import Rounded
from ..grid import Alphabet, Grid, alphabet_of
from ..ordering import resolve_ordering
from ..path_following import calibration_pair
from ..qronos import FORMS
from ..result import Result, result_of
from ..rounding import Prescribed, RoundingRule, round_row, rounding_rule


def optq(X: np.ndarray | Factorization, W: np.ndarray, grid: Grid, damping: float | str = 0.0,
         ordering: str | np.ndarray = "natural", rounding: str | RoundingRule = "nearest", seed: int | None = None,
         codes: np.ndarray | None = None) -> Result:
    r"""OPTQ by its definition: round the weight, then refit all later ones to what this feature's error left.

    :math:`q_t = Q(w_t)`, then :math:`w_{>t} \leftarrow \arg\min_v \|\hat X_{\ge t}w_{\ge t} - q_t\hat X_t - \hat X_{>t}v\|`.

    Arguments and returns as in `provable_ptq.algorithms.optq`; `codes` (N, K), original feature order, replays given
    codes instead of rounding, so that every step's z can be compared without meeting a tie.

    Source: arXiv 2508.04853; claim `optq-update`.

    >>> X = np.array([[1.0, 1.0, 1.0]])
    >>> optq(X, np.array([[0.4], [0.35], [0.2]]), Grid(step=1.0)).codes.ravel()
    array([0, 1, 0])
    """
    stacked, value, order = stack(X, damping, ordering)
    W = as_matrix("W", W, rows=len(order), empty_columns=True)
    alphabet, rule, seed = _rounding(W, grid, order, rounding, seed, codes)

    def update(w: np.ndarray, t: int, q: np.ndarray) -> np.ndarray:
        goal = stacked[:, t:] @ w[t:] - np.outer(stacked[:, t], q)
        return closest_minimizer(stacked[:, t + 1 :], goal, w[t + 1 :])

    rounded = _round_and_update(W[order], order, alphabet, rule, lambda w, t: w[t], update)
    return result_of("optq", rounded, W, order, seed, damping=value)


def optq_inverse_hessian(X: np.ndarray | Factorization, W: np.ndarray, grid: Grid, damping: float | str = 0.0,
                         ordering: str | np.ndarray = "natural", rounding: str | RoundingRule = "nearest", seed: int | None = None,
                         codes: np.ndarray | None = None) -> Result:
    """OPTQ as GPTQ implementations write it: the upper Cholesky factor of the inverse Hessian. Needs H positive definite.

    Arguments and returns as in `optq` above.

    Source: Frantar et al., GPTQ, arXiv 2210.17323; claim `optq-update`.

    >>> X = np.array([[1.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
    >>> optq_inverse_hessian(X, np.array([[0.4], [0.4]]), Grid(step=1.0)).codes.ravel()
    array([0, 1])
    """
    stacked, value, order = stack(X, damping, ordering)
    W = as_matrix("W", W, rows=len(order), empty_columns=True)
    alphabet, rule, seed = _rounding(W, grid, order, rounding, seed, codes)
    U = cholesky(np.linalg.inv(stacked.T @ stacked))

    def update(w: np.ndarray, t: int, q: np.ndarray) -> np.ndarray:
        return w[t + 1 :] - np.outer(U[t, t + 1 :], (w[t] - q) / U[t, t])

    rounded = _round_and_update(W[order], order, alphabet, rule, lambda w, t: w[t], update)
    return result_of("optq", rounded, W, order, seed, damping=value)


def qronos(X: np.ndarray, X_quantized: np.ndarray | Factorization, W: np.ndarray, grid: Grid, damping: float | str = 0.0,
           ordering: str | np.ndarray = "natural", rounding: str | RoundingRule = "nearest", seed: int | None = None,
           form: str = "alternating", codes: np.ndarray | None = None) -> Result:
    r"""Qronos by its definition: choose :math:`q_t` against the target :math:`\hat X w`, then refit all later weights to it.

    Arguments and returns as in `provable_ptq.algorithms.qronos`; `codes` as in `optq` above.

    Source: arXiv 2505.11695 (alternating), arXiv 2508.04853 remark 5.2 (projected); bounds/THEORY.md#algorithms.

    >>> X = np.array([[1.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
    >>> qronos(X, 0.5 * X, np.array([[0.4], [0.4]]), Grid(step=1.0)).codes.ravel()
    array([1, 1])
    """
    choose("form", form, FORMS)
    stacked, value, order = stack(X_quantized, damping, ordering, "X_quantized")
    N = len(order)
    X = as_matrix("X", X, rows=len(stacked) - N, columns=N)
    W = as_matrix("W", W, rows=N, empty_columns=True)
    alphabet, rule, seed = _rounding(W, grid, order, rounding, seed, codes)
    w = W[order]
    goal = np.vstack([X[:, order], np.sqrt(value) * np.eye(N)]) @ w
    target = closest_minimizer(stacked, goal, w)
    chosen = np.zeros_like(w)

    def minimizer(current: np.ndarray, t: int) -> np.ndarray:
        """The number p (K,) that minimizes ||Xw - sum_{j<t} q_j X_j - p X_t - sum_{j>t} w_j X_j||; w_t for a zero column."""
        column = stacked[:, t]
        if not column.any():
            return current[t]
        others = goal - stacked[:, :t] @ chosen[:t] - stacked[:, t + 1 :] @ current[t + 1 :]
        return column @ others / (column @ column)

    def update(current: np.ndarray, t: int, q: np.ndarray) -> np.ndarray:
        chosen[t] = q
        return closest_minimizer(stacked[:, t + 1 :], goal - stacked[:, : t + 1] @ chosen[: t + 1], current[t + 1 :])

    if form == "projected":
        rounded = _round_and_update(target, order, alphabet, rule, lambda current, t: current[t], update)
    else:
        rounded = _round_and_update(w, order, alphabet, rule, minimizer, update)
    unordered = np.empty_like(target)
    unordered[order] = target
    return result_of(f"qronos-{form}", rounded, unordered, order, seed, damping=value)


def gpfq(X: np.ndarray | Factorization, W: np.ndarray, grid: Grid, X_quantized: np.ndarray | Factorization | None = None,
         ordering: str | np.ndarray = "natural", rounding: str | RoundingRule = "nearest", seed: int | None = None) -> Result:
    """GPFQ (stochastic: SPFQ) by its definition, the running error carried as a vector over the samples.

    Arguments and returns as in `provable_ptq.algorithms.gpfq`, except that `target` is the weights themselves.

    Source: Lybrand & Saab 2021, arXiv 2309.10975; bounds/THEORY.md#algorithms.

    >>> X = np.array([[1.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
    >>> gpfq(X, np.array([[0.4], [0.4]]), Grid(step=1.0)).codes.ravel()
    array([0, 1])
    """
    X, X_quantized, order = calibration_pair(X, X_quantized, ordering)
    W = as_matrix("W", W, rows=len(order), empty_columns=True)
    alphabet, rule, seed = _rounding(W, grid, order, rounding, seed, None)
    original, deployed = X[:, order], X_quantized[:, order]
    running = np.zeros((len(X), W.shape[1]))

    def steered(w: np.ndarray, t: int) -> np.ndarray:
        column = deployed[:, t]
        if not column.any():
            return w[t]
        return column @ (running + np.outer(original[:, t], w[t])) / (column @ column)

    def update(w: np.ndarray, t: int, q: np.ndarray) -> np.ndarray:
        running[...] += np.outer(original[:, t], w[t]) - np.outer(deployed[:, t], q)
        return w[t + 1 :]

    rounded = _round_and_update(W[order], order, alphabet, rule, steered, update)
    return result_of("gpfq", rounded, W, order, seed)


def _round_and_update(w: np.ndarray, order: np.ndarray, alphabet: Alphabet, rule: RoundingRule, number, update) -> Rounded:
    """For every step t: round `number(w, t)` to q, then replace the later weights by `update(w, t, q)`."""
    w = w.copy()
    codes, z = np.empty_like(w), np.empty_like(w)
    saturated = np.empty(w.shape, dtype=bool)
    for t in range(len(w)):
        z[t] = number(w, t)
        codes[t], saturated[t] = round_row(alphabet, rule, t, z[t])
        w[t + 1 :] = update(w, t, alphabet.step[t] * codes[t])
    weights = alphabet.step * codes
    return Rounded.of_steps(order, codes.astype(np.int64), weights, z - weights, saturated)


def closest_minimizer(A: np.ndarray, goal: np.ndarray, start: np.ndarray) -> np.ndarray:
    """The minimizer of ||goal - A v|| closest to `start`."""
    if A.shape[1] == 0:
        return start
    return start + np.linalg.lstsq(A, goal - A @ start, rcond=None)[0]


def stack(X: np.ndarray | Factorization, damping: float | str, ordering: str | np.ndarray,
           name: str = "X") -> tuple[np.ndarray, float, np.ndarray]:
    """The damped matrix (m + N, N) in processing order, the absolute damping and the order."""
    if isinstance(X, Factorization):
        refuse_beside(name, damping=(damping, 0.0), ordering=(ordering, "natural"))
        X, damping, ordering = X.X, X.damping, X.order
    X = as_matrix(name, X)
    source = RowSource.of(X, name)
    value = resolve_damping(damping, source)
    order = resolve_ordering(ordering, source, value)
    return np.vstack([X[:, order], np.sqrt(value) * np.eye(len(order))]), value, order


def _rounding(W: np.ndarray, grid: Grid, order: np.ndarray, rounding: str | RoundingRule, seed: int | None,
              codes: np.ndarray | None) -> tuple[Alphabet, RoundingRule, int | None]:
    alphabet = alphabet_of(grid, W.shape).reordered(order)
    if codes is not None:
        given = as_matrix("codes", codes, rows=W.shape[0], columns=W.shape[1], empty_columns=True)[order]
        foreign = (given != np.rint(given)) | (given < alphabet.low) | (given > alphabet.high)
        if foreign.any():
            raise reject("codes", float(given[foreign][0]), "integer codes of the grid")
        return alphabet, Prescribed(given), None
    return alphabet, *rounding_rule(rounding, seed, W.shape, order)

