"""What the stochastic claims share: the pieces of their levels, in float64 or exactly. Not a claim itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..checking import Problem, Result, absolute, log, maximum, own_errors, pi, sqrt, tail_level


def largest_error(problem: Problem, result: Result) -> np.ndarray:
    """||X(w - q)||_inf (K,)."""
    return maximum(absolute(own_errors(problem, result)))


def largest_pivot_step(problem: Problem) -> np.ndarray:
    """max_j step_j d_j (K,)."""
    return sqrt(maximum(problem.steps**2 * problem.factorization.pivots_squared[:, None]))


def paper_factor(problem: Problem, count: int) -> Any:
    r""":math:`\sqrt{2\pi\log(\sqrt2\,n/p)}` for n outputs."""
    p = problem.failure_probability
    return sqrt(2 * pi(p) * (log(2 * count * count / (p * p)) / 2))


def hoeffding_factor(problem: Problem, count: int) -> Any:
    r""":math:`\sqrt{\log(2n/p)/2}` for n outputs."""
    return sqrt(log(2 * count / problem.failure_probability) / 2)


def row_variances(problem: Problem) -> np.ndarray:
    r""":math:`s_i = \sum_j \delta_j^2 V_{ij}^2` for the m sample rows, (m, K)."""
    return problem.remember("row variances", None, lambda: problem.factorization.sample_rows_of_V**2 @ problem.steps**2)


def rowwise_level(problem: Problem) -> np.ndarray:
    """The level (K,) at which the rows' own tails add up to p."""
    p = problem.failure_probability
    return problem.remember(f"row-wise level at {p}", None, lambda: tail_level(row_variances(problem), p))
