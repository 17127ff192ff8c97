r"""`predicted-heldout-error`: OPTQ's held-out error without running OPTQ (a prediction, no theorem)."""

from __future__ import annotations

from ..claim import Evaluation, Kind, Origin, claim
from ..hypotheses import unsaturated, validation_inputs
from ..measure import squares
from .high_resolution import fine_steps, many_neurons, second_moments, wide_problem


@claim(
    id="predicted-heldout-error",
    statement=r"$\mathbb E\|X_{val}(w-q)\|^2 \approx \frac1{12}\sum_j\delta_j^2(M^\top SM)_{jj}$, "
    r"$S = X_{val}^\top X_{val}$ (stochastic: $\frac16$)",
    origin=Origin.OURS,
    source="THEORY, section 7",
    kind=Kind.PREDICTION,
    unit="squared output error",
    rounding=None,
    hypotheses=(unsaturated, validation_inputs, many_neurons, fine_steps),
    draw=wide_problem,
    examples=20,
)
def predicted_heldout_error(problem, result) -> Evaluation:
    r"""The held-out error against uniform noise carried through M, prediction, on the mean of many neurons.

    Range: as `predicted-error`, and the validation inputs must come from the distribution of deployment.

    Origin: ours. Arguments: problem and result of OPTQ. Returns: (K,), squared units of the outputs, summed over held-out samples.
    Errors: none of its own.

    >>> W = np.random.default_rng(0).standard_normal((8, 2000))
    >>> problem = Problem(np.eye(8), W, Grid(step=0.1), X_validation=np.ones((4, 8)))
    >>> bool(abs(check(problem, ["predicted-heldout-error"])["predicted-heldout-error"].margin) < 0.1)
    True
    """
    predicted = second_moments(problem, problem.X_validation) @ problem.steps**2 / (12 if problem.rounding == "nearest" else 6)
    return Evaluation(squares(problem.X_validation @ (problem.W - result.weights)), predicted)
