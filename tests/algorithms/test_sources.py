"""Where a factorization comes from: whose memory its rows are, streams, Gram matrices in both precisions, doubtful rank."""

from fractions import Fraction

import numpy as np
import pytest
from provable_ptq.algorithms import Factorization, Grid, InvalidArgumentError, RankDeficientError, factorize, optq
from provable_ptq.algorithms.condition import extreme_singular_values
from provable_ptq.algorithms.factorization import Folding

EPS32, EPS = (float(np.finfo(dtype).eps) for dtype in ("float32", "float64"))


def with_singular_values(values, rng):
    """A square matrix with these singular values and random vectors."""
    n = len(values)
    U, V = (np.linalg.qr(rng.standard_normal((n, n)))[0] for _ in range(2))
    return (U * values) @ V.T


# --- whose memory it is --------------------------------------------------------------------------------------------


def test_what_the_caller_does_to_the_matrix_later_changes_nothing():
    X = np.random.default_rng(0).standard_normal((9, 4))
    f, before = factorize(X, 0.1), factorize(X.copy(), 0.1).V
    X[:] = 7
    np.testing.assert_array_equal(f.V, before)


def test_a_matrix_that_nobody_writes_to_is_not_copied():
    X = np.random.default_rng(1).standard_normal((9, 4))
    view = X.view()
    view.flags.writeable = False
    assert not np.shares_memory(factorize(view).X, X)  # X can still be written to
    X.flags.writeable = False
    assert np.shares_memory(factorize(X).X, X)


