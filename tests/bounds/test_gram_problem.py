"""A problem of which only the Gram matrix (or a folded triangle) is at hand: the same verdicts where rows are not needed."""

from dataclasses import replace

import numpy as np
import pytest
from provable_ptq.algorithms import Factorization, Grid, InvalidArgumentError, RankDeficientError, factorize
from provable_ptq.algorithms.factorization import factored
from provable_ptq.algorithms.folding import Folding
from provable_ptq.bounds import Outcome, Problem, check, claims
from provable_ptq.bounds.certificate import departures
from provable_ptq.bounds.exact import check_exact
from provable_ptq.bounds.problems import zoo_matrix

GPTQ = "mean-diagonal:0.01"
SEEN_AT_ROWS = {"sto-optq-convex-order", "sto-optq-convex-order-sharp"}  # for every convex function; those looked at are made from rows


def from_gram(X, damping, ordering):
    return Factorization.from_gram(X.T @ X, damping, ordering)


def from_blocks(X, damping, ordering):
    folding = Folding()
    for block in np.array_split(X, 3):
        folding.add(block)
    return factored(folding.source(), damping, ordering)


@pytest.mark.parametrize("without_rows", [from_gram, from_blocks])
@pytest.mark.parametrize("rounding", ["nearest", "stochastic"])
@pytest.mark.parametrize("samples", [40, 8])
def test_verdicts_are_those_of_the_rows(without_rows, rounding, samples):
    rng = np.random.default_rng(samples)
    X, W = rng.standard_normal((samples, 12)) * np.logspace(0, -2, 12), rng.standard_normal((12, 5))
    settings = {"grid": Grid(0.3), "rounding": rounding, "seed": 1}
    known = check(Problem(X, W, damping=GPTQ, ordering="min-pivot", **settings))
    found = check(Problem(without_rows(X, GPTQ, "min-pivot"), W, **settings))
    compared = 0
    for name, verdict in found.items():
        if claims()[name].per_output:
            assert verdict.outcome is Outcome.NOT_APPLICABLE
            continue
        if name in SEEN_AT_ROWS or known[name].outcome is Outcome.NOT_APPLICABLE or name == "optq-l2-explicit":  # the bound reads m
            assert verdict.outcome is not Outcome.VIOLATED
            continue
        compared += 1
        assert verdict.outcome is known[name].outcome, name
        np.testing.assert_allclose(verdict.ratio, known[name].ratio, rtol=1e-7, atol=1e-10, err_msg=name)
    assert compared >= (8 if rounding == "nearest" else 3)


def test_single_outputs_need_rows_and_the_verdict_says_so():
    X = np.random.default_rng(0).standard_normal((9, 3))
    problem = Problem(Factorization.from_gram(X.T @ X), np.ones((3, 1)), Grid(0.3))
    assert not problem.rows_at_hand
    assert Problem(factorize(X), np.ones((3, 1)), Grid(0.3)).rows_at_hand
    advice = check(problem, ["optq-linf"])["optq-linf"].advice
    assert "single outputs" in advice
    assert "pass the rows of X" in advice
    assert check_exact(problem, ["optq-linf"]).verdicts["optq-linf"].outcome is Outcome.NOT_APPLICABLE
    assert not problem.but(seed=3).rows_at_hand


@pytest.mark.parametrize("decay", [0, 1, 2, 3, 4, 5, 6, 7])
@pytest.mark.parametrize("damping", [0.0, "mean-diagonal:1e-12", "mean-diagonal:1e-8", "mean-diagonal:1e-4"])
def test_a_gram_matrix_that_has_lost_digits_makes_no_false_alarm(decay, damping):
    """Pivots from a Gram matrix are right to cond^2 only; a true output of OPTQ on the rows themselves is never convicted."""
    rng = np.random.default_rng(decay)
    X = rng.standard_normal((30, 8)) @ np.diag(np.logspace(0, -decay, 8)) @ np.linalg.qr(rng.standard_normal((8, 8)))[0]
    rows = Problem(X, 2 * rng.standard_normal((8, 20)), Grid(0.5), damping=factorize(X, damping).damping, ordering="min-pivot")
    try:
        f = Factorization.from_gram(X.T @ X, rows.damping, rows.order)
    except RankDeficientError:
        assert decay >= 6
        return
    seen = Problem(f, rows.W, rows.grid)
    about_the_layer = [name for name, claim in claims().items() if claim.construct is None and not claim.fixed]
    for result in (seen.result, rows.result):
        found = check(seen, about_the_layer, algorithm=lambda _, result=result: result)
        outcomes = {name: verdict.outcome for name, verdict in found.items()}
        assert Outcome.VIOLATED not in outcomes.values(), outcomes


