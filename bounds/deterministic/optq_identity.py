r"""`optq-identity`: the damped error is the pivots against the rounding errors

**Hypotheses.** Any $X$, $\lambda \ge 0$, ordering, alphabet (saturated or not) and rounding rule; $e = z - q$ are the errors that OPTQ
makes.

**Proof.** By `feedback-form`, $w - q = Me$. So $\hat X(w-q) = \hat XMe = Ve = \sum_je_jv_j$, and as the $v_j$ are orthogonal with norms
$d_j$, $\|\hat X(w-q)\|^2 = \sum_jd_j^2e_j^2$. The upper rows of $\hat X(w-q)$ are $X(w-q)$, the lower ones $\sqrt\lambda(w-q)$. ∎

**Lineage.** arXiv 2508.04853, for OPTQ with damping; for a given $H$ it is the identity behind QuIP's analysis of LDLQ (arXiv
2307.13304), $(w-q)^\top H(w-q) = \|D\,L(w-q)\|^2$.

**Sharp.** An identity.

**Reduces to.** $\|X(w-q)\|^2 = \sum_jd_j^2e_j^2$ at $\lambda = 0$; Pythagoras where columns are orthogonal.
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
    output_loss,
    pivot_sum,
    squared,
    weighted_errors_squared,
)


@claim(
    id="optq-identity",
    statement=r"$\|X(w-q)\|^2 + \lambda\|w-q\|^2 = \sum_j d_j^2 e_j^2$",
    origin=Origin.PAPER,
    source="arXiv 2508.04853",
    kind=Kind.IDENTITY,
    unit="squared output error",
    rounding=None,
)
def optq_identity(problem: Problem, result: Result) -> Evaluation:
    r"""The damped error against the rounding errors weighted by the pivots, identity, deterministic.

    Setting: any calibration matrix, damping, ordering, grid (saturated or not) and rounding; e = z - q.
    :math:`\|X(w-q)\|^2 + \lambda\|w-q\|^2 = \sum_j d_j^2 e_j^2`, since :math:`L(w-q) = e` and the v_j are orthogonal.

    Origin: paper. Arguments: problem and result of OPTQ. Returns: both sides (K,), squared units of the outputs.
    Errors: none of its own.

    >>> problem = Problem(np.eye(2), np.array([[0.4], [0.6]]), Grid(step=1.0))
    >>> bool(check(problem, ["optq-identity"])["optq-identity"].ratio < 1e-12)
    True
    """
    measured, weighted = damped_error_squared(problem, result), weighted_errors_squared(problem, result)
    loss = output_loss(problem, result)
    noise = None if loss is None else squared(measured, loss) + squared(weighted, loss)
    return Evaluation(measured, weighted, scale=weighted, noise=noise, natural=weighted + pivot_sum(problem) / 4)
