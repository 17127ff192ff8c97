r"""Claims decided in exact arithmetic: `check_exact` replays a problem in rationals and evaluates every claim that applies.

Floats are rationals, so for small problems every identity and every inequality without roots is decided with no tolerance at
all; roots and logarithms become balls, evaluated at growing precision until every comparison is certain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeVar

import numpy as np
from flint import arb, ctx, fmpq

from ...algorithms.arguments import InvalidArgumentError
from ...algorithms.rounding import EveryPath
from ..check import structural_mismatch, unmet_hypotheses
from ..checking.arithmetic import Number, as_float, ball, maximum
from ..checking.claim import Claim, Evaluation, Kind
from ..checking.law import LAW_KINDS
from ..checking.problem import Problem
from ..checking.registry import about_problems
from ..checking.sampling import repeat_neuron
from ..checking.units import in_units
from ..checking.verdict import Outcome, Verdict, ratios
from .problem import ExactProblem
from .replay import ExactResult

PRECISIONS = (64, 256, 1024, 4096)  # bits, tried in turn until every ball is decided
ExactRunner = Callable[[ExactProblem], ExactResult]
Found = TypeVar("Found")
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


def check_exact(problem: Problem, ids: Iterable[str] | None = None, algorithm: ExactRunner | None = None) -> ExactReport:
    """Replay a problem in exact arithmetic and decide every claim that applies.

    Arguments:
        problem: small: costs grow like N^5 (N = 32 with 400 neurons takes seconds).
        ids: claim ids; None for every claim about this problem, as in `check`.
        algorithm: what computes an exact result from an `ExactProblem`; None: the replay of the problem's own algorithm.

    Probability claims and expectations are decided on all 2^N rounding paths of the first neuron to which
    they apply, up to 8 features.

    >>> report = check_exact(Problem(np.eye(2), np.array([[0.4], [0.6]]), Grid(step=1.0)), ["optq-identity"])
    >>> report.verdicts["optq-identity"].outcome.value, bool(report.same_codes.all())
    ('holds', True)
    """
    view = ExactProblem(problem)
    result = view.result if algorithm is None else algorithm(view)
    same = same_codes(problem, result)
    verdicts = {claim.id: _verdict(claim, view, result, algorithm) for claim in about_problems(ids)}
    for name, verdict in verdicts.items():
        if verdict.outcome is Outcome.VIOLATED:
            verdicts[name] = replace(verdict, witness=problem)
    return ExactReport(verdicts, same, result.tie_distances)


def same_codes(problem: Problem, result: ExactResult) -> np.ndarray:
    """For which neurons (K,) float64 makes the integers of an exact result; none where it refuses the problem."""
    try:
        return (in_units(problem)[1].result.codes != result.codes).sum(axis=0) == 0
    except InvalidArgumentError:  # float64 cannot tell live columns apart, or cannot square them
        return np.zeros(problem.K, dtype=bool)


def _verdict(claim: Claim, view: ExactProblem, result: ExactResult, algorithm: ExactRunner | None = None) -> Verdict:
    mismatch = structural_mismatch(claim, view)
    if mismatch:
        return Verdict(Outcome.NOT_APPLICABLE, advice=mismatch)
    if claim.kind is Kind.PREDICTION:
        return Verdict(Outcome.NOT_APPLICABLE, advice="a prediction is no theorem: there is nothing to decide exactly")
    if claim.construct is not None:
        view = claim.construct(view)
        result = view.result if algorithm is None else algorithm(view)
    applies, notes = unmet_hypotheses(claim, view, result)
    if not applies.any():
        return Verdict(Outcome.NOT_APPLICABLE, advice="; ".join(notes))
    if claim.kind in LAW_KINDS:
        return _law(claim, view, int(np.argmax(applies)))
    verdict = _decide(lambda: claim(view, result), claim, applies)
    if claim.about_neurons and _off_the_alphabet(view, result)[applies].any():
        verdict = replace(verdict, outcome=Outcome.VIOLATED, advice="the result holds codes off the alphabet")
    counted = {"covered": int(applies.sum()), "neurons": view.K} if claim.about_neurons else {}
    return replace(verdict, advice="; ".join(filter(None, [*notes, verdict.advice])), **counted)


def _off_the_alphabet(view: ExactProblem, result: ExactResult) -> np.ndarray:
    """Which neurons (K,) have codes beyond the ends: only a program of somebody else's makes such."""
    codes = result.codes[view.order]
    return np.logical_or(codes < view.alphabet.low, codes > view.alphabet.high).any(axis=0)


