r"""`sto-optq-generalization`: the mean squared error of stochastic OPTQ on any test distribution (ours)."""

from __future__ import annotations

from ..arithmetic import sqrt
from ..claim import Evaluation, Kind, Origin, claim
from ..hypotheses import infinite_alphabet, validation_inputs
from ..measure import squares


@claim(
    id="sto-optq-generalization",
    statement=r"$\mathbb E(x^\top(w-q))^2 = \sum_j\mathbb E[e_j^2](M^\top SM)_{jj} \le \frac14\sum_j\delta_j^2(M^\top SM)_{jj}$ for test "
    r"inputs with second moment $S$",
    origin=Origin.OURS,
    source="THEORY, section 4",
    kind=Kind.EXPECTATION,
    unit="squared output error per sample",
    rounding="stochastic",
    hypotheses=(infinite_alphabet, validation_inputs),
)
def sto_optq_generalization(problem, result) -> Evaluation:
    r"""The squared error on held-out inputs, upper bound in expectation over the rounding (and the input).

    Setting: stochastic rounding on an infinite alphabet; the test distribution is the uniform one on the rows of X_validation, any
    other works the same. Only its second moment S enters.

    Origin: ours. Arguments: problem and result of stochastic OPTQ. Returns: (K,), squared units of the outputs per sample.
    Errors: none of its own.

    >>> problem = Problem(np.eye(2), np.full((2, 1), 0.3), Grid(step=1.0), rounding="stochastic", X_validation=np.ones((3, 2)))
    >>> check(problem, ["sto-optq-generalization"], draws=100)["sto-optq-generalization"].outcome.value
    'holds'
    """
    held_out, samples = problem.X_validation, len(problem.X_validation)
    moments = squares(held_out[:, problem.order] @ problem.factorization.M)
    bound = moments @ problem.steps**2 / (4 * samples)
    ceiling = (sqrt(moments) @ problem.steps) ** 2 / samples
    return Evaluation(squares(held_out @ (problem.W - result.weights)) / samples, bound, ceiling=ceiling)
