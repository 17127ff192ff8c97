"""Qronos in both forms that go by the name; the literal definitions are `definitions.qronos`."""

from __future__ import annotations

from functools import partial

import numpy as np
from scipy.linalg import get_blas_funcs

from .arguments import as_matrix, choose, reject
from .factorization import Factorization, factorization_of
from .feedback import round_with_feedback
from .gram import GramSource
from .grid import Grid, alphabet_of
from .result import Result, result_of
from .rounding import RoundingRule, rounding_rule

FORMS = ("alternating", "projected")


class CrossGram:
    r"""The cross-Gram matrix :math:`\tilde X^\top X`, which does for Qronos where the rows of X and :math:`\tilde X` are not at hand.

    Arguments:
        matrix: (N, N), rows for the features that the quantized part of the network produces, columns for the original
            ones: `X_quantized.T @ X`, undamped, summed over batches as a Gram matrix is.

    Raises:
        InvalidArgumentError: not a finite square matrix.

    >>> X = np.array([[1.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
    >>> deployed = Factorization.from_gram(0.25 * X.T @ X)
    >>> qronos(CrossGram(0.5 * X.T @ X), deployed, np.array([[0.4], [0.4]]), Grid(step=1.0)).codes.ravel()
    array([1, 1])
    """

    def __init__(self, matrix: np.ndarray):
        matrix = as_matrix("matrix", matrix)
        if matrix.shape[0] != matrix.shape[1]:
            raise reject("matrix.shape", matrix.shape, "a square matrix")
        self.matrix = matrix

    def __repr__(self) -> str:
        return f"CrossGram of {len(self.matrix)} features"


def qronos(X: np.ndarray | CrossGram, X_quantized: np.ndarray | Factorization, W: np.ndarray, grid: Grid, damping: float | str = 0.0,
           ordering: str | np.ndarray = "natural", rounding: str | RoundingRule = "nearest", seed: int | None = None,
           form: str = "alternating", dtype: str = "float64") -> Result:
    r"""Quantize weights so that the deployed layer :math:`\tilde X q` comes close to the original :math:`X w`.

    Projected: OPTQ on :math:`(\tilde X, u)` with :math:`u = w + \tilde H^{-1}\tilde X^\top (X - \tilde X) w`, the
    minimizer of :math:`\|\hat X w - \hat{\tilde X} v\|` closest to w. Alternating (the published algorithm): the same
    but for its first code, which rounds :math:`z_1 = w_1 + \langle\tilde X_1, (X-\tilde X)w\rangle/(\|\tilde X_1\|^2+\lambda)`.

    Arguments:
        X: calibration matrix (m, N) of the full-precision network, or `CrossGram(X_quantized.T @ X)`.
        X_quantized: calibration matrix (m, N) that the quantized part of the network produces, or its Factorization,
            `Factorization.from_gram` too where X is a CrossGram; named orderings and damping rules read this one.
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
    difference = _difference(X, f)
    W = as_matrix("W", W, f.L.dtype, rows=f.features, empty_columns=True)
    alphabet = alphabet_of(grid, W.shape)
    rule, seed = rounding_rule(rounding, seed, W.shape, f.order)
    moment = np.linalg.multi_dot([*difference, W])[f.order]  # H(u - w), by the cheaper order of products
    w = W[f.order]
    first = w[0] + (moment[0] / (f.column_norms_squared[0] + f.damping) if f.live[0] else 0)
    change = _change(f, moment)
    start = w + change
    if form == "alternating":
        start[0] = first
    rounded = round_with_feedback(f.L, W, alphabet, rule, f.order, start)
    return result_of(f"qronos-{form}", rounded, partial(_target, f, w, change), f.order, seed, f)


def _difference(X: np.ndarray | CrossGram, f: Factorization) -> tuple[np.ndarray, ...]:
    r"""The one or two factors of :math:`\tilde X^\top (X - \tilde X)` (N, N), original feature order."""
    if not isinstance(X, CrossGram):
        X = as_matrix("X", X, f.L.dtype, rows=len(f.X), columns=f.features)
        return f.X.T, X - f.X
    cross = as_matrix("X.matrix", X.matrix, f.L.dtype, rows=f.features, columns=f.features)
    for feature in f.order[~f.live]:
        if cross[feature].any():
            accepted = f"zeros in row {feature}, as feature {feature} of X_quantized is zero (the matrix is X_quantized.T @ X)"
            raise reject(f"X.matrix[{feature}]", cross[feature], accepted)
    return (cross - _gram(f),)


def _gram(f: Factorization) -> np.ndarray:
    """The undamped Gram matrix (N, N), original feature order."""
    if isinstance(f.source, GramSource):
        return f.source.gram
    root = f.source.root(0.0)
    return root.T @ root


def _change(f: Factorization, moment: np.ndarray) -> np.ndarray:
    r""":math:`L(u - w)` (N, K) from the moment :math:`H(u - w)` in its memory, both in processing order; dead features stay."""
    change = _solved(f.L, moment, transposed=True)
    pivots = np.where(f.live, f.pivots, 1)[:, None]
    change /= pivots  # twice: the squares of small pivots vanish
    change /= pivots
    return change


def _target(f: Factorization, w: np.ndarray, change: np.ndarray) -> np.ndarray:
    """u (N, K), original feature order, from w and L(u - w) in processing order."""
    target = np.empty_like(w)
    target[f.order] = w + _solved(f.L, change.copy())
    return target


def _solved(L: np.ndarray, B: np.ndarray, transposed: bool = False) -> np.ndarray:
    """The solution of L x = B, or of its transpose, in the memory of B (N, K): one BLAS solve, transposed since that reads by columns."""
    if B.size:
        (trsm,) = get_blas_funcs(("trsm",), (L, B))
        trsm(1.0, L.T, B.T, side=1, trans_a=transposed, diag=1, overwrite_b=True)
    return B
