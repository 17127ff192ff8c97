"""What the stochastic claims share: the pieces of their levels, in float64 or exactly. Not a claim itself."""

from __future__ import annotations

import numpy as np

from ..arithmetic import absolute, log, maximum, pi, sqrt
from ..measure import own_errors


def largest_error(problem, result) -> np.ndarray:
    """||X(w - q)||_inf (K,)."""
    return maximum(absolute(own_errors(problem, result)))


def largest_pivot_step(problem) -> np.ndarray:
    """step * max_j d_j (K,), for steps that are the same over features."""
    return problem.steps[0] * sqrt(maximum(problem.factorization.pivots_squared))


def paper_factor(problem, count: int) -> object:
    r""":math:`\sqrt{2\pi\log(\sqrt2\,n/p)}` for n outputs."""
    p = problem.failure_probability
    return sqrt(2 * pi(p) * (log(2 * count * count / (p * p)) / 2))


def row_variances(problem) -> np.ndarray:
    r""":math:`s_i = \sum_j \delta_j^2 V_{ij}^2` for the m sample rows, (m, K)."""
    return problem.remember("row variances", None, lambda: problem.factorization.sample_rows_of_V**2 @ problem.steps**2)
