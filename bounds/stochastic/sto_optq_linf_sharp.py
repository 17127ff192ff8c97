r"""`sto-optq-linf-sharp`: a lower level, from the best convex-order constant and an exponential moment

**Hypotheses.** As in `sto-optq-linf`; the proof is on the infinite alphabet.

**Proof.** By `sto-optq-convex-order-sharp` every row of $X(w-q)$ is dominated by $N(0, \sigma^2)$ with
$\sigma^2 = \frac\pi8\delta^2\max_jd_j^2$ (`sto-optq-linf` has the step from $\Sigma$ to $\max_jd_j^2$). The function $y \mapsto e^{sy}$
is convex, so $\mathbb E e^{s(X(w-q))_i} \le e^{s^2\sigma^2/2}$; Markov's inequality with $s = \alpha/\sigma^2$, for both signs and $m$
rows, gives $\Pr[\|X(w-q)\|_\infty > \alpha] \le 2m\,e^{-\alpha^2/(2\sigma^2)}$, which is $p$ at
$\alpha^2 = 2\sigma^2\log(2m/p) = \frac\pi4\delta^2\max_jd_j^2\log(2m/p)$. ∎

**Lineage.** This project: the argument of arXiv 2508.04853 with two of its lemmas replaced. No source found for this level.

**Sharp.** The constant of the convex order is; the level is not, as the union over rows and the largest pivot give something away.
`sto-optq-linf-rowwise` is below it by a factor of $\sqrt{\pi/2}$ at least.

**Reduces to.** It implies `sto-optq-linf` for $p \le \frac12$, which is above it by a factor of
$\sqrt{8\log(\sqrt2\,m/p)/\log(2m/p)} \ge \sqrt6$.
"""

from __future__ import annotations

from ..checking import Evaluation, Kind, Origin, Problem, Result, claim, log, one_step_per_neuron, pi, sqrt
from .levels import largest_error, largest_pivot_step


@claim(
    id="sto-optq-linf-sharp",
    statement=r"$\Pr[\|X(w-q)\|_\infty \le \delta\,\max_j d_j\,\sqrt{\frac\pi4\log(2m/p)}] \ge 1-p$",
    origin=Origin.OURS,
    source="this project, bounds/THEORY.md#sto-optq-linf-sharp",
    kind=Kind.PROBABILITY,
    unit="output error",
    per_output=True,
    rounding="stochastic",
    hypotheses=(one_step_per_neuron,),
)
def sto_optq_linf_sharp(problem: Problem, result: Result) -> Evaluation:
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
