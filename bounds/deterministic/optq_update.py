r"""`optq-update`: the OPTQ update is the least-squares minimizer, whichever way it is written

**Hypotheses.** Any $X$, $\lambda \ge 0$, ordering, alphabet and rounding rule. Where columns of $\hat X$ depend on each other,
$\arg\min$ means the change of minimum norm; the inverse-Hessian form needs $H \succ 0$.

**Proof.** Let $c_t = \hat X_{>t}^+\hat X_t$, so that $M_{>t,t} = -c_t$, and write $v = w_{>t}^{(t-1)} + x$. What is minimized is
$\|\hat X_t(w_t^{(t-1)} - q_t) - \hat X_{>t}x\| = \|e_t\hat X_t - \hat X_{>t}x\|$, and its minimizer of minimum norm is $x = e_tc_t$. So
the least-squares definition says
$$w_{>t}^{(t)} = w_{>t}^{(t-1)} + e_tc_t = w_{>t}^{(t-1)} - e_tM_{>t,t},$$
which `feedback-form` unrolls into $z_j = w_j + \sum_{i<j}L_{ji}(w_i-q_i)$. GPTQ's form takes the upper triangular $U$ with positive
diagonal and $H^{-1} = U^\top U$, and updates $w_{>t}^{(t)} = w_{>t}^{(t-1)} - (e_t/U_{tt})\,U_{t,>t}^\top$. From $H = L^\top D^2L$
follows $H^{-1} = MD^{-2}M^\top = (D^{-1}M^\top)^\top(D^{-1}M^\top)$. The factor is unique, so $U = D^{-1}M^\top$, $U_{tt} = 1/d_t$ and
$U_{t,>t}^\top = M_{>t,t}/d_t$: the same update. ∎

**Lineage.** Appendix A of arXiv 2508.04853; the update is GPTQ's (arXiv 2210.17323), after Hassibi and Stork's optimal brain surgeon
(1993). That dependent columns need the change of minimum norm, and that $M$ defined by pseudo-inverses then still gives it, is written
out here.

**Sharp.** An identity. In float64 the error of the inverse-Hessian form is bounded by $\mathrm{cond}(\hat X)^4$ units of roundoff (nearer
$\mathrm{cond}^2$ in practice), that of the feedback form, by QR, by $\mathrm{cond}(\hat X)$.

**Reduces to.** No update at all where $\hat X_t$ is orthogonal to every later column.
"""

from __future__ import annotations

import numpy as np

from ..checking import (
    Evaluation,
    Kind,
    Origin,
    Problem,
    Result,
    absolute,
    at_most,
    claim,
    literal_numbers,
    literal_reach,
    maximum,
    step_sizes,
)


@claim(
    id="optq-update",
    statement=r"$w_{>t}^{(t)} = \arg\min_v \|\hat X_{\ge t} w_{\ge t}^{(t-1)} - q_t\hat X_t - \hat X_{>t}v\|$ = the "
    r"inverse-Hessian Cholesky update = the feedback form",
    origin=Origin.PAPER,
    source="arXiv 2508.04853, Appendix A",
    kind=Kind.IDENTITY,
    unit="weight",
    rounding=None,
    hypotheses=(at_most(64, "the literal definition solves a least-squares problem at every step"),),
)
def optq_update(problem: Problem, result: Result) -> Evaluation:
    r"""The numbers z that the result rounded against those of the two literal forms, identity, deterministic.

    Setting: any calibration matrix, damping, ordering, grid and rounding. The literal forms replay the
    result's own codes, so that ties cannot part them. In float64 the inverse-Hessian form loses up to cond(X)^4 (once in the
    inverse, once more in its Cholesky factor), so it is compared only up to a condition number of 100, with that scale.

    Origin: paper, Appendix A of arXiv 2508.04853.

    Arguments: problem and result of OPTQ. Returns: z (1 or 2, N, K), in units of the weights. Errors: none of its own.

    >>> problem = Problem(np.eye(2), np.array([[0.4], [0.6]]), Grid(step=1.0))
    >>> check(problem, ["optq-update"])["optq-update"].ratio
    0.0
    """
    z = result.rounding_errors + result.weights[problem.order]
    literal = literal_numbers(problem, result)
    size = maximum(absolute(z)) + maximum(absolute(problem.W)) + problem.steps
    scales = [size] if len(literal) == 1 else [size, size * problem.factorization.condition**2]
    allowance = literal_reach(problem)
    copies = [np.stack([each] * len(literal)) for each in (z, step_sizes(problem))]
    return Evaluation(copies[0], np.stack(literal), scale=np.stack(scales), allowance=allowance, natural=copies[1])
