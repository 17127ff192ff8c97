"""From an evaluation to a verdict: what holds or is violated whatever float64 lost, and what draws say of a probability or a mean."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .claim import Claim, Evaluation, Kind
from .problem import Problem
from .tolerance import EQUALITY, VISIBLE, identity_tolerance, relative_allowance
from .verdict import CONFIDENCE, Outcome, Verdict, binomial_interval, ratios, sides


def decide(claim: Claim, problem: Problem, evaluation: Evaluation, saturated: np.ndarray, applies: np.ndarray,
           confidence: float = CONFIDENCE) -> Verdict:
    """The verdict on an evaluation, over the neurons to which the claim applies."""
    if claim.about_neurons:
        evaluation = _only(evaluation, applies)
        saturated = saturated[applies]
    if claim.kind is Kind.PROBABILITY:
        return _probability(claim, problem, evaluation, saturated, confidence)
    if claim.kind is Kind.EXPECTATION:
        return _expectation(claim, problem, evaluation, confidence)
    if claim.kind is Kind.PREDICTION:
        return _prediction(evaluation)
    return _certain(claim, problem, evaluation)


def _only(evaluation: Evaluation, applies: np.ndarray) -> Evaluation:
    if applies.all():
        return evaluation

    def pick(x):
        return None if x is None else np.asarray(x)[..., applies] if np.ndim(x) and np.shape(x)[-1] == len(applies) else x

    names = ("measured", "bound", "scale", "ceiling", "noise", "natural")
    return replace(evaluation, **{name: pick(getattr(evaluation, name)) for name in names})


def _certain(claim: Claim, problem: Problem, evaluation: Evaluation) -> Verdict:
    """Identities and bounds on one result: a violation counts only beyond what float64 may be off by."""
    kind = claim.kind
    found = ratios(kind, evaluation)
    if not found.size:
        return _says_nothing(evaluation, found)
    judged = _Judged.of(claim, problem, evaluation)
    worst = float(np.max(found))
    margin = (judged.allowance if kind is Kind.IDENTITY else 1) - worst
    known = Verdict(Outcome.HOLDS, evaluation.measured, evaluation.bound, worst, margin)
    if judged.violated.any() and not np.isnan(sides(evaluation)).any():
        return replace(known, outcome=Outcome.VIOLATED, witness=problem)
    if judged.holds.all():
        return known
    return replace(known, outcome=Outcome.UNDECIDED, advice=_why_undecided(kind, evaluation, judged))


@dataclass(frozen=True)
class _Judged:
    """Entry by entry: what holds and what is violated whatever float64 lost; `slack` is what it may have lost, absolutely."""

    holds: np.ndarray
    violated: np.ndarray
    slack: np.ndarray
    scale: np.ndarray
    allowance: float

    @classmethod
    def of(cls, claim: Claim, problem: Problem, evaluation: Evaluation) -> _Judged:
        kind = claim.kind
        measured, bound = sides(evaluation)
        allowance, noise = allowances(claim, problem, evaluation)
        with np.errstate(invalid="ignore", over="ignore"):
            if kind is Kind.IDENTITY:
                beyond = np.abs(measured - bound)
                size = np.maximum(np.abs(measured), np.abs(bound)) if evaluation.scale is None else np.abs(evaluation.scale)
                finest = VISIBLE
            else:
                beyond = measured - bound if kind is Kind.UPPER else bound - measured
                size = np.abs(bound if kind is Kind.UPPER else measured)
                finest = EQUALITY
            finite = np.isfinite(beyond)
            scale = size if evaluation.natural is None else np.broadcast_to(np.abs(evaluation.natural), np.shape(beyond))
            slack = allowance * size + noise
            fine = np.isfinite(slack) & (slack <= finest * scale)
            within = fine if kind is Kind.IDENTITY else fine | (beyond <= -slack)
            clear = beyond > slack
            if kind is Kind.IDENTITY and clear.any():
                clear &= fine | (beyond > size + np.maximum(slack, size))
        return cls(finite & within & (beyond <= slack), finite & clear, slack, scale, allowance)


def reach(problem: Problem) -> tuple[int, float, float]:
    """What the tolerances depend on: features, condition number, largest |w| / step (Qronos: of its target)."""
    inverts_nothing = problem.algorithm in ("gpfq", "round-to-nearest")
    condition = 1.0 if inverts_nothing else problem.factorization.magnification
    if problem.algorithm == "qronos":
        return problem.N, condition, float(np.max(np.abs(problem.result.target[problem.order]) / problem.steps))
    return problem.N, condition, problem.largest_ratio


def allowances(claim: Claim, problem: Problem, evaluation: Evaluation) -> tuple[float, np.ndarray]:
    """What float64 may be off by: relative to the side that a difference is measured against, and absolutely."""
    features, condition, largest = reach(problem)
    if evaluation.noise is not None or not claim.about_neurons:  # the claim has counted what its weights lose, or has none
        largest = 0.0
    rule = identity_tolerance if claim.kind is Kind.IDENTITY else relative_allowance
    noise = np.zeros(()) if evaluation.noise is None else np.abs(evaluation.noise)
    return max(rule(features, condition, largest), evaluation.allowance), noise


def relative_slack(claim: Claim, problem: Problem, evaluation: Evaluation) -> float:
    """What float64 may be off by in any ratio measured / bound."""
    bound = np.abs(sides(evaluation)[1])
    allowance, noise = allowances(claim, problem, evaluation)
    return float(allowance + np.max(np.divide(noise, bound, out=np.zeros(bound.shape), where=bound > 0), initial=0.0))


def _why_undecided(kind: Kind, evaluation: Evaluation, judged: _Judged) -> str:
    if np.isinf(sides(evaluation)[1]).any():
        return "the bound is infinite: it says nothing"
    if not (np.isfinite(judged.slack) & np.isfinite(judged.scale)).all() or not np.isfinite(ratios(kind, evaluation)).all():
        return "some of its numbers are none in float64 (they vanish or overflow when squared): check it in exact arithmetic"
    open_ones = ~judged.holds
    with np.errstate(divide="ignore", invalid="ignore"):
        reached = np.nanmax(np.where(open_ones, judged.slack / judged.scale, 0.0))
    return f"float64 decides this problem only to {reached:.1e}, relative: check it in exact arithmetic"


def _probability(claim: Claim, problem: Problem, evaluation: Evaluation, saturated: np.ndarray, confidence: float) -> Verdict:
    """Neurons are independent draws; a saturated one counts as no failure, and none is dropped."""
    p = problem.failure_probability
    measured, bound = sides(evaluation)
    if not measured.size or np.isinf(bound).any():
        return _says_nothing(evaluation, measured)
    certain, failed, possible = (row.sum(axis=-1).max() for row in failing(claim, problem, evaluation, saturated))
    draws = measured.shape[-1]
    level = _simultaneous(confidence, measured)
    interval = binomial_interval(int(failed), draws, level)
    low, high = binomial_interval(int(certain), draws, level)[0], binomial_interval(int(possible), draws, level)[1]
    found = np.where(saturated, 0.0, ratios(Kind.UPPER, evaluation))
    worst = float(np.max(np.quantile(found, 1 - p, axis=-1, method="inverted_cdf")))
    outcome = Outcome.VIOLATED if low > p else Outcome.HOLDS if high <= p else Outcome.UNDECIDED
    advice = f"{draws} draws leave the interval [{low:.2g}, {high:.2g}] around p = {p:g}" if outcome is Outcome.UNDECIDED else ""
    return Verdict(outcome, evaluation.measured, evaluation.bound, worst, p - interval[0], advice,
                   problem if outcome is Outcome.VIOLATED else None, int(failed), draws, interval)


def failing(claim: Claim, problem: Problem, evaluation: Evaluation, saturated: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which draws fail certainly, as computed, and possibly, given what float64 may be off by; a saturated one never does."""
    measured, bound = sides(evaluation)
    allowance, noise = allowances(claim, problem, evaluation)
    slack = allowance * np.abs(bound) + noise
    within = [measured <= bound + slack, measured <= bound, (measured <= bound - slack) | (measured == 0) & (bound == 0)]
    return tuple(~row & ~saturated for row in within)  # no number is a failure too


