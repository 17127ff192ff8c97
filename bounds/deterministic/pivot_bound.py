r"""`pivot-bound`: each pivot from norms and singular values of X (arXiv 2508.04853, Lemma B.1)."""

from __future__ import annotations

import numpy as np

from ..arithmetic import is_exact, smallest_eigenvalue
from ..claim import Evaluation, Kind, Origin, claim
from ..hypotheses import few_tails
from ..tolerance import EPS


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
def pivot_bound(problem, result) -> Evaluation:
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


def pivot_bounds(problem) -> np.ndarray:
    """The right-hand side of the lemma for every feature, (N,), processing order."""
    f = problem.factorization
    X = problem.calibration[:, f.order]
    m, N = problem.m, problem.N
    norms = (X * X).sum(axis=0)
    damping = f.damping
    bounds = norms + damping
    for j in range(N - m):
        later = X[:, j + 1 :]
        least = _least_singular_value_squared(later)
        if not (damping == 0 and least == 0):
            bounds[j] = damping / (least + damping) * norms[j] + damping
    return bounds


def _least_singular_value_squared(later: np.ndarray) -> object:
    """Of m samples by at least m features; in float64 zero where it is rounding noise, since the bound jumps there without damping."""
    if is_exact(later):
        return smallest_eigenvalue(later @ later.T)
    values = np.linalg.svd(later, compute_uv=False)
    return float(values[-1] ** 2) if values[-1] > max(later.shape) * EPS * values[0] else 0.0
