r"""`gpfq-mismatch`: path following keeps the part of the mismatch that its own path does not absorb

**Hypotheses.** GPFQ with any two calibration matrices, zero columns included; nearest rounding, no saturated step; any ordering and
steps. $u$ is what GPFQ returns when nothing is rounded.

**Proof.** Let $P_t^\perp$ project orthogonally to $\tilde X_t$ ($P_t^\perp = I$ for a zero column, where $z_t = w_t$). Since
$z_t\tilde X_t$ is the projection of $r_{t-1} + w_tX_t$ on $\tilde X_t$,
$$r_t = r_{t-1} + w_tX_t - q_t\tilde X_t = P_t^\perp(r_{t-1} + w_tX_t) + e_t\tilde X_t.$$
This is linear in $w$ and $e$: $r_t = a_t + b_t$ with $a_t = P_t^\perp(a_{t-1} + w_tX_t)$ and $b_t = P_t^\perp b_{t-1} + e_t\tilde X_t$,
both from 0. The first is the run without rounding, so $a_N = Xw - \tilde Xu$. In the second the two parts are orthogonal:
$\|b_t\|^2 = \|P_t^\perp b_{t-1}\|^2 + e_t^2\|\tilde X_t\|^2 \le \|b_{t-1}\|^2 + \frac14\delta_t^2\|\tilde X_t\|^2$. At the end $a_N$ and
$P_N^\perp b_{N-1}$ are both orthogonal to $\tilde X_N$, so $\|r_N\|^2 = \|a_N + P_N^\perp b_{N-1}\|^2 + e_N^2\|\tilde X_N\|^2 \le
(\|a_N\| + \|b_{N-1}\|)^2 + \frac14\delta_N^2\|\tilde X_N\|^2$, and $r_N = Xw - \tilde Xq$. ∎

**Lineage.** This project: no source found for it. GPFQ with two matrices is Lybrand and Saab's (arXiv 2010.15979); the splitting is the
one of `gpfq-l2`.

**Sharp.** At $N = 1$ with $X = \tilde X$, where it is $\frac14\delta^2\|X\|^2$ at a tie. $\|Xw - \tilde Xu\|$ is at least the least part
of the mismatch that any weights leave, which is what Qronos keeps at $\lambda = 0$ (`qronos-l2`).

**Reduces to.** `gpfq-l2` where $\tilde X = X$: then nothing is left without rounding, $u = w$.
"""

from __future__ import annotations

import numpy as np

from ..checking import Evaluation, Kind, Origin, Problem, Result, claim, mismatched_inputs, sqrt, squared, sums, unsaturated
from ..checking.measure import deployed_errors, output_loss, squares


@claim(
    id="gpfq-mismatch",
    statement=r"$\|Xw-\tilde Xq\|^2 \le \big(\|Xw-\tilde Xu\| + \frac12(\sum_{t<N}\delta_t^2\|\tilde X_t\|^2)^{1/2}\big)^2 + "
    r"\frac14\delta_N^2\|\tilde X_N\|^2$ for GPFQ, with $u$ what it returns when nothing is rounded",
    origin=Origin.OURS,
    source="this project, bounds/THEORY.md#gpfq-mismatch",
    kind=Kind.UPPER,
    unit="squared output error",
    algorithms=("gpfq",),
    hypotheses=(mismatched_inputs, unsaturated),
)
def gpfq_mismatch(problem: Problem, result: Result) -> Evaluation:
    r"""The error of the deployed layer below what the unrounded path leaves plus all roundings, upper bound, deterministic.

    Setting: nearest rounding, no saturated step, any two calibration matrices, zero columns included. The path without rounding leaves
    :math:`Xw - \tilde Xu`. Qronos keeps no more of the mismatch: its least part over all weights in place of that at u (`qronos-l2`).

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


def unrounded(problem: Problem) -> np.ndarray:
    """u (N, K), processing order: what path following returns when nothing is rounded; w itself where a deployed column is zero."""
    w, original, deployed = problem.W[problem.order], problem.X[:, problem.order], problem.calibration[:, problem.order]
    gram, cross = deployed.T @ deployed, deployed.T @ original
    u = w.copy()
    for t in range(problem.N):
        if gram[t, t] > 0:
            u[t] = (cross[t, : t + 1] @ w[: t + 1] - gram[t, :t] @ u[:t]) / gram[t, t]
    return u
