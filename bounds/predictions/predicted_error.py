r"""`predicted-error`: rounding errors behave like uniform noise (a prediction, no theorem)."""

from __future__ import annotations

from ..claim import Evaluation, Kind, Origin, claim
from ..hypotheses import unsaturated
from ..measure import damped_error_squared, pivot_sum
from .high_resolution import fine_steps, many_neurons, wide_problem


@claim(
    id="predicted-error",
    statement=r"$\mathbb E\|\hat X(w-q)\|^2 \approx \frac1{12}\sum_j\delta_j^2d_j^2$ (nearest), "
    r"$\approx \frac16\sum_j\delta_j^2d_j^2$ (stochastic)",
    origin=Origin.OURS,
    source="THEORY, section 7",
    kind=Kind.PREDICTION,
    unit="squared output error",
    rounding=None,
    hypotheses=(unsaturated, many_neurons, fine_steps),
    draw=wide_problem,
    examples=20,
)
def predicted_error(problem, result) -> Evaluation:
    r"""The damped error against a third (stochastic: two thirds) of OPTQ's bound, prediction, on the mean of many neurons.

    Range: steps up to about twice the weights' standard deviation, thousands of neurons, no saturation; wrong by 15-75% at 2-3 bits
    or with heavy-tailed weights.

    Origin: ours. Arguments: problem and result of OPTQ. Returns: (K,), squared units of the outputs. Errors: none of its own.

    >>> W = np.random.default_rng(0).standard_normal((8, 2000))
    >>> problem = Problem(np.eye(8), W, Grid(step=0.1))
    >>> bool(abs(check(problem, ["predicted-error"])["predicted-error"].margin) < 0.03)
    True
    """
    return Evaluation(damped_error_squared(problem, result), pivot_sum(problem) / (12 if problem.rounding == "nearest" else 6))
