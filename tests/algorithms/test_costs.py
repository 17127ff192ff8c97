"""What a factorization costs, counted: LAPACK calls by name, bytes at once; no clock."""

import tracemalloc
from collections import Counter

import numpy as np
import pytest
from provable_ptq.algorithms import Factorization, Grid, InvalidArgumentError, RankDeficientError, factorize, optq
from provable_ptq.algorithms import gram as gram_module
from provable_ptq.algorithms import triangles as triangles_module

N = 300  # above the size up to which all singular values are cheap
RNG = np.random.default_rng(90)
X = RNG.standard_normal((2 * N, N))
DECOMPOSITIONS = ("svd", "eigvalsh", "eigh", "qr", "lstsq", "inv")


@pytest.fixture
def calls(monkeypatch):
    """How often each routine was called, tpqrt for rows and for the ridge apart."""
    counted = Counter()

    def counting(name, routine):
        def call(*given, **named):
            counted["ridge" if name == "tpqrt" and given[0] else name] += 1
            return routine(*given, **named)
        return call

    for module in (triangles_module, gram_module):
        plain = module.get_lapack_funcs
        monkeypatch.setattr(module, "get_lapack_funcs", lambda names, arrays, plain=plain: [
            counting(name, routine) for name, routine in zip(names, plain(names, arrays), strict=True)])
    for name in DECOMPOSITIONS:
        monkeypatch.setattr(np.linalg, name, counting(name, getattr(np.linalg, name)))
    return counted


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_one_qr_serves_every_damping_and_natural_order(calls, dtype):
    f = factorize(X, dtype=dtype)
    assert calls == {"geqrt": 1}
    for damping in ("mean-diagonal:0.01", "mean-diagonal:0.1", 3.0):
        calls.clear()
        f = f.with_damping(damping)
        assert calls == {"ridge": 1}
    calls.clear()
    other = f.with_ordering("decreasing-norm")
    assert calls == {"geqrt": 1}  # of the N x N triangle
    calls.clear()
    other.with_damping(1.0)
    assert calls == {"geqrt": 1, "ridge": 1}


def test_rows_beyond_a_block_are_folded_and_never_stacked(calls):
    rows = triangles_module.BLOCK // N
    factorize(RNG.standard_normal((3 * rows, N)), 1.0)
    assert calls == {"geqrt": 1, "tpqrt": 2, "ridge": 1}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("damping", [0.0, "mean-diagonal:0.01"])
def test_a_gram_matrix_takes_one_cholesky_and_one_to_see_that_it_is_semidefinite(calls, dtype, damping):
    f = Factorization.from_gram(X.T @ X, damping, dtype=dtype)
    assert calls == {"potrf": 2}
    calls.clear()
    f.with_damping("mean-diagonal:0.02")
    assert calls == {"potrf": 1}


def test_many_rows_in_float32_take_no_singular_values(calls):
    """The worst case of rounding, by the Frobenius norm, cannot tell here; the two extreme singular values can."""
    for damping in (0.0, "mean-diagonal:1e-6"):
        factorize(RNG.standard_normal((20_000, N)), damping, dtype="float32")
    assert not set(calls) & set(DECOMPOSITIONS)


def test_singular_values_are_asked_for_only_to_refuse_or_in_doubt(calls):
    with pytest.raises(RankDeficientError):
        factorize(X[:, np.r_[: N - 1, 0]])
    assert calls["svd"] == 1
    calls.clear()
    indefinite = X.T @ X
    indefinite[0, 1] = indefinite[1, 0] = 2 * indefinite.max()
    with pytest.raises(InvalidArgumentError, match="semidefinite"):
        Factorization.from_gram(indefinite)
    assert calls == {"potrf": 1, "eigvalsh": 1}


SIZE = 512
TALL = np.random.default_rng(91).standard_normal((2 * SIZE, SIZE))


def squares(make) -> tuple[float, float]:
    """Numbers that `make` allocates at once, and those that its result keeps, in N^2."""
    make()  # what is imported or cached once
    tracemalloc.start()
    try:
        made = make()
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert made is not None
    return peak / 8 / SIZE**2, kept / 8 / SIZE**2


def read_only(matrix: np.ndarray) -> np.ndarray:
    matrix = matrix.copy()
    matrix.flags.writeable = False
    return matrix


F = factorize(TALL, "mean-diagonal:0.01")
GRAM = TALL.T @ TALL


@pytest.mark.parametrize(("make", "most", "most_kept"), [
    (lambda: factorize(TALL, "mean-diagonal:0.01"), 5.5, 4.1),  # X itself is 2
    (lambda: factorize(TALL, "mean-diagonal:0.01", "decreasing-norm"), 5.5, 4.1),
    (lambda: factorize(TALL.astype(np.float32), "mean-diagonal:0.01"), 6.5, 4.1),  # the float32 matrix made here is 1
    (lambda: factorize(read_only(TALL), "mean-diagonal:0.01"), 5.5, 4.1),  # the read-only matrix made here is 2
    (lambda: F.with_damping(1.0), 2.5, 1.1),
    (lambda: F.with_ordering("decreasing-norm"), 2.5, 1.1),
    (lambda: Factorization.from_gram(GRAM, 1.0), 3.5, 2.1),
], ids=["rows", "rows in an order", "float32 rows", "read-only rows", "damping", "ordering", "gram"])
def test_memory_in_squares_of_n(make, most, most_kept):
    peak, kept = squares(make)
    assert peak < most
    assert kept < most_kept


def test_an_algorithm_that_is_given_rows_borrows_them():
    """Of OPTQ's own N x K arrays there is next to nothing here (K = 1): the triangle, L, and what a factorization takes at once."""
    peak, kept = squares(lambda: optq(TALL, np.ones((SIZE, 1)), Grid(0.1), "mean-diagonal:0.01"))
    assert peak < 3.5
    assert kept < 2.1


def test_memory_does_not_grow_with_the_number_of_streamed_rows():
    def stream(times):
        return Factorization.from_blocks((TALL[i : i + 100] for _ in range(times) for i in range(0, len(TALL), 100)), 1.0)

    few, many = squares(lambda: stream(2)), squares(lambda: stream(8))
    assert many[0] == pytest.approx(few[0], rel=0.05)
    assert many[1] == pytest.approx(few[1], rel=0.05)
    assert many[0] < 5.5
