r"""`sto-qronos-linf`: the infinity-norm bound of stochastic Qronos

**Hypotheses.** Both forms of Qronos with stochastic rounding, any steps, $0 < p < 1$; any $X$, $\tilde X$, $\lambda \ge 0$ and ordering.
One neuron. On a finite alphabet the statement is about runs in which no step saturates ([finite alphabets](#finite-alphabets)). With a
step per feature the first level takes $\max_j\delta_jd_j$.

**Proof.** In the alternating form $u_1 - q_1 = (u_1-z_1) + e_1$, so `qronos-identity` reads
$\hat Xw - \hat{\tilde X}q = P_\perp\Delta w + (u_1-z_1)v_1 + Ve$; in the projected form $z_1 = u_1$. The first two parts do not depend
on the draws. Given the draws before step $j$, $e_j$ has mean zero on two points $\delta_j$ apart, at the first step too. So $Ve$ is what
`sto-optq-linf` and `sto-optq-linf-rowwise` bound: with probability at least $1-p$ its sample rows are at most $\alpha_p$ (for the first
level, $V\mathrm{diag}(\delta^2)V^\top \preceq \max_j\delta_j^2d_j^2\,I$ since the $v_j$ are orthogonal). The triangle inequality in each
sample row. ∎

**Lineage.** arXiv 2508.04853, with the level of `sto-optq-linf`; the row-wise level is this project's.

**Sharp.** As the levels are. The part that does not depend on the draws is the mean of the error, exactly.

**Reduces to.** `sto-optq-linf` and `sto-optq-linf-rowwise` where $\tilde X = X$.
"""

from __future__ import annotations

import numpy as np

from ..checking import Evaluation, Kind, Origin, Problem, Result, absolute, claim, deployed_errors, maximum
from ..stochastic.levels import largest_pivot_step, paper_factor, rowwise_level
from .projection import first_minimizer, target, unexplained_outputs


@claim(
    id="sto-qronos-linf",
    statement=r"$\Pr[\|Xw-\tilde Xq\|_\infty \le \|P_\perp\Delta w + (u_1-z_1)v_1\|_\infty + \alpha_p] \ge 1-p$ with the level "
    r"$\alpha_p$ of `sto-optq-linf`, or of `sto-optq-linf-rowwise`; projected: without the $v_1$ term",
    origin=Origin.PAPER,
    source="arXiv 2508.04853; the row-wise level is ours",
    kind=Kind.PROBABILITY,
    unit="output error",
    per_output=True,
    algorithms=("qronos",),
    rounding="stochastic",
)
def sto_qronos_linf(problem: Problem, result: Result) -> Evaluation:
    r"""The largest output error of the deployed layer under stochastic Qronos, upper bounds with probability at least 1 - p.

    Setting: both forms, stochastic rounding, no saturated step (a saturated draw counts as no failure); with a step per feature the
    paper's level takes the largest product of step and pivot. Rows: the paper's level, the row-wise level.

    Origin: paper, and ours row-wise. Arguments: problem and result of stochastic Qronos. Returns: (2, K), units of the outputs.
    Errors: none of its own.

    >>> problem = Problem(np.eye(2), np.full((2, 1), 0.3), Grid(step=1.0), "qronos", rounding="stochastic", X_quantized=2 * np.eye(2))
    >>> check(problem, ["sto-qronos-linf"], draws=100)["sto-qronos-linf"].outcome.value
    'holds'
    """
    mean = unexplained_outputs(problem)
    if problem.form == "alternating":
        mean = mean + np.outer(problem.factorization.sample_rows_of_V[:, 0], target(problem)[0] - first_minimizer(problem))
    levels = np.stack([largest_pivot_step(problem) * paper_factor(problem, problem.m), rowwise_level(problem)])
    error = maximum(absolute(deployed_errors(problem, result)))
    return Evaluation(np.stack([error, error]), maximum(absolute(mean)) + levels)
