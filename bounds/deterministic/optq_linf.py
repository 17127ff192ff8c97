r"""`optq-linf`: the infinity-norm error bound of OPTQ with nearest rounding

**Hypotheses.** Nearest rounding, no saturated step; any $X$, $\lambda \ge 0$, ordering and steps. $V_{ij}$ with $i \le m$ are the sample
rows of $V$.

**Proof.** $\hat X(w-q) = Ve$ (`optq-identity`), whose first $m$ rows are $(X(w-q))_i = \sum_jV_{ij}e_j$. Since $|e_j| \le \delta_j/2$,
row $i$ is at most $\frac12\sum_j\delta_j|V_{ij}|$ in size. ∎

**Lineage.** This project: no source found for it. It is the identity of arXiv 2508.04853 read row by row; that paper bounds the infinity
norm for stochastic rounding, and shows on `adversarial-growth` that with nearest rounding it can grow like $\sqrt N$.

**Sharp.** For every $X$: take the row $i$ that attains the maximum and, in `optq-l2-tight`, the signs of $V_{i1}, \dots, V_{iN}$; then
row $i$ of the error is $(1-\varepsilon)$ times the bound.

**Reduces to.** $\frac12\max_i\sum_j\delta_j|X_{ij}|$ where the columns of $\hat X$ are orthogonal, which is then the bound of rounding
to nearest; by Cauchy–Schwarz it is at most $\frac12\sqrt N\max_j\delta_jd_j$.
"""

from __future__ import annotations

from ..checking import (
    Evaluation,
    Kind,
    Origin,
    Problem,
    Result,
    absolute,
    claim,
    largest_against_steps,
    maximum,
    output_loss,
    own_errors,
    unsaturated,
)


@claim(
    id="optq-linf",
    statement=r"$\|X(w-q)\|_\infty \le \frac12\max_{i\le m}\sum_j\delta_j|V_{ij}|$",
    origin=Origin.OURS,
    source="this project, bounds/THEORY.md#optq-linf",
    kind=Kind.UPPER,
    unit="output error",
    per_output=True,
    hypotheses=(unsaturated,),
)
def optq_linf(problem: Problem, result: Result) -> Evaluation:
    r"""The largest output error of OPTQ below half the largest weighted row sum of |V|, upper bound, deterministic, tight.

    Setting: nearest rounding, no saturated step. Since :math:`X(w-q) = Ve` on the sample rows; attained up to epsilon by the
    weights of `optq-l2-tight` with the signs of one row of V.

    Origin: ours. Arguments: problem and result of OPTQ. Returns: (K,), units of the outputs. Errors: none of its own.

    >>> problem = Problem(np.eye(2), np.array([[0.4], [0.6]]), Grid(step=1.0))
    >>> print(check(problem, ["optq-linf"])["optq-linf"].ratio)
    0.8
    """
    bound = largest_against_steps(absolute(problem.factorization.sample_rows_of_V), problem) / 2
    return Evaluation(maximum(absolute(own_errors(problem, result))), bound, noise=output_loss(problem, result, outputs_alone=True))
