"""Coordinate descent on the damped error, from any point of the grid; the literal definition is `definitions.descend`."""

from __future__ import annotations

import numpy as np

from .arguments import as_count, as_matrix, choose, reject
from .factorization import Factorization
from .feedback import Rounded
from .grid import Alphabet, Grid, alphabet_of
from .result import Result, result_of
from .round_to_nearest import round_to_nearest
from .rounding import Nearest, refuse_large, saturates
from .seminorm import Seminorm

BLOCK = 32  # features whose gradients are had by one product; what moves among them is followed row by row
KEEP = ("descent", "better")


def descend(X: np.ndarray | Factorization, W: np.ndarray, start: Result | np.ndarray, grid: Grid, damping: float | str = 0.0,
            passes: int = 1, keep: str = "descent") -> Result:
    r"""Lower the damped error of codes one weight at a time, each to the best that the others leave it.

    :math:`q_j \leftarrow Q(q_j + (H(w-q))_j/H_{jj})` for one feature after the other, all neurons at once, on any alphabet.
    A weight moves only where float64 can tell that this lowers the error: no step raises it, not by a rounding either,
    and a tie keeps what is there.

    Arguments:
        X: calibration matrix (m, N), whose columns may be dependent, in natural order; or a Factorization, in its order.
        W: weights (N, K), one column per neuron.
        start: where to begin: a Result of any algorithm, or weights (N, K) on the grid.
        grid: the grid that both lie on.
        damping: absolute damping >= 0 or a rule by name, see `factorize`; comes with a Factorization.
        passes: how often to go through all features, at most; it ends where none moves.
        keep: "descent", what it arrives at; or "better", round-to-nearest for the neurons where that is better still,
            which bounds the squared error by :math:`\lambda_{\max}(H)\sum_j\delta_j^2/4` on any alphabet that reaches the weights.

    Returns:
        Result; `rounding_errors` are z - q for the z that the last pass rounded, W - q where round-to-nearest was kept.

    Raises:
        InvalidArgumentError: any argument out of its range, by name; a start off the grid.

    Source: QuantEase, arXiv 2309.01885.

    >>> X = np.array([[-3.0, 4.0, -5.0], [-5.0, 4.0, -5.0], [3.0, 2.0, -2.0]])
    >>> W, grid = np.array([[2.9], [2.2], [0.3]]), Grid(1.0, low=0, high=3)
    >>> codes = [descend(X, W, optq(X, W, grid), grid, keep=keep).codes.ravel() for keep in ("descent", "better")]
    >>> print(*codes)
    [2 1 0] [3 2 0]
    """
    seminorm = Seminorm.of(X, damping)
    order = seminorm.order
    W = as_matrix("W", W, rows=len(order), empty_columns=True)
    alphabet = alphabet_of(grid, W.shape)
    codes = codes_of(start, alphabet)
    passes = as_count("passes", passes)
    choose("keep", keep, KEEP)
    rounded = _descended(seminorm, W[order], codes[order], alphabet.reordered(order), passes)
    if keep == "better":
        rounded = _better(seminorm, W[order], rounded, round_to_nearest(W, grid))
    return result_of("descent", Rounded.of_steps(order, *rounded), W, order, None, seminorm.factorization, seminorm.damping)


def _descended(seminorm: Seminorm, w: np.ndarray, codes: np.ndarray, alphabet: Alphabet, passes: int) -> Rounded:
    """What `passes` passes make of the codes; everything (N, K) in processing order."""
    codes = codes.astype(np.float64)
    left, ratios = w - alphabet.step * codes, np.empty_like(w)
    sizes = seminorm.column_norms @ (np.abs(w) + np.abs(alphabet.step * codes))  # (K,), what gradients are rounded in proportion to
    for _ in range(passes):
        before = codes.copy()
        for begin in range(0, len(w), BLOCK):
            block = slice(begin, begin + BLOCK)
            part, gradient = alphabet.reordered(block), seminorm.gram[block] @ left
            with np.errstate(over="ignore", invalid="ignore"):  # what has become of a number that is refused
                ratios[block] = _descend_block(seminorm, block, gradient, codes[block], part, sizes)
            refuse_large(np.where(np.isfinite(ratios[block]), codes[block], np.inf), ratios[block])
            left[block] = w[block] - part.step * codes[block]
        if np.array_equal(codes, before):
            break
    weights = alphabet.step * codes
    saturated = saturates(ratios, alphabet.low, alphabet.high, Nearest.slack)
    return Rounded(codes.astype(np.int64), weights, alphabet.step * (ratios - codes), saturated)


