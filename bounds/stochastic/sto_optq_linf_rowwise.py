r"""`sto-optq-linf-rowwise`: a level that adds the rows' own tails (ours)."""

from __future__ import annotations

from ..claim import Evaluation, Kind, Origin, claim
from .levels import largest_error, rowwise_level


@claim(
    id="sto-optq-linf-rowwise",
    statement=r"$\Pr[\|X(w-q)\|_\infty \le \alpha_p] \ge 1-p$ with $\alpha_p$ the root of $\sum_{i\le m} 2e^{-2\alpha^2/s_i} = p$, "
    r"$s_i = \sum_j \delta_j^2 V_{ij}^2$",
    origin=Origin.OURS,
    source="THEORY, section 4",
    kind=Kind.PROBABILITY,
    unit="output error",
    per_output=True,
    rounding="stochastic",
)
def sto_optq_linf_rowwise(problem, result) -> Evaluation:
    r"""The largest output error of stochastic OPTQ, upper bound with probability at least 1 - p, per neuron.

    Setting: stochastic rounding, steps may differ per feature, no saturated step (a saturated draw counts as no failure).
    Each row's error is a sum of martingale differences on two points a step apart (Hoeffding), and the level is where the
    rows' tails add up to p. Never above :math:`\delta\max_j d_j\sqrt{\log(2m/p)/2}`.

    Origin: ours. Arguments: problem and result of stochastic OPTQ. Returns: (K,), units of the outputs.
    Errors: none of its own.

    >>> problem = Problem(np.eye(2), np.full((2, 400), 0.3), Grid(step=1.0), rounding="stochastic")
    >>> check(problem, ["sto-optq-linf-rowwise"])["sto-optq-linf-rowwise"].failures
    0
    """
    return Evaluation(largest_error(problem, result), rowwise_level(problem))
