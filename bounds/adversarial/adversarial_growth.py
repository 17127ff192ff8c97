r"""`adversarial-growth`: OPTQ's infinity-norm error and its codes grow with N

**Hypotheses.** $m = N$, $\lambda = 0$, natural order, nearest rounding on $\mathbb Z$ ($\delta = 1$). $C$ is an orthonormal $N \times N$
matrix with constant first row $1/\sqrt N$ and columns $c_j$ (the cosine basis DCT-II, or a Hadamard matrix); $X_j = c_j - c_{j+1}$ for
$j < N$ and $X_N = c_N$; $0 < \eta < \frac12$, and no $t\eta$ with $t \le N$ is half an odd integer.

**Proof.** The columns after $j$ span $c_{j+1}, \dots, c_N$ (add them up from the end), so $v_j = c_j$, all pivots are 1, $V = C$, and
$X = CL$ with $L$ having $-1$ just below its unit diagonal. Its inverse $M$ is the lower triangle of ones, and by `feedback-form` OPTQ
rounds $z_t = w_t - \sum_{i<t}e_i$. Suppose $e_i = \eta$ for $i < t$. Then
$z_t = t\eta - \mathrm{round}(t\eta) - (t-1)\eta = \eta - \mathrm{round}(t\eta)$, an integer plus $\eta < \frac12$: so
$q_t = -\mathrm{round}(t\eta)$ and $e_t = \eta$. By induction this holds for all $t$, and $X(w-q) = Ve = \eta\,C\mathbf 1$. The rows of
$C$ after the first are orthogonal to it, a constant row, so they sum to 0; the first sums to $\sqrt N$. Hence $X(w-q)$ is $\eta\sqrt N$
in its first entry and 0 elsewhere. ∎

**Lineage.** Appendix D of arXiv 2508.04853, rederived from a fragment of it; the Hadamard variant, which is rational for $N = 4^k$, is
for exact arithmetic.

**Sharp.** The inputs are harmless ($\|X_j\| \le \sqrt2$, $\|w\|_\infty \le \frac12$), yet the whole error lands on one output, and
$\|q\|_\infty \ge N\eta - \frac12$: no alphabet that is fixed as $N$ grows suffices. As $\eta \to \frac12$ the 2-norm approaches the bound
$\frac12\sqrt N$ of `optq-l2`.

**Reduces to.** Nothing smaller. Stochastic rounding on the same input does not see the trap: all row sums of squares of $V$ are 1, so
`sto-optq-linf-rowwise` gives $\sqrt{\log(2N/p)/2}$ and `sto-optq-alphabet` at most $\sqrt{N\log(2N/p)/2}$.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..checking import Evaluation, Kind, Origin, Problem, Result, absolute, claim, is_exact, lift, maximum, own_errors, rationals, squares
from ..problems.constructions import growth_problem, rational_growth_problem

DENOMINATOR = 2**20  # eta is an odd multiple of 1 / DENOMINATOR: no t eta is half an integer for t < 2^19
EXACT_FEATURES = 16  # a Sylvester-Hadamard basis is rational for N = 4^k


def _eta(problem: Problem) -> float:
    odd = 2 * np.random.default_rng(problem.seed).integers(DENOMINATOR // 20, DENOMINATOR // 5) + 1
    return float(odd) / DENOMINATOR


def _construct(problem: Any) -> Any:
    if is_exact(problem.X):
        return type(problem)(rational_growth_problem(EXACT_FEATURES, _eta(problem)).but(seed=problem.seed))
    return growth_problem(8 * problem.N, _eta(problem)).but(seed=problem.seed)


@claim(
    id="adversarial-growth",
    statement=r"$X_j = c_j - c_{j+1}$, $w_t = t\eta - \mathrm{round}(t\eta)$, $\delta=1$: every $e_t = \eta$, so "
    r"$\|X(w-q)\|_\infty = \|X(w-q)\|_2 = \eta\sqrt N$ and $q_t = -\mathrm{round}(t\eta)$",
    origin=Origin.PAPER,
    source="arXiv 2508.04853, Appendix D",
    kind=Kind.IDENTITY,
    unit="squared output error, codes",
    construct=_construct,
    examples=50,
)
def adversarial_growth(problem: Problem, result: Result) -> Evaluation:
    r"""Error and codes of OPTQ on the construction, identity, deterministic: no alphabet that is fixed as N grows suffices.

    Setting: orthonormal c_j with a constant first row (the cosine basis in float64, a Hadamard basis in exact arithmetic), nearest
    rounding, natural order; N is eight times that of the problem the check starts from. Rows: squared 2-norm, squared infinity
    norm, and the number of codes that are not -round(t eta), against 0.

    Origin: paper, re-derived. Arguments: a problem made by the construction and its OPTQ result. Returns: (3, 1).
    Errors: none of its own.

    >>> problem = Problem(np.eye(4), np.zeros((4, 1)), Grid(step=1.0))
    >>> bool(check(problem, ["adversarial-growth"])["adversarial-growth"].ratio < 1e-10)
    True
    """
    eta = lift(_eta(problem), problem.W)
    errors = own_errors(problem, result)
    multiples = np.rint(np.arange(1, problem.N + 1) * _eta(problem))
    wrong = (result.codes[:, 0] != -multiples).sum()
    norm = np.full(problem.K, eta * eta * problem.N)
    wrong = rationals(np.array([wrong])) if is_exact(problem.W) else np.array([float(wrong)])
    measured = [squares(errors), maximum(absolute(errors)) ** 2, wrong]
    return Evaluation(np.stack(measured), np.stack([norm, norm, 0 * norm]), scale=np.stack([norm, norm, 1 + 0 * norm]))
