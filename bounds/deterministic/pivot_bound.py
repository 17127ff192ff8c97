r"""`pivot-bound`: each pivot from norms and singular values of X

**Hypotheses.** Any $X$, $\lambda \ge 0$ and ordering. $\sigma^{(j)}$ is the smallest of the $\min(m, N-j)$ singular values of $X_{>j}$.
Where $\lambda = \sigma^{(j)} = 0$ the fraction is read as 1.

**Proof.** Let $A = X_{>j}$. The pivot is the distance of $\hat X_j$ from the span of the later columns of $\hat X$, whose lower blocks
are $\sqrt\lambda$ times unit vectors, so
$$d_j^2 = \min_c\|\hat X_j - \hat X_{>j}c\|^2 = \lambda + \min_c\big(\|X_j - Ac\|^2 + \lambda\|c\|^2\big).$$
The choice $c = 0$ gives $d_j^2 \le \lambda + \|X_j\|^2$: the second case, true for every $j$. Now let $m \le N-j$ and let
$a_1, \dots, a_m$ be an orthonormal basis of left singular vectors of $A$ with singular values
$\sigma_1 \ge \dots \ge \sigma_m = \sigma^{(j)}$. For $\lambda > 0$ the inner minimum is that of ridge regression,
$\lambda X_j^\top(AA^\top + \lambda I)^{-1}X_j = \sum_{i\le m}\frac{\lambda}{\sigma_i^2+\lambda}\langle a_i, X_j\rangle^2$, at most
$\frac{\lambda}{(\sigma^{(j)})^2+\lambda}\|X_j\|^2$ since no fraction exceeds the last. For $\lambda = 0 < \sigma^{(j)}$ the columns of
$A$ span $\mathbb R^m$ and the minimum is 0, as the fraction says; for $\lambda = \sigma^{(j)} = 0$ use $c = 0$. ∎

**Lineage.** Lemma B.1 of arXiv 2508.04853; the middle step is the textbook formula of ridge regression.

**Sharp.** Equality at $m = 1$ for every $j$ (there is one singular value); in general where $X_j$ is a multiple of a left singular vector
of $X_{>j}$ that belongs to $\sigma^{(j)}$. The second case is attained where $X_j$ is orthogonal to the later columns.

**Reduces to.** $d_j^2 \le \lambda + \|X_j\|^2$ at $m > N-j$; $d_j^2 = 0$ at $\lambda = 0$ where the later columns have full row rank.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..checking import EPS, Evaluation, Kind, Origin, Problem, Result, claim, column_norms_squared, few_tails, is_exact, smallest_eigenvalue


@claim(
    id="pivot-bound",
    statement=r"$d_j^2 \le \frac{\lambda}{(\sigma^{(j)})^2+\lambda}\|X_j\|^2 + \lambda$ if $m \le N-j$, and "
    r"$d_j^2 \le \|X_j\|^2 + \lambda$ if $m > N-j$",
    origin=Origin.PAPER,
    source="arXiv 2508.04853, Lemma B.1",
    kind=Kind.UPPER,
    unit="squared calibration entry",
    algorithms=("optq", "qronos"),
    rounding=None,
    hypotheses=(few_tails,),
    about_neurons=False,
)
def pivot_bound(problem: Problem, result: Result) -> Evaluation:
    r"""Each squared pivot below an expression in norms and singular values of X, upper bound, deterministic, tight.

    Setting: any X, damping and ordering; :math:`\sigma^{(j)}` is the smallest of the min(m, N-j) singular values of the
    features after j. At :math:`\lambda = \sigma^{(j)} = 0` the fraction counts as 1.

    Origin: paper, Lemma B.1. Arguments: problem; the result is not read. Returns: (N,), squared units of the entries of X.
    Errors: none of its own.

    >>> problem = Problem(np.array([[1.0, 2.0, 2.0]]), np.zeros((3, 1)), Grid(step=1.0), damping=0.5)
    >>> bool(check(problem, ["pivot-bound"])["pivot-bound"].ratio <= 1 + 1e-12)
    True
    """
    return Evaluation(problem.factorization.pivots_squared, pivot_bounds(problem))


def pivot_bounds(problem: Problem) -> np.ndarray:
    """The right-hand side of the lemma for every feature, (N,), processing order."""
    f = problem.factorization
    m, N = problem.m, problem.N
    norms, damping = column_norms_squared(problem), f.damping
    bounds = norms + damping
    for j in range(N - m):
        later = problem.calibration[:, f.order[j + 1 :]]
        least = _least_singular_value_squared(later)
        if not (damping == 0 and least == 0):
            bounds[j] = damping / (least + damping) * norms[j] + damping
    return bounds


def _least_singular_value_squared(later: np.ndarray) -> Any:
    """Of m samples by at least m features; in float64 zero where it is rounding noise, since the bound jumps there without damping."""
    if is_exact(later):
        return smallest_eigenvalue(later @ later.T)
    values = np.linalg.svd(later, compute_uv=False)
    return float(values[-1] ** 2) if values[-1] > max(later.shape) * EPS * values[0] else 0.0
