r"""Claims decided in exact arithmetic: `check_exact` replays a problem in rationals and evaluates every claim that applies.

Floats are rationals, so for small problems every identity and every inequality without roots is decided with no tolerance at
all; roots and logarithms become balls, evaluated at growing precision until every comparison is certain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
from flint import arb, ctx, fmpq

from ..algorithms.rounding import EveryPath
from .arithmetic import as_float
from .check import structural_mismatch, unmet_hypotheses
from .claim import Claim, Evaluation, Kind, about_problems
from .exact_replay import ExactProblem, ExactResult
from .law import LAW_KINDS
from .problem import Problem
from .sampling import repeat_neuron
from .verdict import Outcome, Verdict, ratios

PRECISIONS = (64, 256, 1024, 4096)  # bits, tried in turn until every ball is decided
EXACT_PATHS = 8  # features up to which all 2^N rounding paths are replayed exactly


@dataclass(frozen=True, eq=False)
class ExactReport:
    """What exact arithmetic says of one problem.

    Attributes:
        verdicts: by claim id; no tolerance anywhere.
        same_codes: (K,) whether the float64 run made the same integers; False where float64 refuses the problem (dependent
            live columns without damping).
        tie_distances: (K,) smallest distance to a rounding tie, in steps.
    """

    verdicts: dict[str, Verdict]
    same_codes: np.ndarray
    tie_distances: np.ndarray


def check_exact(problem: Problem, ids: Iterable[str] | None = None) -> ExactReport:
    """Replay a problem in exact arithmetic and decide every claim that applies.

    Arguments:
        problem: small: costs grow like N^5 (N = 32 with 400 neurons takes seconds).
        ids: claim ids; None for every claim about this problem, as in `check`.

    Probability claims and expectations are decided on all 2^N rounding paths of the first neuron to which
    they apply, up to 8 features.

    >>> report = check_exact(Problem(np.eye(2), np.array([[0.4], [0.6]]), Grid(step=1.0)), ["optq-identity"])
    >>> report.verdicts["optq-identity"].outcome.value, bool(report.same_codes.all())
    ('holds', True)
    """
    view = ExactProblem(problem)
    result = view.result
    rounded = "result" in problem.__dict__ or problem.algorithm not in ("optq", "qronos") or not view.factorization.dependent
    same = (problem.result.codes == result.codes).all(axis=0) if rounded else np.zeros(problem.K, dtype=bool)
    verdicts = {claim.id: _verdict(claim, view, result) for claim in about_problems(ids)}
    for name, verdict in verdicts.items():
        if verdict.outcome is Outcome.VIOLATED:
            verdicts[name] = replace(verdict, witness=problem)
    return ExactReport(verdicts, same, result.tie_distances)


def _verdict(claim: Claim, view: ExactProblem, result: ExactResult) -> Verdict:
    mismatch = structural_mismatch(claim, view)
    if mismatch:
        return Verdict(Outcome.NOT_APPLICABLE, advice=mismatch)
    if claim.kind is Kind.PREDICTION:
        return Verdict(Outcome.NOT_APPLICABLE, advice="a prediction is no theorem: there is nothing to decide exactly")
    if claim.construct is not None:
        view = claim.construct(view)
        result = view.result
    applies, notes = unmet_hypotheses(claim, view, result)
    if not applies.any():
        return Verdict(Outcome.NOT_APPLICABLE, advice="; ".join(notes))
    if claim.kind in LAW_KINDS:
        return _law(claim, view, int(np.argmax(applies)))
    verdict = _decide(lambda: claim(view, result), claim, applies)
    counted = {"covered": int(applies.sum()), "neurons": view.K} if claim.about_neurons else {}
    return replace(verdict, advice="; ".join(filter(None, [*notes, verdict.advice])), **counted)


def _decide(evaluate: Callable[[], Evaluation], claim: Claim, applies: np.ndarray) -> Verdict:
    """Evaluate at growing precision until every entry is certain."""
    for precision in PRECISIONS:
        with ctx.workprec(precision):
            evaluation = evaluate()
            measured, bound = np.broadcast_arrays(np.asarray(evaluation.measured, dtype=object), np.asarray(evaluation.bound, dtype=object))
            if claim.about_neurons:
                measured, bound = measured[..., applies], bound[..., applies]
            signs = [_certainly(claim.kind, a, b) for a, b in zip(measured.flat, bound.flat, strict=True)]
            floats = as_float(measured), as_float(bound)
        if None not in signs:
            break
    outcome = Outcome.VIOLATED if False in signs else Outcome.UNDECIDED if None in signs else Outcome.HOLDS
    ratio = float(np.max(ratios(claim.kind, Evaluation(*floats)), initial=0.0))
    advice = f"{signs.count(None)} entries stay within the reach of {PRECISIONS[-1]} bits" if None in signs else ""
    return Verdict(outcome, *floats, ratio, 1 - ratio, advice)


def _certainly(kind: Kind, measured: object, bound: object) -> bool | None:
    """Whether the statement is certainly true (True), certainly false (False), or neither (None) for one entry."""
    difference = measured - bound if kind is Kind.LOWER else bound - measured
    if kind is Kind.IDENTITY:
        if isinstance(difference, arb):
            return None if difference.contains(0) else False
        return difference == 0
    if difference >= 0:
        return True
    return False if difference < 0 else None


def _law(claim: Claim, view: ExactProblem, neuron: int) -> Verdict:
    """A probability or an expectation over all rounding paths of one neuron, weighed exactly."""
    if view.N > EXACT_PATHS:
        return Verdict(Outcome.NOT_APPLICABLE, advice=f"N = {view.N}: all 2^N paths are replayed exactly up to N = {EXACT_PATHS}")
    paths = ExactProblem(repeat_neuron(view.given, neuron, 2**view.N), EveryPath(view.N))
    paths.__dict__["_settings"] = view._settings
    result = paths.result
    weights = _path_weights(paths, result)
    if claim.kind is Kind.EXPECTATION:
        def mean() -> Evaluation:
            evaluation = claim(paths, result)
            measured, bound = np.broadcast_arrays(evaluation.measured, evaluation.bound)
            return Evaluation(np.asarray(measured, dtype=object) @ weights, bound[..., 0])

        return _decide(mean, replace(claim, kind=Kind.UPPER, about_neurons=False), np.ones(1, dtype=bool))
    return _failure_verdict(claim, paths, result, weights, view.failure_probability)


def _failure_verdict(claim: Claim, paths: ExactProblem, result: ExactResult, weights: np.ndarray, p: fmpq) -> Verdict:
    """Certain failures weigh more than p: violated; possible failures weigh at most p: holds; else undecided."""
    counted = ~result.saturated.any(axis=0)
    for precision in PRECISIONS:
        with ctx.workprec(precision):
            evaluation = claim(paths, result)
            pairs = np.broadcast_arrays(np.atleast_2d(evaluation.measured), np.atleast_2d(evaluation.bound))
            rows = list(zip(*pairs, strict=True))
            certain = [sum((w for a, b, c, w in zip(*row, counted, weights, strict=True) if c and a > b), fmpq(0)) for row in rows]
            possible = [sum((w for a, b, c, w in zip(*row, counted, weights, strict=True) if c and not a <= b), fmpq(0)) for row in rows]
            floats = as_float(np.array(possible, dtype=object)), float(as_float(np.array([p], dtype=object))[0])
        if max(certain) > p or max(possible) <= p:
            break
    outcome = Outcome.VIOLATED if max(certain) > p else Outcome.HOLDS if max(possible) <= p else Outcome.UNDECIDED
    worst = float(floats[0].max())
    return Verdict(outcome, floats[0], np.array([floats[1]]), worst / floats[1], floats[1] - worst, "all paths enumerated",
                   draws=len(weights), interval=(float(as_float(np.array([max(certain)], dtype=object))[0]), worst))


def _path_weights(paths: ExactProblem, result: ExactResult) -> np.ndarray:
    """The probability (2^N,) of every path: up with the fractional part of z / step, down with the rest."""
    ratios = (result.rounding_errors + result.weights[paths.order]) / paths.steps
    weights = np.full(paths.K, fmpq(1), dtype=object)
    for t in range(paths.N):
        for k in range(paths.K):
            fraction = ratios[t, k] - fmpq(ratios[t, k].floor())
            weights[k] *= fraction if paths.rule.up[t, k] else 1 - fraction
    return weights
