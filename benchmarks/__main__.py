"""Ratios measured in one run, each the median of a few repetitions: `make benchmark`. Absolute times depend on the machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
from provable_ptq.algorithms import Grid, closest_vector, definitions, factorize, optq
from provable_ptq.bounds import Problem
from provable_ptq.bounds.checking.sampling import monte_carlo
from provable_ptq.bounds.exact import ExactProblem
from provable_ptq.bounds.problems import zoo_matrix
from provable_ptq.experiments.dispatch import one_thread, part_of, tasks
from provable_ptq.experiments.runner import one_sweep, run_study
from provable_ptq.experiments.study import read_study
from threadpoolctl import threadpool_limits

REPETITIONS = 5
PART = 4  # of the shipped damping sweep: a quarter, some ten seconds


def seconds(task: Callable[[], object], repetitions: int = REPETITIONS) -> float:
    """Median wall time of a task."""
    times = []
    for _ in range(repetitions):
        start = time.perf_counter()
        task()
        times.append(time.perf_counter() - start)
    return median(times)


def show(what: str, slow: float, fast: float) -> None:
    print(f"{what:<72} {slow * 1e3:>10.1f} ms {fast * 1e3:>10.1f} ms {slow / fast:>8.2f} x")


def runner() -> None:
    """What the runner adds to a bare loop over the same cells (aim: at most 5%), and what a second process brings (aim: 1.7)."""
    sweep = one_sweep(read_study("paper"), "damping")
    study = replace(sweep, cells=tuple(sweep.cells[index] for index in part_of(sweep.cells, 1, PART)))

    def bare() -> None:
        with one_thread():
            for task in tasks(study.cells, set(range(len(study.cells)))):
                for index in task:
                    study.cells[index].rows()

    def run(workers: int) -> None:
        with TemporaryDirectory() as folder:
            run_study(study, Path(folder) / "table.parquet", workers, progress=False)

    run(2)  # starts the processes
    alone, bare_loop, together = (seconds(task, 3) for task in (lambda: run(1), bare, lambda: run(2)))
    show(f"runner, {len(study.cells)} cells, one process: with store and table against a bare loop", alone, bare_loop)
    show(f"runner, {len(study.cells)} cells: one process against two", alone, together)


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

    runner()


if __name__ == "__main__":
    with threadpool_limits(limits=1):
        main()
