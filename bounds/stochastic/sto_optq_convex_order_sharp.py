r"""`sto-optq-convex-order-sharp`: the convex order with a quarter of the variance, the best constant (ours)."""

from __future__ import annotations

from ..arithmetic import pi
from ..claim import Evaluation, Kind, Origin, claim
from ..hypotheses import infinite_alphabet
from .convex_order import convex_order_evaluation


@claim(
    id="sto-optq-convex-order-sharp",
    statement=r"$\hat X(w-q) \prec_{cx} N(0, \frac{\pi\delta^2}{8}\Sigma)$, $\Sigma = VV^\top$",
    origin=Origin.OURS,
    source="THEORY, section 4, under sto-optq-linf-sharp",
    kind=Kind.EXPECTATION,
    unit="convex functions of the output error",
    rounding="stochastic",
    hypotheses=(infinite_alphabet,),
)
def sto_optq_convex_order_sharp(problem, result) -> Evaluation:
    r"""Means of convex functions of the error below those of a Gaussian of a quarter of the paper's variance, in expectation.

    Setting: as `sto-optq-convex-order`. A mean-zero variable on two points a step apart is below :math:`N(0, \pi\delta^2/8)`,
    with equality of E|.| at probability one half: the constant cannot be improved.

    Origin: ours. Arguments: problem and result of stochastic OPTQ. Returns: (rows, K). Errors: none of its own.

    >>> problem = Problem(np.eye(2), np.full((2, 1), 0.3), Grid(step=1.0), rounding="stochastic")
    >>> check(problem, ["sto-optq-convex-order-sharp"], draws=100)["sto-optq-convex-order-sharp"].outcome.value
    'holds'
    """
    return convex_order_evaluation(problem, result, pi(problem.failure_probability) / 8)
