r"""`optq-update`: the OPTQ update is the least-squares minimizer (arXiv 2508.04853, Appendix A)."""

from __future__ import annotations

import numpy as np

from ...algorithms import definitions
from ..claim import Evaluation, Kind, Origin, claim
from ..hypotheses import at_most, positive_definite


@claim(
    id="optq-update",
    statement=r"$w_{>t}^{(t)} = \arg\min_v \|\hat X_{\ge t} w_{\ge t}^{(t-1)} - q_t\hat X_t - \hat X_{>t}v\|$ = the "
    r"inverse-Hessian Cholesky update = the feedback form",
    origin=Origin.PAPER,
    source="arXiv 2508.04853, Appendix A",
    kind=Kind.IDENTITY,
    unit="weight",
    rounding=None,
    hypotheses=(positive_definite, at_most(64, "the literal definition solves a least-squares problem at every step")),
)
def optq_update(problem, result) -> Evaluation:
    r"""The numbers z that the result rounded against those of the two literal forms, identity, deterministic.

    Setting: any calibration matrix, damping, ordering, grid and rounding, H positive definite. Both literal forms replay the
    result's own codes, so that ties cannot part them. The inverse-Hessian form is accurate only to cond(X)^2, hence its scale.

    Origin: paper, Appendix A of arXiv 2508.04853.

    Arguments: problem and result of OPTQ. Returns: z (2, N, K), in units of the weights. Errors: none of its own.

    >>> problem = Problem(np.eye(2), np.array([[0.4], [0.6]]), Grid(step=1.0))
    >>> check(problem, ["optq-update"])["optq-update"].ratio
    0.0
    """
    order = problem.factorization.order
    z = result.rounding_errors + result.weights[order]
    literal = [
        form(problem.calibration, problem.W, problem.grid, problem.factorization.damping, order, codes=result.codes)
        for form in (definitions.optq, definitions.optq_inverse_hessian)
    ]
    z_literal = np.stack([form.rounding_errors + form.weights[order] for form in literal])
    size = np.max(np.abs(z), axis=0) + np.max(np.abs(problem.W), axis=0) + problem.steps
    return Evaluation(np.stack([z, z]), z_literal, scale=np.stack([size, size * problem.factorization.condition]))
