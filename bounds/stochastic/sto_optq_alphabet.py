r"""`sto-optq-alphabet`: the alphabet that suffices with probability 1 − p

**Hypotheses.** Stochastic rounding, any steps, $X$, $\lambda \ge 0$ (0 too) and ordering. One neuron. $\alpha \ge 0$; a term whose sum in
the exponent is 0 is 0 (then $z_j = w_j$), and the root is 0 where all are. On a finite alphabet the statement is about runs in which no
step saturates ([finite alphabets](#finite-alphabets)).

**Proof.** $w - q = Me$ (`feedback-form`), so $w_j - q_j = \sum_{i\le j}M_{ji}e_i$, and $z_j - w_j = -\sum_{i<j}M_{ji}e_i$ as in
`optq-alphabet`. Both are sums of martingale differences, each on two points $\delta_i$ apart times a fixed number: [Hoeffding's
inequality](#martingales). The level of the claim is where these tails, added over $j$, are $p$. *Bits*: if every
$\delta_j\min(k_{\max}, -k_{\min}) \ge |w_j| + \alpha$ with the level $\alpha$ of $z - w$, then with probability at least $1-p$ the run
on the infinite alphabet keeps every $z_j$ within the alphabet's ends, so no step saturates and the run on the finite alphabet is the
same. ∎

**Lineage.** This project, by the method of `sto-optq-linf-rowwise`. arXiv 2508.04853 bounds $w-q$ through the damping
(`sto-optq-weights`), QuIP (arXiv 2307.13304) by a convex program. No source found for this form.

**Sharp.** As Hoeffding's inequality is. In the deterministic counterpart `optq-alphabet` the row sums of $|M|$ take the place of the
root of its sums of squares: on `adversarial-growth` $N/2$ against at most $\sqrt{N\log(2N/p)/2}$.

**Reduces to.** $|w_j - q_j| < \delta_j$ where the columns of $\hat X$ are orthogonal (from $\alpha = \delta_j$ on the tail is weaker than
that).
"""

from __future__ import annotations

import numpy as np

from ..checking import Evaluation, Kind, Origin, Problem, Result, absolute, claim, drift, drift_loss, maximum, tail_level


@claim(
    id="sto-optq-alphabet",
    statement=r"$\Pr[|w_j-q_j| > \alpha] \le 2e^{-2\alpha^2/\sum_{i\le j}M_{ji}^2\delta_i^2}$, and for $z_j - w_j$ the same with "
    r"$i<j$; with $\alpha$ the root of $\sum_j2e^{-2\alpha^2/\sum_{i<j}M_{ji}^2\delta_i^2} = p$, an alphabet with "
    r"$\delta_j\min(k_{\max}, -k_{\min}) \ge |w_j| + \alpha$ for all $j$ never saturates, with probability at least $1-p$",
    origin=Origin.OURS,
    source="this project, bounds/THEORY.md#sto-optq-alphabet",
    kind=Kind.PROBABILITY,
    unit="weight",
    rounding="stochastic",
)
def sto_optq_alphabet(problem: Problem, result: Result) -> Evaluation:
    r"""How far stochastic OPTQ's grid points and rounded numbers stray from the weights, upper bounds with probability 1 - p.

    Setting: any damping (0 too), stochastic rounding, no saturated step (a saturated draw counts as no failure). The level is
    where the tails of all features add up to p. First row: :math:`\|w-q\|_\infty`; second: :math:`\max_j|z_j - w_j|`.

    Origin: ours. Arguments: problem and result of stochastic OPTQ. Returns: (2, K), units of the weights. Errors: none of its own.

    >>> problem = Problem(np.eye(2), np.full((2, 1), 0.3), Grid(step=1.0), rounding="stochastic")
    >>> check(problem, ["sto-optq-alphabet"], draws=100)["sto-optq-alphabet"].outcome.value
    'holds'
    """
    measured = [maximum(absolute(problem.W - result.weights)), maximum(drift(problem, result))]
    level = problem.remember(f"alphabet level at {problem.failure_probability}", None, lambda: alphabet_levels(problem))
    lost = drift_loss(problem, result)
    return Evaluation(np.stack(measured), level, noise=None if lost is None else lost.max(axis=0))


def alphabet_levels(problem: Problem) -> np.ndarray:
    """What, with probability 1 - p, bounds the drift of grid points (first row) and of rounded numbers (second), (2, K)."""
    M, p = problem.factorization.M, problem.failure_probability
    strictly_lower = M - np.diag(np.diag(M))  # the diagonal may not be subtracted later: small entries would be lost beside it
    return np.stack([tail_level(part**2 @ problem.steps**2, p) for part in (M, strictly_lower)])
