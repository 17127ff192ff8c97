r"""`predicted-error`: rounding errors behave like uniform noise

**Hypotheses.** High resolution: steps up to about twice the standard deviation of the weights, thousands of neurons to average over (a
few hundred scatter by 20 %), no saturation. Outside that range it can be off by 15–75 % (2–3 bits, heavy-tailed weights), and low where
a feature's weights are much smaller than its step.

**Proof.** None, this is a prediction: a missed one is no violation, and *holds* means within a factor of two. Where it comes from: if
$z_j$ modulo $\delta_j$ is uniform, then $e_j$ has variance $\delta_j^2/12$ under nearest rounding, and under stochastic rounding, with
$\theta$ uniform on $[0,1]$, $\mathbb E\,\theta(1-\theta)\delta_j^2 = \delta_j^2/6$; put this into `optq-identity`. It is exact for
weights that are independent and uniform on whole cells of the grid: given the weights before, $z_j$ is $w_j$ plus a fixed number, so it
is uniform modulo $\delta_j$ too.

**Lineage.** Classical: uniform noise is Bennett's model (1948), and the exact statement for uniform weights is QuIP's average case of
LDLQ, $\frac1{12}\mathrm{tr}\,D$ and $\frac16\mathrm{tr}\,D$ per neuron (arXiv 2307.13304). The range of validity is measured here.

**Sharp.** Exact on average for uniform weights; on Gaussian weights within a few percent at 4 bits.

**Reduces to.** A third of the bound of `optq-l2`, two thirds of that of `sto-optq-l2`.
"""

from __future__ import annotations

from ..checking import Evaluation, Kind, Origin, Problem, Result, claim, damped_error_squared, pivot_sum, unsaturated
from .high_resolution import fine_steps, many_neurons, wide_problem


@claim(
    id="predicted-error",
    statement=r"$\mathbb E\|\hat X(w-q)\|^2 \approx \frac1{12}\sum_j\delta_j^2d_j^2$ (nearest), "
    r"$\approx \frac16\sum_j\delta_j^2d_j^2$ (stochastic)",
    origin=Origin.CLASSICAL,
    source="Bennett 1948; QuIP, arXiv 2307.13304 (average case of LDLQ)",
    kind=Kind.PREDICTION,
    unit="squared output error",
    rounding=None,
    hypotheses=(unsaturated, many_neurons, fine_steps),
    draw=wide_problem,
    examples=20,
)
def predicted_error(problem: Problem, result: Result) -> Evaluation:
    r"""The damped error against a third (stochastic: two thirds) of OPTQ's bound, prediction, on the mean of many neurons.

    Range: steps up to about twice the weights' standard deviation, thousands of neurons, no saturation; wrong by 15-75% at 2-3 bits
    or with heavy-tailed weights.

    Origin: classical. Arguments: problem and result of OPTQ. Returns: (K,), squared units of the outputs. Errors: none of its own.

    >>> W = np.random.default_rng(0).standard_normal((8, 2000))
    >>> problem = Problem(np.eye(8), W, Grid(step=0.1))
    >>> bool(abs(check(problem, ["predicted-error"])["predicted-error"].margin) < 0.03)
    True
    """
    return Evaluation(damped_error_squared(problem, result), pivot_sum(problem) / (12 if problem.rounding == "nearest" else 6))
