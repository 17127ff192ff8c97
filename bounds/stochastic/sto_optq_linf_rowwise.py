r"""`sto-optq-linf-rowwise`: a level that adds the rows' own tails

**Hypotheses.** Stochastic rounding, any steps, $0 < p < 1$; any $X$, $\lambda \ge 0$ and ordering. One neuron. On a finite alphabet the
statement is about runs in which no step saturates ([finite alphabets](#finite-alphabets)). Rows with $s_i = 0$ are
left out of the sum (they are 0); where all are, $\alpha_p = 0$.

**Proof.** Row $i$ of $X(w-q)$ is $\sum_jV_{ij}e_j$ (`optq-identity`), a sum of martingale differences, each on two points $\delta_j$
apart times a fixed number. By [Hoeffding's inequality](#martingales), $\Pr[|(X(w-q))_i| > \alpha] \le 2e^{-2\alpha^2/s_i}$, and the row
is 0 where $s_i = 0$. The sum of these tails decreases continuously in $\alpha$, from at least 2 down to 0, so it equals $p$ at one
level, and there the union bound gives the statement. *With one step never above
$\delta\max_jd_j\sqrt{\log(2m/p)/2}$*:
$s_i \le \max_j\delta_j^2\,(VV^\top)_{ii} \le \max_j\delta_j^2\max_jd_j^2$ as in `sto-optq-linf`, so at that level the sum is at most
$2m\,p/(2m)$. Against `sto-optq-linf` its square is smaller by at least the factor
$4\pi\log(\sqrt2\,m/p)/\log(2m/p) = 4\pi\big(1 - \frac{\log2}{2\log(2m/p)}\big)$, at least $3\pi$ when $2m/p \ge 4$. ∎

**Lineage.** The inequality is Hoeffding's and Azuma's. This project applies it row by row, with the level as a root. No source found for
this level.

**Sharp.** Where every $z_j$ is halfway between grid points the variance of row $i$ is exactly $s_i/4$, that of the Gaussian with the
same exponent; the union over rows costs where rows are alike or dependent.

**Reduces to.** With one step, $\delta\sqrt{\log(2m/p)/2}\,\max_i\|V_i\|$ where all rows have the same norm; `spfq-linf`'s second level
where $\lambda = 0$ and $X$ is a multiple of an orthogonal matrix ($m = N$).
"""

from __future__ import annotations

from ..checking import Evaluation, Kind, Origin, Problem, Result, claim
from .levels import largest_error, rowwise_level


@claim(
    id="sto-optq-linf-rowwise",
    statement=r"$\Pr[\|X(w-q)\|_\infty \le \alpha_p] \ge 1-p$ with $\alpha_p$ the root of $\sum_{i\le m} 2e^{-2\alpha^2/s_i} = p$, "
    r"$s_i = \sum_j \delta_j^2 V_{ij}^2$",
    origin=Origin.OURS,
    source="this project, bounds/THEORY.md#sto-optq-linf-rowwise",
    kind=Kind.PROBABILITY,
    unit="output error",
    per_output=True,
    rounding="stochastic",
)
def sto_optq_linf_rowwise(problem: Problem, result: Result) -> Evaluation:
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
