r"""`optimum-floor`: what no grid point can beat (ours)."""

from __future__ import annotations

import numpy as np

from ..arithmetic import is_exact, maximum, rationals, smallest_eigenvalue
from ..claim import Evaluation, Kind, Origin, claim
from ..hypotheses import at_most, positive_definite
from ..measure import damped_error_squared, gram, output_loss, pivot_sum, squares
from ..tolerance import squared
from .optimum import SEARCHABLE, optimum_decided, optimum_squared
from .order_floor import spectral_floor


@claim(
    id="optimum-floor",
    statement=r"$\|\hat X(w-q)\|^2 \ge \max_j \mathrm{dist}(w_j, \delta_j\mathbb Z)^2/(H^{-1})_{jj}$ and "
    r"$\ge \lambda_{\min}(H)\sum_j\mathrm{dist}(w_j,\delta_j\mathbb Z)^2$ for every grid point $q$",
    origin=Origin.OURS,
    source="THEORY, section 3",
    kind=Kind.LOWER,
    unit="squared output error",
    algorithms=("optq", "qronos", "gpfq", "round-to-nearest"),
    rounding=None,
    hypotheses=(positive_definite, at_most(SEARCHABLE, "the optimum is searched for exactly"), optimum_decided),
)
def optimum_floor(problem, result) -> Evaluation:
    r"""The damped error of any grid point, the optimum included, above two floors, lower bounds, deterministic.

    Setting: H positive definite; the result of any algorithm and rounding, saturated or not. Rows: the optimum and the result
    against the first floor, then both against the second, then the result against the optimum.

    Origin: ours. Arguments: problem and result. Returns: (5, K), squared units of the outputs. Errors: none of its own.

    >>> problem = Problem(np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([[0.4], [0.6]]), Grid(step=1.0))
    >>> check(problem, ["optimum-floor"])["optimum-floor"].outcome.value
    'holds'
    """
    distances = grid_distances(problem)
    inverse_diagonal = spectral_floor(problem)[1]
    by_feature = maximum(distances**2 / inverse_diagonal[:, None])
    least = smallest_eigenvalue(gram(problem)) if is_exact(problem.W) else problem.factorization.singular_values[-1] ** 2
    by_spectrum = least * squares(distances)
    best, reached = optimum_squared(problem), damped_error_squared(problem, result)
    measured = np.stack([best, reached, best, reached, reached])
    bound = np.stack([by_feature, by_feature, by_spectrum, by_spectrum, best])
    loss = output_loss(problem, result)
    noise = None if loss is None else squared(measured, loss) + squared(bound, loss)
    return Evaluation(measured, bound, noise=noise, natural=bound + pivot_sum(problem) / 4)


def grid_distances(problem) -> np.ndarray:
    """Distances (N, K) of the weights to the infinite grid, processing order."""
    w = problem.W[problem.order]
    ratios = w / problem.steps
    if is_exact(w):
        nearest = rationals(np.vectorize(lambda ratio: int((2 * ratio + 1).floor()) // 2, otypes=[np.int64])(ratios))
    else:
        nearest = np.rint(ratios)
    return abs(w - problem.steps * nearest)
