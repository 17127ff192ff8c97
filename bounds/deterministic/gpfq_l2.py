r"""`gpfq-l2`: the 2-norm bound of path following, and that OPTQ's is never above it

**Hypotheses.** GPFQ on matched inputs ($\tilde X = X$), nearest rounding, no saturated step, no zero column; any ordering and steps.

**Proof.** With $P_t^\perp$ the projection orthogonal to $X_t$, one step of GPFQ is $r_t = P_t^\perp r_{t-1} + e_tX_t$: indeed
$r_{t-1} + (w_t-q_t)X_t = P_t^\perp r_{t-1} + (z_t-q_t)X_t$, since $z_t - w_t$ is the coefficient of $r_{t-1}$ along $X_t$. The two parts
are orthogonal, so $\|r_t\|^2 \le \|r_{t-1}\|^2 + \frac14\delta_t^2\|X_t\|^2$; add up, with $r_N = X(w-q)$. OPTQ at $\lambda = 0$ has
$\frac14\sum_j\delta_j^2d_j^2$, and $d_j \le \|X_j\|$ as the norm of a projection; for the same reason
$\max_j\delta_jd_j \le \max_j\delta_j\|X_j\|$. ∎

**Lineage.** GPFQ is Lybrand and Saab's (arXiv 2010.15979); that every step adds at most its own rounding, orthogonally to the rest, is
the first step of the analyses there and in arXiv 2201.11113, and is classical for Sigma–Delta quantization. The comparison with OPTQ is
elementary.

**Sharp.** Attained, up to ties, where columns are orthogonal. OPTQ's bound is smaller as soon as a later feature explains a part of an
earlier one.

**Reduces to.** Rounding to nearest where columns are orthogonal. It is `gpfq-mismatch` without a mismatch.
"""

from __future__ import annotations

import numpy as np

from ..checking import Evaluation, Kind, Origin, Problem, Result, claim, matched_inputs, maximum, nonzero_columns, unsaturated
from ..checking.measure import loss_in_squares, output_loss, own_errors, squares, undamped_pivots_squared


@claim(
    id="gpfq-l2",
    statement=r"$\|X(w-q)\|^2 \le \frac14\sum_j\delta_j^2\|X_j\|^2$ for GPFQ with $\tilde X = X$; "
    r"OPTQ's bound at $\lambda=0$ is never above it",
    origin=Origin.CLASSICAL,
    source="Lybrand & Saab, arXiv 2010.15979",
    kind=Kind.UPPER,
    unit="squared output error",
    algorithms=("gpfq",),
    hypotheses=(unsaturated, nonzero_columns, matched_inputs),
)
def gpfq_l2(problem: Problem, result: Result) -> Evaluation:
    r"""The output error of GPFQ below a quarter of the squared steps weighted by the column norms, upper bound, deterministic.

    Setting: nearest rounding, no saturated step, no zero column, X_quantized = X. Rows: the error; OPTQ's bound at damping 0,
    :math:`\frac14\sum_j\delta_j^2 d_j^2`, against the same; the largest step times pivot against the largest step times column
    norm (squares), which is why stochastic OPTQ's level at damping 0 is never above SPFQ's (`spfq-linf`).

    Origin: classical. Arguments: problem and result of GPFQ. Returns: (3, K), squared units of the outputs.
    Errors: none of its own.

    >>> problem = Problem(np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([[0.4], [0.6]]), Grid(step=1.0), algorithm="gpfq")
    >>> check(problem, ["gpfq-l2"])["gpfq-l2"].outcome.value
    'holds'
    """
    norms, pivots = squares(problem.calibration[:, problem.order]), undamped_pivots_squared(problem)
    weighted = problem.steps**2
    bound = norms @ weighted / 4
    largest, largest_pivot = (maximum(weighted * sizes[:, None]) for sizes in (norms, pivots))
    measured = [squares(own_errors(problem, result)), pivots @ weighted / 4, largest_pivot]
    loss = loss_in_squares(measured[0], output_loss(problem, result, damped=False))
    noise = None if loss is None else np.stack([loss, np.zeros_like(loss), np.zeros_like(loss)])
    return Evaluation(np.stack(measured), np.stack([bound, bound, largest]), noise=noise)
