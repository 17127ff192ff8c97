"""Check claims on one problem: `check(problem)` runs the algorithm once and evaluates every claim that applies."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from ..algorithms import RankDeficientError
from ..algorithms.arguments import as_count, as_share, reject
from .checking.claim import Claim, Kind
from .checking.decision import decide
from .checking.law import LAW_KINDS, law_verdict
from .checking.problem import Problem, run
from .checking.registry import about_problems
from .checking.tolerance import cancellation
from .checking.units import Units, homogeneous, in_units
from .checking.verdict import CONFIDENCE, Outcome, Verdict

Runner = Callable[[Problem], Any]  # of somebody else's program: what bears the names of a Result


def check(problem: Problem, ids: Iterable[str] | None = None, algorithm: Runner = run, confidence: float = CONFIDENCE,
          draws: int = 0) -> dict[str, Verdict]:
    """The verdict of every claim on a problem.

    Arguments:
        problem: the layer and how it is quantized.
        ids: claim ids; None for every claim about this problem: all but those about fixed constructions of their own.
        algorithm: what computes a result from a problem; hand in a program of your own to have it checked.
        confidence: level of the intervals of probability claims and expectations.
        draws: how many stochastic runs those claims are checked on, of the first neuron to which they apply (up to 12 features:
            all 2^N rounding paths, unless `algorithm` is your own); 0: the neurons of the one result are the draws.

    Returns:
        dict from claim id to Verdict, in registry order. A result with entries that are no numbers, weights that are not step times
        code, or codes off the alphabet violates every claim about the neurons concerned.

    Raises:
        InvalidArgumentError: any argument out of its range, by name. RankDeficientError: the algorithm itself needs a factorization that
            the problem does not have at its damping; claims that need one beside an algorithm without damping do not apply.

    >>> problem = Problem(np.eye(3), np.array([[0.4], [0.6], [0.1]]), Grid(step=1.0))
    >>> check(problem, ["optq-l2"])["optq-l2"].outcome.value
    'holds'
    """
    if not isinstance(problem, Problem):
        raise reject("problem", problem, "a Problem")
    if not callable(algorithm):
        raise reject("algorithm", algorithm, "a function that computes a result from a problem")
    confidence, draws, chosen = as_share("confidence", confidence), as_count("draws", draws, 0), about_problems(ids)
    case = Case(problem, algorithm)
    _ = case.result  # a problem that cannot be run has no verdicts
    return {claim.id: _verdict(claim, case if homogeneous(claim) else case.as_given(), confidence, draws) for claim in chosen}


@dataclass(frozen=True, eq=False)
class Case:
    """A problem and what computes results of it, seen in units that float64 can square (`in_units`)."""

    given: Problem
    algorithm: Runner
    rescaled: bool = True

    def as_given(self) -> Case:
        """The same in the units that the problem came in."""
        return self if self.units.own else replace(self, rescaled=False)

    @property
    def units(self) -> Units:
        """Those of the problem, or its own."""
        return in_units(self.given)[0] if self.rescaled else Units.own_of(self.given)

    @property
    def problem(self) -> Problem:
        """The problem in these units."""
        return in_units(self.given)[1] if self.rescaled else self.given

    @cached_property
    def result(self) -> Any:
        """The result in these units; somebody else's program sees the problem as it was given."""
        return self.problem.result if self.algorithm is run else self.units.measure_result(self.algorithm(self.given))


def structural_mismatch(claim: Claim, problem: Any) -> str:
    """Why a claim is about another algorithm or rounding than the problem's; empty when it is not."""
    if problem.algorithm not in claim.algorithms:
        return f"the claim is about algorithm {' or '.join(claim.algorithms)}, and the problem has {problem.algorithm}: change it"
    if claim.rounding not in (None, problem.rounding):
        return f"the claim is about rounding {claim.rounding}, and the problem has {problem.rounding}: change it"
    if claim.per_output and not problem.rows_at_hand:
        return "the claim is about single outputs, and only the Gram matrix is at hand: pass the rows of X"
    return ""


def unmet_hypotheses(claim: Claim, problem: Any, result: Any) -> tuple[np.ndarray, list[str]]:
    """To which neurons (K,) a claim applies, and for each hypothesis that fails what failed and what would repair it."""
    applies, notes = np.ones(problem.K, dtype=bool), []
    for hypothesis in claim.hypotheses:
        met = hypothesis.test(problem, result)
        if not np.all(met):
            notes.append(f"hypothesis '{hypothesis.name}' fails ({hypothesis.failed(problem, result)}): {hypothesis.repair}")
            applies = applies & met
        if not applies.any():
            return applies, notes
    if notes:
        notes.append(f"{int(applies.sum())} of {problem.K} neurons were checked")
    return applies, notes


def _verdict(claim: Claim, case: Case, confidence: float, draws: int) -> Verdict:
    """The verdict of one claim; it does not apply where it needs a factorization that an algorithm without damping does without."""
    try:
        return _decided(claim, case, confidence, draws)
    except RankDeficientError as error:
        return Verdict(Outcome.NOT_APPLICABLE, advice=str(error))


def _decided(claim: Claim, case: Case, confidence: float, draws: int) -> Verdict:
    problem = case.problem
    mismatch = structural_mismatch(claim, problem)
    if mismatch:
        return Verdict(Outcome.NOT_APPLICABLE, advice=mismatch)
    result = case.result
    if claim.construct is not None:
        problem = claim.construct(problem)
        result = case.algorithm(problem)
    applies, notes = unmet_hypotheses(claim, problem, result)
    if not applies.any():
        return Verdict(Outcome.NOT_APPLICABLE, advice="; ".join(notes))
    if draws and claim.kind in LAW_KINDS:
        return law_verdict(claim, case.given, draws, case.algorithm, confidence, neuron=int(np.argmax(applies)))
    with nullcontext() if case.rescaled else np.errstate(all="ignore"):  # extreme numbers as they came: the verdict sees to them
        evaluation = claim(problem, result)
    verdict = decide(claim, problem, evaluation, result.saturated.any(axis=0), applies, confidence)
    defect = _defect(problem, result, applies)
    if defect and claim.kind is not Kind.PREDICTION and (claim.about_neurons or np.isnan(verdict.ratio)):
        verdict = replace(verdict, outcome=Outcome.VIOLATED, advice=defect, witness=problem)
    counted = {"covered": int(applies.sum()), "neurons": problem.K} if claim.about_neurons else {}
    verdict = replace(verdict, advice="; ".join(filter(None, [*notes, verdict.advice])), **counted)
    return verdict if claim.fixed else case.units.restored(claim, verdict, case.given, applies)


def _defect(problem: Problem, result: Any, applies: np.ndarray) -> str:
    """What makes a result of these neurons none at all: no numbers, or not on the grid; empty where nothing does."""
    for what, counts in problem.remember("defects", result, lambda: _defects(problem, result)).items():
        if counts[applies].any():
            return f"the result holds {what}: {int(counts[applies].sum())}"
    return ""


def _defects(problem: Problem, result: Any) -> dict[str, np.ndarray]:
    """How many of each kind every neuron (K,) has."""
    step, low, high = problem.alphabet
    codes, weights = result.codes[problem.order], result.weights[problem.order]
    defects = {
        "entries that are no finite numbers": ~(np.isfinite(weights) & np.isfinite(result.rounding_errors)),
        "weights that are not step times code": np.abs(weights - step * codes) > cancellation(weights),
        "codes off the alphabet": (codes < low) | (codes > high),
    }
    return {what: entries.sum(axis=0) for what, entries in defects.items()}
