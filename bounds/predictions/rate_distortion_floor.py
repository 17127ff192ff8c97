r"""`rate-distortion-floor`: what steps inversely proportional to the pivots attain

**Hypotheses.** As in `predicted-error`, with $H \succ 0$. $\delta$ is the geometric mean of the $\delta_j$; 0.255 bit is for independent
Gaussian weights, at high rate, with codes counted by their entropy.

**Proof.** None, this is a prediction: a missed one is no violation, and *holds* means within a factor of two. Where it comes from: by
AM–GM and $\prod_jd_j^2 = \det H$ (`order-floor`), the prediction $\frac1{12}\sum_j\delta_j^2d_j^2$ is at least
$\frac N{12}(\prod_j\delta_j^2d_j^2)^{1/N} = \frac{\delta^2}{12}N(\det H)^{1/N}$, with equality exactly where all $\delta_jd_j$ are
equal. A uniform scalar quantizer of step $\delta_j$ has about $h - \log_2\delta_j$ bits of entropy, $h$ the differential entropy of a
weight. For Gaussian weights Shannon's limit at the same mean rate is, at high rate, smaller in distortion by the factor
$\frac{2\pi e}{12}$, and $\frac12\log_2\frac{2\pi e}{12} = 0.2546$.

**Lineage.** Classical: reverse waterfilling, and the high-rate loss of scalar quantizers (Gish and Pierce 1968). For OPTQ it is
*WaterSIC*: arXiv 2601.17187, arXiv 2603.04956 and arXiv 2605.13768.

**Sharp.** Met where $\delta_j \propto 1/d_j$; exceeded by every other choice of the same geometric mean, by the ratio of the arithmetic
to the geometric mean of the $\delta_j^2d_j^2$.

**Reduces to.** `predicted-error` at one step where all pivots are equal.
"""

from __future__ import annotations

import numpy as np

from ...algorithms import Grid
from ..checking import Evaluation, Kind, Origin, Problem, Result, claim, damped_error_squared, positive_definite, unsaturated
from ..deterministic.order_floor import spectral_floor
from .high_resolution import fine_steps, many_neurons, wide_problem

GAP_IN_BITS = 0.5 * np.log2(2 * np.pi * np.e / 12)  # of a uniform quantizer to the information-theoretic limit: 0.2546


def inverse_pivot_problem(rng: np.random.Generator):
    """A wide layer whose steps are inversely proportional to the pivots, with the geometric mean of its 4-bit steps."""
    problem = wide_problem(rng)
    d = problem.factorization.pivots
    step = problem.steps.mean() * np.exp(np.log(d).mean()) / d
    return problem.but(grid=Grid(step[np.argsort(problem.order)][:, None]))


@claim(
    id="rate-distortion-floor",
    statement=r"steps $\delta_j \propto 1/d_j$ of geometric mean $\delta$ attain "
    r"$\mathbb E\|\hat X(w-q)\|^2 \approx \frac{\delta^2}{12}N(\det H)^{1/N}$, "
    r"0.255 bit from the information-theoretic limit",
    origin=Origin.CLASSICAL,
    source="WaterSIC, arXiv 2601.17187, arXiv 2603.04956, arXiv 2605.13768",
    kind=Kind.PREDICTION,
    unit="squared output error",
    hypotheses=(unsaturated, positive_definite, many_neurons, fine_steps),
    draw=inverse_pivot_problem,
    examples=20,
)
def rate_distortion_floor(problem: Problem, result: Result) -> Evaluation:
    r"""The damped error against the floor that the determinant sets at the geometric mean of the steps, prediction.

    Setting: any steps; the prediction is met when they are inversely proportional to the pivots, and exceeded otherwise. Gaussian
    weights, fine steps.

    Origin: classical (rate distortion). Arguments: problem and result of OPTQ. Returns: (K,), squared units of the outputs.
    Errors: none of its own.

    >>> W = np.random.default_rng(0).standard_normal((8, 2000))
    >>> problem = Problem(np.eye(8), W, Grid(step=0.1))
    >>> bool(abs(check(problem, ["rate-distortion-floor"])["rate-distortion-floor"].margin) < 0.03)
    True
    """
    squared_step = np.exp(2 * np.log(problem.steps).mean(axis=0))
    return Evaluation(damped_error_squared(problem, result), squared_step * problem.N * spectral_floor(problem)[0] / 12)
