"""Convex order, tested on convex functions of linear functionals: cosh, absolute value and hinges. Not a claim itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..checking import Evaluation, Problem, Result, absolute, as_float, erfc, exp, is_exact, lift, maximum, own_errors, pi, rationals, sqrt
from ..checking.tolerance import relative_allowance

FUNCTIONALS = 3  # random signs over the samples, beside the sample with the largest row of V
HINGES = (0, 1, 2)  # in standard deviations of the dominating Gaussian
CANCELLED = 1e-6  # of the size of its terms: a functional of V that is smaller has lost too many digits to be looked at


def convex_order_evaluation(problem: Problem, result: Result, variance_factor: Any) -> Evaluation:
    r"""E f(a^T X(w-q)) against E f(a^T Z) with :math:`Z \sim N(0, c\,V\,\mathrm{diag}(\delta^2)V^\top)`, c = `variance_factor`.

    Rows: for every functional a, the functions cosh(y / sigma), |y|, and (y - t sigma)_+ for t in `HINGES`, sigma the standard
    deviation of a^T Z. Returns (functionals x functions, K); `ceiling` is what each function never exceeds. In float64 a functional
    whose terms cancel loses as many digits more, and one that they nearly cancel in is left out.
    """
    V, steps = problem.factorization.sample_rows_of_V, problem.steps
    directions = _directions(problem, V)
    y = directions @ own_errors(problem, result)
    along = directions @ V
    deviation = sqrt(variance_factor * (along**2 @ steps**2))
    reach = absolute(along) @ steps
    terms = absolute(directions) @ absolute(V) @ steps
    least = 0 * terms if is_exact(V) else CANCELLED * terms
    measured, bound, ceiling = [], [], []
    for y_a, sigma, largest, smallest in zip(y, deviation, reach, least, strict=True):
        usable = np.array([bool(value > limit) for value, limit in zip(sigma, smallest, strict=True)])
        safe = np.where(usable, sigma, lift(1.0, sigma))
        for f, mean in _functions(safe):
            measured.append(np.where(usable, f(y_a), 0 * y_a))
            bound.append(np.where(usable, mean, 0 * safe))
            ceiling.append(np.where(usable, f(largest), 0 * safe))
    allowance = 0.0 if is_exact(V) else _allowance(problem, deviation, terms)
    return Evaluation(np.stack(measured), np.stack(bound), ceiling=np.stack(ceiling), allowance=allowance)


def _allowance(problem: Problem, deviation: np.ndarray, terms: np.ndarray) -> float:
    """What float64 may be off by, relative: as much as anywhere, times what is lost where the terms of a functional cancel."""
    cancelled = np.divide(terms, deviation, out=np.ones_like(terms), where=deviation > CANCELLED * terms)
    return relative_allowance(problem.N, problem.factorization.magnification, problem.largest_ratio) * float(cancelled.max(initial=1.0))


def _directions(problem: Problem, V: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(problem.m)
    signs = rng.choice([-1.0, 1.0], size=(FUNCTIONALS, problem.m))
    single = np.zeros((1, problem.m))
    single[0, int(np.argmax((as_float(V / _largest(V)) ** 2).sum(axis=1)))] = 1
    directions = np.vstack([single, signs])
    return rationals(directions) if is_exact(V) else directions


def _largest(V: np.ndarray) -> Any:
    """The largest entry in size, 1 where all are 0."""
    largest = maximum(absolute(V).ravel())
    return largest if largest > 0 else lift(1.0, largest)


def _functions(sigma: np.ndarray):
    """Pairs (f, E f(sigma N)) of convex functions of one variable, increasing on positive numbers."""
    root_two_pi = sqrt(2 * pi(sigma))
    half = exp(lift(0.5, sigma))
    yield lambda y: (exp(y / sigma) + exp(-y / sigma)) / 2, half + 0 * sigma
    yield absolute, 2 * sigma / root_two_pi
    for t in HINGES:
        density = exp(lift(-t * t / 2, sigma)) / root_two_pi
        tail = erfc(t / sqrt(lift(2.0, sigma))) / 2
        yield lambda y, t=t: _positive_part(y - t * sigma), sigma * density - t * sigma * tail


def _positive_part(y: np.ndarray) -> np.ndarray:
    return maximum(np.stack([y, 0 * y]))
