r"""`optq-alphabet`: how far the rounded numbers stray from the weights, hence which alphabet suffices

**Hypotheses.** Nearest rounding, any $X$, $\lambda \ge 0$, ordering and steps; no saturated step, or an alphabet that meets the
condition.

**Proof.** By `feedback-form`, $w - q = Me$ with $M_{jj} = 1$, so $z_j - w_j = q_j + e_j - w_j = -\sum_{i<j}M_{ji}e_i$. While no step
before $j$ saturates, $|e_i| \le \delta_i/2$ for $i < j$, which is the first statement. For the second let
$k = \min(k_{\max}, -k_{\min})$ at step $j$. If no step before $j$ saturated, then
$|z_j| \le |w_j| + \frac12\sum_{i<j}\delta_i|M_{ji}| \le (k+\frac12)\delta_j$ by the condition, so $z_j$ lies in
$[(k_{\min}-\frac12)\delta_j, (k_{\max}+\frac12)\delta_j]$ and step $j$ does not saturate either. Induct on $j$. ∎

**Lineage.** This project: no source found for this deterministic condition for OPTQ. arXiv 2508.04853 sizes alphabets for stochastic
rounding (`sto-optq-weights`), QuIP (arXiv 2307.13304) avoids clamping with high probability by a convex program; for Toeplitz $M$ it is the
$\ell_1$ criterion for the stability of Sigma–Delta quantizers (see arXiv 2605.17127); arXiv 2507.18553 designs variants of GPTQ that avoid
clipping.

**Sharp.** For every $j$: the weights of `optq-l2-tight` with $e_i = -\frac{\delta_i}2(1-\varepsilon)\,\mathrm{sign}\,M_{ji}$ make
$z_j - w_j$ equal to $(1-\varepsilon)$ times the bound. The condition is sufficient, not necessary.

**Reduces to.** $z = w$ and an alphabet that reaches the weights where the columns of $\hat X$ are orthogonal; on `adversarial-growth`,
where $M$ is the triangle of ones, half of $j-1$ steps.
"""

from __future__ import annotations

import numpy as np

from ..checking import Evaluation, Hypothesis, Kind, Origin, Problem, Result, absolute, against_steps, claim, drift, drift_loss


def drift_bounds(problem: Problem) -> np.ndarray:
    """Half the weighted row sums of |M| below the diagonal, (N, K), processing order: how far z can stray from w."""

    def compute() -> np.ndarray:
        M = problem.factorization.M
        return against_steps(absolute(M - np.diag(np.diag(M))), problem) / 2

    return problem.remember("drift bounds", None, compute)


def sufficient_alphabet(problem: Problem) -> np.ndarray:
    """Which neurons (K,) have an alphabet that provably never saturates under nearest rounding."""
    if not problem.grid.finite:
        return np.ones(problem.K, dtype=bool)

    def compute() -> np.ndarray:
        reach = np.minimum(problem.alphabet.high, -problem.alphabet.low).astype(np.int64)
        needed = absolute(problem.W[problem.order]) + drift_bounds(problem) - problem.steps / 2
        return np.all(problem.steps * reach >= needed, axis=0)

    return problem.remember("sufficient alphabet", None, compute)


unsaturated_or_sufficient = Hypothesis(
    "no step saturates, or the alphabet is sufficient",
    lambda problem, result: ~result.saturated.any(axis=0) | sufficient_alphabet(problem),
    lambda problem, result: f"{int(result.saturated.sum())} steps saturated",
    "widen the alphabet until it is sufficient",
)


@claim(
    id="optq-alphabet",
    statement=r"$|z_j - w_j| \le \frac12\sum_{i<j}\delta_i|M_{ji}|$, so an alphabet with $\delta_j\min(k_{\max}, -k_{\min}) \ge |w_j| + "
    r"\frac12\sum_{i<j}\delta_i|M_{ji}| - \delta_j/2$ never saturates",
    origin=Origin.OURS,
    source="this project, bounds/THEORY.md#optq-alphabet",
    kind=Kind.UPPER,
    unit="weight",
    hypotheses=(unsaturated_or_sufficient,),
)
def optq_alphabet(problem: Problem, result: Result) -> Evaluation:
    r"""The drift of every rounded number from its weight, upper bound, deterministic, tight.

    Setting: nearest rounding; no saturated step, or an alphabet that the bound says is sufficient (a run that saturates on one
    would violate the claim). First the drift :math:`|z_j - w_j|` against its bound, then on finite alphabets that suffice the
    number of saturated steps against 0.

    Origin: ours. Arguments: problem and result of OPTQ. Returns: (N + 1, K), units of the weights (last row: steps).
    Errors: none of its own.

    >>> problem = Problem(np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([[0.4], [0.6]]), Grid(step=1.0))
    >>> check(problem, ["optq-alphabet"])["optq-alphabet"].outcome.value
    'holds'
    """
    bounds = drift_bounds(problem)
    saturated = np.where(sufficient_alphabet(problem), result.saturated.sum(axis=0), 0) + 0 * bounds[:1]
    sizes = np.vstack([bounds + problem.steps, 0 * bounds[:1] + 1])
    lost = drift_loss(problem, result)
    noise = None if lost is None else np.vstack([lost, np.zeros_like(lost[:1])])
    return Evaluation(np.vstack([drift(problem, result), saturated]), np.vstack([bounds, 0 * bounds[:1]]), noise=noise, natural=sizes)
