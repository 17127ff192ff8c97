"""What has no layer's size: literal definitions, the exact optimum, Monte Carlo, exact rationals, the runner. Each beside its rival."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from provable_ptq.algorithms import Grid, closest_vector, definitions, factorize, optq
from provable_ptq.bounds import Problem, check
from provable_ptq.bounds.exact import ExactProblem
from provable_ptq.bounds.problems import zoo_matrix
from provable_ptq.experiments.dispatch import one_thread, part_of, tasks
from provable_ptq.experiments.runner import one_sweep, run_study
from provable_ptq.experiments.study import read_study

from .clock import Repetition, Task, interleaved, threads
from .sizes import Sizes

GRID = Grid(0.2)
Pair = tuple[str, Task, Task, float]  # what it is, the slower and the faster task, how often the slower one is thought to run


def small_rows(sizes: Sizes) -> Iterator[dict[str, object]]:
    """Pairs of tasks in turn: `job` says what they are, `side` which of them it is."""
    rng = np.random.default_rng(0)
    for make in (definition, single_runs, exact_optima, rationals):
        for what, slower, faster, times in make(rng, sizes):
            with threads(1):
                measured = interleaved({"slower": slower, "faster": faster}, lambda side: sizes.scaling_rounds, sizes.shortest_repetition)
            yield from side_rows(what, measured, times)
    yield from runner_rows(sizes)


def side_rows(what: str, measured: dict[str, list[Repetition]], times: float = 1.0) -> Iterator[dict[str, object]]:
    """One row for each repetition of each side; the slower side stands for `times` as many runs as were timed."""
    for side, repetitions in measured.items():
        factor = times if side == "slower" else 1.0
        for index, once in enumerate(repetitions):
            yield {"part": "small", "job": what, "side": side, "repetition": index, "cpu": factor * once.cpu, "wall": factor * once.wall}


def definition(rng: np.random.Generator, sizes: Sizes) -> Iterator[Pair]:
    X, W = rng.standard_normal((128, 48)), rng.standard_normal((48, 64))
    yield ("OPTQ, N = 48, K = 64: literal least-squares definition, feedback form",
           lambda: definitions.optq(X, W, GRID, 0.1), lambda: optq(X, W, GRID, 0.1), 1)


def single_runs(rng: np.random.Generator, sizes: Sizes) -> Iterator[Pair]:
    problem = Problem(rng.standard_normal((256, 64)), rng.standard_normal((64, 1)), GRID, damping=1.0, rounding="stochastic")
    f, runs, about_the_law = problem.factorization, min(500, sizes.draws), ["sto-optq-linf", "sto-optq-linf-rowwise"]
    yield (f"stochastic OPTQ, N = 64, {sizes.draws:,} draws: one by one ({runs} timed), all of them and two claims about their law",
           lambda: [optq(f, problem.W, GRID, rounding="stochastic", seed=k) for k in range(runs)],
           lambda: check(problem.but(), about_the_law, draws=sizes.draws), sizes.draws / runs)


def exact_optima(rng: np.random.Generator, sizes: Sizes) -> Iterator[Pair]:
    for N in (16, 24, 32):
        X, W = zoo_matrix("ar1", 2 * N, N, rng), rng.standard_normal((N, 8))
        f = factorize(X)
        yield (f"8 neurons, N = {N}, AR(1): exact optimum (closest vector), OPTQ",
               lambda f=f, W=W: closest_vector(f, W, GRID), lambda f=f, W=W: optq(f, W, GRID), 1)


def rationals(rng: np.random.Generator, sizes: Sizes) -> Iterator[Pair]:
    X, W = rng.standard_normal((48, 24)), rng.standard_normal((24, 100))
    for algorithm in ("optq", "qronos"):
        problem = Problem(X, W, GRID, algorithm, damping=0.1, X_quantized=X + 0.1 * rng.standard_normal(X.shape))
        yield (f"{algorithm}, N = 24, K = 100: exact rationals, float64",
               lambda p=problem: ExactProblem(p).result, lambda p=problem: replace(p, _memo={}).result, 1)


def runner_rows(sizes: Sizes) -> Iterator[dict[str, object]]:
    """A part of the shipped damping sweep: a bare loop over its cells, the runner on one process and on two; on the wall."""
    sweep = one_sweep(read_study("paper"), "damping")
    study = replace(sweep, cells=tuple(sweep.cells[index] for index in part_of(sweep.cells, 1, sizes.cells)))

    def bare() -> None:
        with one_thread():
            for task in tasks(study.cells, set(range(len(study.cells)))):
                for index in task:
                    study.cells[index].rows()

    def run(workers: int) -> Callable[[], None]:
        def through_store() -> None:
            with TemporaryDirectory() as folder:
                run_study(study, Path(folder) / "table.parquet", workers, progress=False)

        return through_store

    measured = interleaved({"bare": bare, "one": run(1), "two": run(2)}, lambda name: sizes.scaling_rounds, sizes.shortest_repetition)
    for rival, words in (("bare", "a bare loop over the cells"), ("two", "on two processes")):
        what = f"{len(study.cells)} cells of a sweep: the runner on one process, {words}"
        for row in side_rows(what, {"slower": measured["one"], "faster": measured[rival]}):
            yield row | {"cpu": None}  # what other processes do is not in this one's processor time
