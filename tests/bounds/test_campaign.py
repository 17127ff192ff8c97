"""The campaign: every claim on many drawn problems, the same summaries however the work is split."""

import numpy as np
import pytest
from joblib.externals.loky import get_reusable_executor
from provable_ptq.algorithms import Grid
from provable_ptq.algorithms.arguments import InvalidArgumentError
from provable_ptq.bounds import Evaluation, Kind, Outcome, Problem, Verdict, check, claims
from provable_ptq.bounds.campaign import MOST_ROUNDS, Summary, campaign, mended

EXAMPLES = 6


def run(ids=None, examples=EXAMPLES, seed=0, workers=1, **options):
    """Every (share done, summaries) of one campaign."""
    return list(campaign(ids, examples=examples, seed=seed, workers=workers, **options))


def facts(steps):
    """What a run ended with, in comparable form."""
    return {summary.claim.id: (summary.tried, summary.worst, dict(summary.outcomes)) for summary in steps[-1][1]}


@pytest.fixture(scope="module")
def steps():
    return run()


def test_every_claim_is_tried_on_as_many_problems_as_asked(steps):
    summaries = {summary.claim.id: summary for summary in steps[-1][1]}
    assert list(summaries) == list(claims())
    for name, summary in summaries.items():
        assert summary.tried >= min(EXAMPLES, claims()[name].examples or EXAMPLES)
        assert summary.tried == sum(count for outcome, count in summary.outcomes.items() if outcome is not Outcome.NOT_APPLICABLE)


def test_nothing_true_is_refuted(steps):
    for summary in steps[-1][1]:
        assert summary.outcome is Outcome.HOLDS
        assert summary.outcomes[Outcome.VIOLATED] == 0
        assert summary.witness is None
        sampled = summary.claim.kind is Kind.EXPECTATION and summary.outcomes[Outcome.UNDECIDED] > 0  # a mean of draws may pass 1
        assert 0 <= summary.worst <= 1 + 1e-9 or summary.claim.kind is Kind.PREDICTION or sampled


def test_progress_grows_to_one(steps):
    shares = [share for share, _ in steps]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert all(0 < share <= 1 for share in shares)


def test_the_same_seed_gives_the_same_summaries_and_another_seed_other_ones(steps):
    assert facts(run()) == facts(steps)
    other = facts(run(seed=1))
    assert {name for name in other if other[name] != facts(steps)[name]} >= {"optq-l2", "optq-linf", "sto-optq-l2", "qronos-l2"}


def test_two_workers_find_what_one_finds(steps):
    assert facts(run(workers=2)) == facts(steps)
    get_reusable_executor().shutdown(wait=True)


def test_a_claim_sees_the_same_problems_whatever_else_is_checked(steps):
    ids = ["optq-l2", "sto-optq-linf-rowwise"]
    assert facts(run(ids)) == {name: facts(steps)[name] for name in ids}


def test_one_id_is_enough_and_unknown_ids_are_refused():
    assert [summary.claim.id for summary in run(["optq-l2"], examples=2)[-1][1]] == ["optq-l2"]
    with pytest.raises(InvalidArgumentError, match="claim id = 'optq-l3'"):
        run(["optq-l3"])


def test_a_wrong_claim_is_refuted_and_its_witness_replays(plant):
    def evaluate(problem, result):
        right = claims()["optq-l2"](problem, result)
        return Evaluation(right.measured, right.bound / 3)

    name = plant("optq-l2", evaluate)
    *_, (_, (summary,)) = run([name], examples=20)
    assert summary.outcome is Outcome.VIOLATED
    assert summary.worst > 1
    assert check(summary.witness, [name])[name].outcome is Outcome.VIOLATED


def test_a_claim_that_seldom_applies_gets_more_problems_but_not_forever(plant):
    never = claims()["predicted-error"].hypotheses[1:2]  # at least 256 neurons, and drawn problems have three
    name = plant("optq-l2", lambda problem, result: claims()["optq-l2"](problem, result), hypotheses=never)
    *_, (share, (summary,)) = run([name], examples=5)
    assert share == 0
    assert summary.tried == 0
    assert summary.outcome is Outcome.NOT_APPLICABLE
    assert summary.outcomes[Outcome.NOT_APPLICABLE] == 5 * MOST_ROUNDS


