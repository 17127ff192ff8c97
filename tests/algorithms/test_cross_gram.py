"""Qronos from the pair of Gram and cross-Gram matrices, and how exact its target is."""

import pickle
from dataclasses import FrozenInstanceError, replace
from fractions import Fraction

import numpy as np
import pytest
from provable_ptq.algorithms import CrossGram, Factorization, Grid, InvalidArgumentError, factorize, optq, qronos

FORMS = ("alternating", "projected")


def of_grams(problem, form):
    deployed = problem.X_quantized
    f = Factorization.from_gram(deployed.T @ deployed, problem.damping, problem.ordering)
    shared = {name: value for name, value in problem.layer.items() if name != "ordering"}
    return qronos(CrossGram(deployed.T @ problem.X), f, form=form, **shared)


@pytest.mark.parametrize("form", FORMS)
def test_same_integers_from_the_matrices_as_from_the_rows(draws, form):
    """Every ordering, rounding, dead feature and saturated step; where no damping parts the features, cond(X)^2 is still small."""
    compared = 0
    for problem in draws.problems(300, seed=700):
        rows = qronos(problem.X, problem.X_quantized, damping=problem.damping, form=form, **problem.layer)
        if rows.factorization.condition > 1e4:
            continue
        matrices = of_grams(problem, form)
        np.testing.assert_array_equal(rows.codes, matrices.codes)
        np.testing.assert_array_equal(rows.saturated, matrices.saturated)
        np.testing.assert_array_equal(rows.order, matrices.order)
        size = np.abs(rows.target).max(initial=0) + np.abs(problem.W).max(initial=0)
        np.testing.assert_allclose(matrices.target, rows.target, rtol=0, atol=1e-13 * rows.factorization.condition**2 * size)
        compared += 1
    assert compared > 200


@pytest.mark.parametrize("form", FORMS)
def test_a_layer_of_many_blocks_and_every_way_to_bring_the_deployed_inputs(form):
    """Rows, their factorization, rows folded block by block, a Gram matrix: the same codes."""
    rng = np.random.default_rng(701)
    X = rng.normal(size=(300, 150)) @ (np.eye(150) + 0.1 * rng.normal(size=(150, 150)))
    deployed, W = X + 0.2 * rng.normal(size=X.shape), rng.normal(size=(150, 40))
    grid, cross, gram = Grid.for_weights(W, 3), CrossGram(deployed.T @ X), deployed.T @ deployed
    rule, ordering = "mean-diagonal:0.01", "decreasing-norm"
    expected = qronos(X, deployed, W, grid, rule, ordering, form=form)
    ways = [
        qronos(cross, deployed, W, grid, rule, ordering, form=form),
        qronos(cross, factorize(deployed, rule, ordering), W, grid, form=form),
        qronos(cross, Factorization.from_blocks([deployed[:200], deployed[200:]], rule, ordering), W, grid, form=form),
        qronos(cross, Factorization.from_gram(gram, rule, ordering), W, grid, form=form),
    ]
    for result in ways:
        np.testing.assert_array_equal(result.codes, expected.codes)
        np.testing.assert_allclose(result.target, expected.target, rtol=0, atol=1e-11)
        assert result.algorithm == f"qronos-{form}"
    assert not np.array_equal(expected.codes, optq(deployed, W, grid, rule, ordering).codes)


@pytest.mark.parametrize("form", FORMS)
def test_without_a_mismatch_it_is_optq_to_the_last_bit(form):
    rng = np.random.default_rng(702)
    X, W = rng.normal(size=(40, 70)), rng.normal(size=(70, 5))
    f = Factorization.from_gram(X.T @ X, 1.0)
    plain = optq(f, W, Grid(0.3))
    result = qronos(CrossGram(X.T @ X), f, W, Grid(0.3), form=form)
    for name in ("codes", "weights", "rounding_errors", "target"):
        np.testing.assert_array_equal(getattr(result, name), getattr(plain, name))


