r"""Problems in units in which no square overflows or vanishes; numbers taken back to the problem's own.

Every statement is homogeneous: in X (with :math:`\sqrt\lambda`), in each neuron's weights together with its steps, and in the
held-out inputs. So a problem may be measured in powers of two of its own size, which costs not a bit, and the outcome and the ratio
stay what they are. Moderate problems are left alone.
"""

from __future__ import annotations

from dataclasses import dataclass, is_dataclass, replace
from typing import Any

import numpy as np

from ...algorithms import Grid
from ...algorithms.damping import parse_rule
from .claim import CHAPTERS, Claim
from .hypotheses import validation_inputs
from .problem import Problem
from .verdict import Verdict

MODERATE = 60  # exponents of two up to this size are left alone: fourth powers and sums of them stay far from overflow
LARGEST_RATIO = 200  # exponent of sqrt(damping) over the largest entry of X that is kept in range
DEGREES = {  # of each unit in (the inputs, the weights)
    "squared output error": (2, 2),
    "squared output error per sample": (2, 2),
    "output error": (1, 1),
    "squared calibration entry": (2, 0),
    "weight": (0, 1),
}


@dataclass(frozen=True, eq=False)
class Units:
    """Powers of two that a problem is measured in.

    Attributes:
        inputs, held_out: exponent of the unit of X (and X_quantized, and the root of the damping), and of X_validation.
        weights: (K,) exponents of the unit of every neuron's weights and steps.
    """

    inputs: int
    held_out: int
    weights: np.ndarray

    @classmethod
    def of(cls, problem: Problem) -> Units:
        """Units in which the largest input and every neuron's largest step are about 1; 0 where they are moderate as they are."""
        inputs = max(_exponent(problem.X), _exponent(problem.calibration))
        if not isinstance(problem.damping, str) and problem.damping > 0:
            root = _exponent(problem.damping) // 2
            inputs = root if not (problem.X.any() or problem.calibration.any()) else max(inputs, root - LARGEST_RATIO)
        held_out = 0 if problem.X_validation is None else _exponent(problem.X_validation)
        steps = problem.grid.alphabet(problem.N, problem.K).step
        weights = np.frexp(steps.max(axis=0))[1]
        return cls(_where_extreme(inputs), _where_extreme(held_out), np.where(np.abs(weights) > MODERATE, weights, 0))

    @classmethod
    def own_of(cls, problem: Problem) -> Units:
        """The units that a problem came in."""
        return cls(0, 0, np.zeros(problem.K, dtype=int))

    @property
    def own(self) -> bool:
        """Whether these are the units that the problem came in."""
        return self.inputs == 0 and self.held_out == 0 and not self.weights.any()

    def measure(self, problem: Problem) -> Problem:
        """The problem in these units; itself where they are its own."""
        if self.own:
            return problem
        changes = {name: np.ldexp(getattr(problem, name), -exponent)
                   for name, exponent in (("X", self.inputs), ("X_quantized", self.inputs), ("X_validation", self.held_out))
                   if getattr(problem, name) is not None}
        if not isinstance(problem.damping, str):
            changes["damping"] = _rescaled_damping(problem.damping, -2 * self.inputs)
        laid = problem.grid.alphabet(problem.N, problem.K)
        ends = (laid.low, laid.high) if problem.grid.finite else (None, None)
        return problem.but(W=np.ldexp(problem.W, -self.weights), grid=Grid(np.ldexp(laid.step, -self.weights), *ends), **changes)

    def measure_result(self, result: Any) -> Any:
        """A result of the problem in these units: the same codes."""
        return self._shifted(result, -self.weights)

    def in_given(self, result: Any) -> Any:
        """A result of the measured problem in the units that the problem came in."""
        return self._shifted(result, self.weights)

    def _shifted(self, result: Any, exponents: np.ndarray) -> Any:
        if self.own or not is_dataclass(result) or isinstance(result, type):
            return result
        with np.errstate(over="ignore", under="ignore"):
            changed = {name: np.ldexp(np.asarray(getattr(result, name), dtype=np.float64), exponents)
                       for name in ("weights", "rounding_errors", "target") if hasattr(result, name)}
        return replace(result, **changed)

    def restored(self, claim: Claim, verdict: Verdict, given: Problem, neurons: np.ndarray) -> Verdict:
        """A verdict on the measured problem as one on the `given`: both sides, for these neurons (mask or indices), in its units."""
        if self.own:
            return verdict
        degrees = DEGREES.get(claim.unit)
        sides = {}
        if degrees is not None and verdict.measured is not None:
            inputs = self.held_out if validation_inputs in claim.hypotheses else self.inputs
            exponents = degrees[0] * inputs + (degrees[1] * self.weights[neurons] if claim.about_neurons else 0)
            with np.errstate(over="ignore", under="ignore"):
                sides = {name: np.ldexp(getattr(verdict, name), exponents) for name in ("measured", "bound")}
        constructed = claim.construct is not None
        return replace(verdict, witness=verdict.witness if constructed or verdict.witness is None else given, **sides)


def in_units(problem: Problem) -> tuple[Units, Problem]:
    """The units in which float64 can square a problem, and the problem in them."""

    def measure() -> tuple[Units, Problem]:
        fixed = _with_damping_in_own_units(problem)
        units = Units.of(fixed)
        return units, problem if units.own else units.measure(fixed)

    return problem.remember("in units", None, measure)


def _with_damping_in_own_units(problem: Problem) -> Problem:
    """The problem with its damping as a number where its rule depends on the units of X: the one that counts dead features as 1."""
    live = problem.calibration.any(axis=0)
    if not isinstance(problem.damping, str) or not problem.damping.startswith("mean-diagonal-all") or live.all():
        return problem
    _, fraction, factor = parse_rule(problem.damping)
    unit = _exponent(problem.calibration)
    live_sum = np.ldexp(np.square(np.ldexp(problem.calibration, -unit)).sum(), 2 * unit)
    return problem.but(damping=float(fraction * (live_sum + (~live).sum() / factor) / live.size))


def homogeneous(claim: Claim) -> bool:
    """Whether the claim says the same in all units: the shipped ones do, of others nothing is known."""
    return claim.chapter in CHAPTERS


def _exponent(entries: np.ndarray | float) -> int:
    return int(np.frexp(np.max(np.abs(entries), initial=0.0))[1])


def _where_extreme(exponent: int) -> int:
    return exponent if abs(exponent) > MODERATE else 0


def _rescaled_damping(damping: float, exponent: int) -> float:
    """A positive damping stays positive: beside entries of about 1 the smallest number there is changes nothing."""
    scaled = float(np.ldexp(damping, exponent))
    return max(scaled, float(np.finfo(np.float64).tiny)) if damping > 0 else 0.0
