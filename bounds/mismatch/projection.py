r"""What the claims about mismatched inputs share, in float64 or exactly; everything in processing order. Not a claim itself.

:math:`u = w + c` with :math:`c = \tilde H^{-1}\tilde X^\top(X - \tilde X)w` is the target of Qronos; the part of the mismatch that no
weights explain is :math:`P_\perp\Delta w`, whose sample rows are :math:`(X-\tilde X)w - \tilde X c` and whose lower block is
:math:`-\sqrt\lambda\,c`.
"""

from __future__ import annotations

import numpy as np

from ...algorithms import Factorization
from ..checking import Problem, Result, output_loss, squares, sums


def mismatch_outputs(problem: Problem) -> np.ndarray:
    """(X - X_quantized) w (m, K): the mismatch Delta w, whose lower block is zero."""
    return problem.remember("mismatch", None, lambda: (problem.X - problem.calibration) @ problem.W)


def correction(problem: Problem) -> np.ndarray:
    """c = u - w (N, K), the change of the weights that explains most of the mismatch; zero for OPTQ."""
    if problem.X_quantized is None:
        return 0 * problem.W[problem.order]
    return problem.remember("correction", None, lambda: _explain(problem))


def _explain(problem: Problem) -> np.ndarray:
    f = problem.factorization
    if not isinstance(f, Factorization) and f.dependent:
        return f.minimum_norm_weights(mismatch_outputs(problem))
    inverse = np.array([1 / squared if squared > 0 else 0 * squared for squared in f.pivots_squared])
    return f.M @ (inverse[:, None] * (f.sample_rows_of_V.T @ mismatch_outputs(problem)))


def target(problem: Problem) -> np.ndarray:
    """u (N, K): the weights themselves for OPTQ, the projected target for Qronos."""
    w = problem.W[problem.order]
    return w + correction(problem) if problem.algorithm == "qronos" else w


def first_minimizer(problem: Problem) -> np.ndarray:
    """z_1 (K,), the number that alternating Qronos rounds first."""
    f = problem.factorization
    column = problem.calibration[:, f.order[0]]
    energy = (column * column).sum() + f.damping
    w = problem.W[f.order[0]]
    return w + column @ mismatch_outputs(problem) / energy if energy > 0 else w


def unexplained_outputs(problem: Problem) -> np.ndarray:
    """The sample rows (m, K) of the unexplained part of the mismatch."""
    return mismatch_outputs(problem) - problem.calibration[:, problem.order] @ correction(problem)


def unexplained_squared(problem: Problem) -> np.ndarray:
    """The squared norm (K,) of the unexplained part, lower block included."""
    return squares(unexplained_outputs(problem)) + problem.factorization.damping * squares(correction(problem))


def projected_loss(problem: Problem, result: Result) -> np.ndarray | None:
    """What float64 loses in norm (K,) of the deployed error and of its parts, u and the mismatch among them; None in exact arithmetic.

    (X - X~) w loses a few eps of both terms, its projection as much again times the condition number, and the codes what
    `output_loss` says.
    """
    loss = output_loss(problem, result)
    if loss is None:
        return None
    root = np.sqrt(problem.factorization.damping)
    sizes = np.hypot(np.linalg.norm(problem.calibration[:, problem.order], axis=0), root)
    mismatch = np.linalg.norm(mismatch_outputs(problem), axis=0)
    few = sums(problem.N)
    return loss + few * (sizes @ np.abs(correction(problem)) + problem.factorization.magnification * (mismatch + loss))