def test_a_transposed_matrix_is_another_problem_and_refused_where_that_can_be_seen():
    rng = np.random.default_rng(703)
    X, W = rng.normal(size=(30, 6)), rng.normal(size=(6, 3))
    deployed = X + 0.3 * rng.normal(size=X.shape)
    right = qronos(CrossGram(deployed.T @ X), deployed, W, Grid(0.2), form="projected")
    wrong = qronos(CrossGram(X.T @ deployed), deployed, W, Grid(0.2), form="projected")
    assert not np.array_equal(right.codes, wrong.codes)
    deployed[:, 4] = 0
    qronos(CrossGram(deployed.T @ X), deployed, W, Grid(0.2), 0.1)
    with pytest.raises(InvalidArgumentError, match=r"^X\.matrix\[4\] = .* is not accepted: zeros .*feature 4 of X_quantized is zero"):
        qronos(CrossGram(X.T @ deployed), deployed, W, Grid(0.2), 0.1)


@pytest.mark.parametrize(("matrix", "said"), [
    (np.ones((3, 2)), r"matrix\.shape = \(3, 2\) is not accepted: a square matrix"),
    (np.full((2, 2), np.nan), r"matrix\[0, 0\] = nan is not accepted: numbers that are finite"),
    ("text", "matrix = 'text' is not accepted: a 2-D array of real numbers"),
])
def test_what_is_no_cross_gram_matrix(matrix, said):
    with pytest.raises(InvalidArgumentError, match="^" + said):
        CrossGram(matrix)


def test_a_matrix_of_another_layer_is_refused():
    with pytest.raises(InvalidArgumentError, match=r"^X\.matrix\.shape = \(3, 3\) is not accepted: 2 rows"):
        qronos(CrossGram(np.eye(3)), np.ones((4, 2)), np.ones((2, 1)), Grid(1.0), 1.0)


# --- the target ----------------------------------------------------------------------------------------------------


def deployed_inputs(kind, condition, rng, m=10, N=6):
    if kind == "spectrum":
        left, right = (np.linalg.qr(rng.normal(size=(n, N)))[0] for n in (m, N))
        return (left * np.geomspace(1, 1 / condition, N)) @ right.T
    rows = rng.normal(size=(m, N))
    if kind == "rows graded":
        return rows * np.geomspace(1, 1 / condition, m)[:, None]
    rows[:, 1] = rows[:, 0] + rng.normal(size=m) / condition
    return rows


@pytest.mark.parametrize("kind", ["spectrum", "rows graded", "near duplicate"])
@pytest.mark.parametrize("condition", [1e2, 1e6, 1e11])
def test_the_outputs_of_the_target_are_exact_to_rounding_whatever_the_condition(exact, kind, condition):
    """From rows, X~ u is off by a few eps ||X~|| ||u||: nothing is squared. Against u in exact arithmetic, no damping."""
    N, worst = 6, 0.0
    for seed in range(8):
        rng = np.random.default_rng([704, seed])
        deployed = deployed_inputs(kind, condition, rng)
        for mismatch in (0.1, 1e-6):
            X = deployed + mismatch * np.abs(deployed).max(axis=0) * rng.normal(size=deployed.shape)
            w = rng.normal(size=(N, 1))
            target = qronos(X, deployed, w, Grid(1e3), form="projected").target[:, 0]
            H, cross = exact.gram(deployed), exact.gram(deployed, 0.0, X)
            moment = [sum((cross[i][j] - H[i][j]) * Fraction(w[j, 0]) for j in range(N)) for i in range(N)]
            u = [Fraction(w[i, 0]) + c for i, c in enumerate(exact.solve(H, moment))]
            off = [Fraction(value) - true for value, true in zip(target, u, strict=True)]
            loss = float(sum(off[i] * H[i][j] * off[j] for i in range(N) for j in range(N))) ** 0.5
            worst = max(worst, loss / (np.linalg.norm(deployed) * np.linalg.norm([float(x) for x in u])))
    assert worst < 200 * np.finfo(float).eps


def test_the_target_is_computed_when_it_is_asked_for_and_then_a_field_like_any_other():
    rng = np.random.default_rng(705)
    X, W = rng.normal(size=(9, 4)), rng.normal(size=(4, 2))
    result = qronos(X, X + 0.1, W, Grid(0.5))
    copied = pickle.loads(pickle.dumps(result))
    expected = qronos(X, X + 0.1, W, Grid(0.5)).target
    W += 1  # the caller may go on using the array
    np.testing.assert_array_equal(result.target, expected)
    assert result.target is result.target
    np.testing.assert_array_equal(copied.target, result.target)
    assert replace(result, target=W).target is W
    assert replace(result, seed=1).target is result.target
    assert not hasattr(result, "targets")
    with pytest.raises(FrozenInstanceError):
        result.target = W
