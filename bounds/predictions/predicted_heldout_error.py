r"""`predicted-heldout-error`: OPTQ's held-out error without running OPTQ

**Hypotheses.** As in `predicted-error`; and the validation inputs come from the distribution on which the error is to be predicted.

**Proof.** None, this is a prediction: a missed one is no violation, and *holds* means within a factor of two. Where it comes from:
$X_{val}(w-q) = X_{val}Me$ (`feedback-form`); if the $e_j$ are uncorrelated with variances $\delta_j^2/12$ (`predicted-error`; stochastic
$\delta_j^2/6$), then $\mathbb E\|X_{val}Me\|^2 = \sum_j\frac{\delta_j^2}{12}(M^\top SM)_{jj}$. It is exact for independent weights that
are uniform on whole cells: there the $e_j$ are independent.

**Lineage.** This project: QuIP's average case (arXiv 2307.13304) carried to a second moment other than the one that was calibrated on.
No source found for it as a rule for choosing damping and ordering.

**Sharp.** Exact on average for uniform weights. As a rule its minimizer over $\lambda$ is far more robust than its value.

**Reduces to.** `predicted-error`, less the ridge, with $X_{val} = X$. `sto-optq-generalization` is its counterpart with a proof: an
upper bound with $\frac14$ in place of $\frac16$.
"""

from __future__ import annotations

from ..checking import Evaluation, Kind, Origin, Problem, Result, claim, held_out, squares, unsaturated, validation_inputs
from .high_resolution import fine_steps, many_neurons, second_moments, wide_problem


@claim(
    id="predicted-heldout-error",
    statement=r"$\mathbb E\|X_{val}(w-q)\|^2 \approx \frac1{12}\sum_j\delta_j^2(M^\top SM)_{jj}$, "
    r"$S = X_{val}^\top X_{val}$ (stochastic: $\frac16$)",
    origin=Origin.OURS,
    source="this project, bounds/THEORY.md#predicted-heldout-error",
    kind=Kind.PREDICTION,
    unit="squared output error",
    rounding=None,
    hypotheses=(unsaturated, validation_inputs, many_neurons, fine_steps),
    draw=wide_problem,
    examples=20,
)
def predicted_heldout_error(problem: Problem, result: Result) -> Evaluation:
    r"""The held-out error against uniform noise carried through M, prediction, on the mean of many neurons.

    Range: as `predicted-error`, and the validation inputs must come from the distribution of deployment.

    Origin: ours. Arguments: problem and result of OPTQ. Returns: (K,), squared units of the outputs, summed over held-out samples.
    Errors: none of its own.

    >>> W = np.random.default_rng(0).standard_normal((8, 2000))
    >>> problem = Problem(np.eye(8), W, Grid(step=0.1), X_validation=np.ones((4, 8)))
    >>> bool(abs(check(problem, ["predicted-heldout-error"])["predicted-heldout-error"].margin) < 0.1)
    True
    """
    inputs = held_out(problem)
    predicted = second_moments(problem, inputs) @ problem.steps**2 / (12 if problem.rounding == "nearest" else 6)
    return Evaluation(squares(inputs @ (problem.W - result.weights)), predicted)
