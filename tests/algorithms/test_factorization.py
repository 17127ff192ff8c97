"""Reverse Gram-Schmidt: what pivots, L, M and V are, every way to get them, and what is refused."""

from dataclasses import replace
from itertools import permutations
from math import prod

import numpy as np
import pytest
from provable_ptq.algorithms import (
    Factorization,
    Grid,
    InvalidArgumentError,
    RankDeficientError,
    definitions,
    factorize,
    gpfq,
    optq,
    qronos,
)

EPS = np.finfo(float).eps


def assert_same_bits(a, b):
    for name in ("order", "pivots", "L", "M", "live", "damping"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


# --- identities ----------------------------------------------------------------------------------------------------


def check_factors(X, f, stacked):
    """X^ = V L, V^T V = D^2, H = L^T D^2 L, L M = I, lower block of V = sqrt(damping) M; to the rounding of the condition."""
    m, N = X.shape
    damped = stacked(X, f.damping, f.order)
    scale = max(np.linalg.norm(damped), 1e-300)
    small = 100 * N * EPS * f.condition
    np.testing.assert_allclose(f.V @ f.L, damped, rtol=0, atol=small * scale)
    np.testing.assert_allclose(f.V.T @ f.V, np.diag(f.pivots**2), rtol=0, atol=small * scale**2)
    np.testing.assert_allclose(f.L.T @ np.diag(f.pivots**2) @ f.L, damped.T @ damped, rtol=0, atol=small * scale**2)
    np.testing.assert_allclose(f.L @ f.M, np.eye(N), rtol=0, atol=small * np.abs(f.L).max() * np.abs(f.M).max())
    np.testing.assert_array_equal(f.V[m:], np.sqrt(f.damping) * f.M)
    np.testing.assert_array_equal(f.L, np.tril(f.L))
    np.testing.assert_array_equal(np.diag(f.L), np.ones(N))
    assert f.V.shape == (m + N, N)
    assert (f.pivots >= 0).all()


def test_identities_on_drawn_problems(draws):
    for problem in draws.problems(400, seed=60):
        check_factors(problem.X, factorize(problem.X, problem.damping, problem.ordering), draws.stacked)


@pytest.mark.parametrize("fault", ["sign in L", "one pivot", "order", "damping"])
def test_a_wrong_factor_is_noticed(draws, fault):
    noticed = 0
    for problem in draws.problems(40, seed=61, degenerate=False):
        if problem.X.shape[1] == 1:
            continue
        X = problem.X / np.linalg.norm(problem.X)
        f = factorize(X, 0.1, "decreasing-norm")
        check_factors(X, f, draws.stacked)
        wrong = {
            "sign in L": {"L": f.L * (2 * np.eye(len(f.L)) - 1)},
            "one pivot": {"pivots": f.pivots * (1 + 1e-6 * (np.arange(len(f.L)) == 0))},
            "order": {"order": np.roll(f.order, 1)},
            "damping": {"damping": f.damping * 1.000001},
        }[fault]
        with pytest.raises(AssertionError):
            check_factors(X, replace(f, **wrong), draws.stacked)
        noticed += 1
    assert noticed > 20


def test_pivots_are_what_later_features_do_not_explain(draws):
    """v_j is X_j minus its least-squares fit by later features, d_j its norm, L_kj = <v_k, X_j> / d_k^2, M's columns those fits."""
    for problem in draws.problems(150, seed=62, degenerate=False):
        f = factorize(problem.X, problem.damping, problem.ordering)
        damped = draws.stacked(problem.X, problem.damping, f.order)
        N = damped.shape[1]
        allowance = 100 * N * EPS * f.condition
        for j in range(N):
            fit = np.linalg.lstsq(damped[:, j + 1 :], damped[:, j], rcond=None)[0] if j + 1 < N else np.zeros(0)
            v = damped[:, j] - damped[:, j + 1 :] @ fit
            np.testing.assert_allclose(f.V[:, j], v, rtol=0, atol=allowance * np.linalg.norm(damped[:, j]))
            np.testing.assert_allclose(f.pivots[j], np.linalg.norm(v), rtol=allowance)
            np.testing.assert_allclose(f.M[j + 1 :, j], -fit, rtol=0, atol=allowance * max(1, np.abs(f.M).max()))
            for k in range(j + 1, N):
                expected = f.V[:, k] @ damped[:, j] / f.pivots[k] ** 2
                assert f.L[k, j] == pytest.approx(expected, abs=allowance * max(1, np.abs(f.L).max()))


def test_exact_arithmetic_confirms_pivots_and_L(exact):
    for index in range(120):
        rng = np.random.default_rng([63, index])
        m, N = int(rng.integers(1, 7)), int(rng.integers(1, 6))
        X = rng.integers(-99, 100, size=(m, N)) / 16
        damping = 0.0 if np.linalg.matrix_rank(X) == N and index % 2 else float(rng.integers(1, 500)) / 64
        f = factorize(X, damping)
        squares, L = exact.factors(exact.gram(X, damping))
        allowance = 10 * N * EPS * f.condition
        np.testing.assert_allclose(f.pivots**2, [float(d) for d in squares], rtol=2 * allowance)
        exact_L = np.array([[float(x) for x in row] for row in L])
        np.testing.assert_allclose(f.L, exact_L, rtol=0, atol=allowance * np.abs(exact_L).max())


def test_product_of_squared_pivots_is_the_determinant_for_every_ordering(exact):
    for index in range(12):
        rng = np.random.default_rng([64, index])
        X, damping = rng.integers(-20, 21, size=(int(rng.integers(1, 7)), 4)) / 4, float(rng.integers(1, 20)) / 8
        H = exact.gram(X, damping)
        determinant = prod(exact.factors(H)[0])
        base = factorize(X, damping)
        assert float(determinant) == pytest.approx(np.linalg.det(X.T @ X + damping * np.eye(4)), rel=1e-9)
        for order in permutations(range(4)):
            f = base.with_ordering(list(order))
            assert np.prod(f.pivots**2) == pytest.approx(float(determinant), rel=1e-11)
            shuffled = [[H[i][j] for j in order] for i in order]
            assert prod(exact.factors(shuffled)[0]) == determinant  # and exactly so
            assert np.square(f.pivots).sum() <= np.trace(X.T @ X) + 4 * damping + 1e-9


def test_pivots_lie_between_inverse_and_diagonal(draws):
    """(H^-1)_jj = sum_i M_ji^2 / d_i^2, and 1 / (H^-1)_jj <= d_j^2 <= H_jj."""
    for problem in draws.problems(200, seed=65, degenerate=False):
        f = factorize(problem.X, problem.damping, problem.ordering)
        H = (problem.X.T @ problem.X + problem.damping * np.eye(f.features))[np.ix_(f.order, f.order)]
        inverse = np.diag(np.linalg.inv(H))
        allowance = 100 * f.features * EPS * f.condition**2
        np.testing.assert_allclose((f.M**2 / f.pivots**2).sum(axis=1), inverse, rtol=allowance)
        assert (1 / inverse <= f.pivots**2 * (1 + allowance)).all()
        assert (f.pivots**2 <= np.diag(H) * (1 + allowance)).all()


@pytest.mark.parametrize("spread", [0.0, 3.0, 7.0])
@pytest.mark.parametrize("ordering", ["natural", "decreasing-norm"])
def test_the_condition_of_many_features_is_right_to_one_percent(spread, ordering):
    rng = np.random.default_rng(5)
    X = rng.standard_normal((400, 300)) * np.logspace(0, -spread, 300)[rng.permutation(300)]
    X[:, 7] = 0
    f = factorize(X, "mean-diagonal:1e-12", ordering)
    live = f.singular_values[:299]
    assert f.condition == pytest.approx(live[0] / live[-1], rel=0.01)
    assert f.condition == factorize(X, "mean-diagonal:1e-12", ordering).condition


def test_singular_values_and_condition(draws):
    for problem in draws.problems(200, seed=66):
        f = factorize(problem.X, problem.damping, problem.ordering)
        damped = draws.stacked(problem.X, problem.damping, f.order)
        expected = np.linalg.svd(damped, compute_uv=False)
        np.testing.assert_allclose(f.singular_values, expected, rtol=0, atol=1e-13 * max(expected[0], 1e-300))
        live = np.linalg.svd(damped[:, f.live], compute_uv=False)
        assert f.condition == pytest.approx(live[0] / live[-1] if live.size else 1.0, rel=1e-9)


def test_column_norms_features_and_samples(draws):
    for problem in draws.problems(50, seed=67):
        f = factorize(problem.X, problem.damping, problem.ordering)
        np.testing.assert_allclose(f.column_norms_squared, np.square(problem.X).sum(axis=0)[f.order], rtol=1e-14)
        assert (f.samples, f.features) == problem.X.shape
        np.testing.assert_array_equal(f.live, problem.X.any(axis=0)[f.order])
        np.testing.assert_array_equal(f.X, problem.X)


# --- the same factorization by other ways --------------------------------------------------------------------------


@pytest.mark.parametrize("rule", [0.25, "mean-diagonal:0.01", "spectral:1e-3", "george-saab"])
def test_another_damping_or_ordering_equals_a_fresh_factorization(draws, rule):
    for problem in draws.problems(20, seed=68, degenerate=False):
        f = factorize(problem.X, problem.damping, problem.ordering)
        assert_same_bits(f.with_damping(rule), factorize(problem.X, rule, problem.ordering))
        for ordering in ("natural", "decreasing-norm", "increasing-norm", "min-pivot", "random:2"):
            assert_same_bits(f.with_ordering(ordering), factorize(problem.X, problem.damping, ordering))
            assert_same_bits(f.with_damping(rule).with_ordering(ordering), factorize(problem.X, rule, ordering))
        assert f.damping == problem.damping  # the first one is untouched


def test_streamed_rows_give_the_same_factorization(draws):
    for index, problem in enumerate(draws.problems(200, seed=69)):
        rng = np.random.default_rng([69, index])
        m = len(problem.X)
        cuts = np.sort(rng.integers(0, m + 1, size=3))
        blocks = [block for block in np.split(problem.X, cuts) if len(block)]
        ordering = rng.permutation(problem.X.shape[1])  # a named one could part equal norms by their rounding
        whole = factorize(problem.X, problem.damping, ordering)
        streamed = Factorization.from_blocks(iter(blocks), problem.damping, ordering)
        allowance = 100 * whole.features * EPS * whole.condition
        np.testing.assert_allclose(streamed.pivots, whole.pivots, rtol=allowance)
        np.testing.assert_allclose(streamed.L, whole.L, rtol=0, atol=allowance * np.abs(whole.L).max())
        np.testing.assert_array_equal(streamed.live, whole.live)
        assert streamed.samples == m


def test_a_caller_may_reuse_the_buffer_of_a_block():
    X = np.random.default_rng(70).normal(size=(12, 4))

    def reusing():
        buffer = np.empty((3, 4))
        for start in range(0, 12, 3):
            buffer[:] = X[start : start + 3]
            yield buffer

    np.testing.assert_allclose(Factorization.from_blocks(reusing()).pivots, factorize(X).pivots, rtol=1e-13)


def test_a_feature_may_wake_up_in_a_later_block():
    X = np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 3.0]])
    np.testing.assert_allclose(Factorization.from_blocks([X[:1], X[1:2], X[2:]]).pivots, [np.sqrt(5), 3.0], rtol=1e-15)