def _decide(evaluate: Callable[[], Evaluation], claim: Claim, applies: np.ndarray) -> Verdict:
    """Evaluate at growing precision until every entry is certain."""
    signs, measured, bound, found, missed = _at_growing_precision(
        lambda: _compared(evaluate(), claim, applies), lambda compared: None not in compared.signs)
    outcome = Outcome.VIOLATED if False in signs else Outcome.UNDECIDED if None in signs else Outcome.HOLDS
    ratio = float(np.max(found, initial=0.0))
    advice = f"{signs.count(None)} entries stay within the reach of {PRECISIONS[-1]} bits" if None in signs else ""
    margin = -max(missed) if outcome is Outcome.VIOLATED else 1 - ratio
    return Verdict(outcome, measured, bound, ratio, margin, advice)


def _at_growing_precision(look: Callable[[], Found], decided: Callable[[Found], bool]) -> Found:
    """What `look` finds at the first precision at which it is decided, or else at the last."""
    for precision in PRECISIONS[:-1]:
        with ctx.workprec(precision):
            found = look()
        if decided(found):
            return found
    with ctx.workprec(PRECISIONS[-1]):
        return look()


class _Compared(NamedTuple):
    """Entry by entry: whether the statement is certainly true or false, and ratios and misses; both sides as floats."""

    signs: list[bool | None]
    measured: np.ndarray
    bound: np.ndarray
    ratios: list[float]
    missed: list[float]


def _compared(evaluation: Evaluation, claim: Claim, applies: np.ndarray) -> _Compared:
    measured, bound = np.broadcast_arrays(np.asarray(evaluation.measured, dtype=object), np.asarray(evaluation.bound, dtype=object))
    sizes = _sizes(evaluation, measured, bound)
    if claim.about_neurons:
        measured, bound, sizes = (side[..., applies] for side in (measured, bound, sizes))
    entries = list(zip(measured.flat, bound.flat, sizes.flat, strict=True))
    return _Compared([_certainly(claim.kind, a, b) for a, b, _ in entries], as_float(measured), as_float(bound),
                     [_ratio(claim.kind, *entry) for entry in entries], [_missed(claim.kind, *entry) for entry in entries])


def _certainly(kind: Kind, measured: Number, bound: Number) -> bool | None:
    """Whether the statement is certainly true (True), certainly false (False), or neither (None) for one entry."""
    difference = measured - bound if kind is Kind.LOWER else bound - measured
    if kind is Kind.IDENTITY:
        if isinstance(difference, arb):
            return None if difference.contains(0) else False
        return difference == 0
    if difference >= 0:
        return True
    return False if difference < 0 else None


def _sizes(evaluation: Evaluation, measured: np.ndarray, bound: np.ndarray) -> np.ndarray:
    """What differences are relative to, as midpoints of balls: `natural` or the scale where one is given, else the larger side."""
    named = [size for size in (evaluation.natural, evaluation.scale) if size is not None]
    given = named[:1] or [measured, bound]
    parts = np.broadcast_arrays(measured, *(np.asarray(part, dtype=object) for part in given))[1:]
    return np.asarray(maximum(np.stack([_middles(part) for part in parts])), dtype=object)


def _middles(entries: np.ndarray) -> np.ndarray:
    middles = np.empty(entries.shape, dtype=object)
    for index in np.ndindex(entries.shape):
        middles[index] = abs(ball(entries[index])).mid()
    return middles


