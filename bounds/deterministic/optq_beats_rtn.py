r"""`optq-beats-rtn`: in the damped error OPTQ's worst case is never above round-to-nearest's (ours)."""

from __future__ import annotations

import numpy as np

from ..arithmetic import is_exact, maximum, rationals
from ..claim import Evaluation, Kind, Origin, claim
from ..hypotheses import at_most
from ..measure import gram

ENUMERATED = 12  # features up to which all sign vectors are tried


@claim(
    id="optq-beats-rtn",
    statement=r"$\max_{|e_j|\le\delta/2}\|\hat Xe\|^2 \ge \frac{\delta^2}{4}\|\hat X\|_F^2 \ge \frac{\delta^2}{4}\sum_jd_j^2$: "
    r"in the damped error OPTQ's worst case is never above RTN's",
    origin=Origin.OURS,
    source="THEORY, section 3",
    kind=Kind.LOWER,
    unit="squared calibration entry",
    rounding=None,
    hypotheses=(at_most(ENUMERATED, "all sign vectors are tried"),),
    about_neurons=False,
)
def optq_beats_rtn(problem, result) -> Evaluation:
    r"""RTN's worst damped error over all weights above OPTQ's, lower bounds, deterministic.

    Setting: any X, damping and ordering, one step for all features (which drops out). The worst case of RTN is attained at a sign
    vector, and all of them are tried. Entries: that maximum over ||X||_F^2 of the damped matrix, and this over the sum of the
    squared pivots. False for the undamped error at large damping.

    Origin: ours. Arguments: problem; the result is not read. Returns: (2,), squared units of the entries of X.
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
