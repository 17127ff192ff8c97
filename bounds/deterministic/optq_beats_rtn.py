r"""`optq-beats-rtn`: in the damped error OPTQ's worst case is never above round-to-nearest's

**Hypotheses.** Any $X$, $\lambda \ge 0$ and ordering; one step for all features of a neuron, infinite alphabet, nearest rounding. *Worst
case* is the supremum over all weights.

**Proof.** Rounding to nearest leaves $w - q = e$ with any $e$ in the open box $|e_j| < \delta/2$, by choosing $w = e$; so its worst case
of $\|\hat X(w-q)\|^2$ is the maximum of $\|\hat Xe\|^2$ over the closed box. Let $e = \frac\delta2s$ with independent random signs
$s_j$: as $\mathbb E s_is_j = 0$ for $i \ne j$, the mean of $\|\hat Xe\|^2$ is
$\frac{\delta^2}4\sum_j\|\hat X_j\|^2 = \frac{\delta^2}4\|\hat X\|_F^2$, and some choice of signs is at least the mean. Each pivot is the
norm of a projection of $\hat X_j$, so $\|\hat X\|_F^2 \ge \sum_jd_j^2$; and $\frac{\delta^2}4\sum_jd_j^2$ is OPTQ's worst case
(`optq-l2`, `optq-l2-tight`). (As a convex function is largest at a corner of the box, trying all sign vectors finds RTN's worst case
exactly.) ∎

**Lineage.** Classical: QuIP's theorem (arXiv 2307.13304) that LDLQ has the smallest worst case among all rounding with linear feedback
that depends on $H$ alone, no feedback included, with its $\mathrm{tr}\,D \le \mathrm{tr}\,H$. The proof by averaging signs is written
out here.

**Sharp.** Equality throughout where the columns of $\hat X$ are orthogonal. The statement is about worst cases: for single weights
rounding to nearest can win, and for the undamped error it is false at large $\lambda$. With
$X = \begin{pmatrix}-2 & -2 & -1\\ 1 & -6 & 0\end{pmatrix}$, $\lambda = 31$, natural order and $\delta = 1$, OPTQ's worst undamped
squared error, the maximum of $e^\top(D^2-\lambda M^\top M)e$ over the box, is 12.79 against RTN's 12.5.

**Reduces to.** $\sum_jd_j^2 \le \mathrm{tr}\,H$, a part of `order-floor`.
"""

from __future__ import annotations

import numpy as np

from ..checking import Evaluation, Kind, Origin, Problem, Result, at_most, claim, gram, is_exact, maximum, rationals

ENUMERATED = 12  # features up to which all sign vectors are tried


@claim(
    id="optq-beats-rtn",
    statement=r"$\max_{|e_j|\le\delta/2}\|\hat Xe\|^2 \ge \frac{\delta^2}{4}\|\hat X\|_F^2 \ge \frac{\delta^2}{4}\sum_jd_j^2$: "
    r"in the damped error OPTQ's worst case is never above RTN's",
    origin=Origin.CLASSICAL,
    source="QuIP, arXiv 2307.13304 (LDLQ is optimal in the worst case)",
    kind=Kind.LOWER,
    unit="squared calibration entry",
    rounding=None,
    hypotheses=(at_most(ENUMERATED, "all sign vectors are tried"),),
    about_neurons=False,
)
def optq_beats_rtn(problem: Problem, result: Result) -> Evaluation:
    r"""RTN's worst damped error over all weights above OPTQ's, lower bounds, deterministic.

    Setting: any X, damping and ordering, one step for all features (which drops out). The worst case of RTN is attained at a sign
    vector, and all of them are tried. Entries: that maximum over ||X||_F^2 of the damped matrix, and this over the sum of the
    squared pivots. False for the undamped error at large damping.

    Origin: classical. Arguments: problem; the result is not read. Returns: (2,), squared units of the entries of X.
    Errors: none of its own.

    >>> problem = Problem(np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([[0.4], [0.6]]), Grid(step=1.0))
    >>> check(problem, ["optq-beats-rtn"])["optq-beats-rtn"].outcome.value
    'holds'
    """
    H = gram(problem)
    signs = 1 - 2 * ((np.arange(2 ** (problem.N - 1)) >> np.arange(problem.N)[:, None]) & 1)  # the last sign is free: e and -e agree
    signs = rationals(signs) if is_exact(H) else signs.astype(float)
    worst, trace = maximum((signs * (H @ signs)).sum(axis=0)), np.diag(H).sum()
    return Evaluation(np.array([worst, trace]), np.array([trace, problem.factorization.pivots_squared.sum()]))
