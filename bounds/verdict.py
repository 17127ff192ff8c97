"""From an evaluation to an outcome: holds, violated, undecided, not applicable."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from scipy.stats import beta

from .claim import Claim, Evaluation, Kind
from .problem import Problem
from .tolerance import EQUALITY, identity_tolerance, relative_allowance

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
        return self.covered is not None and 0 < self.covered < self.neurons

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
    """Entrywise ratio of an evaluation, by the kind of its claim; 0/0 counts as 0."""
    measured, bound = np.asarray(evaluation.measured, dtype=np.float64), np.asarray(evaluation.bound, dtype=np.float64)
    if kind is Kind.IDENTITY:
        scale = np.maximum(np.abs(measured), np.abs(bound)) if evaluation.scale is None else evaluation.scale
        return _quotient(np.abs(measured - bound), np.broadcast_to(scale, measured.shape))
    return _quotient(bound, measured) if kind is Kind.LOWER else _quotient(measured, bound)


def _quotient(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    a, b = np.broadcast_arrays(a, b)
    infinite = np.where(np.isnan(a) | np.isnan(b), np.nan, np.where(a > 0, np.inf, 0.0))
    with np.errstate(over="ignore"):
        return np.divide(a, b, out=infinite, where=b > 0)


def reach(problem: Problem) -> tuple[int, float, float]:
    """What the tolerances depend on: features, condition number, largest |w| / step (Qronos: of its target)."""
    inverts_nothing = problem.algorithm in ("gpfq", "round-to-nearest")
    condition = 1.0 if inverts_nothing else problem.factorization.condition
    weights = problem.result.target if problem.algorithm == "qronos" else problem.W
    return problem.N, condition, float(np.max(np.abs(weights[problem.order]) / problem.steps))


def decide(claim: Claim, problem: Problem, evaluation: Evaluation, saturated: np.ndarray, applies: np.ndarray,
           confidence: float = CONFIDENCE) -> Verdict:
    """The verdict on an evaluation, over the neurons to which the claim applies."""
    if claim.about_neurons:
        evaluation = _only(evaluation, applies)
        saturated = saturated[applies]
    if claim.kind is Kind.PROBABILITY:
        return _probability(problem, evaluation, saturated, confidence)
    if claim.kind is Kind.EXPECTATION:
        return _expectation(problem, evaluation, confidence)
    if claim.kind is Kind.PREDICTION:
        return _prediction(evaluation)
    return _certain(claim.kind, problem, evaluation)


def _only(evaluation: Evaluation, applies: np.ndarray) -> Evaluation:
    def pick(x):
        return None if x is None else np.asarray(x)[..., applies] if np.ndim(x) and np.shape(x)[-1] == len(applies) else x

    return replace(evaluation, **{name: pick(getattr(evaluation, name)) for name in ("measured", "bound", "scale", "ceiling")})


def _certain(kind: Kind, problem: Problem, evaluation: Evaluation) -> Verdict:
    """Identities and bounds on one result: a violation counts only beyond the allowance of float64."""
    found = ratios(kind, evaluation)
    worst = float(np.max(found, initial=0.0))
    if kind is Kind.IDENTITY:
        allowance = max(identity_tolerance(*reach(problem)), evaluation.allowance)
        margin = allowance - worst
        outcome = Outcome.HOLDS if worst <= allowance else Outcome.VIOLATED
        coarse = allowance > 1e-3
    else:
        allowance = relative_allowance(*reach(problem))
        margin = 1 - worst
        outcome = Outcome.HOLDS if worst <= 1 + allowance else Outcome.VIOLATED
        coarse = allowance > EQUALITY and abs(margin) <= allowance
    if np.isnan(worst) or (coarse and not worst > 1 + max(allowance, 1)):
        advice = f"float64 decides this problem only to {allowance:.1e}, relative: check it in exact arithmetic"
        return Verdict(Outcome.UNDECIDED, evaluation.measured, evaluation.bound, worst, margin, advice)
    witness = problem if outcome is Outcome.VIOLATED else None
    return Verdict(outcome, evaluation.measured, evaluation.bound, worst, margin, witness=witness)


def _probability(problem: Problem, evaluation: Evaluation, saturated: np.ndarray, confidence: float) -> Verdict:
    """Neurons are independent draws; a saturated one counts as no failure, and none is dropped."""
    p = problem.failure_probability
    measured, bound = np.broadcast_arrays(evaluation.measured, evaluation.bound)
    failed = ~(measured <= bound) & ~saturated  # no number is a failure too
    draws = measured.shape[-1]
    failures = int(failed.sum(axis=-1).max())
    low, high = binomial_interval(failures, draws, _simultaneous(confidence, measured))
    found = np.where(saturated, 0.0, ratios(Kind.UPPER, evaluation))
    worst = float(np.max(np.quantile(found, 1 - p, axis=-1, method="inverted_cdf")))
    outcome = Outcome.VIOLATED if low > p else Outcome.HOLDS if high <= p else Outcome.UNDECIDED
    advice = f"{draws} draws leave the interval [{low:.2g}, {high:.2g}] around p = {p:g}" if outcome is Outcome.UNDECIDED else ""
    return Verdict(outcome, evaluation.measured, evaluation.bound, worst, p - low, advice,
                   problem if outcome is Outcome.VIOLATED else None, failures, draws, (low, high))


def _expectation(problem: Problem, evaluation: Evaluation, confidence: float) -> Verdict:
    """Neurons are independent draws of ratios measured / bound in [0, ceiling / bound]: empirical Bernstein interval of their mean."""
    found = np.atleast_2d(ratios(Kind.UPPER, evaluation))
    draws = found.shape[-1]
    ceiling = np.inf if evaluation.ceiling is None else np.max(_quotient(evaluation.ceiling, evaluation.bound), axis=-1)
    mean = found.mean(axis=-1)
    log_term = np.log(4 / (1 - _simultaneous(confidence, found)))
    variance = found.var(axis=-1, ddof=1) if draws > 1 else np.full_like(mean, np.inf)
    width = np.sqrt(2 * variance * log_term / draws) + 7 * ceiling * log_term / (3 * max(draws - 1, 1))
    low, high = float((mean - width).max()), float((mean + width).max())
    outcome = Outcome.VIOLATED if low > 1 else Outcome.HOLDS if high <= 1 else Outcome.UNDECIDED
    advice = f"{draws} draws leave the interval [{max(low, 0):.2g}, {high:.2g}] around 1" if outcome is Outcome.UNDECIDED else ""
    return Verdict(outcome, evaluation.measured, evaluation.bound, float(mean.max()), 1 - low, advice,
                   problem if outcome is Outcome.VIOLATED else None, None, draws, (max(low, 0.0), high))


def _simultaneous(confidence: float, entries: np.ndarray) -> float:
    """The level at which each inequality of a statement is tested, so that all of them together keep `confidence`."""
    return 1 - (1 - confidence) * entries.shape[-1] / entries.size


def _prediction(evaluation: Evaluation) -> Verdict:
    """A prediction is no theorem: its ratio of sums is shown, and a miss is never a violation."""
    total = float(np.sum(evaluation.measured)), float(np.sum(evaluation.bound))
    ratio = total[0] / total[1] if total[1] > 0 else float("nan")
    near = 0.5 <= ratio <= 2
    advice = "" if near else "the prediction is off: see its range of validity"
    return Verdict(Outcome.HOLDS if near else Outcome.UNDECIDED, evaluation.measured, evaluation.bound, ratio, 1 - ratio, advice)
