r"""`spfq-linf`: the infinity-norm bound of stochastic path following, and that stochastic OPTQ's is never above it (classical)."""

from __future__ import annotations

import numpy as np

from ..arithmetic import maximum, sqrt
from ..claim import Evaluation, Kind, Origin, claim
from ..hypotheses import matched_inputs, one_step_per_neuron
from ..measure import squares
from .levels import hoeffding_factor, largest_error, paper_factor


@claim(
    id="spfq-linf",
    statement=r"$\Pr[\|X(w-q)\|_\infty \le \delta\,\max_j\|X_j\|\sqrt{2\pi\log(\sqrt2\,m/p)}] \ge 1-p$ for SPFQ with $\tilde X = X$, and "
    r"with $\sqrt{\log(2m/p)/2}$ in place of the root; stochastic OPTQ's level at $\lambda=0$ is never above it",
    origin=Origin.CLASSICAL,
    source="arXiv 2309.10975",
    kind=Kind.PROBABILITY,
    unit="output error",
    per_output=True,
    algorithms=("gpfq",),
    rounding="stochastic",
    hypotheses=(one_step_per_neuron, matched_inputs),
)
def spfq_linf(problem, result) -> Evaluation:
    r"""The largest output error of SPFQ, upper bounds with probability at least 1 - p, per neuron.

    Setting: stochastic rounding, one step per neuron, X_quantized = X, no saturated step (a saturated draw counts as no failure).
    Rows: the classical level, the level of Hoeffding's argument (ours). Stochastic OPTQ's level at damping 0 is never above the
    classical one because no pivot exceeds its column's norm, which `gpfq-l2` checks.

    Origin: classical. Arguments: problem and result of SPFQ. Returns: (2, K), units of the outputs. Errors: none of its own.

    >>> problem = Problem(np.eye(2), np.full((2, 1), 0.3), Grid(step=1.0), algorithm="gpfq", rounding="stochastic")
    >>> check(problem, ["spfq-linf"], draws=100)["spfq-linf"].outcome.value
    'holds'
    """
    largest = problem.steps[0] * sqrt(maximum(squares(problem.calibration)))
    factors = paper_factor(problem, problem.m), hoeffding_factor(problem, problem.m)
    error = largest_error(problem, result)
    return Evaluation(np.stack([error, error]), np.stack([largest * factor for factor in factors]))
