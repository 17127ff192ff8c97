"""Coordinate descent: never raises the damped error, in exact rationals; equals its definition; ends where no single weight can move."""

from contextlib import suppress
from fractions import Fraction

import numpy as np
import pytest
from provable_ptq.algorithms import (
    Factorization,
    Grid,
    InvalidArgumentError,
    RankDeficientError,
    definitions,
    descend,
    factorize,
    gpfq,
    optq,
    round_to_nearest,
)
from provable_ptq.algorithms import seminorm as allowances

X = np.array([[-3.0, 4.0, -5.0], [-5.0, 4.0, -5.0], [3.0, 2.0, -2.0]])
W, GRID = np.array([[2.9], [2.2], [0.3]]), Grid(1.0, low=0, high=3)


def starts(X, W, grid, damping, rng):
    """OPTQ where it runs, round-to-nearest, and a point drawn from the grid."""
    codes = rng.integers(-4, 5, W.shape)
    if grid.finite:
        codes = np.clip(codes, grid.low, grid.high)
    found = [round_to_nearest(W, grid), grid.alphabet(*W.shape).step * codes]
    with suppress(RankDeficientError):
        found.append(optq(X, W, grid, damping=damping))
    return found


def codes_of(start, grid):
    return np.rint(start / grid.alphabet(*start.shape).step).astype(int) if isinstance(start, np.ndarray) else start.codes


def test_the_damped_error_never_rises_in_exact_rationals(exact, draws):
    fell, kept = 0, 0
    for index in range(250):
        X, W, grid, damping, rng = draws.small(10, index)
        for start in starts(X, W, grid, damping, rng):
            before = exact.errors(X, damping, W, codes_of(start, grid), grid)
            for keep, passes in (("descent", 1), ("descent", 3), ("better", 1)):
                result = descend(X, W, start, grid, damping, passes, keep)
                after = exact.errors(X, damping, W, result.codes, grid)
                assert all(a <= b for a, b in zip(after, before, strict=True)), (index, keep)
                assert not grid.finite or ((result.codes >= grid.low) & (result.codes <= grid.high)).all()
                if keep == "better":
                    nearest = exact.errors(X, damping, W, round_to_nearest(W, grid).codes, grid)
                    assert all(a <= b * (1 + Fraction(1, 10**9)) for a, b in zip(after, nearest, strict=True))
            fell += sum(a < b for a, b in zip(after, before, strict=True))
            kept += sum(a == b for a, b in zip(after, before, strict=True))
    assert fell > 300
    assert kept > 200


def near_ties(count):
    """Problems whose start is a hair from a tie: each weight of it could move to where the error is the same but for a rounding."""
    for index in range(count):
        rng = np.random.default_rng([11, index])
        N = int(rng.integers(2, 6))
        X = rng.normal(size=(N + 3, N)) * 10 ** rng.uniform(-1, 1, N)
        codes, H = rng.integers(-9, 10, (N, 1)), X.T @ X
        left = np.linalg.solve(H, (np.diag(H) / 2 * rng.choice([-1, 1], N))[:, None])
        yield X, codes + left * (1 + rng.integers(-3, 4) * 2.0**-52), codes.astype(float)


def raised(exact, problems):
    """How often the exact error rose."""
    grid, count = Grid(1.0), 0
    for X, W, start in problems:
        result = descend(X, W, start, grid)
        count += exact.errors(X, 0.0, W, result.codes, grid)[0] > exact.errors(X, 0.0, W, start, grid)[0]
    return count


def test_a_hair_from_a_tie_nothing_moves_the_wrong_way_and_without_the_allowance_it_does(exact, monkeypatch):
    assert raised(exact, near_ties(500)) == 0
    monkeypatch.setattr(allowances, "ALLOWANCE", 0)
    assert raised(exact, near_ties(500)) > 3


def test_a_tie_keeps_what_is_there():
    for start in ([[0.0]], [[1.0]]):
        assert descend(np.ones((1, 1)), [[0.5]], np.array(start), Grid(1.0)).codes == start


def test_the_definition_agrees(draws):
    compared = 0
    for index, problem in enumerate(draws.problems(150, seed=12)):
        shared = (problem.X, problem.W, round_to_nearest(problem.W, problem.grid), problem.grid, problem.damping)
        for passes, keep in ((1, "descent"), (3, "descent"), (2, "better")):
            fast, literal = descend(*shared, passes, keep), definitions.descend(*shared, passes, keep)
            np.testing.assert_array_equal(fast.codes, literal.codes, err_msg=str(index))
            np.testing.assert_array_equal(fast.weights, literal.weights)
            np.testing.assert_array_equal(fast.saturated, literal.saturated)
            scale = np.abs(problem.W).max(initial=0) + np.abs(literal.rounding_errors).max(initial=0)
            np.testing.assert_allclose(fast.rounding_errors, literal.rounding_errors, rtol=0, atol=1e-7 * scale)
            compared += fast.codes.size
    assert compared > 3000


