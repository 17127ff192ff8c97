"""What a cell of a sweep writes: rows of facts, of verdicts and of empirical tails."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from ...bounds import Evaluation, Problem, Verdict
from ...bounds.checking.arithmetic import tail_level
from ...bounds.checking.claim import Claim, Kind
from ...bounds.checking.law import draws_of
from ...bounds.checking.sampling import repeat_neuron
from ...bounds.checking.verdict import CONFIDENCE, binomial_interval, ratios
from ...bounds.stochastic.levels import largest_error, row_variances
from .facts import deterministic_level, drawn_facts, run_facts
from .views import Views

TAIL_FRACTIONS = np.arange(0.1, 1.0001, 0.025)  # of the row-wise level: where the empirical tail is counted
TAIL_SCALE = 0.05  # its failure probability


def run_rows(views: Views, chosen: Sequence[Claim], failure_probabilities: Iterable[float], optimum: bool) -> list[dict]:
    """One run: its facts, and one row per claim and failure probability.

    Arguments:
        views: the run.
        chosen: the claims to check on it.
        failure_probabilities: at which they are checked.
        optimum: whether to search the closest grid points for the facts (small N).
    """
    X_validation = None if views.whole.X_quantized is not None else views.whole.X_validation  # held-out inputs are not mismatched
    rows = [{"record": "run"} | run_facts(views.whole, X_validation, optimum)]
    for p in failure_probabilities:
        at_p = views.at(p)
        verdicts = [(made, at_p.check(made)) for made in chosen]
        rows += [_verdict_row(made, verdict, p) for made, verdict in verdicts if verdict is not None]
    return rows


def drawn_rows(views: Views, chosen: Sequence[Claim], failure_probabilities: Iterable[float], draws: int) -> list[dict]:
    """Many stochastic runs of the first neuron: claims about their law at every failure probability, and the empirical tail."""
    rows = [{"record": "run"} | drawn_facts(views.whole)]
    for p in failure_probabilities:
        at_p = views.at(p)
        for made in chosen:
            verdict = at_p.check(made, draws)
            if verdict is None:
                continue
            bound = verdict.bound if made.kind is Kind.PROBABILITY else None
            level = {} if bound is None else {"level": float(np.ravel(bound)[0])}
            rows.append(_verdict_row(made, verdict, p) | level)
    return rows if views.outputs is None else rows + _tail(views.outputs, draws)


def _verdict_row(made: Claim, verdict: Verdict, p: float) -> dict:
    row = {"record": "claim", "claim": made.id, "failure_probability": p, "outcome": verdict.outcome.value, "ratio": verdict.ratio,
           "advice": verdict.advice, "covered": verdict.covered, "failures": verdict.failures, "draws_used": verdict.draws}
    row |= dict(zip(("interval_low", "interval_high"), verdict.interval or (None, None), strict=True))
    if verdict.measured is not None and verdict.bound is not None:
        one_sided = Kind.LOWER if made.kind is Kind.LOWER else Kind.UPPER
        entries = ratios(one_sided, Evaluation(verdict.measured, verdict.bound))
        row |= {"measured_sum": float(np.sum(verdict.measured)), "bound_sum": float(np.sum(verdict.bound)),
                "measured_max": float(np.max(verdict.measured)), "bound_max": float(np.max(verdict.bound)),
                "ratio_median": float(np.median(entries))}
    return row


def _tail(problem: Problem, draws: int) -> list[dict]:
    """How often the largest error exceeds fixed fractions of the row-wise level; a saturated draw counts as no failure."""
    errors = np.concatenate([
        np.where(result.saturated.any(axis=0), 0.0, largest_error(repeated, result))
        for repeated, result in draws_of(problem, draws)
    ])
    one = repeat_neuron(problem, 0, 1).but(failure_probability=TAIL_SCALE)
    sure = deterministic_level(one)
    rows = []
    for level in TAIL_FRACTIONS * tail_level(row_variances(one), TAIL_SCALE)[0]:
        failures = int((errors > level).sum())
        low, high = binomial_interval(failures, draws, CONFIDENCE)
        rows.append({"record": "tail", "level": float(level), "failures": failures, "draws_used": draws, "interval_low": low,
                     "interval_high": high, "measured_max": float(errors.max()), "deterministic_level": sure})
    return rows
