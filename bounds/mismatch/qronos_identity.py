r"""`qronos-identity`: Qronos' error is the unexplained mismatch plus the pivots against the rounding errors

**Hypotheses.** Any $X$, $\tilde X$, $\lambda \ge 0$, ordering, alphabet (saturated or not) and rounding rule, both forms; pivots and
$v_j$ are those of $\hat{\tilde X}$.

**Proof.** With $u = w + \hat{\tilde X}^+\Delta w$, $\hat{\tilde X}u = \hat{\tilde X}w + P\Delta w$, so
$\hat Xw - \hat{\tilde X}q = \Delta w - P\Delta w + \hat{\tilde X}(u-q) = P_\perp\Delta w + VL(u-q)$. By `qronos-equivalence`
$L(u-q) = (u_1-q_1, e_2, \dots, e_N)$, and $= e$ with $e_1 = u_1-q_1$ in the projected form. So
$$\hat Xw - \hat{\tilde X}q = P_\perp\Delta w + (u_1-q_1)v_1 + \sum_{j\ge2}e_jv_j.$$
The $v_j$ are orthogonal and lie in the range of $\hat{\tilde X}$, to which $P_\perp\Delta w$ is orthogonal: take squared norms. The
upper rows of the left side are $Xw - \tilde Xq$, the lower ones $\sqrt\lambda(w-q)$. ∎

**Lineage.** arXiv 2508.04853. For dependent columns, where $u$ is the minimum-norm change, it is written out here.

**Sharp.** An identity.

**Reduces to.** `optq-identity` where $\tilde X = X$: then $\Delta w = 0$ and $u = w$.
"""

from __future__ import annotations

from ..checking import Evaluation, Kind, Origin, Problem, Result, claim, damped_deployed_error_squared, pivot_sum, squared
from .projection import projected_loss, target, unexplained_squared


@claim(
    id="qronos-identity",
    statement=r"$\|Xw-\tilde Xq\|^2 + \lambda\|w-q\|^2 = \|P_\perp\Delta w\|^2 + (u_1-q_1)^2d_1^2 + \sum_{j\ge2}e_j^2d_j^2$",
    origin=Origin.PAPER,
    source="arXiv 2508.04853",
    kind=Kind.IDENTITY,
    unit="squared output error",
    algorithms=("qronos",),
    rounding=None,
)
def qronos_identity(problem: Problem, result: Result) -> Evaluation:
    r"""The damped error of the deployed layer, split into mutually orthogonal parts, identity, deterministic.

    Setting: both forms of Qronos, any calibration matrices, damping, ordering, grid (saturated or not) and rounding.

    Origin: paper. Arguments: problem and result of Qronos. Returns: (K,), squared units of the outputs. Errors: none of its own.

    >>> problem = Problem(np.eye(2), np.array([[0.4], [0.6]]), Grid(step=1.0), algorithm="qronos", X_quantized=2 * np.eye(2))
    >>> bool(check(problem, ["qronos-identity"])["qronos-identity"].ratio < 1e-12)
    True
    """
    pivots = problem.factorization.pivots_squared
    first = target(problem)[0] - result.weights[problem.order[0]]
    rest = pivots[1:] @ result.rounding_errors[1:] ** 2 if problem.N > 1 else 0 * first
    measured, split = damped_deployed_error_squared(problem, result), unexplained_squared(problem) + first**2 * pivots[0] + rest
    loss = projected_loss(problem, result)
    noise = None if loss is None else squared(measured, loss) + squared(split, loss)
    return Evaluation(measured, split, noise=noise, natural=split + pivot_sum(problem) / 4)
