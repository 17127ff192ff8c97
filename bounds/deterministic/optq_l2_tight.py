r"""`optq-l2-tight`: for every calibration matrix some weights come as near to the 2-norm bound as one likes

**Hypotheses.** Any $X$, $\lambda \ge 0$, ordering and steps; $k$ a vector of codes inside the alphabet; $0 < \varepsilon \le 1$; any
signs.

**Proof.** Let $w = \delta k + Me$ with $|e_j| = \frac{\delta_j}2(1-\varepsilon) < \delta_j/2$. We show by induction that OPTQ returns
$q_j = \delta_jk_j$ with rounding error $e_j$. If it does before step $j$, it rounds $z_j = w_j - \sum_{i<j}M_{ji}e_i$ (`feedback-form`),
which is $\delta_jk_j + M_{jj}e_j = \delta_jk_j + e_j$. Its only nearest element is $\delta_jk_j$, at distance $|e_j|$. So
`optq-identity` gives $\sum_jd_j^2e_j^2 = (1-\varepsilon)^2\frac14\sum_j\delta_j^2d_j^2$. ∎

**Lineage.** Classical: QuIP (arXiv 2307.13304) has the worst case of LDLQ over all weights as exactly $\frac14\mathrm{tr}\,D$ per
neuron, for every $H$; in Babai's words, each cell is the whole box spanned by the Gram–Schmidt vectors. New here are only the explicit
weights, for every code vector and choice of signs, with a step per feature and inside any alphabet.

**Sharp.** The supremum over $w$ of the damped error is the bound of `optq-l2`: no $X$ admits a better one. With $\varepsilon = 0$ every
$z_j$ is a tie, and a tie broken the right way attains it. Undamped, $\|X(w-q)\|^2 = e^\top(D^2 - \lambda M^\top M)e$ can stay well below
at large $\lambda$.

**Reduces to.** $w = \delta(k \pm \frac12(1-\varepsilon))$, just before the ties, where columns are orthogonal.
"""

from __future__ import annotations

import numpy as np

from ..checking import (
    Evaluation,
    Kind,
    Origin,
    Problem,
    Result,
    claim,
    damped_error_squared,
    lift,
    pivot_sum,
    projection_reach,
    with_first_neurons,
)

NEURONS = 16  # that show it, of a layer with more
EPSILON = 2.0**-10  # distance to the tie, in half steps: large against rounding, small against the bound


@claim(
    id="optq-l2-tight",
    statement=r"$w = \delta k + Me$ with $e_j = \pm\frac{\delta_j}{2}(1-\varepsilon)$ gives $q = \delta k$ and "
    r"$\|X(w-q)\|^2 + \lambda\|w-q\|^2 = (1-\varepsilon)^2\,\frac14\sum_j\delta_j^2d_j^2$",
    origin=Origin.CLASSICAL,
    source="QuIP, arXiv 2307.13304 (worst case of LDLQ)",
    kind=Kind.IDENTITY,
    unit="squared output error",
    construct=lambda problem: tight_problem(problem),
)
def optq_l2_tight(problem: Problem, result: Result) -> Evaluation:
    r"""Weights on which OPTQ's error is (1 - eps) times its bound, identity, deterministic: no X admits a better bound over all w.

    Setting: any X, damping, ordering and grid; codes k and signs are drawn from the problem's seed.
    First row: the damped error against :math:`(1-\varepsilon)^2\frac14\sum_j\delta_j^2 d_j^2`; second row: how many codes
    differ from k, against 0.

    Origin: classical. Arguments: a problem made by `tight_problem` and its OPTQ result. Returns: (2, K). Errors: none of its own.

    >>> problem = Problem(np.array([[2.0, 1.0], [1.0, 3.0]]), np.zeros((2, 1)), Grid(step=1.0))
    >>> bool(check(problem, ["optq-l2-tight"])["optq-l2-tight"].ratio < 1e-10)
    True
    """
    codes, _ = _codes_and_signs(problem)
    order = problem.order
    wrong = (result.codes[order] != codes).sum(axis=0)
    bound = pivot_sum(problem) / 4
    attained = bound * lift((1 - EPSILON) ** 2, bound)
    measured = np.stack([damped_error_squared(problem, result), wrong + 0 * bound])
    scale = np.stack([attained, 1 + 0 * bound])
    return Evaluation(measured, np.stack([attained, 0 * bound]), scale=scale, allowance=projection_reach(problem))


def tight_problem(problem: Problem):
    """The problem, of at most 16 neurons, with weights w = step k + M e that sit (1 - eps) half steps from a tie at every step."""
    if problem.K > NEURONS:
        problem = with_first_neurons(problem, NEURONS)
    codes, signs = _codes_and_signs(problem)
    errors = problem.steps / 2 * signs * lift(1 - EPSILON, problem.steps)
    ordered = problem.steps * codes + problem.factorization.M @ errors
    W = np.empty_like(ordered)
    W[problem.order] = ordered
    return problem.but(W=W)


def _codes_and_signs(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """Codes inside the alphabet and signs, (N, K) integers in processing order, drawn from the problem's seed."""
    rng = np.random.default_rng([problem.seed, problem.N, problem.K])
    low, high = np.maximum(problem.alphabet.low, -8), np.minimum(problem.alphabet.high, 8)
    middle = np.clip(0, problem.alphabet.low, problem.alphabet.high)
    low, high = np.where(low <= high, low, middle), np.where(low <= high, high, middle)
    codes = rng.integers(low.astype(np.int64), high.astype(np.int64), endpoint=True)
    return codes, rng.choice([-1, 1], size=codes.shape)
