"""Float verdicts held against exact ones on extreme problems: neither may call violated what holds, nor the other way round."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import joblib
import numpy as np
from threadpoolctl import threadpool_limits

from ...algorithms.arguments import InvalidArgumentError
from ..check import check
from ..checking.claim import Claim, Kind
from ..checking.law import LAW_KINDS
from ..checking.problem import Problem
from ..checking.registry import select
from ..checking.tolerance import EQUALITY, VISIBLE
from ..checking.units import in_units
from ..checking.verdict import Outcome, Verdict
from ..problems.extreme import FAULTS, extreme_problem
from .decisions import check_exact, same_codes
from .problem import ExactProblem
from .replay import ExactResult

BATCH = 50  # problems per parallel task
PLANTED = 0.4  # share of problems whose result is made wrong


@dataclass
class Agreement:
    """What float64 and exact arithmetic said of one claim on extreme problems.

    Attributes:
        outcomes: how many problems float64 and exact arithmetic decided in which way; "refused" where one refused the problem.
        disagreements: (problem number, fault or "", float outcome, exact outcome) of every wrong verdict.
    """

    claim: Claim
    outcomes: dict[tuple[str, str], int] = field(default_factory=dict)
    disagreements: list[tuple[int, str, str, str]] = field(default_factory=list)

    def add(self, number: int, fault: str, floating: str, exact: str, wrong: bool) -> None:
        """Count one problem."""
        self.outcomes[floating, exact] = self.outcomes.get((floating, exact), 0) + 1
        if wrong:
            self.disagreements.append((number, fault, floating, exact))

    def count(self, floating: str | None = None, exact: str | None = None) -> int:
        """Problems with these outcomes; None: any."""
        return sum(n for (a, b), n in self.outcomes.items() if floating in (None, a) and exact in (None, b))


def comparable(claim: Claim) -> bool:
    """Whether exact arithmetic says anything of the claim on a problem that is drawn."""
    return claim.kind is not Kind.PREDICTION and not claim.fixed


def compare(examples: int, seed: int = 0, ids: Iterable[str] | None = None, workers: int = 1) -> Iterator[tuple[float, list[Agreement]]]:
    """Hold float verdicts against exact ones on `examples` extreme problems, claims in rotation; yields (share done, agreements).

    Every problem depends on (seed, its number) alone.
    """
    chosen = [claim for claim in select(ids) if comparable(claim)]
    found = {claim.id: Agreement(claim) for claim in chosen}
    names = [claim.id for claim in chosen]
    tasks: Iterator[list[tuple]] = joblib.Parallel(n_jobs=workers, return_as="generator")(  # pyright: ignore[reportAssignmentType]
        joblib.delayed(_batch)(names, seed, range(start, min(start + BATCH, examples))) for start in range(0, examples, BATCH))
    done = 0
    for batch in tasks:
        for name, *row in batch:
            found[name].add(*row)
        done += len(batch)
        yield done / examples, list(found.values())


def _batch(names: list[str], seed: int, numbers: range) -> list[tuple]:
    with threadpool_limits(limits=1):
        chosen = select(names)
        return [held_against(chosen[number % len(chosen)], seed, number) for number in numbers]


def held_against(claim: Claim, seed: int, number: int) -> tuple[str, int, str, str, str, bool]:
    """Both outcomes of one claim on the extreme problem of this number, and whether they contradict each other."""
    rng = np.random.default_rng([seed, number])
    problem = extreme_problem(claim, rng)
    plantable = claim.kind not in LAW_KINDS and claim.about_neurons and claim.construct is None
    fault = str(rng.choice(list(FAULTS))) if plantable and rng.random() < PLANTED and _same_codes(problem) else ""
    floating, exact = _floating(claim, problem, fault), _exact(claim, problem, fault)
    return claim.id, number, fault, _word(floating), _word(exact), contradict(claim, floating, exact)


def contradict(claim: Claim, floating: Verdict | None, exact: Verdict | None) -> bool:
    """Violated against holds, either way; what is violated by less than float64 is asked to see contradicts nothing."""
    if floating is None or exact is None:
        return False
    if floating.outcome is Outcome.VIOLATED:
        return exact.outcome is Outcome.HOLDS
    visible = exact.margin < -(VISIBLE if claim.kind is Kind.IDENTITY else EQUALITY)
    return floating.outcome is Outcome.HOLDS and exact.outcome is Outcome.VIOLATED and visible


def _same_codes(problem: Problem) -> bool:
    """Whether both arithmetics make the same integers: a fault is planted on one result, not on the two sides of a near tie."""
    try:
        return bool(same_codes(problem, ExactProblem(problem).result).all())
    except InvalidArgumentError:  # refused by exact arithmetic
        return False


def _floating(claim: Claim, problem: Problem, fault: str) -> Verdict | None:
    """None where float64 refuses the problem, or cannot hold the wrong result in the units that the problem came in."""
    try:
        if not fault:
            return check(problem, [claim.id], draws=1)[claim.id]
        units, measured = in_units(problem)
        wrong = units.in_given(FAULTS[fault](measured, measured.result))
        return check(problem, [claim.id], algorithm=lambda _: wrong)[claim.id] if np.isfinite(wrong.weights).all() else None
    except InvalidArgumentError:
        return None


def _exact(claim: Claim, problem: Problem, fault: str) -> Verdict | None:
    def wrong(view: ExactProblem) -> ExactResult:
        return FAULTS[fault](view, view.result)

    try:
        return check_exact(problem, [claim.id], wrong if fault else None).verdicts[claim.id]
    except InvalidArgumentError:
        return None


def _word(verdict: Verdict | None) -> str:
    return "refused" if verdict is None else str(verdict.outcome)
