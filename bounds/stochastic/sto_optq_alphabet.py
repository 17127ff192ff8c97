r"""`sto-optq-alphabet`: the alphabet that suffices with probability 1 - p (ours)."""

from __future__ import annotations

import numpy as np

from ..arithmetic import absolute, maximum, tail_level
from ..claim import Evaluation, Kind, Origin, claim
from ..measure import drift


@claim(
    id="sto-optq-alphabet",
    statement=r"$\Pr[|w_j-q_j| > \alpha] \le 2e^{-2\alpha^2/\sum_{i\le j}M_{ji}^2\delta_i^2}$, and for $z_j - w_j$ the same with $i<j$",
    origin=Origin.OURS,
    source="THEORY, section 4",
    kind=Kind.PROBABILITY,
    unit="weight",
    rounding="stochastic",
)
def sto_optq_alphabet(problem, result) -> Evaluation:
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
    return Evaluation(np.stack(measured), level)


def alphabet_levels(problem) -> np.ndarray:
    """What, with probability 1 - p, bounds the drift of grid points (first row) and of rounded numbers (second), (2, K)."""
    M, p = problem.factorization.M, problem.failure_probability
    strictly_lower = M - np.diag(np.diag(M))  # the diagonal may not be subtracted later: small entries would be lost beside it
    return np.stack([tail_level(part**2 @ problem.steps**2, p) for part in (M, strictly_lower)])