@pytest.mark.parametrize(("outcomes", "expected"), [
    ({Outcome.HOLDS: 5, Outcome.VIOLATED: 1}, Outcome.VIOLATED), ({Outcome.HOLDS: 1, Outcome.UNDECIDED: 9}, Outcome.HOLDS),
    ({Outcome.UNDECIDED: 1, Outcome.NOT_APPLICABLE: 3}, Outcome.UNDECIDED), ({Outcome.NOT_APPLICABLE: 3}, Outcome.NOT_APPLICABLE),
])
def test_a_summary_counts_and_a_violation_outweighs_all(outcomes, expected):
    summary = Summary(claims()["optq-l2"])
    for outcome, count in outcomes.items():
        for _ in range(count):
            summary.add(Verdict(outcome, ratio=0.5))
    assert summary.outcome is expected
    assert summary.tried == sum(outcomes.values()) - outcomes.get(Outcome.NOT_APPLICABLE, 0)
    assert {outcome: count for outcome, count in summary.outcomes.items() if count} == outcomes


@pytest.mark.parametrize(("claim_id", "exact", "outcomes", "partial", "word", "words"), [
    ("optq-l2", False, {Outcome.HOLDS: 500}, 0, "not refuted", "not refuted on 500 drawn problems"),
    ("optq-l2", True, {Outcome.HOLDS: 50}, 0, "holds", "holds on 50 drawn problems"),
    ("optq-l2", True, {Outcome.HOLDS: 48, Outcome.UNDECIDED: 2}, 0, "holds", "holds on 48 drawn problems, undecided on 2"),
    ("optq-l2", False, {Outcome.HOLDS: 7, Outcome.NOT_APPLICABLE: 3}, 2, "not refuted",
     "not refuted on 7 drawn problems, not applicable to 3, on 2 for some of their neurons only"),
    ("optq-l2", False, {Outcome.VIOLATED: 2, Outcome.HOLDS: 6}, 0, "violated", "violated on 2 of 8 drawn problems, not refuted on 6"),
    ("optq-l2", False, {Outcome.UNDECIDED: 4}, 0, "undecided", "undecided on 4 drawn problems"),
    ("optq-l2", False, {}, 0, "not applicable", "not tried"),
    ("predicted-error", False, {Outcome.HOLDS: 19, Outcome.UNDECIDED: 1}, 0, "within a factor 2",
     "within a factor 2 on 19 drawn problems, further off on 1"),
    ("adversarial-growth", False, {Outcome.HOLDS: 50}, 0, "not refuted", "not refuted on 50 constructions of its own"),
])  # fmt: skip
def test_a_summary_says_what_was_tried_and_nothing_more(claim_id, exact, outcomes, partial, word, words):
    summary = Summary(claims()[claim_id], exact)
    for outcome, count in outcomes.items():
        for number in range(count):
            part = {"covered": 1, "neurons": 2} if outcome is Outcome.HOLDS and number < partial else {}
            summary.add(Verdict(outcome, ratio=0.5, **part))
    assert (summary.word, summary.words) == (word, words)


def test_problems_that_are_covered_in_part_are_counted(steps):
    """Where some neurons saturate, claims without saturation are about the others only."""
    partial = {summary.claim.id: summary.partial for summary in run(["optq-l2", "pivot-bound"], examples=100)[-1][1]}
    assert 0 < partial["optq-l2"] < 100
    assert partial["pivot-bound"] == 0


def test_a_summary_keeps_the_first_witness_and_the_worst_ratio():
    summary = Summary(claims()["optq-l2"])
    first, second = (Problem(np.eye(1), np.ones((1, 1)), Grid(1.0)) for _ in range(2))
    for witness, ratio in ((None, 0.9), (first, 3.0), (second, 2.0), (None, float("nan"))):
        summary.add(Verdict(Outcome.VIOLATED, ratio=ratio, witness=witness))
    assert summary.witness is first
    assert summary.worst == 3.0


@pytest.mark.parametrize("name", [name for name, made in claims().items() if made.kind is not Kind.PREDICTION])
def test_a_problem_is_mended_until_the_claim_applies(name):
    """Finite coarse grid, dead features, steps per feature, many features, no damping: every hypothesis is missed at once."""
    made = claims()[name]
    rng = np.random.default_rng(0)
    X = rng.standard_normal((80, 70))
    X[:, 3] = 0
    grid = Grid(np.linspace(0.1, 0.2, 70)[:, None], low=-1, high=1)
    problem = Problem(X, rng.standard_normal((70, 2)), grid, algorithm=made.algorithms[0], rounding=made.rounding or "nearest",
                      X_quantized=1.01 * X, X_validation=X)
    if not any("X_quantized" in hypothesis.repair for hypothesis in made.hypotheses):
        problem = problem.but(X_quantized=None)
    fixed = mended(made, problem)
    verdict = check(fixed, [name], draws=200)[name]
    beyond_mending = [hypothesis.name for hypothesis in made.hypotheses if hypothesis.mend is None]
    if verdict.outcome is Outcome.NOT_APPLICABLE:
        assert any(f"hypothesis '{missed}' fails" in verdict.advice for missed in beyond_mending)
    else:
        assert verdict.outcome in (Outcome.HOLDS, Outcome.UNDECIDED)
