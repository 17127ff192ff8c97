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

from ..claim import Evaluation, Kind, Origin, claim
from ..measure import cancelled_squares, damped_error_squared


@claim(
    id="optq-identity",
    statement=r"$\|X(w-q)\|^2 + \lambda\|w-q\|^2 = \sum_j d_j^2 e_j^2$",
    origin=Origin.PAPER,
    source="arXiv 2508.04853",
    kind=Kind.IDENTITY,
    unit="squared output error",
    rounding=None,
)
def optq_identity(problem, result) -> Evaluation:
    r"""The damped error against the rounding errors weighted by the pivots, identity, deterministic.

    Setting: any calibration matrix, damping, ordering, grid (saturated or not) and rounding; e = z - q.
    :math:`\|X(w-q)\|^2 + \lambda\|w-q\|^2 = \sum_j d_j^2 e_j^2`, since :math:`L(w-q) = e` and the v_j are orthogonal.

    Origin: paper. Arguments: problem and result of OPTQ. Returns: both sides (K,), squared units of the outputs.
    Errors: none of its own.

    >>> problem = Problem(np.eye(2), np.array([[0.4], [0.6]]), Grid(step=1.0))
    >>> bool(check(problem, ["optq-identity"])["optq-identity"].ratio < 1e-12)
    True
    """
    weighted = problem.factorization.pivots_squared @ result.rounding_errors**2
    return Evaluation(damped_error_squared(problem, result), weighted, scale=weighted + cancelled_squares(problem, result))
