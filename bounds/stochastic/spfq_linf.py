r"""`spfq-linf`: the infinity-norm bound of stochastic path following, and that stochastic OPTQ's is never above it

**Hypotheses.** SPFQ on matched inputs ($\tilde X = X$), one step $\delta$ per neuron, $0 < p < 1$; zero columns are allowed, and
where $X = 0$ the error and both levels are 0. On a finite
alphabet the statement is about runs in which no step saturates ([finite alphabets](#finite-alphabets)).

**Proof.** As in `gpfq-l2`, $r_t = P_t^\perp r_{t-1} + e_tX_t$ (with $P_t^\perp = I$ for a zero column). So $X(w-q) = r_N = \sum_te_ty_t$
with fixed vectors $y_t = P_N^\perp\cdots P_{t+1}^\perp X_t$, and given the draws before, $e_t$ has mean zero on two points $\delta$
apart. Let $c = \max_j\|X_j\|^2$ and $S_t = P_t^\perp S_{t-1}P_t^\perp + X_tX_t^\top$ with $S_0 = 0$, so that $S_N = \sum_ty_ty_t^\top$.
By induction $S_t \preceq cI$: $P_t^\perp S_{t-1}P_t^\perp \preceq cP_t^\perp$, and $X_tX_t^\top$ is $\|X_t\|^2 \le c$ times the
projection $I - P_t^\perp$. Now argue as for OPTQ with $S_N$ in place of $VV^\top$: every row is dominated by $N(0, \frac\pi2\delta^2c)$,
hence the first level by [the tail lemma](#convex-order); and $\delta^2(S_N)_{ii} \le \delta^2c$ in [Hoeffding's
inequality](#martingales) gives $2m\,e^{-2\alpha^2/(\delta^2c)} = p$, the second. Stochastic OPTQ at $\lambda = 0$ has $\max_jd_j$ in
place of $\max_j\|X_j\|$, and $d_j \le \|X_j\|$. ∎

**Lineage.** SPFQ and its first level are classical: Zhang and Saab (arXiv 2309.10975). The second level, by Hoeffding's argument, and
the comparison are this project's.

**Sharp.** Not; the second level is below the first by a factor of at least $\sqrt{3\pi}$ at $p \le \frac12$ (`sto-optq-linf-rowwise`).

**Reduces to.** Stochastic rounding where columns are orthogonal; there the first level is that of `sto-optq-linf` at $\lambda = 0$, and
the second the upper bound of `sto-optq-linf-rowwise` with $\max_jd_j$.
"""

from __future__ import annotations

import numpy as np

from ..checking import Evaluation, Kind, Origin, Problem, Result, claim, matched_inputs, maximum, one_step_per_neuron, sqrt, squares
from .levels import hoeffding_factor, largest_error, paper_factor


@claim(
    id="spfq-linf",
    statement=r"$\Pr[\|X(w-q)\|_\infty \le \delta\,\max_j\|X_j\|\sqrt{2\pi\log(\sqrt2\,m/p)}] \ge 1-p$ for SPFQ with $\tilde X = X$, and "
    r"with $\sqrt{\log(2m/p)/2}$ in place of the root; stochastic OPTQ's level at $\lambda=0$ is never above it",
    origin=Origin.CLASSICAL,
    source="Zhang & Saab, arXiv 2309.10975",
    kind=Kind.PROBABILITY,
    unit="output error",
    per_output=True,
    algorithms=("gpfq",),
    rounding="stochastic",
    hypotheses=(one_step_per_neuron, matched_inputs),
)
def spfq_linf(problem: Problem, result: Result) -> Evaluation:
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
