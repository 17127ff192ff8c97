r"""`optq-l2`: the 2-norm error bound of OPTQ

**Hypotheses.** Nearest rounding, no saturated step; any $X$, $\lambda \ge 0$, ordering and steps.

**Proof.** In `optq-identity`, $\|X(w-q)\|^2 + \lambda\|w-q\|^2 = \sum_jd_j^2e_j^2$, and a step that does not saturate has
$|e_j| \le \delta_j/2$. ∎

**Lineage.** arXiv 2508.04853, with damping. For one step and a given $H$ it is QuIP's worst case of LDLQ, $\frac14\mathrm{tr}\,D$ per
neuron (arXiv 2307.13304), and Babai's bound on the error of his nearest plane algorithm (1986; for GPTQ arXiv 2507.18553).

**Sharp.** For every $X$, $\lambda$ and ordering: `optq-l2-tight` has weights that come as near as one likes. For the undamped error
alone it can be far from sharp at large $\lambda$.

**Reduces to.** $\|X(w-q)\| \le \frac\delta2(\sum_jd_j^2)^{1/2}$ for one step, dropping the ridge; $\frac{\delta^2}4\|X\|_F^2$, the bound
of `gpfq-l2`, where columns are orthogonal and $\lambda = 0$.
"""

from __future__ import annotations

from ..checking import (
    Evaluation,
    Kind,
    Origin,
    Problem,
    Result,
    claim,
    damped_error_squared,
    loss_in_squares,
    output_loss,
    pivot_sum,
    unsaturated,
)


@claim(
    id="optq-l2",
    statement=r"$\|X(w-q)\|^2 + \lambda\|w-q\|^2 \le \frac14\sum_j \delta_j^2 d_j^2$",
    origin=Origin.PAPER,
    source="arXiv 2508.04853",
    kind=Kind.UPPER,
    unit="squared output error",
    hypotheses=(unsaturated,),
)
def optq_l2(problem: Problem, result: Result) -> Evaluation:
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
