r"""`sto-optq-linf-sharp`: the same level with the best convex-order constant and an exponential moment (ours)."""

from __future__ import annotations

from ..arithmetic import log, pi, sqrt
from ..claim import Evaluation, Kind, Origin, claim
from ..hypotheses import one_step_per_neuron
from .levels import largest_error, largest_pivot_step


@claim(
    id="sto-optq-linf-sharp",
    statement=r"$X(w-q) \prec_{cx} N(0, \frac{\pi\delta^2}{8}\Sigma)$, so "
    r"$\Pr[\|X(w-q)\|_\infty \le \delta\,\max_j d_j\,\sqrt{\frac\pi4\log(2m/p)}] \ge 1-p$",
    origin=Origin.OURS,
    source="THEORY, section 4",
    kind=Kind.PROBABILITY,
    unit="output error",
    per_output=True,
    rounding="stochastic",
    hypotheses=(one_step_per_neuron,),
)
def sto_optq_linf_sharp(problem, result) -> Evaluation:
    r"""The largest output error of stochastic OPTQ, upper bound with probability at least 1 - p, per neuron.

    Setting: as `sto-optq-linf`. A mean-zero variable on two points a step apart is below :math:`N(0, \pi\delta^2/8)` in convex
    order, four times less variance than the paper's constant; level :math:`\delta\max_j d_j\sqrt{(\pi/4)\log(2m/p)}`.

    Origin: ours. Arguments: problem and result of stochastic OPTQ. Returns: (K,), units of the outputs.
    Errors: none of its own.

    >>> problem = Problem(np.eye(2), np.full((2, 400), 0.3), Grid(step=1.0), rounding="stochastic")
    >>> check(problem, ["sto-optq-linf-sharp"])["sto-optq-linf-sharp"].failures
    0
    """
    p = problem.failure_probability
    return Evaluation(largest_error(problem, result), largest_pivot_step(problem) * sqrt(pi(p) * log(2 * problem.m / p) / 4))
