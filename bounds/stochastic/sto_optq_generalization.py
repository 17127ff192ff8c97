r"""`sto-optq-generalization`: the mean squared error of stochastic OPTQ on any test distribution

**Hypotheses.** Stochastic rounding on an infinite alphabet; any steps, $X$, $\lambda \ge 0$ and ordering; a test input $x$, independent
of the draws, with second moment $S = \mathbb E xx^\top$ (finite, otherwise arbitrary: its distribution need not be that of the
calibration inputs).

**Proof.** $w - q = Me$ (`feedback-form`), so given the draws $\mathbb E_x(x^\top(w-q))^2 = e^\top M^\top SMe$. The $e_j$ are
uncorrelated (`sto-optq-l2`), so the mean over the draws keeps the diagonal only, $\sum_j\mathbb E[e_j^2](M^\top SM)_{jj}$; and
$\mathbb E e_j^2 \le \frac14\delta_j^2$, $(M^\top SM)_{jj} \ge 0$. ∎

**Lineage.** This project: the setting is that of George and Saab (arXiv 2609.31560), no source found for this identity. The second
moments of $e$ are those of QuIP's analysis.

**Sharp.** The first part is an identity. The second is attained where every $z_j$ is halfway between grid points.

**Reduces to.** `sto-optq-l2` with $S = X^\top X$ (undamped) and $S = H$ (damped).
"""

from __future__ import annotations

from ..checking import Evaluation, Kind, Origin, Problem, Result, claim, held_out, infinite_alphabet, sqrt, squares, validation_inputs


@claim(
    id="sto-optq-generalization",
    statement=r"$\mathbb E(x^\top(w-q))^2 = \sum_j\mathbb E[e_j^2](M^\top SM)_{jj} \le \frac14\sum_j\delta_j^2(M^\top SM)_{jj}$ for test "
    r"inputs with second moment $S$",
    origin=Origin.OURS,
    source="this project, bounds/THEORY.md#sto-optq-generalization",
    kind=Kind.EXPECTATION,
    unit="squared output error per sample",
    rounding="stochastic",
    hypotheses=(infinite_alphabet, validation_inputs),
)
def sto_optq_generalization(problem: Problem, result: Result) -> Evaluation:
    r"""The squared error on held-out inputs, upper bound in expectation over the rounding (and the input).

    Setting: stochastic rounding on an infinite alphabet; the test distribution is the uniform one on the rows of X_validation, any
    other works the same. Only its second moment S enters.

    Origin: ours. Arguments: problem and result of stochastic OPTQ. Returns: (K,), squared units of the outputs per sample.
    Errors: none of its own.

    >>> problem = Problem(np.eye(2), np.full((2, 1), 0.3), Grid(step=1.0), rounding="stochastic", X_validation=np.ones((3, 2)))
    >>> check(problem, ["sto-optq-generalization"], draws=100)["sto-optq-generalization"].outcome.value
    'holds'
    """
    inputs, samples = held_out(problem), len(held_out(problem))
    moments = squares(inputs[:, problem.order] @ problem.factorization.M)
    bound = moments @ problem.steps**2 / (4 * samples)
    ceiling = (sqrt(moments) @ problem.steps) ** 2 / samples
    return Evaluation(squares(inputs @ (problem.W - result.weights)) / samples, bound, ceiling=ceiling)
