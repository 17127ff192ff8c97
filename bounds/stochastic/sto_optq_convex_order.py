r"""`sto-optq-convex-order`: the error of stochastic OPTQ is dominated by a Gaussian

**Hypotheses.** Stochastic rounding on an infinite alphabet; any $X$, $\lambda \ge 0$ and ordering. With a step per feature,
$\delta^2\Sigma$ stands for $V\mathrm{diag}(\delta^2)V^\top$. *Convex order*, its symbol and its lemmas are in [the tools of this
chapter](#convex-order).

**Proof.** $\hat X(w-q) = \sum_je_jv_j$ (`optq-identity`), where the $v_j$ do not depend on the draws. Given the draws before step $j$,
$e_j$ has mean zero and $|e_j| \le \delta_j$, so by the lemma for bounded variables $e_j \prec_{cx} N(0, \frac\pi2\delta_j^2)$, and, by a
linear map, $e_jv_j \prec_{cx} N(0, \frac\pi2\delta_j^2v_jv_j^\top)$. The lemma on sums adds one step after the other: the sum is
dominated by a Gaussian with covariance $\frac\pi2\sum_j\delta_j^2v_jv_j^\top = \frac\pi2V\mathrm{diag}(\delta^2)V^\top$. ∎

**Lineage.** arXiv 2508.04853; the technique is that of SPFQ (arXiv 2309.10975). Its lemmas are proved anew in the introduction to this
chapter.

**Sharp.** Not: the variance can be divided by four, and by no more (`sto-optq-convex-order-sharp`), because $|e_j| \le \delta_j$ does
not use that the two values of $e_j$ are only $\delta_j$ apart.

**Reduces to.** One Gaussian variable of variance $\frac\pi2\delta^2d_1^2$ along $\hat X_1$ at $N = 1$.
"""

from __future__ import annotations

from ..checking import Evaluation, Kind, Origin, Problem, Result, claim, infinite_alphabet, pi
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
def sto_optq_convex_order(problem: Problem, result: Result) -> Evaluation:
    r"""Means of convex functions of the error below those of a Gaussian, upper bounds in expectation.

    Setting: stochastic rounding on an infinite alphabet; tested on cosh, absolute values and hinges of linear functionals of the
    sample rows (convex order is kept by linear maps).

    Origin: paper. Arguments: problem and result of stochastic OPTQ. Returns: (rows, K). Errors: none of its own.

    >>> problem = Problem(np.eye(2), np.full((2, 1), 0.3), Grid(step=1.0), rounding="stochastic")
    >>> check(problem, ["sto-optq-convex-order"], draws=100)["sto-optq-convex-order"].outcome.value
    'holds'
    """
    return convex_order_evaluation(problem, result, pi(problem.failure_probability) / 2)
