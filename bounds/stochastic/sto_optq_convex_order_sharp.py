r"""`sto-optq-convex-order-sharp`: the convex order with a quarter of the variance, the best constant

**Hypotheses.** As in `sto-optq-convex-order`.

**Proof.** Given the draws before step $j$, $e_j$ has mean zero and lies on two points $\delta_j$ apart, so by [the lemma for two
points](#convex-order) $e_j \prec_{cx} N(0, \frac\pi8\delta_j^2)$. The rest is the proof of `sto-optq-convex-order` with $\frac\pi8$ in
place of $\frac\pi2$. ∎

**Lineage.** This project: the constant for OPTQ; no source found for that use. The one-variable comparison is a case of arXiv 2604.26819 (a
sub-Gaussian variable of variance proxy $\sigma^2$, here $\delta^2/4$ by Hoeffding's lemma, is dominated by $N(0, \frac\pi2\sigma^2)$),
which, to judge by a summary of it, also goes through the Gaussian isoperimetric profile. Adding up steps is the argument of SPFQ (arXiv
2309.10975); a general principle of that kind is in arXiv 2604.03170.

**Sharp.** At $N = 1$ with $z$ halfway between two grid points: $\mathbb E|e_1| = \delta/2$ is exactly the mean of
$|N(0, \frac\pi8\delta^2)|$, so no smaller variance will do.

**Reduces to.** `sto-optq-convex-order`, since four times the variance dominates it.
"""

from __future__ import annotations

from ..checking import Evaluation, Kind, Origin, Problem, Result, claim, infinite_alphabet, pi
from .convex_order import convex_order_evaluation


@claim(
    id="sto-optq-convex-order-sharp",
    statement=r"$\hat X(w-q) \prec_{cx} N(0, \frac{\pi\delta^2}{8}\Sigma)$, $\Sigma = VV^\top$",
    origin=Origin.OURS,
    source="this project, bounds/THEORY.md#sto-optq-convex-order-sharp; one variable: arXiv 2604.26819",
    kind=Kind.EXPECTATION,
    unit="convex functions of the output error",
    rounding="stochastic",
    hypotheses=(infinite_alphabet,),
)
def sto_optq_convex_order_sharp(problem: Problem, result: Result) -> Evaluation:
    r"""Means of convex functions of the error below those of a Gaussian of a quarter of the paper's variance, in expectation.

    Setting: as `sto-optq-convex-order`. A mean-zero variable on two points a step apart is below :math:`N(0, \pi\delta^2/8)`,
    with equality of E|.| at probability one half: the constant cannot be improved.

    Origin: ours. Arguments: problem and result of stochastic OPTQ. Returns: (rows, K). Errors: none of its own.

    >>> problem = Problem(np.eye(2), np.full((2, 1), 0.3), Grid(step=1.0), rounding="stochastic")
    >>> check(problem, ["sto-optq-convex-order-sharp"], draws=100)["sto-optq-convex-order-sharp"].outcome.value
    'holds'
    """
    return convex_order_evaluation(problem, result, pi(problem.failure_probability) / 8)
