r"""`optq-linf`: the infinity-norm error bound of OPTQ with nearest rounding (ours)."""

from __future__ import annotations

from ..arithmetic import absolute, maximum
from ..claim import Evaluation, Kind, Origin, claim
from ..hypotheses import unsaturated
from ..measure import output_loss, own_errors


@claim(
    id="optq-linf",
    statement=r"$\|X(w-q)\|_\infty \le \frac12\max_{i\le m}\sum_j\delta_j|V_{ij}|$",
    origin=Origin.OURS,
    source="THEORY, section 3",
    kind=Kind.UPPER,
    unit="output error",
    per_output=True,
    hypotheses=(unsaturated,),
)
def optq_linf(problem, result) -> Evaluation:
    r"""The largest output error of OPTQ below half the largest weighted row sum of |V|, upper bound, deterministic, tight.

    Setting: nearest rounding, no saturated step. Since :math:`X(w-q) = Ve` on the sample rows; attained up to epsilon by the
    weights of `optq-l2-tight` with the signs of one row of V.

    Origin: ours. Arguments: problem and result of OPTQ. Returns: (K,), units of the outputs. Errors: none of its own.

    >>> problem = Problem(np.eye(2), np.array([[0.4], [0.6]]), Grid(step=1.0))
    >>> print(check(problem, ["optq-linf"])["optq-linf"].ratio)
    0.8
    """
    rows = absolute(problem.factorization.sample_rows_of_V) @ problem.steps
    return Evaluation(maximum(absolute(own_errors(problem, result))), maximum(rows) / 2, noise=output_loss(problem, result))
