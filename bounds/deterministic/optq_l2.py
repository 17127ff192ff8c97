r"""`optq-l2`: the 2-norm error bound of OPTQ (arXiv 2508.04853)."""

from __future__ import annotations

from ..claim import Evaluation, Kind, Origin, claim
from ..hypotheses import unsaturated
from ..measure import damped_error_squared, loss_in_squares, output_loss, pivot_sum


@claim(
    id="optq-l2",
    statement=r"$\|X(w-q)\|^2 + \lambda\|w-q\|^2 \le \frac14\sum_j \delta_j^2 d_j^2$",
    origin=Origin.PAPER,
    source="arXiv 2508.04853",
    kind=Kind.UPPER,
    unit="squared output error",
    hypotheses=(unsaturated,),
)
def optq_l2(problem, result) -> Evaluation:
    r"""The damped error of OPTQ below a quarter of the squared steps weighted by the pivots, upper bound, deterministic, tight.

    Setting: nearest rounding, no saturated step. :math:`\|X(w-q)\|^2 + \lambda\|w-q\|^2 \le \frac14\sum_j\delta_j^2 d_j^2`;
    follows from `optq-identity` with :math:`|e_j| \le \delta_j/2`. `optq-l2-tight` attains it.

    Origin: paper. Arguments: problem and result of OPTQ. Returns: both sides (K,), squared units of the outputs.
    Errors: none of its own.

    >>> problem = Problem(np.eye(2), np.array([[0.4], [0.6]]), Grid(step=1.0))
    >>> verdict = check(problem, ["optq-l2"])["optq-l2"]
    >>> print(verdict.measured.round(6), verdict.bound)
    [0.32] [0.5]
    """
    measured, bound = damped_error_squared(problem, result), pivot_sum(problem) / 4
    return Evaluation(measured, bound, noise=loss_in_squares(measured, output_loss(problem, result)))
