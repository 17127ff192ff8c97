"""What an attack found, made smaller and rounder: few features and samples, numbers of few decimals, and still as near."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ...algorithms import Grid
from ..checking.problem import Problem
from ..checking.tolerance import EQUALITY
from .scoring import ENOUGH, Search
from .tuning import absolute_damping, tune_everything, tune_weights

KEPT = 1 - 1e-3  # of the ratio
RETUNED = 150  # generations of weights after something was left out
POLISHINGS = 3  # of a problem that got smaller, each with a tenth of the budget


def shrunk(search: Search, found: Problem, rng: np.random.Generator) -> Problem:
    """What was found made smaller, tuned again at its new size while that gains something, and made rounder."""
    problem, kept = found, search.score
    polishing, search.budget, search.ceiling, search.progress, search.lost = search.given // 10, np.inf, np.inf, None, False
    for _ in range(POLISHINGS):
        reached = search.score
        kept = max(KEPT * reached, 1 + 2 * EQUALITY) if reached > 1 + 2 * EQUALITY else KEPT * reached
        problem = _small(search, search.best or found, rng, kept)
        if reached < ENOUGH:
            tune_everything(search, problem, rng, polishing)
        if search.score * KEPT <= reached:
            break
    return _rounder(problem, lambda candidate: bool(search.scores(candidate).max() >= kept))


def _small(search: Search, problem: Problem, rng: np.random.Generator, kept: float) -> Problem:
    """The problem with as little in it as still scores `kept`; weights are tuned again where something is left out."""
    for candidate in _smaller(problem):
        if search.scores(candidate).max() < kept and search.in_population:
            candidate, _ = tune_weights(search, candidate, rng, RETUNED, kept)
        if search.scores(candidate).max() >= kept:
            return _small(search, candidate, rng, kept)
    return problem


def _smaller(problem: Problem) -> Iterator[Problem]:
    """Problems with less in them, boldest first."""
    if problem.X_validation is not None:
        yield problem.but(X_validation=None)
    if problem.X_quantized is not None:
        yield problem.but(X_quantized=None)
    for keep in _parts(problem.K):
        yield _with_neurons(problem, keep)
    for keep in _parts(problem.N):
        yield _with_features(problem, keep)
    for keep in _parts(problem.m):
        quantized = None if problem.X_quantized is None else problem.X_quantized[keep]
        yield problem.but(X=problem.X[keep], X_quantized=quantized)
    if problem.X_validation is not None:
        for keep in _parts(len(problem.X_validation)):
            yield problem.but(X_validation=problem.X_validation[keep])
    if problem.grid.finite:
        yield problem.but(grid=Grid(problem.grid.step))
    if not (isinstance(problem.ordering, str) and problem.ordering == "natural"):
        yield problem.but(ordering="natural")


def _parts(size: int) -> Iterator[np.ndarray]:
    """Indices to keep: the last alone, either half, all but one."""
    everything = np.arange(size)
    if size > 2:
        yield everything[-1:]
    if size > 3:
        yield from np.array_split(everything, 2)
    if size > 1:
        for left_out in everything[::-1]:
            yield np.delete(everything, left_out)


def _with_neurons(problem: Problem, keep: np.ndarray) -> Problem:
    laid = problem.grid.alphabet(problem.N, problem.K)
    ends = (laid.low[:, keep], laid.high[:, keep]) if problem.grid.finite else (None, None)
    return problem.but(W=problem.W[:, keep], grid=Grid(laid.step[:, keep], *ends))


def _with_features(problem: Problem, keep: np.ndarray) -> Problem:
    laid = problem.grid.alphabet(problem.N, problem.K)
    ends = (laid.low[keep], laid.high[keep]) if problem.grid.finite else (None, None)
    matrices = {name: X[:, keep] for name in ("X", "X_quantized", "X_validation") if (X := getattr(problem, name)) is not None}
    ordering = problem.ordering
    if not isinstance(ordering, str):
        ordering = np.argsort(np.argsort(ordering)[keep])
    return problem.but(W=problem.W[keep], grid=Grid(laid.step[keep], *ends), ordering=ordering, **matrices)


def _rounder(problem: Problem, keeps: Callable[[Problem], bool]) -> Problem:
    """The problem with numbers of as few decimals as keep it, each matrix as a whole and then entry by entry."""
    if np.unique(problem.grid.step).size == 1 and not problem.grid.finite:
        problem = problem.but(grid=Grid(float(problem.grid.step.flat[0])))
    for damping in (0.0, 1.0, *(float(f"{absolute_damping(problem):.{digits}g}") for digits in range(1, 5))):
        if keeps(candidate := problem.but(damping=damping)):
            problem = candidate
            break
    for name in ("X", "X_quantized", "X_validation", "W"):
        if getattr(problem, name) is None:
            continue
        for index in [..., *np.ndindex(getattr(problem, name).shape)]:
            for decimals in range(8):
                array = getattr(problem, name).copy()
                array[index] = np.round(array[index], decimals) + 0.0  # no -0
                if np.array_equal(array, getattr(problem, name)):
                    break
                if keeps(candidate := problem.but(**{name: array})):
                    problem = candidate
                    break
    return problem
