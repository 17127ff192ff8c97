r"""`qronos-l2`: the 2-norm error bound of Qronos

**Hypotheses.** Nearest rounding, no saturated step; any $X$, $\tilde X$, $\lambda \ge 0$, ordering and steps; both forms.

**Proof.** In `qronos-identity` $|e_j| \le \delta_j/2$. In the projected form $u_1$ is rounded, so $|u_1-q_1| \le \delta_1/2$ too; in the
alternating form $z_1$ is, so $|u_1-q_1| \le |u_1-z_1| + \delta_1/2$. ∎

**Lineage.** arXiv 2508.04853.

**Sharp.** Where $\tilde X = X$, by `optq-l2-tight`; and for every $X$, $\tilde X$ in the projected form, by the same weights with $u$ in
place of $w$ where $w \mapsto u$ is onto. The first term is a part of the error whatever $q$ is: no weights remove $P_\perp\Delta w$.

**Reduces to.** `optq-l2` where $\tilde X = X$.
"""

from __future__ import annotations

from typing import Any

from ..checking import (
    Evaluation,
    Kind,
    Origin,
    Problem,
    Result,
    absolute,
    claim,
    damped_deployed_error_squared,
    pivot_sum,
    squared,
    unsaturated,
)
from .projection import first_minimizer, projected_loss, target, unexplained_squared


@claim(
    id="qronos-l2",
    statement=r"$\|Xw-\tilde Xq\|^2 + \lambda\|w-q\|^2 \le \|P_\perp\Delta w\|^2 + (|u_1-z_1|+\delta_1/2)^2d_1^2 + "
    r"\frac14\sum_{j\ge2}\delta_j^2d_j^2$; projected: the middle term is $\frac14\delta_1^2d_1^2$",
    origin=Origin.PAPER,
    source="arXiv 2508.04853",
    kind=Kind.UPPER,
    unit="squared output error",
    algorithms=("qronos",),
    hypotheses=(unsaturated,),
)
def qronos_l2(problem: Problem, result: Result) -> Evaluation:
    r"""The damped error of the deployed layer below the unexplained mismatch plus OPTQ's bound, upper bound, deterministic.

    Setting: nearest rounding, no saturated step, both forms; the alternating form pays for choosing its first code before the
    projection.

    Origin: paper. Arguments: problem and result of Qronos. Returns: (K,), squared units of the outputs. Errors: none of its own.

    >>> problem = Problem(np.eye(2), np.array([[0.4], [0.6]]), Grid(step=1.0), algorithm="qronos", X_quantized=2 * np.eye(2))
    >>> check(problem, ["qronos-l2"])["qronos-l2"].outcome.value
    'holds'
    """
    bound = unexplained_squared(problem) + pivot_sum(problem) / 4 + detour(problem)
    measured, loss = damped_deployed_error_squared(problem, result), projected_loss(problem, result)
    noise = None if loss is None else squared(measured, loss) + squared(bound, loss)
    return Evaluation(measured, bound, noise=noise)


def detour(problem: Problem) -> Any:
    """What the alternating form's first step adds to the bound (K,); 0 in the projected form."""
    if problem.form == "projected":
        return 0 * problem.steps[0]
    away, half = absolute(target(problem)[0] - first_minimizer(problem)), problem.steps[0] / 2
    return ((away + half) ** 2 - half**2) * problem.factorization.pivots_squared[0]
