"""Check the whole registry on drawn problems: one summary per claim."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import joblib
import numpy as np
from threadpoolctl import threadpool_limits

from ..algorithms.arguments import as_count, as_workers, reject
from ..algorithms.qronos import FORMS
from ..algorithms.rounding import ROUNDINGS
from .check import check
from .checking.claim import Claim, Kind
from .checking.containment import contained
from .checking.hypotheses import mismatched_inputs
from .checking.law import LAW_KINDS
from .checking.loading import load_claims
from .checking.problem import Problem
from .checking.registry import select
from .checking.verdict import CONFIDENCE, Outcome, Verdict
from .exact import check_exact
from .problems.drawn import LARGEST, draw_problem

DRAWS = 8192  # per stochastic claim and problem above 12 features, fixed beforehand
MOST_ROUNDS = 4  # of drawing `examples` problems
MOST_EXAMPLES = 10**7
BATCH = 10  # problems per parallel task
EXACT_LARGEST = 6  # features of exactly replayed problems


class Replayed(NamedTuple):
    """What was replayed exactly, and what it says of the float64 run: neurons, those with the same integers, smallest distance to a tie."""

    problem: Problem
    neurons: int
    same_codes: int
    closest_tie: float


@dataclass
class Summary:
    """What became of one claim over all drawn problems.

    Attributes:
        exact: whether exact arithmetic decided.
        tried: problems to which the claim applied; `outcomes` counts their outcomes.
        partial: of those, how many it applied to for some of their neurons only.
        neurons, same_codes, closest_tie: of exact replays: neurons replayed, how many of them float64 rounded to the same
            integers, and the smallest distance to a rounding tie, in steps.
        closest, closest_ratio: of exact replays: the first decided problem of the largest ratio, and that ratio.
        worst: the largest ratio met (see `Verdict.ratio`).
        witness: the first problem that violates the claim.
    """

    claim: Claim
    exact: bool = False
    tried: int = 0
    partial: int = 0
    worst: float = 0.0
    outcomes: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))
    witness: Problem | None = None
    neurons: int = 0
    same_codes: int = 0
    closest_tie: float = float("inf")
    closest: Problem | None = None
    closest_ratio: float = float("-inf")

    @property
    def outcome(self) -> Outcome:
        """The gravest outcome on one problem: a violation outweighs all. What that says of the claim: `word`, `words`."""
        for outcome in (Outcome.VIOLATED, Outcome.HOLDS, Outcome.UNDECIDED):
            if self.outcomes[outcome]:
                return outcome
        return Outcome.NOT_APPLICABLE

    @property
    def word(self) -> str:
        """What may be said of the claim in a word: problems that were tried refute a claim, or they do not."""
        return self._said(self.outcome)

    @property
    def words(self) -> str:
        """The same with numbers: on how many problems, and what became of the others.

        >>> Summary(claims()["optq-l2"], tried=500, partial=7, outcomes={**dict.fromkeys(Outcome, 0), Outcome.HOLDS: 500}).words
        'not refuted on 500 drawn problems, on 7 for some of their neurons only'
        """
        gravest_first = (Outcome.VIOLATED, Outcome.HOLDS, Outcome.UNDECIDED, Outcome.NOT_APPLICABLE)
        found = [outcome for outcome in gravest_first if self.outcomes[outcome]]
        if not found:
            return "not tried"
        first, *others = (f"{self._said(outcome)} {'to' if outcome is Outcome.NOT_APPLICABLE else 'on'} {self.outcomes[outcome]}"
                          for outcome in found)
        if found[0] is Outcome.VIOLATED:
            first += f" of {self.tried}"
        one = (self.tried if found[0] is Outcome.VIOLATED else self.outcomes[found[0]]) == 1
        of = f"construction{'' if one else 's'} of its own" if self.claim.fixed else f"drawn problem{'' if one else 's'}"
        last = [f"on {self.partial} for some of their neurons only"] if self.partial else []
        return ", ".join([f"{first} {of}", *others, *last])

    def _said(self, outcome: Outcome) -> str:
        if self.claim.kind is Kind.PREDICTION and outcome in (Outcome.HOLDS, Outcome.UNDECIDED):
            return "within a factor 2" if outcome is Outcome.HOLDS else "further off"
        return "not refuted" if outcome is Outcome.HOLDS and not self.exact else str(outcome)

    def add(self, verdict: Verdict, replayed: Replayed | None = None) -> None:
        """Count one verdict, and its exact replay where there was one."""
        self.outcomes[verdict.outcome] += 1
        if replayed is not None:
            self.neurons += replayed.neurons
            self.same_codes += replayed.same_codes
            self.closest_tie = min(self.closest_tie, replayed.closest_tie)
            if verdict.outcome in (Outcome.HOLDS, Outcome.VIOLATED) and verdict.ratio > self.closest_ratio:
                self.closest, self.closest_ratio = replayed.problem, verdict.ratio
        if verdict.outcome is Outcome.NOT_APPLICABLE:
            return
        self.tried += 1
        self.partial += verdict.partial
        self.worst = max(self.worst, verdict.ratio)
        if self.witness is None:
            self.witness = verdict.witness


def campaign(ids: Iterable[str] | None = None, examples: int = 500, seed: int = 0, workers: int = -1,
             claims_file: str | None = None, exact: bool = False) -> Iterator[tuple[float, list[Summary]]]:
    """Check every claim on at least `examples` problems to which it applies; yields (share done, summaries) after each batch.

    One drawn problem serves all claims (two, with and without deployed inputs of its own, where claims differ in that); a claim
    whose hypotheses it misses gets it mended where that is easily done. Claims that
    still came short get more problems. Every draw depends on (seed, its number) alone. Intervals are at a simultaneous 99% level
    over all tests of the run, so a run with true claims reports a violation with probability at most 1%. `exact` replays smaller
    problems in rational and ball arithmetic instead, with no tolerance and no false alarm.
    """
    if claims_file is not None and not isinstance(claims_file, (str, Path)):
        raise reject("claims_file", claims_file, "None or a Python file that registers claims")
    examples, seed, workers = as_count("examples", examples, 1, MOST_EXAMPLES), as_count("seed", seed, 0), as_workers("workers", workers)
    chosen = select(ids)
    if not chosen:
        raise reject("claim ids", ids, "None or at least one claim id")
    summaries = {made.id: Summary(made, exact) for made in chosen}
    tests = MOST_ROUNDS * examples * max(1, sum(made.kind in LAW_KINDS for made in chosen))
    confidence = 1 - (1 - CONFIDENCE) / tests
    for turn in range(MOST_ROUNDS):
        short = [made.id for made in chosen if turn == 0 or (made.examples is None and summaries[made.id].tried < examples)]
        starts = range(turn * examples, (turn + 1) * examples, BATCH) if short else ()
        batches: Iterator[list[Checked]] = joblib.Parallel(n_jobs=workers, return_as="generator")(  # pyright: ignore[reportAssignmentType]
            joblib.delayed(_batch)(short, seed, range(start, min(start + BATCH, (turn + 1) * examples)), confidence, claims_file, exact)
            for start in starts
        )
        for verdicts in batches:
            for name, verdict, replayed in verdicts:
                if turn == 0 or summaries[name].tried < examples:
                    summaries[name].add(verdict, replayed)
            needed = [min(summary.claim.examples or examples, examples) for summary in summaries.values()]
            done = sum(min(summary.tried, need) for summary, need in zip(summaries.values(), needed, strict=True))
            yield done / sum(needed), list(summaries.values())


Checked = tuple[str, Verdict, Replayed | None]


def _batch(ids: list[str], seed: int, numbers: range, confidence: float, claims_file: str | None, exact: bool) -> list[Checked]:
    with threadpool_limits(limits=1), contained():
        if claims_file:
            load_claims(claims_file)
        return [pair for number in numbers for pair in _verdicts(select(ids), seed, number, confidence, exact)]


def _verdicts(chosen: list[Claim], seed: int, number: int, confidence: float, exact: bool) -> Iterator[Checked]:
    """The verdicts of one drawn problem, run in every way that some claim is about."""
    largest = EXACT_LARGEST if exact else LARGEST
    drawn: dict[bool, Problem] = {}
    ways: dict[tuple[str, str, str, bool], Problem] = {}
    for made in chosen:
        if (made.examples is not None and number >= made.examples) or (exact and made.kind is Kind.PREDICTION):
            continue
        algorithm, rounding = made.algorithms[number % len(made.algorithms)], made.rounding or ROUNDINGS[number % 2]
        if algorithm == "round-to-nearest":
            rounding = ROUNDINGS[0]
        if made.draw is not None:
            problem = made.draw(np.random.default_rng([seed, number])).but(rounding=rounding)
        else:
            mismatched = mismatched_inputs in made.hypotheses or number % 3 == 0
            if mismatched not in drawn:
                drawn[mismatched] = draw_problem(np.random.default_rng([seed, number]), largest, mismatched=mismatched)
            way = (algorithm, FORMS[number // 2 % 2], rounding, mismatched)
            if way not in ways:
                ways[way] = drawn[mismatched].but(algorithm=way[0], form=way[1], rounding=way[2])
            problem = mended(made, ways[way])
        if exact:
            report = check_exact(problem, [made.id])
            same, tie = int(report.same_codes.sum()), float(report.tie_distances.min())
            yield made.id, report.verdicts[made.id], Replayed(problem, problem.K, same, tie)
        else:
            yield made.id, check(problem, [made.id], confidence=confidence, draws=DRAWS)[made.id], None


def mended(made: Claim, problem: Problem) -> Problem:
    """The problem itself where it meets the claim's hypotheses, else one changed to meet those that can be mended."""
    for hypothesis in made.hypotheses:
        if hypothesis.mend is not None and made.construct is None and not np.any(hypothesis.test(problem, problem.result)):
            key = f"mended: {hypothesis.name}"
            problem = problem.remember(key, None, lambda mend=hypothesis.mend, given=problem: mend(given))
    return problem
