r"""`sto-optq-weights`: damping controls how far stochastic OPTQ strays from the weights

**Hypotheses.** $\lambda > 0$, and as in `sto-optq-linf`.

**Proof.** The lower $N$ rows of $\hat X(w-q)$ are $\sqrt\lambda(w-q)$. By `sto-optq-convex-order` each of them, like each sample row in
`sto-optq-linf`, is dominated by $N(0, \frac\pi2\delta^2\max_jd_j^2)$, so with probability at least $1-p$ all $N$ of them are at most
$\delta\max_jd_j\sqrt{2\pi\log(\sqrt2\,N/p)}$. Divide by $\sqrt\lambda$. ∎

**Lineage.** arXiv 2508.04853.

**Sharp.** Not, and it says nothing as $\lambda \to 0$; `sto-optq-alphabet` does, from the rows of $M$.

**Reduces to.** $\delta\sqrt{2\pi\log(\sqrt2\,N/p)}$ as $\lambda \to \infty$, where $d_j/\sqrt\lambda \to 1$ and OPTQ becomes stochastic
rounding, which strays by less than $\delta$.
"""

from __future__ import annotations

from ..checking import Evaluation, Kind, Origin, Problem, Result, absolute, claim, maximum, one_step_per_neuron, positive_damping, sqrt
from .levels import largest_pivot_step, paper_factor


@claim(
    id="sto-optq-weights",
    statement=r"$\Pr[\|w-q\|_\infty \le \frac{\delta}{\sqrt\lambda}\max_jd_j\sqrt{2\pi\log(\sqrt2\,N/p)}] \ge 1-p$ for $\lambda > 0$",
    origin=Origin.PAPER,
    source="arXiv 2508.04853",
    kind=Kind.PROBABILITY,
    unit="weight",
    rounding="stochastic",
    hypotheses=(positive_damping, one_step_per_neuron),
)
def sto_optq_weights(problem: Problem, result: Result) -> Evaluation:
    r"""The largest change of a weight under stochastic OPTQ, upper bound with probability at least 1 - p, per neuron.

    Setting: positive damping, stochastic rounding, one step per neuron, no saturated step (a saturated draw counts as no failure).
    The lower block of :math:`\hat X(w-q)`, which bounds the alphabet.

    Origin: paper. Arguments: problem and result of stochastic OPTQ. Returns: (K,), units of the weights. Errors: none of its own.

    >>> problem = Problem(np.eye(2), np.full((2, 1), 0.3), Grid(step=1.0), damping=0.1, rounding="stochastic")
    >>> check(problem, ["sto-optq-weights"], draws=100)["sto-optq-weights"].outcome.value
    'holds'
    """
    level = largest_pivot_step(problem) * paper_factor(problem, problem.N) / sqrt(problem.factorization.damping)
    return Evaluation(maximum(absolute(problem.W - result.weights)), level)
