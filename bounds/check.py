"""Check claims on one problem: `check(problem)` runs the algorithm once and evaluates every claim that applies."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from .claim import Claim, select
from .problem import Problem, run
from .verdict import CONFIDENCE, Outcome, Verdict, decide

Runner = Callable[[Problem], object]


def check(problem: Problem, ids: Iterable[str] | None = None, algorithm: Runner = run,
          confidence: float = CONFIDENCE) -> dict[str, Verdict]:
    """The verdict of every claim on a problem.

    Arguments:
        problem: the layer and how it is quantized.
        ids: claim ids; None for all registered ones.
        algorithm: what computes a result from a problem; hand in a program of your own to have it checked.
        confidence: level of the intervals of probability claims and expectations, whose draws are the neurons.

    Returns:
        dict from claim id to Verdict, in registry order.

    Raises:
        InvalidArgumentError: an unknown id. RankDeficientError: the problem cannot be factored at its damping.

    >>> problem = Problem(np.eye(3), np.array([[0.4], [0.6], [0.1]]), Grid(step=1.0))
    >>> check(problem, ["optq-l2"])["optq-l2"].outcome.value
    'holds'
    """
    result_of_problem = problem.result if algorithm is run else algorithm(problem)
    return {claim.id: _verdict(claim, problem, algorithm, result_of_problem, confidence) for claim in select(ids)}


def _verdict(claim: Claim, problem: Problem, algorithm: Runner, result, confidence: float) -> Verdict:
    for name in ("algorithm", "rounding"):
        wanted, given = getattr(claim, name), getattr(problem, name)
        if wanted is not None and given != wanted:
            return Verdict(Outcome.NOT_APPLICABLE, advice=f"about {name} {wanted}, and the problem has {given}: change it")
    if claim.construct is not None:
        problem = claim.construct(problem)
        result = algorithm(problem)
    applies = np.ones(problem.K, dtype=bool)
    notes = []
    for hypothesis in claim.hypotheses:
        met = hypothesis.test(problem, result)
        if np.all(met):
            continue
        notes.append(f"hypothesis '{hypothesis.name}' fails ({hypothesis.failed(problem, result)}): {hypothesis.repair}")
        applies = applies & met
    if not applies.any():
        return Verdict(Outcome.NOT_APPLICABLE, advice="; ".join(notes))
    verdict = decide(claim, problem, claim(problem, result), result.saturated.any(axis=0), applies, confidence)
    if notes:
        notes.append(f"{int(applies.sum())} of {problem.K} neurons were checked")
        return replace(verdict, advice="; ".join(filter(None, [*notes, verdict.advice])))
    return verdict