def test_the_gram_matrix_gives_the_same_factorization_when_well_conditioned(draws):
    compared = 0
    for problem in draws.problems(300, seed=71):
        whole = factorize(problem.X, problem.damping, "natural")
        if whole.condition > 1e4:
            continue
        gram = Factorization.from_gram(problem.X.T @ problem.X, problem.damping)
        allowance = 100 * whole.features * EPS * whole.condition**2  # a Gram matrix knows only the square
        np.testing.assert_allclose(gram.pivots, whole.pivots, rtol=allowance)
        np.testing.assert_allclose(gram.L, whole.L, rtol=0, atol=allowance * np.abs(whole.L).max())
        np.testing.assert_array_equal(gram.live, whole.live)
        assert gram.samples is None
        compared += 1
    assert compared > 250


def test_rows_are_more_accurate_than_their_gram_matrix(exact):
    """At cond 1e6 the pivots from rows are right to 1e-9; those from the rounded Gram matrix are not."""
    rng = np.random.default_rng(72)
    X = np.round(rng.normal(size=(6, 1)) * 2**20) / 2**20 + np.round(rng.normal(size=(6, 4)) * 8) / 2**22
    squares = [float(d) for d in exact.factors(exact.gram(X))[0]]
    rows, gram = factorize(X), Factorization.from_gram(X.T @ X)
    assert rows.condition > 1e5
    rows_error = np.abs(rows.pivots**2 / squares - 1).max()
    assert rows_error < 1e-9
    assert np.abs(gram.pivots**2 / squares - 1).max() > 100 * rows_error


