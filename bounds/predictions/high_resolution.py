"""What the predictions share: the range in which they are meant, and problems to try them on. Not a claim itself."""

from __future__ import annotations

import numpy as np

from ...algorithms import Grid
from ..checking import Hypothesis, Problem
from ..problems.zoo import zoo_matrix

ENOUGH_NEURONS = 256
KINDS = ("gaussian", "ar1", "spiked", "power-law", "low-rank")

many_neurons = Hypothesis(
    f"at least {ENOUGH_NEURONS} neurons to average over",
    lambda problem, result: problem.K >= ENOUGH_NEURONS,
    lambda problem, result: f"K = {problem.K}",
    "predict the mean of more neurons",
)

fine_steps = Hypothesis(
    "steps up to twice the weights' standard deviation",
    lambda problem, result: np.asarray(problem.steps.max(axis=0) <= 2 * problem.W.std(axis=0)),
    lambda problem, result: "some steps are coarser",
    "use more bits, or measure on a sample of a few hundred neurons",
)


def second_moments(problem: Problem, inputs: np.ndarray) -> np.ndarray:
    """The diagonal (N,) of M^T S M for inputs (m', N) with second moment S = inputs^T inputs, processing order."""
    return problem.remember(f"second moments {id(inputs)}", None,
                            lambda: ((inputs[:, problem.order] @ problem.factorization.M) ** 2).sum(axis=0))


def wide_problem(rng: np.random.Generator) -> Problem:
    """A layer of 2000 Gaussian neurons on 48 features, 4-bit steps, held-out inputs from the law of the calibration inputs."""
    both = zoo_matrix(str(rng.choice(KINDS)), 384, 48, rng)
    W = rng.standard_normal((48, 2000))
    return Problem(both[:192], W, Grid(Grid.for_weights(W, bits=4).step), damping=f"mean-diagonal:{10.0 ** rng.uniform(-4, -1):.3g}",
                   ordering=str(rng.choice(["natural", "decreasing-norm", "min-pivot"])), X_validation=both[192:],
                   seed=int(rng.integers(2**31)))
