r"""`optq-near-optimal`: OPTQ against the exact optimum over the grid

**Hypotheses.** Nearest rounding, no saturated step, $H \succ 0$; any ordering and steps. The minimum is over the infinite grid
$\prod_j\delta_j\mathbb Z$.

**Proof.** Let $q'$ be any grid point, $e' = L(w-q')$, and $t$ the first step at which $q_t \ne q'_t$ (if there is none, the errors
agree). Rows $i < t$ of $L(w-q)$ and of $L(w-q')$ agree, so $e_i = e'_i$; and row $t$ gives
$q'_t + e'_t = w_t + \sum_{i<t}L_{ti}(w_i-q_i) = z_t$. So $e'_t = z_t - q'_t$ is the distance of $z_t$ from a grid point that OPTQ did
not choose: $|e'_t| \ge |e_t|$, and $|e'_t| \ge \delta_t/2$ as $|e_t| \le \delta_t/2$ and the two points are at least $\delta_t$ apart.
With $\|\hat X(w-q')\|^2 = \sum_jd_j^2e_j'^2 \ge \sum_{i\le t}d_i^2e_i'^2$,
$$\|\hat X(w-q)\|^2 \le \sum_{i\le t}d_i^2e_i'^2 + \frac14\sum_{j>t}\delta_j^2d_j^2 \le \|\hat X(w-q')\|^2 +
\frac{\delta_t^2d_t^2}4\sum_{j>t}\frac{\delta_j^2d_j^2}{\delta_t^2d_t^2},$$
and $\frac14\delta_t^2d_t^2 \le d_t^2e_t'^2 \le \|\hat X(w-q')\|^2$. The largest such sum over $t$ is $\gamma^2 - 1$. ∎

**Lineage.** Classical: the analysis of Babai's nearest plane algorithm (1986), for GPTQ arXiv 2507.18553. On an LLL-reduced basis, which
calibration columns are not, it gives Babai's exponential factor.

**Sharp.** $\gamma = 1$ at $N = 1$, where OPTQ is optimal. In general far from sharp: $\gamma^2$ grows like a sum over features, while on
small problems the measured factor is near 1.

**Reduces to.** $\gamma^2 = N$ where all $\delta_jd_j$ are equal.
"""

from __future__ import annotations

import numpy as np

from ..checking import Evaluation, Kind, Origin, Problem, Result, at_most, claim, maximum, positive_definite, squared, unsaturated
from ..checking.measure import damped_error_squared, output_loss, pivot_sum
from .optimum import SEARCHABLE, optimum_decided, optimum_squared


@claim(
    id="optq-near-optimal",
    statement=r"$\|\hat X(w-q)\|^2 \le \gamma^2\min_{q'\in\delta\mathbb Z^N}\|\hat X(w-q')\|^2$ with "
    r"$\gamma^2 = 1 + \max_t\sum_{j>t}\frac{\delta_j^2d_j^2}{\delta_t^2d_t^2}$",
    origin=Origin.CLASSICAL,
    source="Babai 1986; for GPTQ arXiv 2507.18553",
    kind=Kind.UPPER,
    unit="squared output error",
    hypotheses=(unsaturated, positive_definite, at_most(SEARCHABLE, "the optimum is searched for exactly"), optimum_decided),
)
def optq_near_optimal(problem: Problem, result: Result) -> Evaluation:
    r"""OPTQ's damped error below a factor times the optimum over the infinite grid, upper bound, deterministic.

    Setting: nearest rounding, no saturated step, H positive definite; the optimum is a closest vector problem, solved exactly.

    Origin: classical. Arguments: problem and result of OPTQ. Returns: (K,), squared units of the outputs.
    Errors: none of its own.

    >>> problem = Problem(np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([[0.4], [0.6]]), Grid(step=1.0))
    >>> check(problem, ["optq-near-optimal"])["optq-near-optimal"].outcome.value
    'holds'
    """
    weighted = problem.steps**2 * problem.factorization.pivots_squared[:, None]
    later = np.cumsum(weighted[::-1], axis=0)[::-1] - weighted
    factor = 1 + maximum(later / weighted)
    measured, best = damped_error_squared(problem, result), optimum_squared(problem)
    loss = output_loss(problem, result)
    noise = None if loss is None else squared(measured, loss) + factor * squared(best, loss)
    return Evaluation(measured, factor * best, noise=noise, natural=factor * best + pivot_sum(problem) / 4)
