"""Which problems a campaign tries a claim on, and what it keeps of exact replays."""

from collections import Counter
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
from provable_ptq.algorithms import Grid
from provable_ptq.bounds import Evaluation, Outcome, Problem, Verdict, claims
from provable_ptq.bounds.campaign import Replayed, Summary, campaign
from provable_ptq.bounds.exact import check_exact

EXAMPLES = 24


def seen(plant, like, examples=EXAMPLES, **changes):
    """The problems that a campaign shows to a claim like the one with this id."""
    problems = []

    def evaluate(problem, result):
        problems.append(problem)
        return Evaluation(np.zeros(problem.K), np.ones(problem.K))

    list(campaign([plant(like, evaluate, hypotheses=changes.pop("hypotheses", ()), **changes)], examples=examples, workers=1))
    assert len(problems) == examples
    return problems


def test_a_third_of_the_problems_have_deployed_inputs_of_their_own(plant):
    """Claims that do not ask for them are tried with and without; claims about them never without."""
    mismatched = [problem.X_quantized is not None for problem in seen(plant, "optq-l2")]
    assert sum(mismatched) == EXAMPLES / 3
    about_them = claims()["optq-mismatch"].hypotheses[:1]
    assert about_them[0].name == "the layer's deployed inputs are given"
    assert all(problem.X_quantized is not None for problem in seen(plant, "optq-mismatch", hypotheses=about_them))


