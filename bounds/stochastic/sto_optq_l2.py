r"""`sto-optq-l2`: the mean squared error of stochastic OPTQ (ours)."""

from __future__ import annotations

import numpy as np

from ..claim import Evaluation, Kind, Origin, claim
from ..hypotheses import infinite_alphabet
from ..measure import damped_error_squared, own_errors, pivot_sum, squares


@claim(
    id="sto-optq-l2",
    statement=r"$\mathbb E[\|X(w-q)\|^2 + \lambda\|w-q\|^2] \le \frac14\sum_j\delta_j^2 d_j^2$, always $\le \sum_j\delta_j^2d_j^2$; "
    r"$\mathbb E\|X(w-q)\|^2 \le \frac14\sum_j\delta_j^2(d_j^2 - \lambda(M^\top M)_{jj})$",
    origin=Origin.OURS,
    source="THEORY, section 4",
    kind=Kind.EXPECTATION,
    unit="squared output error",
    rounding="stochastic",
    hypotheses=(infinite_alphabet,),
)
def sto_optq_l2(problem, result) -> Evaluation:
    r"""The squared error of stochastic OPTQ, damped and undamped, upper bounds in expectation over the rounding.

    Setting: stochastic rounding on an infinite alphabet. First row damped, second undamped; the variance of a variable on two
    points a step apart is at most a quarter of the squared step, and the :math:`e_j` are uncorrelated.

    Origin: ours. Arguments: problem and result of stochastic OPTQ. Returns: (2, K), squared units of the outputs; `ceiling` is
    what both never exceed. Errors: none of its own.

    >>> problem = Problem(np.eye(2), np.full((2, 2000), 0.3), Grid(step=1.0), rounding="stochastic")
    >>> check(problem, ["sto-optq-l2"])["sto-optq-l2"].outcome.value
    'holds'
    """
    total = pivot_sum(problem)
    undamped = squares(problem.factorization.sample_rows_of_V) @ problem.steps**2  # d_j^2 - lambda (M^T M)_jj, without the subtraction
    measured = np.stack([damped_error_squared(problem, result), squares(own_errors(problem, result))])
    return Evaluation(measured, np.stack([total, undamped]) / 4, ceiling=np.stack([total, total]))
