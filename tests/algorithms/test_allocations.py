"""What a run costs, in counts that no machine changes: arrays in memory, triangular solves, multiply-adds."""

import tracemalloc

import numpy as np
import pytest
from provable_ptq.algorithms import CrossGram, Factorization, Grid, factorize, optq, qronos, round_to_nearest
from provable_ptq.algorithms import feedback as recursion

N = K = 512
RNG = np.random.default_rng(0)
X = RNG.normal(size=(2 * N, N))
DEPLOYED = X + 0.1 * RNG.normal(size=X.shape)
W = RNG.normal(size=(N, K))
GRID = Grid.for_weights(W, bits=4)
GRAM = X.T @ X


def arrays(call):
    """The most memory that `call` held at once and what its result keeps, in arrays of N K float64 numbers."""
    call()  # whatever is made once and kept
    tracemalloc.start()
    try:
        result = call()
        kept, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert result.codes.shape == (N, K)
    return most / (8 * N * K), kept / (8 * N * K)


@pytest.mark.parametrize("ordering", ["natural", "decreasing-norm"])
def test_optq_holds_four_arrays_and_keeps_three(ordering):
    """z, codes, weights, half of u - q, the flags and a few blocks; z is the errors in the end."""
    f = Factorization.from_gram(GRAM, 1.0, ordering)
    most, kept = arrays(lambda: optq(f, W, GRID))
    assert most <= 4.2
    assert kept <= 3.2


def test_a_layer_from_its_gram_matrix_holds_six_arrays():
    assert arrays(lambda: optq(Factorization.from_gram(GRAM, 1.0), W, GRID))[0] <= 6.1


def test_single_precision_takes_less():
    f = Factorization.from_gram(GRAM, 1.0, dtype="float32")
    assert arrays(lambda: optq(f, W.astype(np.float32), GRID))[0] <= 3.3


def test_a_grid_of_one_step_per_neuron_is_never_laid_out():
    order = RNG.permutation(N)
    alphabet = GRID.alphabet(N, K)
    for features in (order, order[:7], slice(3, 9)):
        for given, ordered in zip(alphabet, alphabet.reordered(features), strict=True):
            assert np.shares_memory(given, ordered)
            np.testing.assert_array_equal(ordered, given[features])
    per_weight = Grid(RNG.random((N, K)) + 0.1).alphabet(N, K)
    np.testing.assert_array_equal(per_weight.reordered(order).step, per_weight.step[order])


def test_rounding_to_nearest_makes_no_feedback_of_zeros():
    assert arrays(lambda: round_to_nearest(W, GRID))[0] <= 4.3


@pytest.mark.parametrize("form", ["alternating", "projected"])
def test_qronos_holds_seven_arrays(form):
    f = Factorization.from_gram(DEPLOYED.T @ DEPLOYED, 1.0)
    cross = CrossGram(DEPLOYED.T @ X)
    assert arrays(lambda: qronos(cross, f, W, GRID, form=form))[0] <= 7.2


@pytest.mark.parametrize("form", ["alternating", "projected"])
@pytest.mark.parametrize("rows", [True, False])
def test_qronos_forms_no_inverse_and_solves_for_its_target_once_it_is_asked_for(monkeypatch, form, rows):
    """The codes need L(u - w) only: from Gram matrices one solve, from rows V, which is right to cond; u itself takes one more."""
    from provable_ptq.algorithms.qronos import _solved

    solves = []
    monkeypatch.setitem(qronos.__globals__, "_solved", lambda *given, **named: solves.append(1) or _solved(*given, **named))
    f = factorize(DEPLOYED, 1.0) if rows else Factorization.from_gram(DEPLOYED.T @ DEPLOYED, 1.0)
    result = qronos(X if rows else CrossGram(DEPLOYED.T @ X), f, W, GRID, form=form)
    assert len(solves) == (0 if rows else 1)
    assert result.target is result.target
    assert len(solves) == (1 if rows else 2)
    assert "M" not in f.__dict__
    assert rows or "sample_rows_of_V" not in f.__dict__


@pytest.mark.parametrize("features", [1, 31, 32, 33, 64, 100, 129, 256, 300])
def test_products_do_no_work_twice(monkeypatch, features):
    """Every pair of features in different blocks meets in one product: as many multiply-adds as the triangle has entries off its blocks."""
    pairs = []
    push = recursion._push
    monkeypatch.setattr(recursion, "_push", lambda L, missed, z: pairs.append(L.size * bool(z.size)) or push(L, missed, z))
    optq(np.eye(features), np.ones((features, 2)), Grid(1.0))
    blocks = np.arange(features) // recursion.BLOCK
    assert sum(pairs) == (blocks[:, None] > blocks).sum()