@pytest.mark.parametrize("write", [
    lambda X: X.__setitem__(slice(None), 0), lambda X: X.__setitem__((3, 1), np.nextafter(X[3, 1], 9)),
    lambda X: X.__setitem__(slice(None), X[::-1].copy()), lambda X: X.__imul__(-1),
    lambda X: X.__setitem__((slice(None), slice(None, 2)), -X[:, :2]),
], ids=["zeros", "one bit", "rows turned round", "signs", "signs of two columns"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_rows_that_an_algorithm_borrowed_are_refused_once_they_were_written_to(write, dtype):
    rng = np.random.default_rng(2)
    X, W = rng.standard_normal((10, 4)).astype(dtype), rng.standard_normal((4, 3))
    result, before = optq(X, W, Grid(0.3), 0.1, dtype=dtype), X.copy()
    codes, f = result.codes.copy(), result.factorization
    expected = factorize(X, 0.1, dtype=dtype)
    write(X)
    for ask in (lambda: f.X, lambda: f.V, lambda: f.sample_rows_of_V):
        with pytest.raises(InvalidArgumentError, match="written to"):
            ask()
    np.testing.assert_array_equal(result.codes, codes)
    np.testing.assert_array_equal(f.with_damping(2.0).L, expected.with_damping(2.0).L)  # needs no rows
    X[:] = before
    np.testing.assert_array_equal(f.V, expected.V)


# --- streams -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 1), (3, 7), (7, 7), (50, 7), (900, 600), (9000, 40)])
def test_a_stream_is_the_whole_matrix_to_the_last_bit_however_it_is_cut(shape):
    rng = np.random.default_rng(shape)
    X = rng.standard_normal(shape)
    whole = factorize(X, 0.5)
    for _ in range(3):
        blocks = [block for block in np.split(X, np.sort(rng.integers(0, len(X) + 1, size=5))) if len(block)]
        streamed = Factorization.from_blocks(blocks, 0.5)
        np.testing.assert_array_equal(streamed.L, whole.L)
        np.testing.assert_array_equal(streamed.pivots, whole.pivots)


def test_looking_at_a_stream_does_not_disturb_it():
    X = np.random.default_rng(3).standard_normal((40, 5))
    looked, left_alone = Folding(), Folding()
    for row in X:
        looked.add(row[None])
        left_alone.add(row[None])
        seen = looked.triangle
        assert seen.shape == (min(looked.samples, 5), 5)
        np.testing.assert_allclose(seen.T @ seen, X[: looked.samples].T @ X[: looked.samples], atol=1e-12)
    np.testing.assert_array_equal(looked.triangle, left_alone.triangle)
    np.testing.assert_array_equal(looked.triangle, np.tril(looked.triangle))


@pytest.mark.parametrize("dead", [[0], [4], [1, 3], [0, 1, 2, 3, 4]])
@pytest.mark.parametrize("samples", [2, 5, 30])
def test_dead_features_are_left_out_of_triangles(dead, samples):
    X = np.random.default_rng(4).standard_normal((samples, 5))
    X[:, dead] = 0
    others = np.delete(np.arange(5), dead)
    for f in (factorize(X, 0.2), Factorization.from_blocks([X[:1], X[1:]], 0.2)):
        np.testing.assert_array_equal(np.delete(np.delete(f.L, dead, 0), dead, 1), np.tril(np.delete(np.delete(f.L, dead, 0), dead, 1)))
        if others.size:
            alone = factorize(X[:, others], 0.2)
            np.testing.assert_allclose(f.L[np.ix_(others, others)], alone.L, atol=1e-12)
            np.testing.assert_allclose(f.pivots[others], alone.pivots, rtol=1e-12)


# --- accuracy ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ordering", ["natural", "random:1"])
@pytest.mark.parametrize("damping", [1e-26, 1e-20, 1e-10, 1e-2])
def test_pivots_that_damping_alone_holds_up_have_all_their_digits(exact, damping, ordering):
    """Few rows: the condition number is up to 1e13, but the rows lie above the ridge and nothing of it is lost in them."""
    X = np.random.default_rng(5).standard_normal((4, 9))
    f = factorize(X, damping, ordering)
    squares, L = exact.factors(exact.gram(X[:, f.order], damping))
    np.testing.assert_allclose(f.pivots**2, [float(d) for d in squares], rtol=1e-11)
    np.testing.assert_allclose(f.L, np.array(L, dtype=float), atol=1e-11 * max(map(max, L)))


@pytest.mark.parametrize("ordering", ["natural", "decreasing-norm"])
@pytest.mark.parametrize("spread", [0, 3, 6, 9, 12])
def test_a_gram_matrix_loses_nothing_at_the_usual_damping_whatever_the_condition_of_the_rows(exact, spread, ordering):
    rng = np.random.default_rng(spread)
    X = with_singular_values(np.logspace(0, -spread, 10), rng)
    f = Factorization.from_gram(X.T @ X, "mean-diagonal:0.01", ordering)
    squares, L = exact.factors(exact.gram(X[:, f.order], f.damping))
    np.testing.assert_allclose(f.pivots**2, [float(d) for d in squares], rtol=1e-13)
    np.testing.assert_allclose(f.L, np.array(L, dtype=float), atol=1e-13 * float(max(map(max, L))))


def gram_families(N, spread, rng):
    """Calibration matrices whose Gram matrices are hard in some way, and harder as `spread` grows."""
    Z = rng.standard_normal((2 * N, N))
    small = 10.0**-spread
    yield Z @ with_singular_values(np.logspace(0, -spread, N), rng)
    yield Z @ with_singular_values(np.r_[np.ones(N - 1), small], rng)
    yield Z * np.logspace(0, -spread, N)
    yield Z * np.logspace(-spread, 0, N)
    yield small * Z + rng.standard_normal((2 * N, 1))
    yield small * Z + rng.standard_normal((2 * N, 3)) @ rng.standard_normal((3, N))
    yield np.hstack([Z[:, : N // 2], Z[:, : N // 2] + small * Z[:, N // 2 :]])


@pytest.mark.parametrize("N", [8, 64, 256])
def test_pivots_from_a_gram_matrix_are_off_by_eps_cond_squared_whatever_n(N):
    """What is accepted in float32 is right to eps cond^2, an eighth at most; what is refused could not be right to a hundredth."""
    accepted = refused = 0
    for spread in np.arange(0.5, 4.1, 0.5):
        for X in gram_families(N, spread, np.random.default_rng([N, int(2 * spread)])):
            gram = (X.T @ X).astype(np.float32)
            lost = EPS32 * np.linalg.cond(gram.astype(float))
            try:
                pivots = Factorization.from_gram(gram, dtype="float32").pivots
            except RankDeficientError:
                refused += 1
                assert lost > 0.1
                continue
            accepted += 1
            reference = Factorization.from_gram(gram).pivots  # in float64, of the same matrix
            assert lost < 0.13
            assert np.abs(pivots.astype(float) ** 2 / reference**2 - 1).max() < lost
    assert accepted > 20
    assert refused > 10


@pytest.mark.parametrize("share", ["0.01", "0.1"])
def test_float32_takes_the_gram_matrix_of_a_layer_that_one_direction_rules(share):
    """At the usual damping: the largest eigenvalue is nearly the whole trace, as in the last layers of real networks."""
    rng = np.random.default_rng(6)
    X = 0.05 * rng.standard_normal((1200, 600)) + rng.standard_normal((1200, 1))
    single = Factorization.from_gram(X.T @ X, f"mean-diagonal:{share}", dtype="float32")
    double = Factorization.from_gram(X.T @ X, f"mean-diagonal:{share}")
    np.testing.assert_allclose(single.pivots, double.pivots, rtol=1e-4)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("shape", [(8, 400), (100, 150), (500, 400)])
def test_a_gram_matrix_of_dependent_features_is_refused_with_its_rank(shape, dtype):
    rank, N = shape[0] // 2, shape[0]
    rng = np.random.default_rng(shape)
    for X in (rng.standard_normal((shape[1], rank)) @ rng.standard_normal((rank, N)),
              np.maximum(rng.standard_normal((shape[1], rank)), 0)[:, rng.permutation(N) % rank]):
        X = X.astype(dtype)
        for damping in (0.0, 1e-3 * float(np.finfo(dtype).eps)):
            with pytest.raises(RankDeficientError) as refusal:
                Factorization.from_gram(X.T @ X, damping, dtype=dtype)
            assert refusal.value.rank == np.linalg.matrix_rank(X.astype(float), tol=1e-2)
        assert Factorization.from_gram(X.T @ X, refusal.value.smallest_damping, dtype=dtype).pivots.min() > 0


# --- doubtful rank -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [40, 300])
@pytest.mark.parametrize(("share", "accepted"), [(0.1, False), (0.9, False), (1.1, True), (1.9, True), (10, True)])
def test_where_rank_is_in_doubt_the_singular_values_decide(n, share, accepted):
    """A smallest singular value just below or just above what counts as zero, max(m, N) eps ||X||_2."""
    values = np.linspace(1, 2, n)
    values[0] = share * n * EPS * 2
    X = with_singular_values(values, np.random.default_rng(n))
    if accepted:
        assert factorize(X).pivots.min() > 0
    else:
        with pytest.raises(RankDeficientError) as refusal:
            factorize(X)
        assert refusal.value.rank == n - 1


@pytest.mark.parametrize(("n", "dtype"), [(60, "float64"), (300, "float64"), (1100, "float64"), (300, "float32")])
def test_pivots_that_hide_a_singular_value_are_refused_even_where_the_inverse_overflows(n, dtype):
    """All pivots are 1, the smallest singular value is about 2^-n."""
    X = np.eye(n) - np.tril(np.ones((n, n)), -1)
    with pytest.raises(RankDeficientError) as refusal:
        factorize(X, dtype=dtype)
    assert refusal.value.rank == n - 1
    assert factorize(X, refusal.value.smallest_damping, dtype=dtype).pivots.min() > 0


def test_extreme_singular_values_are_not_made_up_where_the_inverse_overflows():
    assert extreme_singular_values(np.eye(1100) - np.tril(np.ones((1100, 1100)), -1), lower=True) is None


@pytest.mark.parametrize("scale", [1e-150, 1.0, 1e150])
@pytest.mark.parametrize("lower", [True, False])
def test_extreme_singular_values(scale, lower):
    rng = np.random.default_rng(7)
    T = scale * (np.tril(rng.standard_normal((300, 300))) / 20 + np.diag(1 + rng.random(300)))
    triangle = T if lower else np.asfortranarray(T.T)
    values = np.linalg.svd(T, compute_uv=False)
    np.testing.assert_allclose(extreme_singular_values(triangle, lower), [values[0], values[-1]], rtol=0.01)


def test_the_smallest_damping_of_a_gram_matrix_in_exact_terms():
    """(2 tolerance)^2 = 32 eps ||X||_2^2, on two equal columns."""
    with pytest.raises(RankDeficientError) as refusal:
        Factorization.from_gram(np.ones((2, 2)))
    assert Fraction(refusal.value.smallest_damping) == pytest.approx(float(32 * Fraction(EPS) * 2), rel=1e-12)
