"""A quantization problem in rational arithmetic, from the floats as they are given, with the names that claims read.

`ExactProblem` and its result carry the same names as `Problem` and `Result`, on object arrays of `flint.fmpq`, so a claim's
one formula serves both.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
from flint import fmpq

from ...algorithms.damping import resolve_damping
from ...algorithms.factorization import RowSource
from ...algorithms.grid import Alphabet
from ...algorithms.ordering import resolve_ordering
from ...algorithms.rounding import EveryPath
from ..checking.arithmetic import rational, rationals
from ..checking.problem import Computed, Problem
from ..checking.units import in_units
from .factorization import ExactFactorization
from .literal import literal_numbers
from .replay import ExactResult, replay

VANISHING = 1e3 * float(np.sqrt(np.finfo(np.float64).tiny))  # what float64 refuses to square


class ExactProblem:
    """A problem in rational arithmetic, with the names that claims read (`Problem`'s)."""

    def __init__(self, problem: Problem, rounding: EveryPath | None = None):
        self.given = problem
        self.algorithm, self.form, self.rounding = problem.algorithm, problem.form, problem.rounding
        self.seed, self.grid = problem.seed, problem.grid
        self.rule = rounding
        self.m, self.N, self.K = problem.m, problem.N, problem.K
        self.rows_at_hand = problem.rows_at_hand
        self.failure_probability = rational(problem.failure_probability)
        self.X, self.W = rationals(problem.X), rationals(problem.W)
        self.X_quantized = None if problem.X_quantized is None else rationals(problem.X_quantized)
        self.X_validation = None if problem.X_validation is None else rationals(problem.X_validation)
        self._memo: dict = {}

    @property
    def calibration(self) -> np.ndarray:
        """The matrix the algorithm is calibrated on."""
        return self.X if self.X_quantized is None else self.X_quantized

    @cached_property
    def _settings(self) -> tuple[fmpq, np.ndarray]:
        """The absolute damping (the number that the float64 run uses) and the order."""
        given = self.given
        if "factorization" in given.__dict__:
            return rational(given.factorization.damping), given.factorization.order
        units, measured = in_units(given)
        source = RowSource.of(_lifted(measured.calibration))
        damping = resolve_damping(measured.damping, source)
        order = resolve_ordering(given.ordering, source, 0.0 if self.algorithm == "gpfq" else damping)
        return rational(damping) * fmpq(4) ** units.inputs if isinstance(given.damping, str) else rational(given.damping), order

    @property
    def order(self) -> np.ndarray:
        """(N,) original index of the feature processed at each step."""
        return self._settings[1]

    @cached_property
    def factorization(self) -> ExactFactorization:
        """Of the calibration matrix."""
        return ExactFactorization(self.calibration, self._settings[0], self.order)

    @cached_property
    def alphabet(self) -> Alphabet:
        """Exact steps, and ends as floats, (N, K), processing order."""
        laid = self.grid.alphabet(self.N, self.K).reordered(self.order)
        return Alphabet(rationals(laid.step), laid.low, laid.high)

    @property
    def steps(self) -> np.ndarray:
        """(N, K) exact steps, processing order."""
        return self.alphabet.step

    def remember(self, name: str, result: object, compute: Callable[[], Computed]) -> Computed:
        """`compute()` for this result, kept so that claims share it."""
        key = (name, id(result))
        if key not in self._memo:
            self._memo[key] = (result, compute())
        return self._memo[key][1]

    def but(self, **changes: Any) -> ExactProblem:
        """The same problem with other exact weights (`W`) or a Grid; keeps the factorization."""
        other = object.__new__(ExactProblem)
        other.__dict__ |= {name: value for name, value in self.__dict__.items() if name not in ("alphabet", "_memo", "result")}
        other.__dict__ |= changes | {"_memo": {}}
        other.K = other.W.shape[1]
        return other

    def literal_numbers(self, result: ExactResult) -> list[np.ndarray]:
        """See `provable_ptq.bounds.checking.measure.literal_numbers`."""
        return literal_numbers(self, result)

    @cached_property
    def result(self) -> ExactResult:
        """The exact replay of the algorithm."""
        return replay(self)


def _lifted(X: np.ndarray) -> np.ndarray:
    """X with columns whose squares would vanish made just large enough: beside the others they decide no damping and no order."""
    largest = np.abs(X).max(axis=0)
    vanishing = (largest > 0) & (largest < VANISHING)
    factors = np.ones(X.shape[1])
    factors[vanishing] = 2 * VANISHING
    return X if not vanishing.any() else np.where(vanishing, X / np.where(largest > 0, largest, 1) * factors, X)
