"""What a check ends in (holds, violated, undecided, not applicable), and the numbers of an evaluation that it is read from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy.stats import beta

from ...algorithms.arguments import reject
from .arithmetic import as_float
from .claim import Evaluation, Kind
from .problem import Problem

CONFIDENCE = 0.99


class Outcome(StrEnum):
    """What a check can end in."""

    HOLDS = "holds"
    VIOLATED = "violated"
    UNDECIDED = "undecided"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True, eq=False)
class Verdict:
    """The outcome of one claim on one problem.

    Attributes:
        outcome: see `Outcome`.
        measured, bound: both sides, as in `Evaluation`; None where the claim does not apply.
        ratio: the worst measured/bound (lower bounds: bound/measured; identities: relative residual; expectations: the
            mean of measured/bound; probabilities: its (1 - p)-quantile over the draws, saturated ones as 0). 0/0 counts as 0.
        margin: how far the worst entry is from a violation, relative to its bound; negative beyond it.
        advice: why the claim does not apply and what would repair it, or what limits the verdict.
        witness: the problem that violates the claim, replayable (`Problem.save`); None otherwise.
        failures, draws, interval: of a probability claim, with the exact binomial interval of its failure probability.
        covered, neurons: to how many of the problem's neurons the claim applied, and how many there are; None for claims about
            the matrix alone, and where one neuron's draws were looked at.
    """

    outcome: Outcome
    measured: np.ndarray | None = None
    bound: np.ndarray | None = None
    ratio: float = float("nan")
    margin: float = float("nan")
    advice: str = ""
    witness: Problem | None = None
    failures: int | None = None
    draws: int | None = None
    interval: tuple[float, float] | None = None
    covered: int | None = None
    neurons: int | None = None

    @property
    def partial(self) -> bool:
        """Whether some neurons were left out, because a hypothesis fails for them."""
        return self.covered is not None and self.neurons is not None and 0 < self.covered < self.neurons

    @property
    def words(self) -> str:
        """The outcome as it is said: what holds for some neurons does not simply hold.

        >>> Verdict(Outcome.HOLDS, covered=60, neurons=64).words, Verdict(Outcome.HOLDS, covered=64, neurons=64).words
        ('holds for 60 of 64 neurons', 'holds')
        """
        return f"{self.outcome} for {self.covered} of {self.neurons} neurons" if self.partial else str(self.outcome)

    def __str__(self) -> str:
        return self.words + (f": {self.advice}" if self.advice else "")


def binomial_interval(failures: int, draws: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The exact (Clopper-Pearson) two-sided interval of a probability.

    >>> low, high = binomial_interval(0, 4603)
    >>> bool(low == 0 and high < 1.2e-3)
    True
    """
    tail = (1 - confidence) / 2
    low = 0.0 if failures == 0 else float(beta.ppf(tail, failures, draws - failures + 1))
    high = 1.0 if failures == draws else float(beta.ppf(1 - tail, failures + 1, draws - failures))
    return low, high


def ratios(kind: Kind, evaluation: Evaluation) -> np.ndarray:
    """Entrywise ratio of an evaluation, by the kind of its claim: above 1 where a bound is missed, whatever the signs.

    0/0 counts as 0; below a bound of negative size both sides change places (-1 under -2 misses it by a factor 2). No number
    where a side is none, or where the bound is infinite and says nothing.
    """
    measured, bound = sides(evaluation)
    if kind is Kind.IDENTITY:
        scale = np.maximum(np.abs(measured), np.abs(bound)) if evaluation.scale is None else evaluation.scale
        return _quotient(np.abs(measured - bound), np.broadcast_to(scale, measured.shape))
    return _quotient(bound, measured) if kind is Kind.LOWER else _quotient(measured, bound)


def sides(evaluation: Evaluation) -> tuple[np.ndarray, np.ndarray]:
    """Both sides of an evaluation as float64 arrays of one shape.

    Raises:
        InvalidArgumentError: sides that are no real numbers.
    """
    read = []
    for name in ("measured", "bound"):
        given = np.asarray(getattr(evaluation, name))
        if given.dtype.kind not in "fiubO":
            raise reject(f"evaluation.{name}", given, "an array of real numbers")
        read.append(as_float(given))
    measured, bound = np.broadcast_arrays(*read)
    return measured, bound


def _quotient(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """How many times the smaller side `b` goes into the larger `a`, for a <= b to be said as a ratio <= 1."""
    a, b = np.broadcast_arrays(a, b)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        if b.size and b.min() > 0 and np.isfinite(b.max()) and not np.isnan(a.min()):
            return a / b
        quotient = np.select([b > 0, (b < 0) & (a < 0), a > b], [a / b, b / a, np.inf], 0.0)
    return np.where(np.isnan(a) | np.isnan(b) | np.isinf(b), np.nan, quotient)
