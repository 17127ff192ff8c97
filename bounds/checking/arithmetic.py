"""The few functions a claim uses instead of numpy's, so that one formula serves floating point and exact arithmetic.

A claim computes on arrays of float64, or on object arrays whose entries are exact rationals (`flint.fmpq`). Sums,
products, quotients and integer powers need nothing special. Roots, logarithms and maxima go through here: on exact input
they return balls (`flint.arb`), enclosures that are right at any precision. A float constant in a formula must be lifted
with `lift`, or exact arithmetic refuses it: write `x / 4`, not `0.25 * x`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special
from flint import arb, fmpq, fmpq_mat, fmpz
from scipy.optimize import brentq

Number = Any  # a float, an exact rational or a ball: one formula serves them all, and no union of the three allows for one
Entries = Any  # a number, or an array of them


def is_exact(x: Entries) -> bool:
    """Whether `x` is an exact rational, a ball, or an array of them."""
    return isinstance(x, (fmpq, arb)) or (isinstance(x, np.ndarray) and x.dtype == object)


def rational(value: Any) -> fmpq:
    """A float or an integer as the rational number it is."""
    numerator, denominator = float(value).as_integer_ratio() if not isinstance(value, (int, np.integer)) else (int(value), 1)
    return fmpq(fmpz(numerator), fmpz(denominator))


def rationals(array: np.ndarray) -> np.ndarray:
    """An array of floats or integers as an object array of the rationals they are."""
    array = np.asarray(array)
    exact = np.empty(array.shape, dtype=object)
    for index in np.ndindex(array.shape):
        exact[index] = rational(array[index])
    return exact


def lift(value: float | np.ndarray, like: Entries) -> Entries:
    """A float (or an array of them) in the arithmetic of `like`."""
    if not is_exact(like):
        return value
    return rationals(value) if isinstance(value, np.ndarray) else rational(value)


def as_float(x: Entries) -> np.ndarray:
    """An array in any arithmetic as float64 (midpoints of balls)."""
    if not is_exact(x):
        return np.asarray(x, dtype=np.float64)
    x = np.asarray(x, dtype=object)
    return np.array([_one_float(entry) for entry in x.flat], dtype=np.float64).reshape(x.shape)


def _one_float(entry: Number) -> float:
    entry = arb(entry) if isinstance(entry, fmpq) else entry
    try:
        return float(entry.mid()) if isinstance(entry, arb) else float(entry)
    except OverflowError:
        return float("inf") if entry > 0 else float("-inf")


def ball(entry: Number) -> arb:
    """One number as a ball at the current precision."""
    return entry if isinstance(entry, arb) else arb(entry)


def _each(function: Callable[[arb], arb], x: Entries) -> Entries:
    if isinstance(x, np.ndarray):
        return np.array([function(ball(entry)) for entry in x.flat], dtype=object).reshape(x.shape)
    return function(ball(x))


def sqrt(x: Entries) -> Entries:
    """Square root."""
    return _each(lambda b: b.sqrt(), x) if is_exact(x) else np.sqrt(x)


def log(x: Entries) -> Entries:
    """Natural logarithm."""
    return _each(lambda b: b.log(), x) if is_exact(x) else np.log(x)


def exp(x: Entries) -> Entries:
    """Exponential."""
    return _each(lambda b: b.exp(), x) if is_exact(x) else np.exp(x)


def erfc(x: Entries) -> Entries:
    """Complementary error function."""
    return _each(lambda b: b.erfc(), x) if is_exact(x) else scipy.special.erfc(x)


def pi(like: Entries) -> Number:
    """The number pi in the arithmetic of `like`."""
    return arb.pi() if is_exact(like) else np.pi


def _larger(a: Number, b: Number) -> Number:
    if isinstance(a, arb) or isinstance(b, arb):
        return ball(a).max(ball(b))
    return a if a >= b else b


def maximum(x: np.ndarray, axis: int = 0) -> Entries:
    """Largest entry along an axis; of balls, an enclosure of the largest."""
    if not is_exact(x):
        return np.max(x, axis=axis)
    return np.frompyfunc(_larger, 2, 1).reduce(x, axis=axis)


def minimum(x: np.ndarray, axis: int = 0) -> Entries:
    """Smallest entry along an axis."""
    return -maximum(-x, axis)


def absolute(x: np.ndarray) -> np.ndarray:
    """Absolute values."""
    return np.abs(x)


def tail_level(variances: np.ndarray, failure_probability: Number) -> np.ndarray:
    r"""The root alpha >= 0 of :math:`\sum_i 2\exp(-2\alpha^2/s_i) = p`, for every column s of `variances` (m, K); p < 2.

    Entries s_i = 0 contribute nothing; a column of zeros has level 0. On exact input the root is enclosed.
    Equal columns (draws of one neuron) are solved once.
    """
    exact = is_exact(variances)
    columns = list(np.ascontiguousarray(variances.T))
    keys = [tuple(column) if exact else column.tobytes() for column in columns]
    distinct = dict(zip(keys, columns, strict=True))
    solve = _enclosed_level if exact else _float_level
    level = {key: solve(column, failure_probability) for key, column in distinct.items()}
    return np.array([level[key] for key in keys], dtype=object if exact else np.float64)


def _float_level(column: np.ndarray, p: float) -> float:
    s = column[column > 0]
    if not s.size:
        return 0.0
    largest = s.max()
    relative, log_half_p = s / largest, np.log(p / 2)
    relative = relative[relative > 1e-200]  # of smaller ones nothing is left at any p, and quotients would overflow

    def excess(x: float) -> float:  # x = 2 alpha^2 / largest; log-sum-exp keeps tiny p exact
        exponents = -x / relative
        top = exponents.max()
        return top + np.log(np.exp(exponents - top).sum()) - log_half_p

    high = np.log(2 * s.size / p)
    if excess(high) < 0:
        high = brentq(excess, 0.0, high, xtol=1e-15 * high, rtol=1e-14)  # pyright: ignore[reportArgumentType]  # rtol may be a float
    return float(np.sqrt(largest / 2 * high))


def _enclosed_level(column: np.ndarray, p: Number) -> arb:
    s = [ball(entry) for entry in column if entry != 0]
    if not s:
        return arb(0)

    def total(alpha: arb) -> arb:
        return sum((2 * (-2 * alpha * alpha / entry).exp() for entry in s), arb(0))

    largest = max((entry.mid() for entry in s), key=lambda entry: entry)
    guess = _float_level(np.array([float((entry / largest).mid()) for entry in s]), float(ball(p).mid())) * largest.sqrt()
    for exponent in range(-40, 0):
        low, high = (guess * (1 + sign * arb(2) ** exponent) for sign in (-1, 1))
        if total(low) > ball(p) and total(high) < ball(p):
            return low.union(high)
    return arb.pos_inf()


def smallest_eigenvalue(gram: np.ndarray) -> Number:
    """Smallest eigenvalue of a symmetric positive semidefinite matrix; on exact input a ball, or exact where it is plain.

    The ball is proven: the matrix less its lower end times the identity has positive pivots only, less its upper end not.
    """
    if not is_exact(gram):
        return max(float(np.linalg.eigvalsh(gram)[0]), 0.0)
    if len(gram) == 1:
        return gram[0, 0]
    if fmpq_mat([list(row) for row in gram]).det() == 0:
        return fmpq(0)
    unit = max(gram[j, j] for j in range(len(gram)))  # squares of large numbers overflow in float64, those of small ones vanish
    guess = rational(max(float(np.linalg.eigvalsh(as_float(gram / unit))[0]), float(np.finfo(float).tiny))) * unit
    low, high = fmpq(0), None
    for exponent in range(-44, 64):
        width = 1 + fmpq(2) ** exponent
        if high is None and not _positive_definite_above(gram, guess * width):
            high = guess * width
        if low == 0 and _positive_definite_above(gram, guess / width):
            low = guess / width
        if high is not None and low != 0:
            break
    high = gram[0, 0] if high is None else high
    while low * (1 + fmpq(2) ** -43) < high and low > 0:  # where the float was a poor guess
        middle = (low + high) / 2
        low, high = (middle, high) if _positive_definite_above(gram, middle) else (low, middle)
    return arb(low).union(arb(high))


def _positive_definite_above(gram: np.ndarray, shift: fmpq) -> bool:
    """Whether the matrix less `shift` times the identity is positive definite, by exact elimination."""
    S = gram.copy()
    for k in range(len(S)):
        S[k, k] -= shift
    for k in range(len(S)):
        if S[k, k] <= 0:
            return False
        S[k + 1 :, k + 1 :] -= np.outer(S[k + 1 :, k], S[k, k + 1 :]) / S[k, k]
    return True