def _expectation(claim: Claim, problem: Problem, evaluation: Evaluation, confidence: float) -> Verdict:
    """Neurons are independent draws of ratios measured / bound in [0, ceiling / bound]: empirical Bernstein interval of their mean."""
    found = np.atleast_2d(ratios(Kind.UPPER, evaluation))
    if not found.size or np.isinf(sides(evaluation)[1]).any():
        return _says_nothing(evaluation, found)
    draws = found.shape[-1]
    ceiling = np.inf
    if evaluation.ceiling is not None:
        ceiling = np.max(ratios(Kind.UPPER, replace(evaluation, measured=evaluation.ceiling)), axis=-1)
    mean = found.mean(axis=-1)
    log_term = np.log(4 / (1 - _simultaneous(confidence, found)))
    variance = found.var(axis=-1, ddof=1) if draws > 1 else np.full_like(mean, np.inf)
    width = np.sqrt(2 * variance * log_term / draws) + 7 * ceiling * log_term / (3 * max(draws - 1, 1))
    low, high = float((mean - width).max()), float((mean + width).max())
    slack = relative_slack(claim, problem, evaluation)
    outcome = Outcome.VIOLATED if low > 1 + slack else Outcome.HOLDS if high <= 1 - slack else Outcome.UNDECIDED
    advice = f"{draws} draws leave the interval [{max(low, 0):.2g}, {high:.2g}] around 1" if outcome is Outcome.UNDECIDED else ""
    return Verdict(outcome, evaluation.measured, evaluation.bound, float(mean.max()), 1 - low, advice,
                   problem if outcome is Outcome.VIOLATED else None, None, draws, (max(low, 0.0), high))


def _simultaneous(confidence: float, entries: np.ndarray) -> float:
    """The level at which each inequality of a statement is tested, so that all of them together keep `confidence`."""
    return 1 - (1 - confidence) * entries.shape[-1] / entries.size


def _says_nothing(evaluation: Evaluation, compared: np.ndarray) -> Verdict:
    advice = "the bound is infinite: it says nothing" if compared.size else "the claim compared no numbers at all"
    return Verdict(Outcome.UNDECIDED, evaluation.measured, evaluation.bound, advice=advice)


def _prediction(evaluation: Evaluation) -> Verdict:
    """A prediction is no theorem: its ratio of sums is shown, and a miss is never a violation."""
    total = float(np.sum(evaluation.measured)), float(np.sum(evaluation.bound))
    ratio = total[0] / total[1] if total[1] > 0 else float("nan")
    near = 0.5 <= ratio <= 2
    advice = "" if near else "the prediction is off: see its range of validity"
    return Verdict(Outcome.HOLDS if near else Outcome.UNDECIDED, evaluation.measured, evaluation.bound, ratio, 1 - ratio, advice)