@pytest.mark.parametrize("name", ["ar1", "spiked", "gaussian", "dead-and-duplicated"])
def test_faults_are_found_from_the_gram_matrix(name):
    X = zoo_matrix(name, 64, 16, np.random.default_rng(2))
    problem = Problem(Factorization.from_gram(X.T @ X, GPTQ), np.random.default_rng(3).standard_normal((16, 6)), Grid(0.2))
    live = int(np.flatnonzero(X.any(axis=0))[-1])
    codes = problem.result.codes.copy()
    assert (departures(problem, codes[problem.order]) == problem.N).all()
    codes[live, 2] += 1
    moved = replace(problem.result, codes=codes, weights=0.2 * codes)
    assert np.flatnonzero(departures(problem, codes[problem.order]) < problem.N).tolist() == [2]
    assert check(problem, ["optq-identity"], algorithm=lambda _: moved)["optq-identity"].outcome is Outcome.VIOLATED


@pytest.mark.parametrize("number", range(60))
def test_from_gram_matrices_of_every_kind_nothing_true_is_violated(number):
    """Dead, twin and graded columns, any damping, weights of up to 1e8 steps: what float64 calls violated is false exactly too."""
    rng = np.random.default_rng([11, number])
    samples, features = int(rng.integers(1, 7)), int(rng.integers(2, 5))
    X = rng.standard_normal((samples, features)) * 10.0 ** rng.integers(-3, 4)
    kinds = (lambda: X * (np.arange(features) != 1), lambda: X[:, [0, 0, *range(2, features)]],
             lambda: X * np.logspace(0, -rng.integers(1, 7), features), lambda: X)
    X = kinds[number % 4]()
    damping = ["mean-diagonal:0.01", "mean-diagonal:1e-10", 1e-3, 1e6][int(rng.integers(4))]
    step = 10.0 ** rng.integers(-6, 2)
    W = rng.standard_normal((features, 2)) * step * 10.0 ** rng.integers(0, 9)
    try:
        f = Factorization.from_gram(X.T @ X, damping, ["natural", "min-pivot", "decreasing-norm"][number % 3])
    except RankDeficientError:
        return
    problem = Problem(f, W, Grid(step))
    suspects = [name for name, verdict in check(problem).items() if verdict.outcome is Outcome.VIOLATED]
    assert all(check_exact(problem, [name]).verdicts[name].outcome is Outcome.VIOLATED for name in suspects), suspects


def test_the_root_of_a_gram_matrix_is_right_in_every_column():
    """Dead features stay zero, and small columns are as exact as large ones: entries off by eps of both norms, not of the largest."""
    X = np.random.default_rng(5).standard_normal((9, 6)) * [1.0, 1e-6, 0.0, 1e6, 1e-3, 1.0]
    H = X.T @ X
    problem = Problem(Factorization.from_gram(H, "mean-diagonal:1e-12"), np.ones((6, 1)), Grid(0.3))
    assert not problem.X[:, 2].any()
    norms = np.linalg.norm(X, axis=0)
    assert (np.abs(problem.X.T @ problem.X - H) <= 1e-14 * np.outer(norms, norms)).all()


@pytest.mark.parametrize("place", ["X", "X_quantized"])
def test_verdicts_are_refused_a_factorization_in_float32(place):
    X = np.random.default_rng(1).standard_normal((9, 3))
    given = {"X": X, "algorithm": "qronos" if place == "X_quantized" else "optq"} | {place: factorize(X, dtype="float32")}
    with pytest.raises(InvalidArgumentError, match=f"{place} = dtype.*float64"):
        Problem(W=np.ones((3, 1)), grid=Grid(0.3), **given)


def test_qronos_needs_the_rows_of_both_matrices():
    X = np.random.default_rng(1).standard_normal((9, 3))
    with pytest.raises(InvalidArgumentError, match="rows of X"):
        Problem(X, np.ones((3, 1)), Grid(0.3), algorithm="qronos", X_quantized=Factorization.from_gram(X.T @ X))
