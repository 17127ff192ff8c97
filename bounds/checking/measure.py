"""What a claim measures on a result, in float64 or exactly; everything per neuron, columns as in W."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.linalg.blas import dtrmm  # pyright: ignore[reportAttributeAccessIssue]  # made when scipy is imported

from ...algorithms import Grid, Result, definitions
from ...algorithms.arguments import reject
from .arithmetic import absolute, is_exact, maximum
from .problem import Problem
from .tolerance import EQUALITY, cancellation, literal_allowance, projection_allowance, squared, sums

if TYPE_CHECKING:
    from ..exact.problem import ExactProblem

INVERSE_REACH = 100.0  # condition number
LEAST_SQUARE = 1e-290  # below it, squares have lost digits or are gone


def own_errors(problem: Problem, result: Result) -> np.ndarray:
    """X (w - q) (m, K) on the matrix the algorithm was calibrated on."""
    return problem.remember("own", result, lambda: problem.calibration @ (problem.W - result.weights))


def deployed_errors(problem: Problem, result: Result) -> np.ndarray:
    """X w - X_quantized q (m, K): the original layer against the deployed one."""
    if problem.X_quantized is None:
        return own_errors(problem, result)
    return problem.remember("deployed", result, lambda: problem.X @ problem.W - problem.X_quantized @ result.weights)


def held_out(problem: Problem) -> np.ndarray:
    """X_validation (m', N), for claims that have `validation_inputs` among their hypotheses."""
    if problem.X_validation is None:
        raise reject("X_validation", None, "held-out inputs")
    return problem.X_validation


def drift(problem: Problem, result: Result) -> np.ndarray:
    """|z - w| (N, K), processing order: how far the rounded numbers stray; rounding noise of less than a millionth of a step is none."""
    order = problem.order
    strayed = absolute(result.rounding_errors + result.weights[order] - problem.W[order])
    lost = drift_loss(problem, result)
    return strayed if lost is None else np.where(lost <= EQUALITY * problem.steps, np.maximum(strayed - lost, 0), strayed)


def drift_loss(problem: Problem, result: Result) -> np.ndarray | None:
    """What float64 loses of |z - w| (N, K), processing order, in forming z; None in exact arithmetic."""
    if is_exact(problem.W):
        return None
    w, q = problem.W[problem.order], result.weights[problem.order]
    return cancellation(result.rounding_errors + q, w, q)


def step_sizes(problem: Problem) -> np.ndarray:
    """What the numbers that are rounded are compared at (N, K): float64 must see a sixteenth of a step, 64 times its thousandth part."""
    return 64 * problem.steps


def ridge(problem: Problem, result: Result) -> np.ndarray:
    """lambda ||w - q||^2 (K,)."""
    return problem.factorization.damping * squares(problem.W - result.weights)


def damped_error_squared(problem: Problem, result: Result) -> np.ndarray:
    """||X(w - q)||^2 + lambda ||w - q||^2 (K,) on the matrix the algorithm was calibrated on."""
    return squares(own_errors(problem, result)) + ridge(problem, result)


def damped_deployed_error_squared(problem: Problem, result: Result) -> np.ndarray:
    """||X w - X_quantized q||^2 + lambda ||w - q||^2 (K,)."""
    return squares(deployed_errors(problem, result)) + ridge(problem, result)


def pivot_sum(problem: Problem) -> np.ndarray:
    """sum_j step_j^2 d_j^2 (K,): four times the squared bound of OPTQ."""
    return problem.remember("pivots", None, lambda: problem.factorization.pivots_squared @ problem.steps**2)


def column_norms_squared(problem: Problem) -> np.ndarray:
    """||X_j||^2 (N,) of the matrix the algorithm was calibrated on, processing order."""
    return problem.remember("column norms", None, lambda: squares(problem.calibration)[problem.order])


def against_steps(A: np.ndarray, problem: Problem) -> np.ndarray:
    """A @ steps (n, K) for A (n, N) in processing order: row sums of A where every neuron has one step for all its features."""
    return A.sum(axis=1)[:, None] * problem.steps[:1] if _one_step(problem) else A @ problem.steps


def largest_against_steps(A: np.ndarray, problem: Problem) -> np.ndarray:
    """The largest entry (K,) of every column of A @ steps, for A (n, N) >= 0 in processing order."""
    return maximum(A.sum(axis=1)) * problem.steps[0] if _one_step(problem) else maximum(A @ problem.steps)


def _one_step(problem: Problem) -> bool:
    return problem.remember("one step", None, lambda: bool((problem.steps == problem.steps[:1]).all()))


def lower_product(L: np.ndarray, B: np.ndarray) -> np.ndarray:
    """L @ B for lower triangular L (N, N) and B (N, K), with half the work of a full product."""
    if is_exact(L) or is_exact(B):
        return L @ B
    return dtrmm(1.0, np.asfortranarray(L.T), np.asfortranarray(B.T), side=1).T


def feedback(problem: Problem, result: Result) -> np.ndarray:
    """L (w - q) (N, K), processing order: OPTQ's rounding errors as its weights imply them."""
    order = problem.order
    return problem.remember("feedback", result, lambda: lower_product(problem.factorization.L, problem.W[order] - result.weights[order]))


def squares(x: np.ndarray) -> np.ndarray:
    """Sum of squares down the first axis; in float64 no number where entries vanish when squared and nothing else is left."""
    if is_exact(x):
        return (x * x).sum(axis=0)
    with np.errstate(over="ignore", under="ignore"):
        total = (x * x).sum(axis=0)
    return np.where((total < LEAST_SQUARE) & (x != 0).any(axis=0), np.nan, total)


def weighted_errors_squared(problem: Problem, result: Result) -> np.ndarray:
    """sum_j d_j^2 e_j^2 (K,): what the damped error is split into."""
    return squares(problem.factorization.pivots[:, None] * result.rounding_errors) if not is_exact(problem.W) else (
        problem.factorization.pivots_squared @ result.rounding_errors**2)


def output_loss(problem: Problem, result: Result, damped: bool = True, outputs_alone: bool = False) -> np.ndarray | None:
    """What float64 loses of the damped errors' norm (K,), the nearness of its codes included; None in exact arithmetic.

    The factorization is exact for X + E with ||E_j|| a few N eps of ||X_j||, and products lose as much: for the same codes both
    sides of a statement about X + E and X differ by at most ||E_j|| (|w_j| + |q_j|), added up over the features. From a Gram matrix,
    which is as exact as N eps ||X_i|| ||X_j||, E is cond times as large. To the matrix's own
    `outputs_alone`, without the ridge, dead features add nothing.
    """
    if is_exact(problem.W):
        return None
    root = np.sqrt(problem.factorization.damping) if damped else 0.0
    original, deployed = (np.hypot(np.linalg.norm(X, axis=0), root) for X in (problem.X, problem.calibration))
    if outputs_alone:
        original = deployed = deployed * problem.calibration.any(axis=0)
    moved = original @ np.abs(problem.W) + deployed @ (np.abs(problem.W) + np.abs(result.weights))
    return sums(problem.N) * problem.factorization.magnification / problem.factorization.condition * moved


def loss_in_squares(size_squared: np.ndarray, loss: np.ndarray | None) -> np.ndarray | None:
    """What squared errors lose whose norm loses `loss`; None in exact arithmetic."""
    return None if loss is None else squared(size_squared, loss)


def gram(problem: Problem) -> np.ndarray:
    """The damped Gram matrix H (N, N), features in processing order."""

    def compute() -> np.ndarray:
        order = problem.factorization.order
        H = (problem.calibration.T @ problem.calibration)[np.ix_(order, order)]
        diagonal = np.arange(len(H))
        H[diagonal, diagonal] += problem.factorization.damping
        return H

    return problem.remember("gram", None, compute)


def literal_numbers(problem: Problem | ExactProblem, result: Any) -> list[np.ndarray]:
    """The numbers z (N, K) that the literal definitions round along the result's codes, processing order; ties cannot part them.

    The last entry is the inverse-Hessian form of OPTQ where float64 can tell it apart: it loses up to cond(X)^4.
    """
    if not isinstance(problem, Problem):
        return problem.literal_numbers(result)
    f = problem.factorization
    shared = (problem.W, Grid(problem.grid.step), f.damping, f.order)  # without ends: a wrong program's codes may lie beyond them
    if problem.algorithm == "qronos":
        literal = [definitions.qronos(problem.X, problem.calibration, *shared, form=problem.form, codes=result.codes)]
    else:
        literal = [definitions.optq(problem.calibration, *shared, codes=result.codes)]
        if f.condition <= INVERSE_REACH and (f.pivots_squared > 0).all():
            literal.append(definitions.optq_inverse_hessian(problem.calibration, *shared, codes=result.codes))
    return [form.rounding_errors + form.weights[f.order] for form in literal]


def literal_reach(problem: Problem) -> float:
    """What float64 may part `literal_numbers` from a result's by, relative; 0 in exact arithmetic."""
    return 0.0 if is_exact(problem.W) else literal_allowance(problem.N, problem.factorization.magnification)


def projection_reach(problem: Problem) -> float:
    """What float64 may part a side computed with L or M alone from one along a result by, relative; 0 in exact arithmetic."""
    if is_exact(problem.W):
        return 0.0
    return projection_allowance(problem.N, problem.factorization.magnification, problem.largest_ratio)


def undamped_pivots_squared(problem: Problem | ExactProblem) -> np.ndarray:
    """(N,) squared pivots without damping, processing order; zero where later features explain a feature entirely."""
    if not isinstance(problem, Problem):
        return type(problem.factorization)(problem.calibration, 0 * problem.factorization.damping, problem.order).pivots_squared
    triangle = np.linalg.qr(problem.calibration[:, problem.order][:, ::-1], mode="r")
    pivots = np.zeros(problem.N)
    pivots[: len(triangle)] = np.diag(triangle) ** 2
    return pivots[::-1]
