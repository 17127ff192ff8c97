r"""`optq-identity`: the damped error is the pivots against the rounding errors (arXiv 2508.04853)."""

from __future__ import annotations

from ..claim import Evaluation, Kind, Origin, claim
from ..measure import damped_error_squared, output_loss, pivot_sum, weighted_errors_squared
from ..tolerance import squared


@claim(
    id="optq-identity",
    statement=r"$\|X(w-q)\|^2 + \lambda\|w-q\|^2 = \sum_j d_j^2 e_j^2$",
    origin=Origin.PAPER,
    source="arXiv 2508.04853",
    kind=Kind.IDENTITY,
    unit="squared output error",
    rounding=None,
)
def optq_identity(problem, result) -> Evaluation:
    r"""The damped error against the rounding errors weighted by the pivots, identity, deterministic.

    Setting: any calibration matrix, damping, ordering, grid (saturated or not) and rounding; e = z - q.
    :math:`\|X(w-q)\|^2 + \lambda\|w-q\|^2 = \sum_j d_j^2 e_j^2`, since :math:`L(w-q) = e` and the v_j are orthogonal.

    Origin: paper. Arguments: problem and result of OPTQ. Returns: both sides (K,), squared units of the outputs.
    Errors: none of its own.

    >>> problem = Problem(np.eye(2), np.array([[0.4], [0.6]]), Grid(step=1.0))
    >>> bool(check(problem, ["optq-identity"])["optq-identity"].ratio < 1e-12)
    True
    """
    measured, weighted = damped_error_squared(problem, result), weighted_errors_squared(problem, result)
    loss = output_loss(problem, result)
    noise = None if loss is None else squared(measured, loss) + squared(weighted, loss)
    return Evaluation(measured, weighted, scale=weighted, noise=noise, natural=weighted + pivot_sum(problem) / 4)
