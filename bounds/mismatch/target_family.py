r"""`target-family`: every target between OPTQ's and Qronos', and why Qronos' has the smallest bound

**Hypotheses.** OPTQ on $\tilde X$ with target $u_\alpha = w + \alpha\hat{\tilde X}^+\Delta w$ for any real $\alpha$; nearest rounding on
an infinite alphabet; any $X$, $\tilde X$, $\lambda \ge 0$, ordering and steps.

**Proof.** $\hat{\tilde X}u_\alpha = \hat{\tilde X}w + \alpha P\Delta w$ and $\hat{\tilde X}(u_\alpha-q) = Ve$ (`feedback-form`), so
$$\hat Xw - \hat{\tilde X}q = \Delta w - \alpha P\Delta w + \hat{\tilde X}(u_\alpha-q)
= P_\perp\Delta w + \big((1-\alpha)P\Delta w + Ve\big).$$
The bracket lies in the range of $\hat{\tilde X}$, orthogonal to the first part, and its norm is at most
$|1-\alpha|\|P\Delta w\| + \|Ve\|$ with $\|Ve\|^2 = \sum_jd_j^2e_j^2 \le \frac14\sum_j\delta_j^2d_j^2$. Only $|1-\alpha|$ depends on
$\alpha$. ∎

**Lineage.** This project: the family and its bound; no source found for the bound. Its members are OPTQ ($\alpha = 0$), projected Qronos
($\alpha = 1$; remark 5.2 of arXiv 2508.04853), and the partial corrections of QEP (arXiv 2504.09629) and CoreQ (arXiv 2602.05902, which
chooses $\alpha$ from a geometric decomposition of the mismatch).

**Sharp.** At $\alpha = 1$ as `qronos-l2` is. It is the *bound* that is smallest there: single errors can be smaller elsewhere, and on
other inputs than those of the calibration a partial correction can be the better choice.

**Reduces to.** At $\alpha = 0$ it is never above `optq-mismatch`, squared:
$\big(\|P_\perp\Delta w\|^2 + (\|P\Delta w\| + b)^2\big)^{1/2} \le \|\Delta w\| + b$ is the triangle inequality in the plane. At
$\alpha = 1$ it is `qronos-l2`, projected.
"""

from __future__ import annotations

import numpy as np

from ..checking import Evaluation, Kind, Origin, Problem, Result, absolute, claim, infinite_alphabet, lift, maximum, mismatched_inputs, sqrt
from ..checking.measure import pivot_sum, squares
from .projection import correction, mismatch_outputs, unexplained_squared

TARGETS = (0.5, 1.0, 1.5)  # alpha, beside the 0 of the result itself


@claim(
    id="target-family",
    statement=r"$\|\hat Xw-\hat{\tilde X}q\|^2 \le \|P_\perp\Delta w\|^2 + (|1-\alpha|\|P\Delta w\| + "
    r"\frac12(\sum_j\delta_j^2d_j^2)^{1/2})^2$ "
    r"for OPTQ on $\tilde X$ with target $w + \alpha\hat{\tilde X}^+\Delta w$; the bound is smallest at $\alpha = 1$",
    origin=Origin.OURS,
    source="this project, bounds/THEORY.md#target-family",
    kind=Kind.UPPER,
    unit="squared output error",
    hypotheses=(mismatched_inputs, infinite_alphabet),
)
def target_family(problem: Problem, result: Result) -> Evaluation:
    r"""The damped error of the deployed layer for four targets, upper bounds, deterministic.

    Setting: nearest rounding on an infinite alphabet; alpha = 0 is OPTQ (the result itself), 1 projected Qronos; the other targets
    are rounded here. The last row compares the bound at alpha = 1 with the smallest of the others.

    Origin: ours (covers OPTQ, QEP, CoreQ, projected Qronos). Arguments: problem and result of OPTQ. Returns: (5, K), squared
    units of the outputs. Errors: none of its own.

    >>> problem = Problem(np.eye(2), np.array([[0.4], [0.6]]), Grid(step=1.0), X_quantized=2 * np.eye(2))
    >>> check(problem, ["target-family"])["target-family"].outcome.value
    'holds'
    """
    inverse = np.argsort(problem.order)
    unexplained, rounding = unexplained_squared(problem), pivot_sum(problem) / 4
    explained = maximum(np.stack([squares(mismatch_outputs(problem)) - unexplained, 0 * unexplained]))
    measured, bounds = [], []
    for alpha in (0.0, *TARGETS):
        scaled = lift(alpha, problem.W)
        weights = result.weights if alpha == 0 else problem.but(W=problem.W + scaled * correction(problem)[inverse]).result.weights
        outputs = problem.X @ problem.W - problem.calibration @ weights
        measured.append(squares(outputs) + problem.factorization.damping * squares(problem.W - weights))
        away = absolute(1 - scaled)
        bounds.append(unexplained + away**2 * explained + 2 * away * sqrt(explained * rounding) + rounding)
    others = -maximum(-np.stack([bound for alpha, bound in zip((0.0, *TARGETS), bounds, strict=True) if alpha != 1]))
    return Evaluation(np.stack([*measured, bounds[2]]), np.stack([*bounds, others]))
