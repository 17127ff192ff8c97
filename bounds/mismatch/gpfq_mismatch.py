r"""`gpfq-mismatch`: path following keeps the part of the mismatch that its own path does not absorb (ours)."""

from __future__ import annotations

import numpy as np

from ..arithmetic import sqrt
from ..claim import Evaluation, Kind, Origin, claim
from ..hypotheses import mismatched_inputs, unsaturated
from ..measure import deployed_errors, output_loss, squares
from ..tolerance import squared, sums


@claim(
    id="gpfq-mismatch",
    statement=r"$\|Xw-\tilde Xq\|^2 \le \big(\|Xw-\tilde Xu\| + \frac12(\sum_{t<N}\delta_t^2\|\tilde X_t\|^2)^{1/2}\big)^2 + "
    r"\frac14\delta_N^2\|\tilde X_N\|^2$ for GPFQ, with $u$ what it returns when nothing is rounded",
    origin=Origin.OURS,
    source="THEORY, section 5",
    kind=Kind.UPPER,
    unit="squared output error",
    algorithms=("gpfq",),
    hypotheses=(mismatched_inputs, unsaturated),
)
def gpfq_mismatch(problem, result) -> Evaluation:
    r"""The error of the deployed layer below what the unrounded path leaves plus all roundings, upper bound, deterministic.

    Setting: nearest rounding, no saturated step, any two calibration matrices, zero columns included. With :math:`P_t^\perp` the
    projection orthogonal to :math:`\tilde X_t`, the running error is :math:`r_t = P_t^\perp(r_{t-1} + w_tX_t) + e_t\tilde X_t`. It is
    linear in w and e: :math:`r_t = a_t + b_t` with :math:`a_t = P_t^\perp(a_{t-1} + w_tX_t)`, the path without rounding, and
    :math:`\|b_t\|^2 = \|P_t^\perp b_{t-1}\|^2 + e_t^2\|\tilde X_t\|^2 \le \frac14\sum_{s\le t}\delta_s^2\|\tilde X_s\|^2`. The last
    rounding is orthogonal to the rest, which is the statement, with :math:`a_N = Xw - \tilde Xu`. It is `gpfq-l2` where the mismatch
    is zero (u = w). Qronos keeps no more of the mismatch: its least part over all weights in place of that at u (`qronos-l2`).

    Origin: ours. Arguments: problem and result of GPFQ. Returns: (K,), squared units of the outputs. Errors: none of its own.

    >>> problem = Problem(np.eye(2), np.array([[0.4], [0.6]]), Grid(step=1.0), algorithm="gpfq", X_quantized=2 * np.eye(2))
    >>> check(problem, ["gpfq-mismatch"])["gpfq-mismatch"].outcome.value
    'holds'
    """
    left = squares(problem.X[:, problem.order] @ problem.W[problem.order] - problem.calibration[:, problem.order] @ unrounded(problem))
    roundings = problem.steps**2 * squares(problem.calibration[:, problem.order])[:, None] / 4
    before, last = roundings[:-1].sum(axis=0), roundings[-1]
    measured, bound = squares(deployed_errors(problem, result)), left + 2 * sqrt(left) * sqrt(before) + before + last
    loss = output_loss(problem, result, damped=False)
    if loss is None:
        return Evaluation(measured, bound)
    sizes = np.linalg.norm(problem.calibration[:, problem.order], axis=0)
    loss = problem.N * (loss + sums(problem.N) * (sizes @ np.abs(unrounded(problem))))
    return Evaluation(measured, bound, noise=squared(measured, loss) + squared(bound, loss))


def unrounded(problem) -> np.ndarray:
    """u (N, K), processing order: what path following returns when nothing is rounded; w itself where a deployed column is zero."""
    w, original, deployed = problem.W[problem.order], problem.X[:, problem.order], problem.calibration[:, problem.order]
    gram, cross = deployed.T @ deployed, deployed.T @ original
    u = w.copy()
    for t in range(problem.N):
        if gram[t, t] > 0:
            u[t] = (cross[t, : t + 1] @ w[: t + 1] - gram[t, :t] @ u[:t]) / gram[t, t]
    return u
