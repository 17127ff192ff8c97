"""Qronos in both forms that go by the name; the literal definitions are `definitions.qronos`."""

from __future__ import annotations

import numpy as np

from .arguments import as_matrix, choose
from .factorization import Factorization, factorization_of
from .feedback import round_with_feedback
from .grid import Grid, alphabet_of
from .result import Result, result_of
from .rounding import RoundingRule, rounding_rule

FORMS = ("alternating", "projected")


def qronos(X: np.ndarray, X_quantized: np.ndarray | Factorization, W: np.ndarray, grid: Grid, damping: float | str = 0.0,
           ordering: str | np.ndarray = "natural", rounding: str | RoundingRule = "nearest", seed: int | None = None,
           form: str = "alternating", dtype: str = "float64") -> Result:
    r"""Quantize weights so that the deployed layer :math:`\tilde X q` comes close to the original :math:`X w`.

    Projected: OPTQ on :math:`(\tilde X, u)` with :math:`u = w + \tilde H^{-1}\tilde X^\top (X - \tilde X) w`, the
    minimizer of :math:`\|\hat X w - \hat{\tilde X} v\|` closest to w. Alternating (the published algorithm): the same
    but for its first code, which rounds :math:`z_1 = w_1 + \langle\tilde X_1, (X-\tilde X)w\rangle/(\|\tilde X_1\|^2+\lambda)`.

    Arguments:
        X: calibration matrix (m, N) of the full-precision network.
        X_quantized: calibration matrix (m, N) that the quantized part of the network produces, or its Factorization;
            named orderings and damping rules read this one.
        W, grid, damping, ordering, rounding, seed, dtype: as in `optq`.
        form: "alternating" or "projected".

    Returns:
        Result; `target` is u, and `rounding_errors[0]` is z_1 - q_1 in the alternating form.

    Raises:
        InvalidArgumentError: any argument out of its range, by name. RankDeficientError: see `factorize`.

    Source: arXiv 2505.11695 (alternating), arXiv 2508.04853 remark 5.2 (projected); claim `qronos-equivalence`.

    >>> X = np.array([[1.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
    >>> qronos(X, 0.5 * X, np.array([[0.4], [0.4]]), Grid(step=1.0)).codes.ravel()
    array([1, 1])
    """
    choose("form", form, FORMS)
    f = factorization_of(X_quantized, damping, ordering, dtype, "X_quantized")
    X = as_matrix("X", X, f.L.dtype, rows=len(f.X), columns=f.features)
    W = as_matrix("W", W, f.L.dtype, rows=f.features, empty_columns=True)
    alphabet = alphabet_of(grid, W.shape)
    rule, seed = rounding_rule(rounding, seed, W.shape, f.order)
    mismatch = (X - f.X) @ W
    target = np.empty_like(W)
    target[f.order] = W[f.order] + project(f, mismatch)
    first = _first_minimizer(f, W, mismatch) if form == "alternating" else None
    rounded = round_with_feedback(f.L, target, alphabet, rule, first, f.order)
    return result_of(f"qronos-{form}", rounded, target, f.order, seed, f)


def project(f: Factorization, outputs: np.ndarray) -> np.ndarray:
    r"""The weights (N, K), in processing order, that best explain `outputs` (m, K): :math:`H^{-1} X^\top` outputs, dead features at 0."""
    inverse_squares = np.divide(1, f.pivots**2, out=np.zeros_like(f.pivots), where=f.live)
    return f.M @ (inverse_squares[:, None] * (f.sample_rows_of_V.T @ outputs))


def _first_minimizer(f: Factorization, W: np.ndarray, mismatch: np.ndarray) -> np.ndarray:
    """The number (K,) that alternating Qronos rounds first; the weight itself when its feature is dead."""
    first = f.order[0]
    column = f.X[:, first]
    energy = column @ column + f.damping
    return W[first] + (column @ mismatch / energy if f.live[0] else 0)
