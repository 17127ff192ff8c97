"""When a statement applies: the hypotheses that claims name, and what would repair one that fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Hypothesis:
    """A condition on (problem, result): `test` returns a bool, or a mask (K,) over neurons; the texts say what failed."""

    name: str
    test: Callable
    failed: Callable
    repair: str


def _saturated_steps(problem, result) -> str:
    return f"{int(result.saturated.sum())} steps of {int(result.saturated.any(axis=0).sum())} neurons saturated"


unsaturated = Hypothesis(
    "no step saturates",
    lambda problem, result: ~result.saturated.any(axis=0),
    _saturated_steps,
    "widen the alphabet (`optq-alphabet` gives a sufficient one) or take an infinite grid",
)

infinite_alphabet = Hypothesis(
    "the alphabet is infinite",
    lambda problem, result: not problem.grid.finite,
    lambda problem, result: "the alphabet has ends, and clipping makes stochastic rounding biased",
    "take an infinite grid",
)

positive_definite = Hypothesis(
    "H is positive definite",
    lambda problem, result: bool((problem.factorization.pivots_squared > 0).all()),
    lambda problem, result: f"{int((problem.factorization.pivots_squared == 0).sum())} pivots are zero (dead features without damping)",
    "take a positive damping or drop the dead features",
)

positive_damping = Hypothesis(
    "the damping is positive",
    lambda problem, result: problem.factorization.damping > 0,
    lambda problem, result: "the damping is 0",
    "take a positive damping",
)

nonzero_columns = Hypothesis(
    "no column is zero",
    lambda problem, result: bool(problem.factorization.live.all()),
    lambda problem, result: f"{int((~problem.factorization.live).sum())} columns of the calibration matrix are zero",
    "drop the dead features",
)

one_step_per_neuron = Hypothesis(
    "the step is the same for all features of a neuron",
    lambda problem, result: np.array([(column == column[0]).all() for column in problem.steps.T]),
    lambda problem, result: "the step varies over features",
    "use the row-wise form of the claim, which allows a step per feature",
)

no_more_samples_than_features = Hypothesis(
    "m <= N",
    lambda problem, result: problem.m <= problem.N,
    lambda problem, result: f"m = {problem.m} exceeds N = {problem.N}",
    "use `pivot-bound`, which covers both cases",
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
        lambda problem, result: problem.N <= features,
        lambda problem, result: f"N = {problem.N}: {why}",
        f"check it on a problem of at most {features} features",
    )
