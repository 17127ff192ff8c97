r"""`optq-mismatch`: OPTQ on the deployed inputs alone pays for the whole mismatch

**Hypotheses.** OPTQ calibrated on $\tilde X$ (target $\hat{\tilde X}w$), nearest rounding, no saturated step; any $\lambda \ge 0$,
ordering and steps; pivots of $\hat{\tilde X}$.

**Proof.** $\hat Xw - \hat{\tilde X}q = \Delta w + \hat{\tilde X}(w-q)$. The triangle inequality, and `optq-l2` on $\tilde X$ for the
second part. ∎

**Lineage.** arXiv 2508.04853, where Qronos is compared with it: Qronos keeps only $P_\perp\Delta w$ of the mismatch.

**Sharp.** Where $\Delta w$ and $\hat{\tilde X}(w-q)$ point the same way: $N = m = 1$, $\lambda = 0$, $\delta = 1$, $\tilde X = 1$,
$X = 1+a$ with $a > 0$, $w \to \frac12$ from below.

**Reduces to.** `optq-l2` (its root) where $\tilde X = X$.
"""

from __future__ import annotations

from ..checking import Evaluation, Kind, Origin, Problem, Result, claim, mismatched_inputs, sqrt, unsaturated
from ..checking.measure import damped_deployed_error_squared, output_loss, pivot_sum, squares
from .projection import mismatch_outputs


@claim(
    id="optq-mismatch",
    statement=r"$\|\hat Xw - \hat{\tilde X}q\| \le \|\Delta w\| + \frac12(\sum_j\delta_j^2d_j^2)^{1/2}$ for OPTQ on $\tilde X$",
    origin=Origin.PAPER,
    source="arXiv 2508.04853",
    kind=Kind.UPPER,
    unit="output error",
    hypotheses=(mismatched_inputs, unsaturated),
)
def optq_mismatch(problem: Problem, result: Result) -> Evaluation:
    r"""The damped error of the deployed layer below the mismatch plus OPTQ's bound, upper bound, deterministic.

    Setting: nearest rounding, no saturated step, OPTQ calibrated on X_quantized alone. Qronos keeps only the part of the mismatch
    that no weights explain (`qronos-l2`).

    Origin: paper. Arguments: problem and result of OPTQ. Returns: (K,), units of the outputs. Errors: none of its own.

    >>> problem = Problem(np.eye(2), np.array([[0.4], [0.6]]), Grid(step=1.0), X_quantized=2 * np.eye(2))
    >>> check(problem, ["optq-mismatch"])["optq-mismatch"].outcome.value
    'holds'
    """
    bound = sqrt(squares(mismatch_outputs(problem))) + sqrt(pivot_sum(problem)) / 2
    return Evaluation(sqrt(damped_deployed_error_squared(problem, result)), bound, noise=output_loss(problem, result))
