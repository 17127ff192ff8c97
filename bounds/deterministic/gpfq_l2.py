r"""`gpfq-l2`: the 2-norm bound of path following, and that OPTQ's is never above it (classical)."""

from __future__ import annotations

import numpy as np

from ..claim import Evaluation, Kind, Origin, claim
from ..hypotheses import matched_inputs, nonzero_columns, unsaturated
from ..measure import own_errors, squares, undamped_pivots_squared


@claim(
    id="gpfq-l2",
    statement=r"$\|X(w-q)\|^2 \le \frac14\sum_j\delta_j^2\|X_j\|^2$ for GPFQ with $\tilde X = X$; "
    r"OPTQ's bound at $\lambda=0$ is never above it",
    origin=Origin.CLASSICAL,
    source="Lybrand & Saab 2021",
    kind=Kind.UPPER,
    unit="squared output error",
    algorithms=("gpfq",),
    hypotheses=(unsaturated, nonzero_columns, matched_inputs),
)
def gpfq_l2(problem, result) -> Evaluation:
    r"""The output error of GPFQ below a quarter of the squared steps weighted by the column norms, upper bound, deterministic.

    Setting: nearest rounding, no saturated step, no zero column, X_quantized = X. First row: the error; second row: OPTQ's bound
    at damping 0, :math:`\frac14\sum_j\delta_j^2 d_j^2`, against the same.

    Origin: classical. Arguments: problem and result of GPFQ. Returns: (2, K), squared units of the outputs.
    Errors: none of its own.

    >>> problem = Problem(np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([[0.4], [0.6]]), Grid(step=1.0), algorithm="gpfq")
    >>> check(problem, ["gpfq-l2"])["gpfq-l2"].outcome.value
    'holds'
    """
    X = problem.calibration[:, problem.order]
    bound = squares(X) @ problem.steps**2 / 4
    optq_bound = undamped_pivots_squared(problem) @ problem.steps**2 / 4
    return Evaluation(np.stack([squares(own_errors(problem, result)), optq_bound]), np.stack([bound, bound]))
