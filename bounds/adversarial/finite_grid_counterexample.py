r"""`finite-grid-counterexample`: clamped OPTQ can lose to rounding by any factor

**Hypotheses.** $\lambda = 0$, natural order, nearest rounding, $\delta = 1$, codes $0, \dots, 3$. $N \ge 6$ even, $c = \frac1{100}$,
$\varepsilon > 0$, orthonormal $s, f_1, \dots, f_{N-1}$: $X_1 = (1+c)s + \varepsilon f_1 + c\varepsilon\sum_{1<j<N}f_j$,
$X_j = s + \varepsilon f_j$ for $1 < j < N$, $X_N = s$; $w_j = 0.499$ for odd $j$ and $0.501$ for even $j$. RTN is rounding to nearest;
*unclamped* means on $\mathbb Z$.

**Proof.** *Pivots.* The columns after $j$ span $s$ and the $f$ of later middle features, so $v_j = \varepsilon f_j$ for $j < N$ and
$v_N = s$. For a middle $j$, $X_j - v_j = s = X_N$, so $M_{Nj} = -1$ is the only entry below the diagonal. And
$X_1 - v_1 = c\sum_{1<j<N}X_j + (1 + c - c(N-2))X_N$, so $M_{j1} = -c$ and $M_{N1} = -(1 + c - c(N-2))$. *OPTQ.* $z_1 = 0.499$ gives
$q_1 = 0$, $e_1 = 0.499$. A middle $z_j = w_j + ce_1$ is $0.50399$ or $0.50599$, so $q_j = 1$ and $e_j = -0.49601$ (odd) or $-0.49401$
(even), half of each, $N-2$ in all, with mean $-0.49501$. At last
$z_N = w_N - \sum_{i<N}M_{Ni}e_i = 0.501 + 0.499(1.01 - 0.01(N-2)) - 0.49501(N-2) = 2.00499 - \frac N2 < -\frac12$: clamped, $q_N = 0$
and $e_N = z_N$, the only saturated step; unclamped, $q_N = 2 - \frac N2$ and $e_N = 0.00499$. By `optq-identity`, with
$a = 0.49601^2 + 0.49401^2$,
$$\|X(w-q)\|^2 = \varepsilon^2\Big(0.499^2 + \frac{N-2}2a\Big) + e_N^2.$$
*RTN* has $w - q = \pm0.499$, alternating, which sums to 0. Its error along $s$ is $0.499c = 0.00499$, along $f_1$ $0.499\varepsilon$,
along a middle $f_j$ $(0.00499 \pm 0.499)\varepsilon$, that is $0.50399\varepsilon$ (odd) or $-0.49401\varepsilon$ (even). With
$b = 0.50399^2 + 0.49401^2 > a$ its squared error is $\varepsilon^2(0.499^2 + \frac{N-2}2b) + 0.00499^2$. So unclamped OPTQ is slightly
better. Clamped, at $N = 512$: $64638.7/127.252 = 507.96$ at $\varepsilon = 1$, and $64514.7/1.272545 = 50697$ at
$\varepsilon = \frac1{10}$. ∎

**Lineage.** That clamping voids the guarantee of LDLQ and OPTQ, with an example, is an observation of QuIP (arXiv 2307.13304); this
construction, with one saturated step and its errors in closed form, is this project's.

**Sharp.** The factor has no bound: about $N/\varepsilon^2$ for large $N$, and $((\frac N2 - 2.00499)/0.00499)^2$ as $\varepsilon \to 0$
at fixed $N$. So no theorem like `optq-l2` or `optq-beats-rtn` can survive on an alphabet that saturates.

**Reduces to.** `optq-l2` once the alphabet reaches down to $2 - \frac N2$ (`optq-alphabet` says how far suffices).
"""

from __future__ import annotations

import numpy as np

from ...algorithms import round_to_nearest
from ..checking import Evaluation, Hypothesis, Kind, Origin, Problem, Result, claim, is_exact, own_errors, squares, without_ends
from ..problems.constructions import clamped_problem

FEATURES = 512
STATED = {1.0: 507.5, 0.1: 50696.5}  # squared error over RTN's, rounded down to what the printed digits say
HARDEST = min(STATED)

floating = Hypothesis(
    "float64 arithmetic",
    lambda problem, result: not is_exact(problem.X),
    lambda problem, result: f"N = {FEATURES} is too large to replay exactly",
    "check it in float64",
)


def _construct(problem: Problem):
    return problem if is_exact(problem.X) else clamped_problem(FEATURES, HARDEST)


@claim(
    id="finite-grid-counterexample",
    statement=r"codes 0..3, $N = 512$: one saturated step, and OPTQ's squared error is 508 times RTN's at $\varepsilon=1$ and 50,697 "
    r"times at $\varepsilon=1/10$, though unclamped OPTQ is no worse than RTN",
    origin=Origin.OURS,
    source="this project, bounds/THEORY.md#finite-grid-counterexample; the observation is QuIP's, arXiv 2307.13304",
    kind=Kind.LOWER,
    unit="ratio of squared output errors",
    hypotheses=(floating,),
    construct=_construct,
    examples=1,
    about_neurons=False,
)
def finite_grid_counterexample(problem: Problem, result: Result) -> Evaluation:
    r"""OPTQ's squared error over round-to-nearest's on the construction, lower bounds, deterministic.

    Setting: the fixed construction, whatever problem the check starts from. Entries, for each epsilon: clamped OPTQ over RTN
    against the stated factor; one saturated step against the count, both ways; RTN over unclamped OPTQ against 1.

    Origin: ours. Arguments: the construction at the smallest epsilon and its OPTQ result. Returns: (8,). Errors: none of its own.

    >>> problem = Problem(np.eye(4), np.zeros((4, 1)), Grid(step=1.0))
    >>> check(problem, ["finite-grid-counterexample"])["finite-grid-counterexample"].outcome.value
    'holds'
    """
    measured, bound = [], []
    for epsilon, factor in STATED.items():
        clamped = problem if epsilon == HARDEST else clamped_problem(FEATURES, epsilon)
        quantized, free = result if epsilon == HARDEST else clamped.result, without_ends(clamped)
        rtn = _squared_error(clamped, round_to_nearest(clamped.W, clamped.grid))
        saturated = float(quantized.saturated.sum())
        measured += [_squared_error(clamped, quantized) / rtn, saturated, 1.0, rtn / _squared_error(free, free.result)]
        bound += [factor, 1.0, saturated, 1.0]
    return Evaluation(np.array(measured), np.array(bound))


def _squared_error(problem: Problem, result: Result) -> float:
    return float(squares(own_errors(problem, result))[0])
