"""How an attack comes nearer from where it is: evolution of the weights, a population at once, and of everything continuous."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...algorithms.damping import resolve_damping
from ...algorithms.factorization import RowSource
from ..checking.claim import Claim, Kind
from ..checking.problem import Problem
from .evolution import Evolution
from .scoring import ENOUGH, Search

WEIGHT_STEP, MATRIX_STEP = 0.05, 0.2  # where evolution starts, in steps of the grid and in typical entries of a matrix
GENERATIONS = 600  # of one evolution of weights
PATIENCE, OVERTIME = 120, 40  # generations without progress; where the bound is as good as attained
LARGEST_LOGARITHM = 12.0  # of a damping or of odds


def tune_weights(search: Search, start: Problem, rng: np.random.Generator, generations: int = GENERATIONS,
                  enough: float = np.inf) -> tuple[Problem, float]:
    """The start with better weights; every run tries a population of them side by side."""
    step = start.grid.alphabet(start.N, 1).step
    evolution = Evolution((start.W / step)[:, 0] + rng.uniform(-0.5, 0.5, start.N), WEIGHT_STEP, search.population, rng)
    best, score = _climb(search, evolution, lambda candidates: search.scores(start.but(W=candidates * step)), generations, enough)
    return start.but(W=best[:, None] * step), score


def tune_everything(search: Search, start: Problem, rng: np.random.Generator, runs: int) -> tuple[Problem, float]:
    """The start with better matrices, weights, damping and failure probability; every candidate is a problem of its own."""
    flat, rebuild = coordinates(search.claim, start)
    evolution = Evolution(flat, MATRIX_STEP, 4 + int(3 * np.log(len(flat))), rng)

    def score(candidates: np.ndarray) -> np.ndarray:
        return np.array([search.scores(rebuild(candidate)).max() for candidate in candidates.T])

    best, highest = _climb(search, evolution, score, max(1, runs // evolution.population))
    return rebuild(best), highest


def _climb(search: Search, evolution: Evolution, score: Callable[[np.ndarray], np.ndarray], generations: int,
           enough: float = np.inf) -> tuple[np.ndarray, float]:
    """The best candidate (n,) that evolution finds before it stops making progress, and its score."""
    best, highest, since = evolution.mean, -np.inf, 0
    for _ in range(generations):
        candidates = evolution.ask()
        scores = score(candidates)
        evolution.tell(scores)
        leader, since = int(np.argmax(scores)), since + 1
        if scores[leader] > highest:
            since = 0 if scores[leader] > highest + 1e-6 else since
            best, highest = candidates[:, leader], scores[leader]
        patience = PATIENCE if highest < ENOUGH else OVERTIME
        if search.over or search.lost or highest >= enough or since > patience or evolution.scale < 1e-9:
            break
    return best, float(highest)


def coordinates(claim: Claim, start: Problem) -> tuple[np.ndarray, Callable[[np.ndarray], Problem]]:
    """Everything continuous about a problem as one vector of comparable numbers, and the way back."""
    step = start.grid.alphabet(start.N, start.K).step
    parts = {"W": start.W / step}
    sizes = {name: np.sqrt(np.mean(X**2)) or 1.0 for name in ("X", "X_validation") if (X := getattr(start, name)) is not None}
    parts |= {name: getattr(start, name) / size for name, size in sizes.items()}
    live = {name: X.any(axis=0) for name in ("X", "X_quantized") if (X := getattr(start, name)) is not None}  # dead features stay dead
    if start.X_quantized is not None:
        parts["mismatch"] = (start.X_quantized - start.X) / sizes["X"]
    damping = absolute_damping(start)
    if damping > 0:
        parts["damping"] = np.log([damping])
    if claim.kind is Kind.PROBABILITY:
        p = start.failure_probability
        parts["odds"] = np.log([p / (1 - p)])
    ends = np.cumsum([part.size for part in parts.values()])

    def rebuild(flat: np.ndarray) -> Problem:
        read = {name: np.reshape(piece, part.shape) for (name, part), piece in zip(parts.items(), np.split(flat, ends[:-1]), strict=True)}
        changes = {"W": read["W"] * step} | {name: read[name] * size for name, size in sizes.items()}
        if "mismatch" in read:
            changes["X_quantized"] = changes["X"] + read["mismatch"] * sizes["X"]
        for name, alive in live.items():
            changes[name] = changes[name] * alive
        if "damping" in read:
            changes["damping"] = float(np.exp(np.clip(read["damping"][0], -LARGEST_LOGARITHM, LARGEST_LOGARITHM)))
        if "odds" in read:
            changes["failure_probability"] = float(1 / (1 + np.exp(-np.clip(read["odds"][0], -LARGEST_LOGARITHM, LARGEST_LOGARITHM))))
        return start.but(**changes)

    return np.concatenate([part.ravel() for part in parts.values()]), rebuild


def absolute_damping(problem: Problem) -> float:
    return resolve_damping(problem.damping, RowSource.of(problem.calibration))
