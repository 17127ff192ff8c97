r"""`sto-optq-linf`: the infinity-norm bound of stochastic OPTQ (arXiv 2508.04853)."""

from __future__ import annotations

from ..claim import Evaluation, Kind, Origin, claim
from ..hypotheses import one_step_per_neuron
from .levels import largest_error, largest_pivot_step, paper_factor


@claim(
    id="sto-optq-linf",
    statement=r"$\Pr[\|X(w-q)\|_\infty \le \delta\,\max_j d_j\,\sqrt{2\pi\log(\sqrt2\,m/p)}] \ge 1-p$",
    origin=Origin.PAPER,
    source="arXiv 2508.04853",
    kind=Kind.PROBABILITY,
    unit="output error",
    per_output=True,
    rounding="stochastic",
    hypotheses=(one_step_per_neuron,),
)
def sto_optq_linf(problem, result) -> Evaluation:
    r"""The largest output error of stochastic OPTQ, upper bound with probability at least 1 - p, per neuron.

    Setting: stochastic rounding, one step per neuron, no saturated step (a saturated draw counts as no failure); p is the
    problem's failure_probability. Level: :math:`\delta\max_j d_j\sqrt{2\pi\log(\sqrt2 m/p)}`.

    Origin: paper. Arguments: problem and result of stochastic OPTQ. Returns: (K,), units of the outputs.
    Errors: none of its own.

    >>> problem = Problem(np.eye(2), np.full((2, 400), 0.3), Grid(step=1.0), rounding="stochastic")
    >>> check(problem, ["sto-optq-linf"])["sto-optq-linf"].failures
    0
    """
    return Evaluation(largest_error(problem, result), largest_pivot_step(problem) * paper_factor(problem, problem.m))