@pytest.mark.parametrize("make", [lambda X: Factorization.from_gram(X.T @ X), lambda X: Factorization.from_blocks([X[:2], X[2:]])])
def test_V_needs_the_rows(make):
    f = make(np.random.default_rng(73).normal(size=(6, 3)))
    np.testing.assert_allclose(f.L @ f.M, np.eye(3), atol=1e-14)
    for ask in (lambda: f.V, lambda: f.X, lambda: f.sample_rows_of_V):
        with pytest.raises(InvalidArgumentError, match="rows of X"):
            ask()


# --- degenerate matrices -------------------------------------------------------------------------------------------


def test_dead_features_decouple_and_never_raise(draws):
    rng = np.random.default_rng(74)
    for damping in (0.0, 0.5):
        for dead in range(1, 5):
            X = rng.normal(size=(8, 4))
            X[:, rng.permutation(4)[:dead]] = 0
            for ordering in ("natural", "decreasing-norm", "increasing-norm", "min-pivot", "random:1"):
                f = factorize(X, damping, ordering)
                check_factors(X, f, draws.stacked)
                gone = ~f.live
                assert gone.sum() == dead
                np.testing.assert_array_equal(f.L[gone], np.eye(4)[gone])
                np.testing.assert_array_equal(f.L[:, gone], np.eye(4)[:, gone])
                np.testing.assert_array_equal(f.pivots[gone], np.sqrt(damping))
                gram = Factorization.from_gram(X.T @ X, damping, ordering)
                np.testing.assert_array_equal(gram.pivots[~gram.live], np.sqrt(damping))
                W = rng.normal(size=(4, 2)) * 5
                for algorithm in (
                    lambda o=ordering, X=X, W=W, d=damping: optq(X, W, Grid(1.0), d, o),
                    lambda o=ordering, X=X, W=W, d=damping: qronos(X + 0.1, X, W, Grid(1.0), d, o),
                    lambda o=ordering, X=X, W=W, d=damping: qronos(X + 0.1, X, W, Grid(1.0), d, o, form="projected"),
                    lambda o=ordering, X=X, W=W: gpfq(X, W, Grid(1.0), ordering=o),
                    lambda o=ordering, X=X, W=W: gpfq(X + 0.1, W, Grid(1.0), X, o),
                    lambda o=ordering, X=X, W=W, d=damping: definitions.optq(X, W, Grid(1.0), d, o),
                    lambda o=ordering, X=X, W=W, d=damping: definitions.qronos(X + 0.1, X, W, Grid(1.0), d, o),
                    lambda o=ordering, X=X, W=W: definitions.gpfq(X + 0.1, W, Grid(1.0), X, o),
                ):
                    silent = ~X.any(axis=0)
                    np.testing.assert_array_equal(algorithm().codes[silent], np.rint(W[silent]))


