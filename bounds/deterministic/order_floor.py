r"""`order-floor`: what no ordering can beat

**Hypotheses.** $H \succ 0$. Any ordering: $\det H$ and the diagonals of $H$ and $H^{-1}$ are merely permuted by one.

**Proof.** $H = L^\top D^2L$ with $\det L = 1$ gives $\det H = \prod_jd_j^2$. The arithmetic mean of the $d_j^2$ and their largest are at
least their geometric mean, $(\det H)^{1/N}$. A pivot is the norm of a projection, so $d_j^2 \le \|\hat X_j\|^2 = H_{jj}$, and the sum is
at most $\mathrm{tr}\,H$. From $H^{-1} = MD^{-2}M^\top$ follows $(H^{-1})_{jj} = \sum_iM_{ji}^2/d_i^2 \ge M_{jj}^2/d_j^2 = 1/d_j^2$. The
feature processed last has nothing after it, so its squared pivot is its $H_{jj}$, and the largest pivot is at least that. ∎

**Lineage.** Classical linear algebra: Hadamard's determinant inequality and its proof, AM–GM, and Schur complements ($1/(H^{-1})_{jj}$
is the part of feature $j$ that no other feature explains, $d_j^2$ the part that no later one does). $\mathrm{tr}\,D \le \mathrm{tr}\,H$
is used by QuIP (arXiv 2307.13304), the determinant as the limit of scalar quantizers by arXiv 2601.17187. Read as a floor for orderings
here; no source found for that use.

**Sharp.** Everything is an equality where $H$ is a multiple of the identity. The floor of the sum is attained by any $H$ whose pivots
are equal in some ordering (`adversarial-growth` has all pivots 1), but not by every $H$: on diagonal matrices no ordering changes
anything.

**Reduces to.** Hadamard's inequality $\det H \le \prod_jH_{jj}$, by multiplying $d_j^2 \le H_{jj}$. The *min-pivot* ordering (arXiv
2507.18553: going backwards, always the feature with the smallest residual norm) usually comes close to the floor; it is a greedy choice
and not optimal. How hard it is to find the best ordering is not claimed: no source found.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import cholesky, qr
from scipy.linalg.lapack import dtrtri  # pyright: ignore[reportAttributeAccessIssue]  # made when scipy is imported

from ...algorithms import Factorization
from ..checking import (
    Evaluation,
    Kind,
    Origin,
    Problem,
    Result,
    claim,
    column_norms_squared,
    gram,
    is_exact,
    maximum,
    minimum,
    positive_definite,
    squares,
)


@claim(
    id="order-floor",
    statement=r"$\prod_j d_j^2 = \det H$, so $\sum_j d_j^2 \ge N(\det H)^{1/N}$ and $\max_j d_j^2 \ge (\det H)^{1/N}$ for every "
    r"ordering; $\sum_j d_j^2 \le \mathrm{tr}\,H$; $1/(H^{-1})_{jj} \le d_j^2 \le H_{jj}$; $\max_j d_j^2 \ge \min_j H_{jj}$",
    origin=Origin.CLASSICAL,
    source="Hadamard's inequality, AM-GM, Schur complements",
    kind=Kind.LOWER,
    unit="squared calibration entry",
    algorithms=("optq", "qronos"),
    rounding=None,
    hypotheses=(positive_definite,),
    about_neurons=False,
)
def order_floor(problem: Problem, result: Result) -> Evaluation:
    r"""The pivots of any ordering against the determinant and the diagonals of H, lower bounds, deterministic, tight.

    Setting: H positive definite. The entries are, in turn: mean and largest pivot over the floor from det H, the product of the
    pivots from above and from below (roots in float64, N-th powers exactly), tr H over the sum, the sum over
    :math:`\sum 1/(H^{-1})_{jj}`, the largest pivot over the smallest diagonal entry, and for each feature H_jj over d_j^2 and
    d_j^2 over :math:`1/(H^{-1})_{jj}`. The determinant and the inverse come from a triangle of their own, not from the pivots.

    Origin: classical. Arguments: problem; the result is not read. Returns: (7 + 2N,), squared units of the entries of X.
    Errors: none of its own.

    >>> problem = Problem(np.array([[2.0, 1.0], [1.0, 3.0]]), np.zeros((2, 1)), Grid(step=1.0))
    >>> bool(check(problem, ["order-floor"])["order-floor"].ratio <= 1 + 1e-12)
    True
    """
    f = problem.factorization
    squared = f.pivots_squared
    diagonal = column_norms_squared(problem) + f.damping
    total, largest = squared.sum(), maximum(squared)
    floor, inverse_diagonal = spectral_floor(problem)
    inverses = 1 / inverse_diagonal
    product = squared.prod() if is_exact(squared) else _geometric_mean(squared)
    mean, peak = (total / problem.N) ** _power(problem), largest ** _power(problem)
    measured = [mean, peak, product, floor, diagonal.sum(), total, largest, *diagonal, *squared]
    bound = [floor, floor, floor, product, total, inverses.sum(), minimum(diagonal), *squared, *inverses]
    return Evaluation(np.array(measured), np.array(bound))


def spectral_floor(problem: Problem) -> tuple[Any, np.ndarray]:
    r""":math:`(\det H)^{1/N}` (exactly: det H) and the diagonal of :math:`H^{-1}` (N,), without the pivots."""
    f = problem.factorization
    if not isinstance(f, Factorization):
        return f.determinant, f.inverse_diagonal
    return problem.remember("spectral floor", None, lambda: _forward_floor(problem))


def _forward_floor(problem: Problem) -> tuple[float, np.ndarray]:
    """Both from the triangle of the matrix in processing order: the pivots come from that of the reversed one.

    By Cholesky, straight from the rows, where the eps cond^2 that it loses is less than the 100 N eps cond that pivots may be off by.
    """
    f = problem.factorization
    if f.condition <= problem.N:
        triangle = cholesky(gram(problem), check_finite=False)
    else:
        triangle = qr(f.source.root(f.damping)[:, f.order], mode="r", check_finite=False)[0][: problem.N]
    inverse, _ = dtrtri(triangle)
    return _geometric_mean(np.diag(triangle) ** 2), squares(inverse.T)


def _geometric_mean(values: np.ndarray) -> float:
    """In units of the largest, since a logarithm far from 0 loses digits."""
    return float(values.max() * np.exp(np.mean(np.log(values / values.max()))))


def _power(problem: Problem) -> int:
    """Roots are compared in float64, N-th powers exactly."""
    return problem.N if is_exact(problem.factorization.pivots_squared) else 1
