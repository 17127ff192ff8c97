"""Statements that are true in one regime and false in another: a search that never leaves the first would believe them.

Each is a shipped theorem in which somebody forgot a case. It is planted as a claim of its own; the drawn problems of `check`
and the attack must find the forgotten case, without being told where it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from provable_ptq.bounds import Evaluation, Outcome, check, claims
from provable_ptq.bounds.attack import attack
from provable_ptq.bounds.campaign import campaign
from provable_ptq.bounds.checking.arithmetic import absolute
from provable_ptq.bounds.checking.hypotheses import infinite_alphabet
from provable_ptq.bounds.checking.measure import damped_error_squared, own_errors, pivot_sum, squares


@dataclass(frozen=True)
class Statement:
    """A statement that is false in one regime only: how it evaluates, and whether a problem belongs to that regime."""

    evaluate: Callable
    false_where: Callable
    changes: dict


STATEMENTS: dict[str, Statement] = {}


def false_where(regime, **changes):
    """Collect the decorated evaluation, with the regime (problem -> bool) outside of which it is true."""

    def collect(evaluate):
        STATEMENTS[evaluate.__name__] = Statement(evaluate, regime, changes)
        return evaluate

    return collect


# --- a constant that is 5 % too small, in one regime ----------------------------------------------------------------


def five_percent(name, regime, **changes):
    """Claim optq-l2 with a constant 5 % too small where the regime is."""

    def evaluate(problem, result):
        return Evaluation(damped_error_squared(problem, result), pivot_sum(problem) / 4 * (0.95 if regime(problem) else 1))

    evaluate.__name__ = name
    return false_where(regime, **changes)(evaluate)


def per_feature(problem):
    return bool((problem.steps != problem.steps[:1]).any())


def dead(problem):
    return not problem.calibration.any(axis=0).all()


def mean_diagonal(problem):
    return squares(problem.calibration).sum() / problem.N


five_percent("constant_for_fewer_samples_than_features", lambda problem: problem.m < problem.N)
five_percent("constant_for_as_many_samples_as_features", lambda problem: problem.m == problem.N)
five_percent("constant_for_more_samples_than_features", lambda problem: problem.m > problem.N)
five_percent("constant_for_up_to_four_features", lambda problem: problem.N <= 4)
five_percent("constant_for_more_than_eight_features", lambda problem: problem.N > 8)
five_percent("constant_without_damping", lambda problem: problem.factorization.damping == 0)
five_percent("constant_with_damping", lambda problem: problem.factorization.damping > 0)
five_percent("constant_at_large_damping", lambda problem: problem.factorization.damping > 10 * mean_diagonal(problem))
five_percent("constant_for_one_neuron", lambda problem: problem.K == 1)
five_percent("constant_for_steps_per_feature", per_feature)
five_percent("constant_with_dead_features", dead)
five_percent("constant_on_finite_alphabets", lambda problem: problem.grid.finite)
five_percent("constant_in_orders_given_as_permutations", lambda problem: not isinstance(problem.ordering, str))


# --- what somebody might believe ------------------------------------------------------------------------------------


@false_where(lambda problem: problem.N > 4)
def four_times_the_largest_pivot(problem, result):
    """A sum of pivots is at most four times the largest: for up to four features."""
    largest = (problem.factorization.pivots_squared[:, None] * problem.steps**2).max(axis=0)
    return Evaluation(damped_error_squared(problem, result), largest)


@false_where(lambda problem: problem.factorization.damping > 0)
def mean_square_taken_for_the_worst_case(problem, result):
    """The undamped bound in expectation, taken for one of every run: without damping it is one."""
    f = problem.factorization
    kept = f.pivots_squared - f.damping * squares(f.M)
    return Evaluation(squares(own_errors(problem, result)), kept @ problem.steps**2 / 4)


@false_where(lambda problem: problem.factorization.damping > mean_diagonal(problem))
def damping_counted_up_to_the_mean_diagonal(problem, result):
    """The trace in place of the pivots, with no more damping than GPTQ would ever use."""
    damping = min(problem.factorization.damping, mean_diagonal(problem))
    norms = squares(problem.calibration)[problem.order] + damping
    return Evaluation(damped_error_squared(problem, result), norms @ problem.steps**2 / 4)


@false_where(lambda problem: problem.K > 1)
def the_bound_of_one_neuron_for_all_together(problem, result):
    """The squared error of the whole layer, against the largest bound of one neuron."""
    measured, bound = damped_error_squared(problem, result), pivot_sum(problem) / 4
    return Evaluation(measured.sum() + 0 * measured, bound.max() + 0 * bound)


@false_where(per_feature)
def the_first_step_for_all_features(problem, result):
    """Steps per feature ignored."""
    return Evaluation(damped_error_squared(problem, result), problem.factorization.pivots_squared.sum() * problem.steps[0] ** 2 / 4)


@false_where(dead, hypotheses=(infinite_alphabet,))
def weights_move_by_the_errors_of_live_features(problem, result):
    """|w - q| from the rounding errors of live features: a dead feature rounds too."""
    M, live = problem.factorization.M, problem.calibration.any(axis=0)[problem.order]
    moved = absolute(problem.W - result.weights)[problem.order]
    return Evaluation(moved, (absolute(M) * live) @ problem.steps / 2)


@false_where(lambda problem: problem.grid.finite, hypotheses=())
def clipping_taken_for_rounding(problem, result):
    """The bound of the infinite alphabet, with the hypothesis about saturation forgotten."""
    return claims()["optq-l2"](problem, result)


@false_where(lambda problem: problem.m < problem.N)
def as_many_terms_as_samples(problem, result):
    """The largest pivot, once per sample: enough while there are as many samples as features."""
    largest = (problem.factorization.pivots_squared[:, None] * problem.steps**2).max(axis=0)
    return Evaluation(damped_error_squared(problem, result), problem.m * largest / 4)


@false_where(lambda problem: problem.m > problem.N, hypotheses=())
def norms_compared_in_the_wrong_dimension(problem, result):
    """The square of the 2-norm is at most N times that of the largest entry: of vectors in R^N, not in R^m."""
    errors = own_errors(problem, result)
    return Evaluation(squares(errors), problem.N * absolute(errors).max(axis=0) ** 2)


# --- the tests ------------------------------------------------------------------------------------------------------

ATTACKED = (
    "constant_for_fewer_samples_than_features", "constant_for_one_neuron", "constant_for_steps_per_feature", "constant_with_dead_features",
    "constant_on_finite_alphabets", "constant_at_large_damping", "constant_without_damping", "the_bound_of_one_neuron_for_all_together",
    "damping_counted_up_to_the_mean_diagonal", "the_first_step_for_all_features", "weights_move_by_the_errors_of_live_features",
    "clipping_taken_for_rounding",
)


@pytest.fixture
def planted(plant):
    """Plants a statement as a claim like optq-l2; returns its id."""

    def make(name):
        return plant("optq-l2", STATEMENTS[name].evaluate, id=f"planted: {name}", **STATEMENTS[name].changes)

    return make


def refutes(name, claim_id, witness):
    """Whether a problem violates the statement, and lies where it is false."""
    return check(witness, [claim_id])[claim_id].outcome is Outcome.VIOLATED and STATEMENTS[name].false_where(witness)


def test_drawn_problems_refute_statements_that_are_false_in_one_regime_only(planted):
    ids = {planted(name): name for name in STATEMENTS}
    *_, (_, summaries) = campaign(list(ids), workers=1)
    missed = {ids[summary.claim.id] for summary in summaries if summary.outcome is not Outcome.VIOLATED}
    assert missed == set()
    for summary in summaries:
        assert summary.words.startswith("violated on ")
        assert refutes(ids[summary.claim.id], summary.claim.id, summary.witness)


def test_drawn_problems_do_not_refute_the_theorem_itself():
    *_, (_, (summary,)) = campaign(["optq-l2"], workers=1)
    assert summary.words.startswith("not refuted on ")
    assert summary.outcomes[Outcome.UNDECIDED] <= 5, "so near the bound that float64 cannot tell"
    assert summary.worst > 0.999, "though they come as near as it gets"


@pytest.mark.parametrize("name", ATTACKED)
def test_the_attack_at_its_default_refutes_them_too(planted, name):
    found = attack(planted(name))
    assert found.words == "violated"
    assert refutes(name, found.claim_id, found.problem)


@pytest.mark.parametrize("seed", range(12))
def test_the_attack_never_stops_where_a_false_statement_is_true(planted, seed):
    """Without damping the mean square bounds the worst case and is attained; with damping it is off by a factor of two."""
    name = "mean_square_taken_for_the_worst_case"
    found = attack(planted(name), seed=seed)
    assert found.words == "violated"
    assert refutes(name, found.claim_id, found.problem)