def _ratio(kind: Kind, measured: Number, bound: Number, size: Number) -> float:
    """`verdict.ratios` of one entry, divided before it becomes a float: the sides may be too small or too large for one."""
    if kind is Kind.IDENTITY:
        difference = abs(measured - bound)
        return float(as_float(np.array([ball(difference) / size if size > 0 else 0 * size], dtype=object))[0])
    unit = max(abs(ball(measured)).mid(), abs(ball(bound)).mid())
    if not unit > 0:
        return 0.0
    pair = as_float(np.array([ball(measured) / unit, ball(bound) / unit], dtype=object))
    return float(ratios(kind, Evaluation(pair[:1], pair[1:]))[0])


def _missed(kind: Kind, measured: Number, bound: Number, size: Number) -> float:
    """How far one entry lies beyond the statement, relative to its size."""
    beyond = abs(measured - bound) if kind is Kind.IDENTITY else bound - measured if kind is Kind.LOWER else measured - bound
    return float(as_float(np.array([ball(beyond) / size if size > 0 else 0 * size], dtype=object))[0])


def _law(claim: Claim, view: ExactProblem, neuron: int) -> Verdict:
    """A probability or an expectation over all rounding paths of one neuron, weighed exactly."""
    if view.N > EXACT_PATHS:
        return Verdict(Outcome.NOT_APPLICABLE, advice=f"N = {view.N}: all 2^N paths are replayed exactly up to N = {EXACT_PATHS}")
    rule = EveryPath(view.N)
    paths = ExactProblem(repeat_neuron(view.given, neuron, 2**view.N), rule)
    paths.__dict__["_settings"] = view._settings
    result = paths.result
    weights = _path_weights(paths, result, rule.up)
    if claim.kind is Kind.EXPECTATION:
        def mean() -> Evaluation:
            evaluation = claim(paths, result)
            measured, bound = np.broadcast_arrays(evaluation.measured, evaluation.bound)
            return Evaluation(np.asarray(measured, dtype=object) @ weights, bound[..., 0])

        return _decide(mean, replace(claim, kind=Kind.UPPER, about_neurons=False), np.ones(1, dtype=bool))
    return _failure_verdict(claim, paths, result, weights, view.failure_probability)


def _failure_verdict(claim: Claim, paths: ExactProblem, result: ExactResult, weights: np.ndarray, p: fmpq) -> Verdict:
    """Certain failures weigh more than p: violated; possible failures weigh at most p: holds; else undecided."""
    counted = np.flatnonzero(~np.any(result.saturated, axis=0))

    def weigh() -> tuple[list[fmpq], list[fmpq], np.ndarray]:
        """The weight of the paths that fail certainly, and possibly, of every row; the latter and p as floats."""
        evaluation = claim(paths, result)
        rows = list(zip(*np.broadcast_arrays(np.atleast_2d(evaluation.measured), np.atleast_2d(evaluation.bound)), strict=True))
        certain = [sum((weights[k] for k in counted if measured[k] > bound[k]), fmpq(0)) for measured, bound in rows]
        possible = [sum((weights[k] for k in counted if not measured[k] <= bound[k]), fmpq(0)) for measured, bound in rows]
        return certain, possible, as_float(np.array([*possible, p], dtype=object))

    certain, possible, floats = _at_growing_precision(weigh, lambda weighed: max(weighed[0]) > p or max(weighed[1]) <= p)
    outcome = Outcome.VIOLATED if max(certain) > p else Outcome.HOLDS if max(possible) <= p else Outcome.UNDECIDED
    failing, level, worst = floats[:-1], float(floats[-1]), float(floats[:-1].max())
    return Verdict(outcome, failing, np.array([level]), worst / level, level - worst, "all paths enumerated",
                   draws=len(weights), interval=(float(as_float(np.array([max(certain)], dtype=object))[0]), worst))


def _path_weights(paths: ExactProblem, result: ExactResult, up: np.ndarray) -> np.ndarray:
    """The probability (2^N,) of every path: up with the fractional part of z / step, down with the rest."""
    ratios = (result.rounding_errors + result.weights[paths.order]) / paths.steps
    weights = np.full(paths.K, fmpq(1), dtype=object)
    for t in range(paths.N):
        for k in range(paths.K):
            fraction = ratios[t, k] - fmpq(ratios[t, k].floor())
            weights[k] *= fraction if up[t, k] else 1 - fraction
    return weights
