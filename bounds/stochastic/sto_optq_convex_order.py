r"""`sto-optq-convex-order`: the error of stochastic OPTQ is dominated by a Gaussian (arXiv 2508.04853)."""

from __future__ import annotations

from ..arithmetic import pi
from ..claim import Evaluation, Kind, Origin, claim
from ..hypotheses import infinite_alphabet
from .convex_order import convex_order_evaluation


@claim(
    id="sto-optq-convex-order",
    statement=r"$\hat X(w-q) \prec_{cx} N(0, \frac{\pi\delta^2}{2}\Sigma)$, $\Sigma = VV^\top$",
    origin=Origin.PAPER,
    source="arXiv 2508.04853",
    kind=Kind.EXPECTATION,
    unit="convex functions of the output error",
    rounding="stochastic",
    hypotheses=(infinite_alphabet,),
)
def sto_optq_convex_order(problem, result) -> Evaluation:
    r"""Means of convex functions of the error below those of a Gaussian, upper bounds in expectation.

    Setting: stochastic rounding on an infinite alphabet; tested on cosh, absolute values and hinges of linear functionals of the
    sample rows (convex order is kept by linear maps).

    Origin: paper. Arguments: problem and result of stochastic OPTQ. Returns: (rows, K). Errors: none of its own.

    >>> problem = Problem(np.eye(2), np.full((2, 1), 0.3), Grid(step=1.0), rounding="stochastic")
    >>> check(problem, ["sto-optq-convex-order"], draws=100)["sto-optq-convex-order"].outcome.value
    'holds'
    """
    return convex_order_evaluation(problem, result, pi(problem.failure_probability) / 2)
