r"""`optq-identity`: the damped error is the pivots against the rounding errors (arXiv 2508.04853)."""

from __future__ import annotations

from ..claim import Evaluation, Kind, Origin, claim
from ..measure import cancelled_squares, damped_error_squared


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
    weighted = problem.factorization.pivots_squared @ result.rounding_errors**2
    return Evaluation(damped_error_squared(problem, result), weighted, scale=weighted + cancelled_squares(problem, result))