def test_dependent_features_without_damping_are_refused_with_a_damping_that_does():
    """Every way in reports the rank, and the damping it names is accepted: tiny and large, integer and real matrices."""
    count = {"rows": 0, "blocks": 0, "gram": 0}
    for index in range(600):
        rng = np.random.default_rng([75, index])
        N = int(rng.integers(2, 8))
        rank = int(rng.integers(1, N))
        m = int(rng.integers(rank, 10))
        X = rng.integers(-3, 4, size=(m, rank)).astype(float) if index % 2 else rng.normal(size=(m, rank))
        X = X @ rng.integers(-2, 3, size=(rank, N)) if index % 3 else X[:, rng.integers(0, rank, size=N)]
        X = X * 2.0 ** rng.integers(-40, 40)
        live = int(X.any(axis=0).sum())
        expected = int(np.linalg.matrix_rank(X))
        if live <= expected:  # by chance every live column is independent
            continue
        ways = {
            "rows": lambda damping, X=X: factorize(X, damping),
            "blocks": lambda damping, X=X: Factorization.from_blocks([X[:1], X[1:]] if len(X) > 1 else [X], damping),
            "gram": lambda damping, X=X: Factorization.from_gram(X.T @ X, damping),
        }
        for name, way in ways.items():
            with pytest.raises(RankDeficientError) as refusal:
                way(0.0)
            error = refusal.value
            assert isinstance(error, InvalidArgumentError)
            assert isinstance(error, ValueError)
            assert error.rank == expected
            assert error.smallest_damping > 0
            assert repr(error.smallest_damping) in str(error)
            assert f"rank {expected} with {live} live" in str(error)
            repaired = way(error.smallest_damping)
            assert (repaired.pivots > 0).all()
            assert repaired.damping == error.smallest_damping
            count[name] += 1
    assert min(count.values()) > 350, count


