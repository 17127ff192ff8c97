r"""`optq-l2-explicit`: the sum of the pivots from norms and singular values, the case for decreasing norm

**Hypotheses.** $m \le N$; any $X$, $\lambda \ge 0$ and ordering; $\sigma^{(j)}$, and the fraction where $\lambda = \sigma^{(j)} = 0$,
as in `pivot-bound`.

**Proof.** Add the bounds of `pivot-bound` over $j$: the first case holds for $j \le N-m$, the second for the last $m$ features, and each
brings one $\lambda$. ∎

**Lineage.** arXiv 2508.04853, which takes it as the case for processing features by decreasing norm: only the last $m$ norms count in
full.

**Sharp.** Attained at $m = 1$, like `pivot-bound`. As advice on the ordering it is a heuristic: it bounds the sum from above, and on
correlated features (sampled AR(1), for one) decreasing norm can be worse than the order in which the features came.

**Reduces to.** $\sum_jd_j^2 \le \|X\|_F^2 + \lambda N$ where all $\sigma^{(j)} = 0$, the bound that `order-floor` has for every $m$.
"""

from __future__ import annotations

import numpy as np

from ..checking import Evaluation, Kind, Origin, Problem, Result, claim, few_tails, no_more_samples_than_features
from .pivot_bound import pivot_bounds


@claim(
    id="optq-l2-explicit",
    statement=r"$\sum_j d_j^2 \le \lambda N + \sum_{j\le N-m} \frac{\lambda\|X_j\|^2}{(\sigma^{(j)})^2+\lambda} + \sum_{j>N-m}\|X_j\|^2$ "
    r"for $m \le N$",
    origin=Origin.PAPER,
    source="arXiv 2508.04853",
    kind=Kind.UPPER,
    unit="squared calibration entry",
    algorithms=("optq", "qronos"),
    rounding=None,
    hypotheses=(no_more_samples_than_features, few_tails),
    about_neurons=False,
)
def optq_l2_explicit(problem: Problem, result: Result) -> Evaluation:
    r"""The sum of the squared pivots below an expression in which only the last m features count in full, upper bound, deterministic.

    Setting: m <= N, any X, damping and ordering. The sum of `pivot-bound` over all features; it is the paper's case for
    processing features by decreasing norm.

    Origin: paper. Arguments: problem; the result is not read. Returns: (1,), squared units of the entries of X.
    Errors: none of its own.

    >>> problem = Problem(np.array([[1.0, 2.0, 2.0]]), np.zeros((3, 1)), Grid(step=1.0), damping=0.5)
    >>> check(problem, ["optq-l2-explicit"])["optq-l2-explicit"].outcome.value
    'holds'
    """
    return Evaluation(np.array([problem.factorization.pivots_squared.sum()]), np.array([pivot_bounds(problem).sum()]))
