r"""`optq-near-optimal`: OPTQ against the exact optimum over the grid (classical: Babai's nearest plane)."""

from __future__ import annotations

import numpy as np

from ..arithmetic import maximum
from ..claim import Evaluation, Kind, Origin, claim
from ..hypotheses import at_most, positive_definite, unsaturated
from ..measure import damped_error_squared, output_loss, pivot_sum
from ..tolerance import squared
from .optimum import SEARCHABLE, optimum_decided, optimum_squared


@claim(
    id="optq-near-optimal",
    statement=r"$\|\hat X(w-q)\|^2 \le \gamma^2\min_{q'\in\delta\mathbb Z^N}\|\hat X(w-q')\|^2$ with "
    r"$\gamma^2 = 1 + \max_t\sum_{j>t}\frac{\delta_j^2d_j^2}{\delta_t^2d_t^2}$",
    origin=Origin.CLASSICAL,
    source="arXiv 2507.18553",
    kind=Kind.UPPER,
    unit="squared output error",
    hypotheses=(unsaturated, positive_definite, at_most(SEARCHABLE, "the optimum is searched for exactly"), optimum_decided),
)
def optq_near_optimal(problem, result) -> Evaluation:
    r"""OPTQ's damped error below a factor times the optimum over the infinite grid, upper bound, deterministic.

    Setting: nearest rounding, no saturated step, H positive definite; the optimum is a closest vector problem, solved exactly.

    Origin: classical. Arguments: problem and result of OPTQ. Returns: (K,), squared units of the outputs.
    Errors: none of its own.

    >>> problem = Problem(np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([[0.4], [0.6]]), Grid(step=1.0))
    >>> check(problem, ["optq-near-optimal"])["optq-near-optimal"].outcome.value
    'holds'
    """
    weighted = problem.steps**2 * problem.factorization.pivots_squared[:, None]
    later = np.cumsum(weighted[::-1], axis=0)[::-1] - weighted
    factor = 1 + maximum(later / weighted)
    measured, best = damped_error_squared(problem, result), optimum_squared(problem)
    loss = output_loss(problem, result)
    noise = None if loss is None else squared(measured, loss) + factor * squared(best, loss)
    return Evaluation(measured, factor * best, noise=noise, natural=factor * best + pivot_sum(problem) / 4)