def _descend_block(seminorm: Seminorm, block: slice, gradient: np.ndarray, codes: np.ndarray, alphabet: Alphabet,
                   sizes: np.ndarray) -> np.ndarray:
    """Move the `codes` of a block (n, K) along the `gradient` H(w - q), and return what was rounded, in steps.

    With s the distance from a code to the minimizer, in steps, a move by n of them lowers the error iff |s| > n/2. What rounding may
    have done to s is taken off it first: if the rest rounds to n > 0, then |s| > n - 1/2 >= n/2, and a move cut short lowers it too.
    """
    H, norms = seminorm.gram[block, block], seminorm.column_norms[block, None]
    lengths = norms * alphabet.step
    with np.errstate(divide="ignore", over="ignore"):
        inverse = np.minimum(1 / (np.diag(H)[:, None] * alphabet.step), np.finfo(np.float64).max)
    doubts, tiny = seminorm.slack * norms * inverse, np.finfo(np.float64).tiny * inverse
    moves, shifts = np.zeros_like(gradient), gradient
    ratios = np.empty_like(gradient)
    for i, (shift, code) in enumerate(zip(shifts, codes, strict=True)):
        if i:
            shift -= H[i, :i] @ moves[:i]
        shift *= inverse[i]
        np.add(code, shift, out=ratios[i])
        certain = np.abs(shift)
        certain -= doubts[i] * sizes
        certain -= tiny[i]
        np.rint(np.fmax(certain, 0, out=certain), out=certain)
        moved = np.copysign(certain, shift, out=certain)
        if alphabet.finite:
            moved = np.minimum(np.maximum(code + moved, alphabet.low[i]), alphabet.high[i]) - code
        code += moved
        np.multiply(alphabet.step[i], moved, out=moves[i])
        sizes += lengths[i] * np.abs(moved)
    return ratios


def _better(seminorm: Seminorm, w: np.ndarray, descended: Rounded, nearest: Result) -> Rounded:
    """Round-to-nearest for the neurons where it is better beyond doubt; processing order."""
    order = seminorm.order
    rounded = Rounded(nearest.codes[order], nearest.weights[order], nearest.rounding_errors[order], nearest.saturated[order])
    better = seminorm.surely_lower(w, rounded.weights, descended.weights)
    return Rounded(*(np.where(better, ours, theirs) for ours, theirs in zip(rounded, descended, strict=True)))


def codes_of(start: Result | np.ndarray, alphabet: Alphabet) -> np.ndarray:
    """The codes (N, K) of a result or of weights, which must lie on the alphabet."""
    given = start.weights if isinstance(start, Result) else start
    N, K = alphabet.step.shape
    weights = as_matrix("start", given, rows=N, columns=K, empty_columns=True)
    with np.errstate(over="ignore"):
        ratio = weights / alphabet.step
        codes = np.rint(ratio)
    refuse_large(codes, ratio)
    precision = np.finfo(given.dtype if isinstance(given, np.ndarray) and given.dtype.kind == "f" else np.float64).eps
    off = np.abs(weights - alphabet.step * codes) > 4 * precision * np.abs(weights)
    off |= (codes < alphabet.low) | (codes > alphabet.high)
    if off.any():
        feature, neuron = np.argwhere(off)[0]
        raise reject(f"start[{feature}, {neuron}]", float(weights[feature, neuron]), "weights on the grid: a step times a code")
    return codes.astype(np.int64)
