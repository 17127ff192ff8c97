r"""`finite-grid-counterexample`: clamped OPTQ can lose to rounding by any factor (the idea is QuIP's, the construction ours)."""

from __future__ import annotations

import numpy as np

from ...algorithms import round_to_nearest
from ..arithmetic import is_exact
from ..claim import Evaluation, Kind, Origin, claim
from ..hypotheses import Hypothesis, without_ends
from ..measure import own_errors, squares
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


def _construct(problem):
    return problem if is_exact(problem.X) else clamped_problem(FEATURES, HARDEST)


@claim(
    id="finite-grid-counterexample",
    statement=r"codes 0..3, $N = 512$: one saturated step, and OPTQ's squared error is 508 times RTN's at $\varepsilon=1$ and 50,697 "
    r"times at $\varepsilon=1/10$, though unclamped OPTQ is no worse than RTN",
    origin=Origin.OURS,
    source="THEORY, section 6; the observation is QuIP's, arXiv 2307.13304",
    kind=Kind.LOWER,
    unit="ratio of squared output errors",
    hypotheses=(floating,),
    construct=_construct,
    examples=1,
    about_neurons=False,
)
def finite_grid_counterexample(problem, result) -> Evaluation:
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


def _squared_error(problem, result) -> float:
    return float(squares(own_errors(problem, result))[0])