def test_a_factorization_goes_in_its_order(draws):
    for problem in draws.problems(60, seed=13):
        if not problem.definite:
            continue
        f = factorize(problem.X, problem.damping, problem.ordering)
        start = optq(f, problem.W, problem.grid)
        from_gram = Factorization.from_gram(problem.X.T @ problem.X, problem.damping, f.order, samples=len(problem.X))
        given = [descend(X, problem.W, start, problem.grid) for X in (f, from_gram)]
        literal = definitions.descend(f, problem.W, start, problem.grid)
        for result in given:
            np.testing.assert_array_equal(result.codes, literal.codes)
        assert given[0].factorization is f
        assert given[0].damping == f.damping
        np.testing.assert_array_equal(given[0].order, f.order)


def test_it_ends_where_every_weight_is_nearest_to_what_the_others_leave_it():
    rng = np.random.default_rng(14)
    X, W, grid = rng.normal(size=(90, 70)), rng.normal(size=(70, 5)), Grid(0.5, -3, 3)
    result = descend(X, W, np.zeros((70, 5)), grid, 0.1, passes=1000)
    H = X.T @ X + 0.1 * np.eye(70)
    z = result.weights + H @ (W - result.weights) / np.diag(H)[:, None]
    np.testing.assert_array_equal(result.weights, grid.nearest(z))
    np.testing.assert_allclose(z - result.weights, result.rounding_errors, atol=1e-12)
    np.testing.assert_array_equal(result.saturated, np.abs(z) > 1.75)
    np.testing.assert_array_equal(descend(X, W, result, grid, 0.1).codes, result.codes)


def test_the_counterexample_of_a_finite_alphabet(exact):
    """Descent repairs a little of what OPTQ lost, and the better of it and round-to-nearest all; errors at w = (29/10, 11/5, 3/10)."""
    w, H = [Fraction(29, 10), Fraction(11, 5), Fraction(3, 10)], exact.gram(X)

    def error(codes):
        left = [a - int(c) for a, c in zip(w, codes.ravel(), strict=True)]
        return sum(a * h * b for a, row in zip(left, H, strict=True) for h, b in zip(row, left, strict=True))

    start = optq(X, W, GRID)
    descended = [descend(X, W, start, GRID, passes=50, keep=keep) for keep in ("descent", "better")]
    assert [error(result.codes) for result in (start, *descended)] == [Fraction(593, 20), Fraction(441, 20), Fraction(9, 20)]


def test_the_better_of_the_two_has_a_guarantee_on_any_alphabet_that_reaches_the_weights():
    rng = np.random.default_rng(15)
    for _ in range(100):
        X, W = rng.normal(size=(5, 6)) @ rng.normal(size=(6, 6)), rng.uniform(-1.5, 1.5, (6, 2))
        result = descend(X, W, optq(X, W, Grid(1.0, -1, 1), 0.1), Grid(1.0, -1, 1), 0.1, keep="better")
        H = X.T @ X + 0.1 * np.eye(6)
        left = W - result.weights
        assert ((left * (H @ left)).sum(axis=0) <= np.linalg.eigvalsh(H)[-1] * 6 / 4 * (1 + 1e-12)).all()


def test_units_do_not_matter():
    """Powers of two change nothing but the scale, at the ends of float64 too."""
    rng = np.random.default_rng(16)
    X, W = rng.normal(size=(30, 20)), rng.normal(size=(20, 3))
    plain = descend(X, W, np.zeros_like(W), Grid(0.5), 2.0)
    for unit, scale in ((2.0**400, 2.0**-30), (2.0**-400, 2.0**100), (2.0**-300, 2.0**-400)):
        scaled = descend(unit * X, scale * W, np.zeros_like(W), Grid(0.5 * scale), 2.0 * unit * unit)
        np.testing.assert_array_equal(scaled.codes, plain.codes)


def test_a_dead_feature_decouples():
    X = np.array([[1.0, 0.0], [1.0, 0.0]])
    assert descend(X, [[0.4], [1.7]], np.zeros((2, 1)), Grid(1.0)).codes.ravel().tolist() == [0, 2]


@pytest.mark.parametrize(("spoilt", "named"), [
    ({"start": np.array([[3.0], [1.0], [0.5]])}, r"start\[2, 0\] = 0.5"),
    ({"start": np.array([[3.0], [4.0], [0.0]])}, r"start\[1, 0\] = 4"),
    ({"start": np.zeros((2, 1))}, "start"), ({"start": optq(X, W, Grid(0.3))}, r"start\[1, 0\] = 0.89"), ({"passes": 0}, "passes = 0"),
    ({"passes": 1.5}, "passes"), ({"keep": "best"}, "keep = 'best'"), ({"damping": -1}, "damping"), ({"W": W[:2]}, "W"),
    ({"X": factorize(X), "damping": 0.1}, "damping"), ({"grid": 1.0}, "grid"),
    ({"W": 1e300 * W, "grid": Grid(1e-300), "start": 0 * W}, "weight / step = inf"),
    ({"W": 1e20 * W, "grid": Grid(1.0), "start": 0 * W}, r"weight / step = \S+e\+20")])
def test_bad_arguments_are_refused_by_name(spoilt, named):
    good = {"X": X, "W": W, "start": gpfq(X, W, GRID), "grid": GRID}
    assert descend(**good).algorithm == "descent"
    with pytest.raises(InvalidArgumentError, match=named):
        descend(**good | spoilt)
