"""Ratios measured in one run, each the median of a few repetitions: `make benchmark`. Absolute times depend on the machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import numpy as np
from provable_ptq.algorithms import Grid, closest_vector, definitions, factorize, optq
from provable_ptq.bounds import Problem
from provable_ptq.bounds.exact import ExactProblem
from provable_ptq.bounds.problems import zoo_matrix
from provable_ptq.bounds.sampling import monte_carlo
from threadpoolctl import threadpool_limits

REPETITIONS = 5


def seconds(task: Callable[[], object], repetitions: int = REPETITIONS) -> float:
    """Median wall time of a task."""
    times = []
    for _ in range(repetitions):
        start = time.perf_counter()
        task()
        times.append(time.perf_counter() - start)
    return median(times)


def show(what: str, slow: float, fast: float) -> None:
    print(f"{what:<72} {slow * 1e3:>10.1f} ms {fast * 1e3:>10.1f} ms {slow / fast:>8.1f} x")


def main() -> None:
    rng = np.random.default_rng(0)
    grid = Grid(0.2)
    print(f"{'':<72} {'slower':>13} {'faster':>13} {'ratio':>10}")

    X, W = rng.standard_normal((128, 48)), rng.standard_normal((48, 64))
    show("OPTQ, N = 48, K = 64: literal definition against feedback form",
         seconds(lambda: definitions.optq(X, W, grid, 0.1)), seconds(lambda: optq(X, W, grid, 0.1)))

    X, W = rng.standard_normal((4096, 512)), rng.standard_normal((512, 512))
    f = factorize(X, 1.0)
    show("factorization, 4096 x 512: anew against another damping of the same matrix",
         seconds(lambda: factorize(X, 2.0)), seconds(lambda: f.with_damping(2.0)))
    show("OPTQ, N = K = 512: neuron by neuron against all at once",
         seconds(lambda: [optq(f, W[:, k : k + 1], grid) for k in range(64)], 1) * 8, seconds(lambda: optq(f, W, grid)))
    show("OPTQ, N = K = 512: the run against the bare product L W of the same size",
         seconds(lambda: optq(f, W, grid)), seconds(lambda: f.L @ W))

    problem = Problem(rng.standard_normal((256, 64)), rng.standard_normal((64, 1)), grid, damping=1.0, rounding="stochastic")
    draws = 100_000
    one = problem.factorization
    show("stochastic OPTQ, N = 64: 100,000 single runs (from 500) against the Monte-Carlo kernel",
         seconds(lambda: [optq(one, problem.W, grid, rounding="stochastic", seed=k) for k in range(500)], 1) * draws / 500,
         seconds(lambda: list(monte_carlo(problem, 0, draws)), 1))

    for features in (24, 32):
        X = zoo_matrix("ar1", 2 * features, features, rng)
        W = rng.standard_normal((features, 8))
        show(f"N = {features}, AR(1): exact optimum per neuron against OPTQ per neuron",
             seconds(lambda X=X, W=W: closest_vector(X, W, grid), 1) / 8, seconds(lambda X=X, W=W: optq(X, W, grid)) / 8)

    X, W = rng.standard_normal((64, 32)), rng.standard_normal((32, 400))
    for algorithm in ("optq", "qronos"):
        mismatched = Problem(X, W, grid, algorithm, damping=0.1, X_quantized=X + 0.1 * rng.standard_normal(X.shape))
        show(f"{algorithm}, N = 32, K = 400: exact rationals against float64",
             seconds(lambda p=mismatched: ExactProblem(p).result, 1), seconds(lambda p=mismatched: p.but().result))


if __name__ == "__main__":
    with threadpool_limits(limits=1):
        main()
