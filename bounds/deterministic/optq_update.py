r"""`optq-update`: the OPTQ update is the least-squares minimizer (arXiv 2508.04853, Appendix A)."""

from __future__ import annotations

import numpy as np

from ..arithmetic import absolute, maximum
from ..claim import Evaluation, Kind, Origin, claim
from ..hypotheses import at_most
from ..measure import literal_numbers, literal_reach, step_sizes


@claim(
    id="optq-update",
    statement=r"$w_{>t}^{(t)} = \arg\min_v \|\hat X_{\ge t} w_{\ge t}^{(t-1)} - q_t\hat X_t - \hat X_{>t}v\|$ = the "
    r"inverse-Hessian Cholesky update = the feedback form",
    origin=Origin.PAPER,
    source="arXiv 2508.04853, Appendix A",
    kind=Kind.IDENTITY,
    unit="weight",
    rounding=None,
    hypotheses=(at_most(64, "the literal definition solves a least-squares problem at every step"),),
)
def optq_update(problem, result) -> Evaluation:
    r"""The numbers z that the result rounded against those of the two literal forms, identity, deterministic.

    Setting: any calibration matrix, damping, ordering, grid and rounding. The literal forms replay the
    result's own codes, so that ties cannot part them. In float64 the inverse-Hessian form loses up to cond(X)^4 (once in the
    inverse, once more in its Cholesky factor), so it is compared only up to a condition number of 100, with that scale.

    Origin: paper, Appendix A of arXiv 2508.04853.

    Arguments: problem and result of OPTQ. Returns: z (1 or 2, N, K), in units of the weights. Errors: none of its own.

    >>> problem = Problem(np.eye(2), np.array([[0.4], [0.6]]), Grid(step=1.0))
    >>> check(problem, ["optq-update"])["optq-update"].ratio
    0.0
    """
    z = result.rounding_errors + result.weights[problem.order]
    literal = literal_numbers(problem, result)
    size = maximum(absolute(z)) + maximum(absolute(problem.W)) + problem.steps
    scales = [size] if len(literal) == 1 else [size, size * problem.factorization.condition**2]
    allowance = literal_reach(problem)
    copies = [np.stack([each] * len(literal)) for each in (z, step_sizes(problem))]
    return Evaluation(copies[0], np.stack(literal), scale=np.stack(scales), allowance=allowance, natural=copies[1])
