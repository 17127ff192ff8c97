"""Claims about the law of a stochastic run: failure probabilities and expectations, exactly where all paths can be enumerated.

Up to 12 features all 2^N rounding paths are weighed with their probabilities; above, independent draws give exact binomial
intervals and empirical Bernstein intervals. A saturated draw counts as no failure, and none is dropped.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .claim import Claim, Evaluation, Kind
from .decision import decide, failing, relative_slack
from .problem import Problem, run
from .sampling import ENUMERABLE, every_path, monte_carlo
from .tolerance import EQUALITY
from .units import Units, homogeneous, in_units
from .verdict import CONFIDENCE, Outcome, Verdict, ratios, sides

LAW_KINDS = (Kind.PROBABILITY, Kind.EXPECTATION)
ROUNDING_SLACK = 1e-9  # sums of 2^N products of N probabilities, each right to a few eps


def law_verdict(claim: Claim, problem: Problem, draws: int, algorithm=run, confidence: float = CONFIDENCE,
                neuron: int = 0) -> Verdict:
    """The verdict of a probability claim or an expectation on one neuron of a problem.

    Arguments:
        claim: of kind PROBABILITY or EXPECTATION; its hypotheses are not looked at here.
        draws: how many independent runs to make above `ENUMERABLE` features, and of an `algorithm` that is not the
            project's own: enumeration would replace the very draws that may be at fault.
        neuron: whose runs they are.

    >>> problem = Problem(np.eye(2), np.full((2, 1), 0.3), Grid(step=1.0), rounding="stochastic")
    >>> verdict = law_verdict(claims()["sto-optq-l2"], problem, draws=100)
    >>> round(verdict.ratio, 2), verdict.outcome.value
    (0.84, 'holds')
    """
    units, measured = in_units(problem) if homogeneous(claim) else (Units.own_of(problem), problem)
    if problem.N <= ENUMERABLE and algorithm is run:
        repeated, result, weights = _paths(measured, neuron)
        repeated = _at(repeated, problem)
        verdict = _exact(claim, repeated, claim(repeated, result), result.saturated.any(axis=0), weights)
        return units.restored(claim, verdict, problem, np.full(repeated.K, neuron))
    blocks = draws_of(measured if algorithm is run else problem, draws, algorithm, neuron)
    if measured is not problem and algorithm is not run:
        blocks = [(in_units(repeated)[1], in_units(repeated)[0].measure_result(result)) for repeated, result in blocks]
    evaluation = _joined([claim(_at(repeated, problem), result) for repeated, result in blocks])
    saturated = np.concatenate([result.saturated.any(axis=0) for _, result in blocks])
    verdict = decide(claim, measured, evaluation, saturated, np.ones(len(saturated), dtype=bool), confidence)
    return units.restored(claim, verdict, problem, np.full(len(saturated), neuron))


def _paths(problem: Problem, neuron: int) -> tuple[Problem, Any, np.ndarray]:
    return problem.remember(f"paths {neuron}", None, lambda: every_path(problem, neuron))


def draws_of(problem: Problem, draws: int, algorithm=run, neuron: int = 0) -> list[tuple[Problem, Any]]:
    """Blocks of independent runs of one neuron (see `monte_carlo`), kept so that claims share them."""
    return problem.remember(f"draws {neuron} {draws}", algorithm, lambda: list(monte_carlo(problem, neuron, draws, algorithm)))


def _at(repeated: Problem, problem: Problem) -> Problem:
    if repeated.failure_probability == problem.failure_probability:
        return repeated
    return repeated.but(failure_probability=problem.failure_probability)


def _joined(parts: list[Evaluation]) -> Evaluation:
    measured, bound = (np.concatenate([getattr(part, name) for part in parts], axis=-1) for name in ("measured", "bound"))
    ceilings = [part.ceiling for part in parts if part.ceiling is not None]
    return Evaluation(measured, bound, ceiling=np.concatenate(ceilings, axis=-1) if ceilings else None)


def _exact(claim: Claim, problem: Problem, evaluation: Evaluation, saturated: np.ndarray, weights: np.ndarray) -> Verdict:
    """All paths, each with its probability; what float64 may be off by decides nothing either way."""
    measured, bound = sides(evaluation)
    if np.isinf(bound).any() or (claim.kind is Kind.EXPECTATION and not np.isfinite(measured).all()):
        advice = "a side is infinite or no number in float64: check it in exact arithmetic"
        return Verdict(Outcome.UNDECIDED, evaluation.measured, evaluation.bound, advice=advice, draws=len(weights))
    if claim.kind is Kind.PROBABILITY:
        draws = failing(claim, problem, evaluation, saturated)
        certain, probability, possible = (float(np.max(failed @ weights)) for failed in draws)
        p = problem.failure_probability
        excess = certain - p, possible - p
        found = np.atleast_2d(np.where(saturated, 0.0, ratios(Kind.UPPER, evaluation)))
        worst = max(float(np.quantile(row, 1 - p, method="inverted_cdf", weights=weights)) for row in found)
        failures, margin, interval = int(draws[1].sum(axis=-1).max()), p - probability, (probability, probability)
    else:
        mean = Evaluation(measured @ weights, bound[..., 0])
        worst = float(np.max(ratios(Kind.UPPER, mean)))
        slack = relative_slack(claim, problem, evaluation)
        excess = worst - 1 - slack, worst - 1 + (slack if slack > EQUALITY else 0.0)
        failures, margin, interval = None, 1 - worst, (worst, worst)
    outcome = Outcome.HOLDS if excess[1] <= ROUNDING_SLACK else Outcome.VIOLATED if excess[0] > ROUNDING_SLACK else Outcome.UNDECIDED
    advice = "all paths enumerated" + (": float64 cannot tell, check it in exact arithmetic" if outcome is Outcome.UNDECIDED else "")
    witness = problem if outcome is Outcome.VIOLATED else None
    return Verdict(outcome, evaluation.measured, evaluation.bound, worst, margin, advice, witness,
                   failures, len(weights), interval)
