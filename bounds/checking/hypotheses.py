"""When a statement applies: the hypotheses that claims name, what failed, and what repairs it, in words and as a function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...algorithms import Grid, Result
from .problem import Problem

GPTQ = "mean-diagonal:0.01"  # its damping


@dataclass(frozen=True)
class Hypothesis:
    """A condition on (problem, result).

    Attributes:
        name: the condition in words.
        test: (problem, result) -> bool, or a mask (K,) over neurons.
        failed: (problem, result) -> what failed, and by how much.
        repair: what would repair it, in words.
        mend: problem -> a problem that meets it, where one is easily made; None otherwise.
    """

    name: str
    test: Callable[[Problem, Result], bool | np.ndarray]
    failed: Callable[[Problem, Result], str]
    repair: str
    mend: Callable[[Problem], Problem] | None = None


def without_ends(problem: Problem) -> Problem:
    """The problem on the infinite alphabet of the same steps."""
    return problem.but(grid=Grid(problem.grid.step))


def with_first_features(problem: Problem, features: int) -> Problem:
    """The problem on its first features only."""
    keep = slice(0, features)
    laid = problem.grid.alphabet(problem.N, problem.K)
    ends = (laid.low[keep], laid.high[keep]) if problem.grid.finite else (None, None)
    inputs = {name: getattr(problem, name)[:, keep] for name in ("X", "X_quantized", "X_validation") if getattr(problem, name) is not None}
    ordering = problem.ordering if isinstance(problem.ordering, str) else problem.ordering[problem.ordering < features]
    return problem.but(W=problem.W[keep], grid=Grid(laid.step[keep], *ends), ordering=ordering, **inputs)


def with_first_neurons(problem: Problem, neurons: int) -> Problem:
    """The problem with its first neurons only."""
    laid = problem.grid.alphabet(problem.N, problem.K)
    ends = (laid.low[:, :neurons], laid.high[:, :neurons]) if problem.grid.finite else (None, None)
    return problem.but(W=problem.W[:, :neurons], grid=Grid(laid.step[:, :neurons], *ends))


def with_first_samples(problem: Problem, samples: int) -> Problem:
    """The problem on its first samples only, damped since fewer samples can make features dependent."""
    quantized = None if problem.X_quantized is None else problem.X_quantized[:samples]
    return problem.but(X=problem.X[:samples], X_quantized=quantized, damping=_positive(problem.damping))


def with_one_step(problem: Problem) -> Problem:
    """The problem with each neuron's first step for all its features."""
    laid = problem.grid.alphabet(problem.N, problem.K)
    ends = (laid.low, laid.high) if problem.grid.finite else (None, None)
    return problem.but(grid=Grid(laid.step[:1], *ends))


def without_dead_features(problem: Problem) -> Problem:
    """The problem with every zero column replaced by ones, in both calibration matrices."""
    dead = ~problem.calibration.any(axis=0)
    changes = {name: np.where(dead, 1.0, getattr(problem, name)) for name in ("X", "X_quantized") if getattr(problem, name) is not None}
    return problem.but(damping=_positive(problem.damping), **changes)


def with_damping(problem: Problem) -> Problem:
    """The problem with GPTQ's damping, on live features."""
    return without_dead_features(problem).but(damping=GPTQ)


def _positive(damping: float | str) -> float | str:
    """The damping itself, or GPTQ's in place of none."""
    return GPTQ if damping in (0, "none") else damping


unsaturated = Hypothesis(
    "no step saturates",
    lambda problem, result: ~np.any(result.saturated, axis=0),
    lambda problem, result: f"{int(result.saturated.sum())} steps of {int(result.saturated.any(axis=0).sum())} neurons saturated",
    "widen the alphabet (`optq-alphabet` gives a sufficient one) or take an infinite grid",
    without_ends,
)

infinite_alphabet = Hypothesis(
    "the alphabet is infinite",
    lambda problem, result: not problem.grid.finite,
    lambda problem, result: "the alphabet has ends, and clipping makes stochastic rounding biased",
    "take an infinite grid",
    without_ends,
)

positive_definite = Hypothesis(
    "H is positive definite",
    lambda problem, result: bool((problem.factorization.pivots_squared > 0).all()),
    lambda problem, result: f"{int((problem.factorization.pivots_squared == 0).sum())} pivots are zero (dead features without damping)",
    "take a positive damping or drop the dead features",
    with_damping,
)

positive_damping = Hypothesis(
    "the damping is positive",
    lambda problem, result: problem.factorization.damping > 0,
    lambda problem, result: "the damping is 0",
    "take a positive damping",
    with_damping,
)

nonzero_columns = Hypothesis(
    "no column is zero",
    lambda problem, result: bool((problem.calibration != 0).any(axis=0).all()),
    lambda problem, result: f"{int((~(problem.calibration != 0).any(axis=0)).sum())} columns of the calibration matrix are zero",
    "drop the dead features",
    without_dead_features,
)

one_step_per_neuron = Hypothesis(
    "the step is the same for all features of a neuron",
    lambda problem, result: np.array([(column == column[0]).all() for column in problem.steps.T]),
    lambda problem, result: "the step varies over features",
    "use the row-wise form of the claim, which allows a step per feature",
    with_one_step,
)

no_more_samples_than_features = Hypothesis(
    "m <= N",
    lambda problem, result: problem.m <= problem.N,
    lambda problem, result: f"m = {problem.m} exceeds N = {problem.N}",
    "use `pivot-bound`, which covers both cases",
    lambda problem: with_first_samples(problem, max(1, problem.N - problem.seed % problem.N)),
)

mismatched_inputs = Hypothesis(
    "the layer's deployed inputs are given",
    lambda problem, result: problem.X_quantized is not None,
    lambda problem, result: "X_quantized is not given",
    "pass X_quantized",
)

matched_inputs = Hypothesis(
    "the deployed inputs are the calibration inputs",
    lambda problem, result: problem.X_quantized is None or np.array_equal(problem.X_quantized, problem.X),
    lambda problem, result: "X_quantized differs from X",
    "leave X_quantized out",
    lambda problem: problem.but(X_quantized=None),
)

validation_inputs = Hypothesis(
    "held-out inputs are given",
    lambda problem, result: problem.X_validation is not None,
    lambda problem, result: "X_validation is not given",
    "pass X_validation",
)


def at_most(features: int, why: str) -> Hypothesis:
    """N at most `features`, because of what the check costs."""
    return Hypothesis(
        f"N <= {features}",
        lambda problem, result: features >= problem.N,
        lambda problem, result: f"N = {problem.N}: {why}",
        f"check it on a problem of at most {features} features",
        lambda problem: with_first_features(problem, features),
    )


few_tails = Hypothesis(
    "m >= N, or N <= 256",
    lambda problem, result: problem.m >= problem.N or problem.N <= 256,
    lambda problem, result: f"m = {problem.m}, N = {problem.N}: the features after each of the first N - m are decomposed",
    "check it on a problem of at most 256 features",
    lambda problem: with_first_features(problem, 256),
)
