"""Exact replay: rationals against an independent implementation, dependent columns, undecided as a real outcome, planted faults."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from flint import arb, fmpq
from provable_ptq.algorithms import Grid, RankDeficientError, definitions
from provable_ptq.bounds import Evaluation, Kind, Outcome, Problem, check, claims
from provable_ptq.bounds.checking.arithmetic import rationals, smallest_eigenvalue, sqrt
from provable_ptq.bounds.checking.sampling import EveryPath, repeat_neuron
from provable_ptq.bounds.exact import ExactProblem, check_exact
from provable_ptq.bounds.exact.decisions import _decide, _path_weights
from provable_ptq.bounds.exact.factorization import ExactFactorization, minimum_norm_solution, to_array, to_matrix
from provable_ptq.bounds.exact.literal import literal_numbers
from provable_ptq.bounds.problems.drawn import draw_problem

DECIDED = [claim.id for claim in claims().values() if claim.kind is not Kind.PREDICTION and claim.id != "finite-grid-counterexample"]


def fraction_gram_schmidt_optq(X, W, step, damping):
    """OPTQ in `fractions.Fraction` straight from its definition: eliminate with the normal equations at every step."""
    X, W = [[Fraction(x) for x in row] for row in X], [[Fraction(x) for x in row] for row in W]
    N, K = len(W), len(W[0])
    H = [[sum(row[i] * row[j] for row in X) + (Fraction(damping) if i == j else 0) for j in range(N)] for i in range(N)]
    codes = [[0] * K for _ in range(N)]
    for t in range(N):
        for k in range(K):
            ratio = W[t][k] / Fraction(step)
            codes[t][k] = round(ratio)
        later = list(range(t + 1, N))
        if later:
            c = solve_fractions([[H[i][j] for j in later] for i in later], [H[i][t] for i in later])
            for k in range(K):
                error = W[t][k] - codes[t][k] * Fraction(step)
                for position, i in enumerate(later):
                    W[i][k] += c[position] * error
    return np.array(codes)


def solve_fractions(A, b):
    n = len(A)
    rows = [[*A[i], b[i]] for i in range(n)]
    for i in range(n):
        pivot = next(r for r in range(i, n) if rows[r][i] != 0)
        rows[i], rows[pivot] = rows[pivot], rows[i]
        for r in range(n):
            if r != i:
                factor = rows[r][i] / rows[i][i]
                rows[r] = [x - factor * y for x, y in zip(rows[r], rows[i], strict=True)]
    return [rows[i][n] / rows[i][i] for i in range(n)]


@pytest.mark.parametrize("number", range(6))
def test_replay_agrees_with_fractions(number):
    rng = np.random.default_rng(number)
    X, W, damping = rng.standard_normal((5, 4)), rng.standard_normal((4, 3)), float(rng.random())
    result = ExactProblem(Problem(X, W, Grid(0.25), damping=damping)).result
    assert np.array_equal(result.codes, fraction_gram_schmidt_optq(X, W, 0.25, damping))


def test_rounding_ties_go_to_the_even_code_and_have_distance_zero():
    view = ExactProblem(Problem(np.eye(3), np.array([[0.5], [1.5], [-0.5]]), Grid(1.0)))
    assert view.result.codes.ravel().tolist() == [0, 2, 0]
    assert view.result.tie_distances[0] == 0


def test_dependent_columns_use_the_minimum_norm():
    problem = Problem(np.array([[1.0, 1.0, 1.0]]), np.array([[0.4], [0.35], [0.2]]), Grid(1.0))
    with pytest.raises(RankDeficientError):
        _ = problem.result
    result = ExactProblem(problem).result
    assert result.codes.ravel().tolist() == [0, 1, 0]
    assert np.array_equal(result.codes, definitions.optq(problem.X, problem.W, problem.grid).codes)


RANK_FREE = ["optq-identity", "optq-l2", "optq-linf", "optq-alphabet", "optq-update", "feedback-form", "pivot-bound"]


@pytest.mark.parametrize("claim_id", RANK_FREE)
@pytest.mark.parametrize("number", range(4))
def test_claims_hold_without_a_rank_hypothesis(claim_id, number):
    rng = np.random.default_rng([7, number])
    X = rng.integers(-3, 4, (2, 5)).astype(float)
    X[:, 3] = X[:, 1]
    problem = Problem(X, rng.standard_normal((5, 2)), Grid(0.5))
    assert check_exact(problem, [claim_id]).verdicts[claim_id].outcome is Outcome.HOLDS


@pytest.mark.parametrize("form", ["alternating", "projected"])
@pytest.mark.parametrize("algorithm", ["optq", "qronos"])
@pytest.mark.parametrize("number", range(5))
def test_literal_definition_gives_the_same_numbers_exactly(algorithm, form, number):
    rng = np.random.default_rng([11, number])
    m, N = int(rng.integers(1, 6)), int(rng.integers(1, 6))
    X = rng.standard_normal((m, N))
    damping = 0.0 if number % 2 else float(rng.random())  # m < N without damping: the minimum-norm change
    problem = Problem(X, rng.standard_normal((N, 2)), Grid(0.5), algorithm, form, damping, X_quantized=X + rng.standard_normal((m, N)))
    view = ExactProblem(problem)
    z = view.result.rounding_errors + view.result.weights[view.order]
    assert (literal_numbers(view, view.result)[0] == z).all()


def test_a_wrong_literal_number_would_be_seen():
    problem = Problem(np.random.default_rng(0).standard_normal((4, 3)), np.ones((3, 1)), Grid(0.4), damping=0.1)
    view = ExactProblem(problem)
    tampered = replace(view.result, rounding_errors=view.result.rounding_errors + fmpq(1, 2**200))
    evaluation = claims()["optq-update"](view, tampered)
    verdict = _decide(lambda: evaluation, claims()["optq-update"], np.ones(1, dtype=bool))
    assert verdict.outcome is Outcome.VIOLATED


def test_projected_qronos_without_mismatch_is_optq():
    rng = np.random.default_rng(3)
    X, W = rng.standard_normal((5, 4)), rng.standard_normal((4, 3))
    optq, qronos = (ExactProblem(Problem(X, W, Grid(0.3), name, "projected", 0.2, X_quantized=X)).result for name in ("optq", "qronos"))
    assert np.array_equal(optq.codes, qronos.codes)
    assert (optq.rounding_errors == qronos.rounding_errors).all()


def test_path_probabilities_add_up_to_exactly_one():
    rng = np.random.default_rng(0)
    problem = Problem(rng.standard_normal((4, 4)), rng.standard_normal((4, 1)), Grid(0.7), rounding="stochastic")
    paths = ExactProblem(repeat_neuron(problem, 0, 2**4), EveryPath(4))
    assert sum(_path_weights(paths, paths.result, paths.rule.up), fmpq(0)) == 1


@pytest.mark.parametrize("number", range(3))
def test_every_claim_is_decided_exactly_on_a_drawn_problem(number):
    drawn = draw_problem(np.random.default_rng([2, number]), 4)
    for claim_id in DECIDED:
        made = claims()[claim_id]
        problem = drawn.but(algorithm=made.algorithms[0], rounding=made.rounding or "nearest")
        verdict = check_exact(problem, [claim_id]).verdicts[claim_id]
        assert verdict.outcome in (Outcome.HOLDS, Outcome.NOT_APPLICABLE), (claim_id, verdict)
        if verdict.outcome is Outcome.NOT_APPLICABLE:
            assert "hypothesis" in verdict.advice


def test_a_halved_bound_is_refuted_exactly_and_the_right_one_is_not():
    construct = claims()["optq-l2-tight"].construct
    problem = construct(Problem(np.array([[2.0, 1.0], [1.0, 3.0]]), np.zeros((2, 1)), Grid(1.0)))
    view = ExactProblem(problem)
    right = claims()["optq-l2"]
    whole = right(view, view.result)
    half = Evaluation(whole.measured, whole.bound / 2)
    applies = np.ones(1, dtype=bool)
    assert _decide(lambda: whole, right, applies).outcome is Outcome.HOLDS
    assert _decide(lambda: half, right, applies).outcome is Outcome.VIOLATED


def test_equal_irrational_sides_are_undecided_and_close_ones_are_not():
    two = np.array([fmpq(2)], dtype=object)
    upper, applies = claims()["optq-l2"], np.ones(1, dtype=bool)
    verdict = _decide(lambda: Evaluation(sqrt(two) * sqrt(two), two), upper, applies)
    assert verdict.outcome is Outcome.UNDECIDED
    assert "4096 bits" in verdict.advice
    apart = two + fmpq(1, 2**300)
    assert _decide(lambda: Evaluation(sqrt(two) * sqrt(two), apart), upper, applies).outcome is Outcome.HOLDS


def test_exact_factorization_reproduces_the_gram_matrix():
    rng = np.random.default_rng(1)
    f = ExactFactorization(rationals(rng.standard_normal((6, 4))), fmpq(1, 3), np.array([2, 0, 3, 1]))
    D2 = np.diag(f.pivots_squared) + np.zeros((4, 4), dtype=int)
    assert (f.gram == f.L.T @ D2 @ f.L).all()
    assert (np.eye(4, dtype=int) == f.L @ f.M).all()
    assert np.prod(f.pivots_squared) == f.determinant


def test_minimum_norm_solution_is_a_solution_in_the_row_space():
    A, b = rationals(np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0]])), rationals(np.array([1.0, 1.0]))
    x = minimum_norm_solution(A, b)
    assert (A.T @ (A @ x - b) == 0).all()
    assert x[1] == 2 * x[0]
    assert x[2] == 3 * x[0]


@pytest.mark.parametrize("decay", [0, 4, 9])
def test_smallest_eigenvalue_is_enclosed(decay):
    A = rationals(np.random.default_rng(decay).standard_normal((6, 4)) * 10.0 ** -np.linspace(0, decay, 4))
    gram = A.T @ A
    enclosed = smallest_eigenvalue(gram)
    shifted = to_matrix(gram - np.diag([fmpq(1)] * 4) * fmpq(0))
    characteristic = shifted.charpoly()
    low, high = (fmpq(int(end.man_exp()[0])) * fmpq(2) ** int(end.man_exp()[1]) for end in (enclosed.lower(), enclosed.upper()))
    assert characteristic(low) * characteristic(high) <= 0, "the characteristic polynomial changes sign inside"
    assert high - low < high / 1000
    assert isinstance(enclosed, arb)
    assert to_array(shifted).shape == (4, 4)


def test_float_and_exact_runs_agree_away_from_ties():
    rng = np.random.default_rng(8)
    X, W = rng.standard_normal((30, 12)), rng.standard_normal((12, 40))
    problem = Problem(X, W, Grid(0.2), damping="mean-diagonal:0.01", ordering="min-pivot")
    report = check_exact(problem, ["optq-identity"])
    assert report.same_codes.all()
    assert report.tie_distances.min() > 0
    assert check(problem, ["optq-identity"])["optq-identity"].outcome is Outcome.HOLDS


@pytest.mark.parametrize(("features", "outcome"), [(1, Outcome.HOLDS), (8, Outcome.HOLDS), (9, Outcome.NOT_APPLICABLE)])
@pytest.mark.parametrize("claim_id", ["sto-optq-l2", "sto-optq-linf"])
def test_up_to_eight_features_every_rounding_path_is_replayed(features, outcome, claim_id):
    """Ties on orthonormal features: each path errs by half a step everywhere, so the mean of the squares is its bound."""
    problem = Problem(np.eye(features), np.full((features, 1), 0.5), Grid(1.0), rounding="stochastic")
    verdict = check_exact(problem, [claim_id]).verdicts[claim_id]
    assert verdict.outcome is outcome
    if outcome is Outcome.HOLDS and claim_id == "sto-optq-l2":
        assert verdict.ratio == 1


def test_one_other_code_makes_a_neuron_differ_from_the_float64_run():
    from dataclasses import replace

    from provable_ptq.bounds.exact.decisions import same_codes

    problem = Problem(np.eye(3), np.array([[0.4, 0.4], [1.2, 1.2], [2.3, 2.3]]), Grid(step=1.0))
    result = ExactProblem(problem).result
    codes = result.codes.copy()
    codes[1, 0] += 1
    assert same_codes(problem, result).tolist() == [True, True]
    assert same_codes(problem, replace(result, codes=codes)).tolist() == [False, True]
