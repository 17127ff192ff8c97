"""What an attack sees of a claim: the ratio of every neuron, what is noise of float64, and the best that was met."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ...algorithms import InvalidArgumentError
from ..check import check, unmet_hypotheses
from ..checking.claim import Claim, Kind
from ..checking.decision import reach
from ..checking.law import LAW_KINDS, law_verdict
from ..checking.problem import Problem
from ..checking.sampling import repeat_neuron
from ..checking.tolerance import EQUALITY, relative_allowance
from ..checking.verdict import Outcome, Verdict, ratios
from ..deterministic.optimum import optimum_decided
from ..exact import check_exact
from ..problems.built import NEURONS

ENOUGH = 0.9999  # a place where the search comes so near, and not past 1 in some more generations, is left
POPULATION = 256  # weights per run
SEARCHED_POPULATION = 32  # where every one of them costs the search for an exact optimum
MOST_NOISE = 8  # places where float64 sees a violation and exact arithmetic none, before the search ends


class Search:
    """What the attack sees: scores of candidates. Counts the runs and keeps the best candidate."""

    def __init__(self, claim: Claim, budget: int, progress: Callable[[float, float], object] | None):
        self.claim, self.given, self.progress = claim, budget, progress
        self.budget: float = budget
        self.runs = self.evaluations = 0
        self.best: Problem | None = None
        self.score = self.highest = -np.inf
        self.ceiling = ENOUGH if claim.kind is Kind.IDENTITY else 1 + EQUALITY
        self.each_alone = True
        self.noise: list[Problem] = []
        self.lost = False

    @property
    def in_population(self) -> bool:
        """Whether many weights can be tried at once, as the neurons of one problem."""
        return self.claim.construct is None and self.each_alone and self.claim.about_neurons and self.claim.kind not in LAW_KINDS

    @property
    def neurons(self) -> int:
        """Of every problem that is drawn."""
        return self.population if self.in_population else 1 if self.each_alone else NEURONS

    @property
    def population(self) -> int:
        """Weights that are tried in one run."""
        return SEARCHED_POPULATION if optimum_decided in self.claim.hypotheses else POPULATION

    @property
    def over(self) -> bool:
        """Whether the search ends: the budget is spent, the claim refuted, or float64 sees noise only."""
        return self.runs >= self.budget or self.score > self.ceiling or (self.lost and len(self.noise) >= MOST_NOISE)

    def scores(self, problem: Problem) -> np.ndarray:
        """The ratio of every neuron (K,); -inf where the claim does not apply or float64 cannot decide it."""
        found = self._run(problem)
        neuron = int(np.argmax(found))
        if found[neuron] > self.highest:
            self.highest = found[neuron]
            if self.in_population and problem.K > 1:
                self._keep_alone(repeat_neuron(problem, neuron, 1), found[neuron])
            else:
                self._keep(problem, found[neuron])
        if self.progress is not None:
            self.progress(min(1.0, self.runs / self.budget), self.score)
        return found

    def _run(self, problem: Problem) -> np.ndarray:
        self.runs += 1 + (problem.K // 4 if optimum_decided in self.claim.hypotheses else 0)
        self.evaluations += problem.K
        try:
            return neuron_ratios(self.claim, problem)
        except InvalidArgumentError:  # rank deficient, or codes beyond every integer
            return np.full(problem.K, -np.inf)

    def _keep_alone(self, problem: Problem, among_others: float) -> None:
        """The best neuron of a population as a problem of its own; a claim that then sees less is about several at once."""
        (ratio,) = self._run(problem)
        self._keep(problem, ratio)
        if ratio < (1 - EQUALITY) * among_others - EQUALITY:
            self.each_alone, self.highest = False, self.score

    def _keep(self, problem: Problem, ratio: float) -> None:
        if ratio > self.ceiling and is_noise(self.claim, problem):
            self.noise.append(problem)
            self.lost, self.highest = True, self.score
        elif ratio > self.score:
            self.best, self.score = problem, float(ratio)


def neuron_ratios(claim: Claim, problem: Problem) -> np.ndarray:
    """Measured/bound of every neuron (K,); -inf where the claim does not apply or float64 cannot decide it."""
    if claim.construct is not None:
        problem = claim.construct(problem)
    unfit = np.full(problem.K, -np.inf)
    applies, _ = unmet_hypotheses(claim, problem, problem.result)
    if not applies.any() or relative_allowance(*reach(problem)) > EQUALITY:
        return unfit
    if claim.kind in LAW_KINDS:
        return np.full(problem.K, law_verdict(claim, problem, draws=1).ratio)
    found = ratios(claim.kind, claim(problem, problem.result))
    worst = np.reshape(found, (-1, problem.K)).max(axis=0) if claim.about_neurons else np.full(problem.K, np.max(found))
    return np.where(applies & ~np.isnan(worst), worst, unfit)


def judged(claim: Claim, problem: Problem) -> Verdict:
    """A violation stands unless exact arithmetic says that float64 only saw its own rounding."""
    verdict = check(problem, [claim.id], draws=1)[claim.id]
    if verdict.outcome is not Outcome.VIOLATED or not is_noise(claim, problem):
        return verdict
    advice = "float64 sees a violation, and the claim holds in exact arithmetic: its formula loses precision here"
    return replace(verdict, outcome=Outcome.UNDECIDED, advice=advice, witness=None)


def is_noise(claim: Claim, problem: Problem) -> bool:
    """Whether exact arithmetic says that the claim holds; False for a formula that is not written for exact arithmetic."""
    try:
        return check_exact(problem, [claim.id]).verdicts[claim.id].outcome is Outcome.HOLDS
    except (TypeError, AttributeError, ValueError):
        return False
