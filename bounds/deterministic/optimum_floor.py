r"""`optimum-floor`: what no grid point can beat

**Hypotheses.** $H \succ 0$; any $w$ and any point $q$ of the infinite grid, from whichever algorithm, saturated or not.

**Proof.** Let $x = w - q$. As $q_j \in \delta_j\mathbb Z$, $|x_j| \ge \mathrm{dist}(w_j, \delta_j\mathbb Z)$. With $1_j$ the unit
vector, $x_j = 1_j^\top H^{-1}Hx = \langle\hat XH^{-1}1_j, \hat Xx\rangle$, so Cauchy–Schwarz gives
$x_j^2 \le (1_j^\top H^{-1}1_j)\,\|\hat Xx\|^2 = (H^{-1})_{jj}\|\hat Xx\|^2$: the first floor. The second is
$\|\hat Xx\|^2 = x^\top Hx \ge \lambda_{\min}(H)\|x\|^2$. An optimum is a grid point, so both floors are below it, and it is below every
result. ∎

**Lineage.** Classical: the first floor is the lower bound that a dual lattice vector gives on the distance to a lattice (Håstad, *Dual
vectors and lower bounds for the nearest lattice point problem*, Combinatorica 8, 1988), for the dual basis, whose squared norms are the
$(H^{-1})_{jj}/\delta_j^2$; the second is Rayleigh's quotient.

**Sharp.** At $N = 1$ both are equalities at the optimum. The first is attained where $x = w - q$ is a multiple of $H^{-1}1_j$
and $|x_j| = \mathrm{dist}(w_j, \delta_j\mathbb Z)$; the second where $x$ is an eigenvector of the smallest eigenvalue and that holds
for every $j$.

**Reduces to.** Where $H$ is diagonal the error of rounding to nearest is $\sum_jH_{jj}\,\mathrm{dist}(w_j, \delta_j\mathbb Z)^2$: the
first floor is its largest term. The second floor is that error where $H$ is a multiple of the identity.
"""

from __future__ import annotations

import numpy as np

from ..checking import Evaluation, Kind, Origin, Problem, Result, at_most, claim, positive_definite, squared
from ..checking.arithmetic import is_exact, maximum, rationals, smallest_eigenvalue
from ..checking.measure import damped_error_squared, gram, output_loss, pivot_sum, squares
from .optimum import SEARCHABLE, optimum_decided, optimum_squared
from .order_floor import spectral_floor


@claim(
    id="optimum-floor",
    statement=r"$\|\hat X(w-q)\|^2 \ge \max_j \mathrm{dist}(w_j, \delta_j\mathbb Z)^2/(H^{-1})_{jj}$ and "
    r"$\ge \lambda_{\min}(H)\sum_j\mathrm{dist}(w_j,\delta_j\mathbb Z)^2$ for every grid point $q$",
    origin=Origin.CLASSICAL,
    source="Håstad 1988 (dual lattice vectors); Rayleigh's quotient",
    kind=Kind.LOWER,
    unit="squared output error",
    algorithms=("optq", "qronos", "gpfq", "round-to-nearest"),
    rounding=None,
    hypotheses=(positive_definite, at_most(SEARCHABLE, "the optimum is searched for exactly"), optimum_decided),
)
def optimum_floor(problem: Problem, result: Result) -> Evaluation:
    r"""The damped error of any grid point, the optimum included, above two floors, lower bounds, deterministic.

    Setting: H positive definite; the result of any algorithm and rounding, saturated or not. Rows: the optimum and the result
    against the first floor, then both against the second, then the result against the optimum.

    Origin: classical. Arguments: problem and result. Returns: (5, K), squared units of the outputs. Errors: none of its own.

    >>> problem = Problem(np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([[0.4], [0.6]]), Grid(step=1.0))
    >>> check(problem, ["optimum-floor"])["optimum-floor"].outcome.value
    'holds'
    """
    distances = grid_distances(problem)
    inverse_diagonal = spectral_floor(problem)[1]
    by_feature = maximum(distances**2 / inverse_diagonal[:, None])
    least = smallest_eigenvalue(gram(problem)) if is_exact(problem.W) else problem.factorization.singular_values[-1] ** 2
    by_spectrum = least * squares(distances)
    best, reached = optimum_squared(problem), damped_error_squared(problem, result)
    measured = np.stack([best, reached, best, reached, reached])
    bound = np.stack([by_feature, by_feature, by_spectrum, by_spectrum, best])
    loss = output_loss(problem, result)
    noise = None if loss is None else squared(measured, loss) + squared(bound, loss)
    return Evaluation(measured, bound, noise=noise, natural=bound + pivot_sum(problem) / 4)


def grid_distances(problem: Problem) -> np.ndarray:
    """Distances (N, K) of the weights to the infinite grid, processing order."""
    w = problem.W[problem.order]
    ratios = w / problem.steps
    if is_exact(w):
        nearest = rationals(np.vectorize(lambda ratio: int((2 * ratio + 1).floor()) // 2, otypes=[np.int64])(ratios))
    else:
        nearest = np.rint(ratios)
    return abs(w - problem.steps * nearest)
