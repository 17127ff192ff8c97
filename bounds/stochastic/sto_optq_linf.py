r"""`sto-optq-linf`: the infinity-norm bound of stochastic OPTQ

**Hypotheses.** Stochastic rounding, one step $\delta$ per neuron, $0 < p < 1$; any $X$, $\lambda \ge 0$ and ordering. One neuron: $p/K$
in place of $p$ for all $K$. On a finite alphabet the statement is about runs in which no step saturates ([finite
alphabets](#finite-alphabets)). Where $\max_jd_j = 0$ the error and the level are both 0.

**Proof.** By `sto-optq-convex-order` and a linear map, row $i$ of $X(w-q)$ is dominated by $N(0, \frac\pi2\delta^2(VV^\top)_{ii})$. The
nonzero eigenvalues of $VV^\top$ are those of $V^\top V = D^2$, so $(VV^\top)_{ii} \le \max_jd_j^2$ and every row is dominated by
$N(0, \sigma^2)$ with $\sigma^2 = \frac\pi2\delta^2\max_jd_j^2$. By [the tail lemma](#convex-order),
$\Pr[\|X(w-q)\|_\infty > \alpha] \le \sqrt2\,m\,e^{-\alpha^2/(4\sigma^2)}$, which is $p$ at
$\alpha^2 = 4\sigma^2\log(\sqrt2\,m/p) = 2\pi\delta^2\max_jd_j^2\log(\sqrt2\,m/p)$. ∎

**Lineage.** arXiv 2508.04853, after the same argument for SPFQ (arXiv 2309.10975, here `spfq-linf`).

**Sharp.** Not: `sto-optq-linf-rowwise` is lower by a factor of at least $\sqrt{3\pi} = 3.07$ at $p \le \frac12$.

**Reduces to.** $\delta\max_j\|\hat X_j\|\sqrt{2\pi\log(\sqrt2\,m/p)}$ where columns are orthogonal. Damping raises every pivot, so in
this bound it buys nothing; it pays in `sto-optq-weights`.
"""

from __future__ import annotations

from ..checking import Evaluation, Kind, Origin, Problem, Result, claim, one_step_per_neuron
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
def sto_optq_linf(problem: Problem, result: Result) -> Evaluation:
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
