"""Claims about the law of a stochastic run: failure probabilities and expectations, exactly where all paths can be enumerated.

Up to 12 features all 2^N rounding paths are weighed with their probabilities; above, independent draws give exact binomial
intervals and empirical Bernstein intervals. A saturated draw counts as no failure, and none is dropped.
"""

from __future__ import annotations

import numpy as np

from .claim import Claim, Evaluation, Kind
from .problem import Problem, run
from .sampling import ENUMERABLE, every_path, monte_carlo
from .verdict import CONFIDENCE, Outcome, Verdict, decide, ratios

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
    if problem.N <= ENUMERABLE and algorithm is run:
        repeated, result, weights = _paths(problem, neuron)
        repeated = _at(repeated, problem)
        return _exact(claim, repeated, claim(repeated, result), result.saturated.any(axis=0), weights)
    blocks = draws_of(problem, draws, algorithm, neuron)
    evaluation = _joined([claim(_at(repeated, problem), result) for repeated, result in blocks])
    saturated = np.concatenate([result.saturated.any(axis=0) for _, result in blocks])
    return decide(claim, problem, evaluation, saturated, np.ones(len(saturated), dtype=bool), confidence)


def _paths(problem: Problem, neuron: int) -> tuple:
    return problem.remember(f"paths {neuron}", None, lambda: every_path(problem, neuron))


def draws_of(problem: Problem, draws: int, algorithm=run, neuron: int = 0) -> list[tuple]:
    """Blocks of independent runs of one neuron (see `monte_carlo`), kept so that claims share them."""
    return problem.remember(f"draws {neuron} {draws}", algorithm, lambda: list(monte_carlo(problem, neuron, draws, algorithm)))


def _at(repeated: Problem, problem: Problem) -> Problem:
    if repeated.failure_probability == problem.failure_probability:
        return repeated
    return repeated.but(failure_probability=problem.failure_probability)


def _joined(parts: list[Evaluation]) -> Evaluation:
    def join(name: str):
        pieces = [getattr(part, name) for part in parts]
        return None if pieces[0] is None else np.concatenate(pieces, axis=-1)

    return Evaluation(join("measured"), join("bound"), ceiling=join("ceiling"))


def _exact(claim: Claim, problem: Problem, evaluation: Evaluation, saturated: np.ndarray, weights: np.ndarray) -> Verdict:
    if claim.kind is Kind.PROBABILITY:
        failed = ~(np.asarray(evaluation.measured) <= evaluation.bound) & ~saturated  # no number is a failure too
        probability = float(np.max(failed @ weights))
        p = problem.failure_probability
        outcome = Outcome.HOLDS if probability <= p + ROUNDING_SLACK else Outcome.VIOLATED
        found = np.atleast_2d(np.where(saturated, 0.0, ratios(Kind.UPPER, evaluation)))
        worst = max(float(np.quantile(row, 1 - p, method="inverted_cdf", weights=weights)) for row in found)
        failures, margin, interval = int(failed.sum(axis=-1).max()), p - probability, (probability, probability)
    else:
        mean = Evaluation(np.asarray(evaluation.measured) @ weights, np.asarray(evaluation.bound)[..., 0])
        worst = float(np.max(ratios(Kind.UPPER, mean)))
        outcome = Outcome.HOLDS if worst <= 1 + ROUNDING_SLACK else Outcome.VIOLATED
        failures, margin, interval = None, 1 - worst, (worst, worst)
    witness = problem if outcome is Outcome.VIOLATED else None
    return Verdict(outcome, evaluation.measured, evaluation.bound, worst, margin, "all paths enumerated", witness,
                   failures, len(weights), interval)
