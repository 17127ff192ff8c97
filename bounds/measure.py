"""What a claim measures on a result, in float64 or exactly; everything per neuron, columns as in W."""

from __future__ import annotations

import numpy as np


def own_errors(problem, result) -> np.ndarray:
    """X (w - q) (m, K) on the matrix the algorithm was calibrated on."""
    return problem.remember("own", result, lambda: problem.calibration @ (problem.W - result.weights))


def deployed_errors(problem, result) -> np.ndarray:
    """X w - X_quantized q (m, K): the original layer against the deployed one."""
    if problem.X_quantized is None:
        return own_errors(problem, result)
    return problem.remember("deployed", result, lambda: problem.X @ problem.W - problem.X_quantized @ result.weights)


def ridge(problem, result) -> np.ndarray:
    """lambda ||w - q||^2 (K,)."""
    return problem.factorization.damping * squares(problem.W - result.weights)


def damped_error_squared(problem, result) -> np.ndarray:
    """||X(w - q)||^2 + lambda ||w - q||^2 (K,) on the matrix the algorithm was calibrated on."""
    return squares(own_errors(problem, result)) + ridge(problem, result)


def damped_deployed_error_squared(problem, result) -> np.ndarray:
    """||X w - X_quantized q||^2 + lambda ||w - q||^2 (K,)."""
    return squares(deployed_errors(problem, result)) + ridge(problem, result)


def pivot_sum(problem) -> np.ndarray:
    """sum_j step_j^2 d_j^2 (K,): four times the squared bound of OPTQ."""
    return problem.remember("pivots", None, lambda: problem.factorization.pivots_squared @ problem.steps**2)


def squares(x: np.ndarray) -> np.ndarray:
    """Sum of squares down the first axis."""
    return (x * x).sum(axis=0)


def gram(problem) -> np.ndarray:
    """The damped Gram matrix H (N, N), features in processing order."""

    def compute() -> np.ndarray:
        X = problem.calibration[:, problem.factorization.order]
        H = X.T @ X
        diagonal = np.arange(len(H))
        H[diagonal, diagonal] += problem.factorization.damping
        return H

    return problem.remember("gram", None, compute)