@pytest.mark.parametrize("scale", [1e-150, 1e-100, 1e-8, 1.0, 1e100])
@pytest.mark.parametrize("shape", [(1, 2), (1, 3), (2, 2), (1, 9), (5, 2)])
def test_the_named_damping_does_at_every_scale(shape, scale):
    with pytest.raises(RankDeficientError) as refusal:
        factorize(np.full(shape, scale))
    error = refusal.value
    assert error.rank == 1
    f = factorize(np.full(shape, scale), error.smallest_damping)
    assert f.pivots.min() > 0
    assert error.smallest_damping <= 1e-25 * scale**2 + 1e-307


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_named_damping_does_for_a_gram_matrix_with_rounding_in_it(dtype):
    """A singular Gram matrix whose zero eigenvalue came out slightly negative."""
    for index in range(300):
        rng = np.random.default_rng([76, index])
        N = int(rng.integers(2, 7))
        Q = np.linalg.qr(rng.normal(size=(N, N)))[0]
        values = rng.random(N) + 0.5
        values[0] = -rng.uniform(0, 20) * N * np.finfo(dtype).eps
        gram = (Q * values) @ Q.T
        with pytest.raises(RankDeficientError) as refusal:
            Factorization.from_gram(gram, dtype=dtype)
        assert refusal.value.rank == N - 1
        assert Factorization.from_gram(gram, refusal.value.smallest_damping, dtype=dtype).pivots.min() > 0


def test_algorithms_refuse_dependent_features_too():
    X, W, grid = np.ones((2, 3)), np.full((3, 1), 0.4), Grid(1.0)
    for call in (lambda damping: optq(X, W, grid, damping), lambda damping: qronos(X, X, W, grid, damping)):
        with pytest.raises(RankDeficientError) as refusal:
            call(0.0)
        assert refusal.value.rank == 1
        assert call(refusal.value.smallest_damping).damping == refusal.value.smallest_damping


def test_fewer_samples_than_features_are_refused_without_damping():
    for index in range(100):
        rng = np.random.default_rng([77, index])
        m = int(rng.integers(1, 8))
        X = rng.normal(size=(m, m + int(rng.integers(1, 5))))
        with pytest.raises(RankDeficientError) as refusal:
            factorize(X)
        assert refusal.value.rank == m


# --- precision -----------------------------------------------------------------------------------------------------


def test_float64_is_the_default_whatever_comes_in():
    X = np.random.default_rng(78).normal(size=(9, 4)).astype(np.float32)
    assert_same_bits(factorize(X), factorize(X.astype(np.float64)))
    assert factorize(X).L.dtype == factorize(X).pivots.dtype == np.float64
    integers = np.array([[1, 2], [3, 4], [5, 7]])
    assert_same_bits(factorize(integers), factorize(integers.astype(float)))
    assert_same_bits(factorize(integers.tolist()), factorize(integers.astype(float)))


def test_float32_is_honoured():
    rng = np.random.default_rng(79)
    X = rng.normal(size=(40, 6))
    for single in (
        factorize(X, 0.1, dtype="float32"),
        Factorization.from_gram(X.T @ X, 0.1, dtype="float32"),
        Factorization.from_blocks([X[:7], X[7:]], 0.1, dtype="float32"),
    ):
        double = factorize(X, 0.1)
        assert single.L.dtype == single.pivots.dtype == single.M.dtype == np.float32
        np.testing.assert_allclose(single.pivots, double.pivots, rtol=1e-5)
        assert not np.array_equal(single.pivots.astype(float), double.pivots)
    duplicate = np.column_stack([X[:, 0], X[:, 0] * (1 + 1e-9) + 1e-9 * X[:, 1]])
    assert factorize(duplicate).pivots.min() > 0  # two features in float64, one in float32
    with pytest.raises(RankDeficientError):
        factorize(duplicate, dtype="float32")


def test_the_matrix_is_not_changed():
    X = np.random.default_rng(80).normal(size=(3, 5))
    before = X.copy()
    factorize(X, 0.5, "min-pivot").V  # noqa: B018 (the property is computed on access)
    np.testing.assert_array_equal(X, before)


def test_a_folded_matrix_seen_at_some_rows_has_those_rows_of_v():
    X = np.random.default_rng(3).standard_normal((40, 5))
    whole = factorize(X, damping=0.3, ordering="min-pivot")
    streamed = Factorization.from_blocks([X[:7], X[7:30], X[30:]], damping=0.3, ordering="min-pivot")
    some = streamed.on_rows(X[[2, 11, 35]])
    np.testing.assert_allclose(some.sample_rows_of_V, whole.sample_rows_of_V[[2, 11, 35]], atol=1e-12)
    np.testing.assert_allclose(some.pivots, whole.pivots, rtol=1e-12)
    with pytest.raises(InvalidArgumentError, match="X"):
        streamed.on_rows(np.ones((3, 4)))
