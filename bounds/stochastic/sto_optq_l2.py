r"""`sto-optq-l2`: the mean squared error of stochastic OPTQ

**Hypotheses.** Stochastic rounding on an infinite alphabet; any steps, $X$, $\lambda \ge 0$ and ordering. The mean is over the draws.

**Proof.** $\|\hat X(w-q)\|^2 = \sum_jd_j^2e_j^2$ (`optq-identity`). Given the draws before step $j$, $e_j$ has mean zero and lies on two
points $\delta_j$ apart, with probabilities $\theta$ and $1-\theta$: its variance is $\theta(1-\theta)\delta_j^2 \le \frac14\delta_j^2$.
And always $|e_j| < \delta_j$. Undamped, $X(w-q) = (XM)e$; for $i < j$,
$\mathbb E e_ie_j = \mathbb E\,e_i\,\mathbb E[e_j\mid\text{draws before } j] = 0$, so
$\mathbb E\|XMe\|^2 = \sum_j\mathbb E[e_j^2]\,\|XM_{\cdot j}\|^2$, and
$\|XM_{\cdot j}\|^2 = \|\hat XM_{\cdot j}\|^2 - \lambda\|M_{\cdot j}\|^2 = d_j^2 - \lambda(M^\top M)_{jj}$. ∎

**Lineage.** Classical: the first inequality, with its constant, is QuIP's worst case of LDLQ with stochastic rounding,
$\frac14\mathrm{tr}\,D$ per neuron (arXiv 2307.13304). Added here: a step per feature, the sure bound, and the undamped form.

**Sharp.** Attained where every $z_j$ is halfway between grid points with probability 1, as for $w_j = \delta_j(k_j + \frac12)$ where the
columns of $\hat X$ are orthogonal.

**Reduces to.** $\frac14\delta^2\|X\|_F^2$ for orthogonal columns at $\lambda = 0$. It is the number that `optq-l2` has for nearest
rounding, there for every run.
"""

from __future__ import annotations

import numpy as np

from ..checking import (
    Evaluation,
    Kind,
    Origin,
    Problem,
    Result,
    claim,
    damped_error_squared,
    infinite_alphabet,
    own_errors,
    pivot_sum,
    squares,
)


@claim(
    id="sto-optq-l2",
    statement=r"$\mathbb E[\|X(w-q)\|^2 + \lambda\|w-q\|^2] \le \frac14\sum_j\delta_j^2 d_j^2$, always $\le \sum_j\delta_j^2d_j^2$; "
    r"$\mathbb E\|X(w-q)\|^2 \le \frac14\sum_j\delta_j^2(d_j^2 - \lambda(M^\top M)_{jj})$",
    origin=Origin.CLASSICAL,
    source="QuIP, arXiv 2307.13304 (worst case of LDLQ)",
    kind=Kind.EXPECTATION,
    unit="squared output error",
    rounding="stochastic",
    hypotheses=(infinite_alphabet,),
)
def sto_optq_l2(problem: Problem, result: Result) -> Evaluation:
    r"""The squared error of stochastic OPTQ, damped and undamped, upper bounds in expectation over the rounding.

    Setting: stochastic rounding on an infinite alphabet. First row damped, second undamped; the variance of a variable on two
    points a step apart is at most a quarter of the squared step, and the :math:`e_j` are uncorrelated.

    Origin: classical. Arguments: problem and result of stochastic OPTQ. Returns: (2, K), squared units of the outputs; `ceiling` is
    what both never exceed. Errors: none of its own.

    >>> problem = Problem(np.eye(2), np.full((2, 2000), 0.3), Grid(step=1.0), rounding="stochastic")
    >>> check(problem, ["sto-optq-l2"])["sto-optq-l2"].outcome.value
    'holds'
    """
    total = pivot_sum(problem)
    undamped = squares(problem.factorization.sample_rows_of_V) @ problem.steps**2  # d_j^2 - lambda (M^T M)_jj, without the subtraction
    measured = np.stack([damped_error_squared(problem, result), squares(own_errors(problem, result))])
    return Evaluation(measured, np.stack([total, undamped]) / 4, ceiling=np.stack([total, total]))
