r"""`feedback-form`: every algorithm here is a triangular solve with rounding (classical: LDLQ, Babai's nearest plane)."""

from __future__ import annotations

import numpy as np

from ..claim import Evaluation, Kind, Origin, claim
from ..measure import step_sizes
from ..mismatch.projection import first_minimizer, target


@claim(
    id="feedback-form",
    statement=r"$z_j = u_j + \sum_{i<j} L_{ji}(u_i - q_i)$, that is $L(u-q) = e$ (Qronos: up to its first step, which rounds $z_1$)",
    origin=Origin.CLASSICAL,
    source="QuIP, arXiv 2307.13304; arXiv 2507.18553",
    kind=Kind.IDENTITY,
    unit="weight",
    algorithms=("optq", "qronos"),
    rounding=None,
)
def feedback_form(problem, result) -> Evaluation:
    r"""The feedback L(u - q) against the rounding errors of the result, identity, deterministic.

    Setting: OPTQ (u = w) and both forms of Qronos, any calibration matrices, damping, ordering, grid (saturated or not) and
    rounding. In the alternating form the first error is that of :math:`z_1`, which is computed from its definition.

    Origin: classical. Arguments: problem and result. Returns: (N, K), units of the weights. Errors: none of its own.

    >>> problem = Problem(np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([[0.4], [0.6]]), Grid(step=1.0))
    >>> bool(check(problem, ["feedback-form"])["feedback-form"].ratio < 1e-12)
    True
    """
    f = problem.factorization
    u, q = target(problem), result.weights[f.order]
    errors = f.L @ (u - q)
    if problem.algorithm == "qronos" and problem.form == "alternating":
        errors[0] = first_minimizer(problem) - q[0]
    size = np.abs(f.L) @ (np.abs(u) + np.abs(q)) + problem.steps
    return Evaluation(result.rounding_errors, errors, scale=size, natural=step_sizes(problem))