def test_every_algorithm_rounding_and_form_of_a_claim_is_tried(plant):
    floors = seen(plant, "optimum-floor")
    assert Counter(problem.algorithm for problem in floors) == dict.fromkeys(claims()["optimum-floor"].algorithms, EXAMPLES // 4)
    assert all(problem.rounding == "nearest" for problem in floors if problem.algorithm == "round-to-nearest")
    assert {problem.rounding for problem in floors if problem.algorithm != "round-to-nearest"} == {"nearest", "stochastic"}
    ways = Counter((problem.form, problem.rounding) for problem in seen(plant, "qronos-equivalence"))
    assert ways == {(form, rounding): EXAMPLES // 4 for form in ("alternating", "projected") for rounding in ("nearest", "stochastic")}
    assert {problem.rounding for problem in seen(plant, "optq-l2")} == {"nearest"}
    assert {problem.rounding for problem in seen(plant, "optq-identity")} == {"nearest", "stochastic"}


def test_claims_see_the_same_draws(plant):
    """One drawn problem serves them all: the same inputs and weights, whatever is done with them."""
    both = zip(seen(plant, "optq-l2"), seen(plant, "qronos-equivalence"), strict=True)
    shared = [np.array_equal(one.W, other.W) and np.array_equal(one.X, other.X) for one, other in both]
    assert all(shared)
    assert len({problem.X.shape for problem in seen(plant, "optq-l2")}) > EXAMPLES / 3


def replay(tie, neurons=2, same=1):
    problem = Problem(np.eye(1), np.full((1, neurons), 0.3), Grid(1.0))
    return Replayed(problem, neurons, same, tie)


def test_exact_replays_are_added_up():
    summary = Summary(claims()["optq-l2"], exact=True)
    replays = [replay(0.2), replay(0.05, same=2), replay(0.4), replay(0.1, neurons=5, same=5)]
    ends = [(Outcome.HOLDS, 0.5), (Outcome.HOLDS, 0.7), (Outcome.HOLDS, 0.7), (Outcome.NOT_APPLICABLE, float("nan"))]
    for (outcome, ratio), replayed in zip(ends, replays, strict=True):
        summary.add(Verdict(outcome, ratio=ratio), replayed)
    assert (summary.neurons, summary.same_codes, summary.closest_tie, summary.tried) == (11, 9, 0.05, 3)
    assert summary.closest is replays[1].problem, "the first of the largest ratio"


@pytest.mark.parametrize("outcome", [Outcome.UNDECIDED, Outcome.NOT_APPLICABLE])
def test_what_was_not_decided_comes_closest_to_nothing(outcome):
    summary = Summary(claims()["optq-l2"], exact=True)
    summary.add(Verdict(outcome, ratio=0.9), replay(0.2))
    assert summary.closest is None
    decided = replay(0.3)
    summary.add(Verdict(Outcome.VIOLATED, ratio=1.5), decided)
    assert summary.closest is decided.problem


@pytest.mark.parametrize("undecided", [0.75, 1.0, float("inf"), float("nan")])
def test_an_undecided_problem_hides_no_decided_one(undecided):
    """The closest approach is the first decided problem of the largest ratio, whatever was left undecided between two of them."""
    summary = Summary(claims()["optq-l2"], exact=True)
    first, second, same, last = replay(0.3), replay(0.2), replay(0.1), replay(0.4)
    summary.add(Verdict(Outcome.HOLDS, ratio=0.5), first)
    summary.add(Verdict(Outcome.UNDECIDED, ratio=undecided), replay(0.0))
    summary.add(Verdict(Outcome.HOLDS, ratio=0.6), second)
    summary.add(Verdict(Outcome.HOLDS, ratio=0.6), same)
    summary.add(Verdict(Outcome.HOLDS, ratio=0.4), last)
    assert summary.closest is second.problem


def test_the_closest_tie_of_a_campaign_is_that_of_its_problems():
    """Replayed once more, the closest approach has the ratio that the summary names and no tie closer than the campaign's."""
    *_, (_, (summary,)) = campaign(["optq-l2"], examples=8, exact=True, workers=1)
    report = check_exact(summary.closest, ["optq-l2"])
    assert report.verdicts["optq-l2"].ratio == summary.worst
    assert 0 <= summary.closest_tie <= float(report.tie_distances.min())
    assert summary.closest_tie < 0.5
    assert summary.closest.N <= 6, "exact replays are of small problems"
    assert 0 < summary.same_codes <= summary.neurons


@pytest.mark.parametrize("ratios", [(1e-15,), (1e-15, 3e-13), (3e-3, 1e-15), (0.0,)])
def test_the_worst_ratio_is_one_that_was_met(ratios):
    """Residuals of identities are tiny: a campaign that never met more than 3e-13 says so."""
    summary = Summary(claims()["optq-identity"])
    assert summary.worst == 0
    for ratio in ratios:
        summary.add(Verdict(Outcome.HOLDS, ratio=ratio))
    assert summary.worst == max(ratios)


@pytest.mark.parametrize(("claim_id", "outcomes", "words"), [
    ("optq-l2", {Outcome.HOLDS: 1}, "not refuted on 1 drawn problem"),
    ("optq-l2", {Outcome.HOLDS: 1, Outcome.UNDECIDED: 1}, "not refuted on 1 drawn problem, undecided on 1"),
    ("optq-l2", {Outcome.HOLDS: 1, Outcome.UNDECIDED: 3}, "not refuted on 1 drawn problem, undecided on 3"),
    ("optq-l2", {Outcome.HOLDS: 2, Outcome.UNDECIDED: 1}, "not refuted on 2 drawn problems, undecided on 1"),
    ("optq-l2", {Outcome.UNDECIDED: 1, Outcome.NOT_APPLICABLE: 2}, "undecided on 1 drawn problem, not applicable to 2"),
    ("optq-l2", {Outcome.VIOLATED: 1, Outcome.HOLDS: 1}, "violated on 1 of 2 drawn problems, not refuted on 1"),
    ("optq-l2", {Outcome.HOLDS: 1, Outcome.NOT_APPLICABLE: 1}, "not refuted on 1 drawn problem, not applicable to 1"),
    ("optq-l2", {Outcome.VIOLATED: 1}, "violated on 1 of 1 drawn problem"),
    ("optq-l2", {Outcome.NOT_APPLICABLE: 1}, "not applicable to 1 drawn problem"),
    ("optq-l2", {Outcome.NOT_APPLICABLE: 3}, "not applicable to 3 drawn problems"),
    ("adversarial-growth", {Outcome.HOLDS: 1}, "not refuted on 1 construction of its own"),
])
def test_one_problem_is_one_problem(claim_id, outcomes, words):
    summary = Summary(claims()[claim_id])
    for outcome, count in outcomes.items():
        for _ in range(count):
            summary.add(Verdict(outcome, ratio=0.5))
    assert summary.words == words


@pytest.mark.parametrize(("ids", "laws"), [(["sto-optq-linf"], 1), (["sto-optq-linf", "sto-optq-l2", "optq-l2"], 2), (["optq-l2"], 1)])
def test_all_tests_of_a_run_share_one_percent(ids, laws, monkeypatch):
    """Every law claim is tested once on each problem that may be drawn, in all rounds: their levels add up to 1%."""
    module, levels = import_module("provable_ptq.bounds.campaign"), []

    def recording(problem, ids, confidence, draws):
        levels.append(1 - confidence)
        return {name: Verdict(Outcome.HOLDS, ratio=0.5) for name in ids}

    monkeypatch.setattr(module, "check", recording)
    list(campaign(ids, examples=5, workers=1))
    assert len(levels) == 5 * len(ids)
    assert np.array(levels) * module.MOST_ROUNDS * 5 * laws == pytest.approx(0.01)


def test_a_claim_that_came_short_gets_as_many_problems_as_it_lacks(plant):
    """It applies to about two thirds of the problems: more are drawn, enough for a third too many, and no more are counted."""
    asked = claims()["predicted-error"].hypotheses[1]
    some = replace(asked, name="3 does not divide N", test=lambda problem, result: problem.N % 3 > 0, mend=None)
    name = plant("optq-l2", lambda problem, result: Evaluation(np.zeros(problem.K), np.ones(problem.K)), hypotheses=(some,))
    *_, (share, (summary,)) = campaign([name], examples=EXAMPLES, workers=1)
    assert share == 1
    assert summary.tried == EXAMPLES
    assert EXAMPLES < summary.tried + summary.outcomes[Outcome.NOT_APPLICABLE] < 2 * EXAMPLES, "it stopped within the second round"
