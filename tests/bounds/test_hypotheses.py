"""Hypotheses at their edges, and what mending one changes: nothing but what it has to."""

import numpy as np
import pytest
from provable_ptq.algorithms import Grid
from provable_ptq.bounds import Problem, claims

RNG = np.random.default_rng(3)
N, K, m = 6, 3, 9
X, X_TILDE, HELD_OUT, W = (RNG.standard_normal(shape) for shape in ((m, N), (m, N), (4, N), (N, K)))
STEPS = RNG.uniform(0.1, 0.4, (N, K))
FINITE = Grid(STEPS, low=-np.arange(1, K + 1), high=np.arange(2, K + 2))
NAMED = {hypothesis.name: hypothesis for made in claims().values() for hypothesis in made.hypotheses}


def problem(**changes):
    given = {"X": X, "W": W, "grid": FINITE, "damping": 0.3, "X_quantized": X_TILDE, "X_validation": HELD_OUT} | changes
    return Problem(**given)


def met(name, given):
    return bool(np.all(NAMED[name].test(given, given.result)))


@pytest.mark.parametrize("name", [name for name in NAMED if name.startswith("N <= ")])
def test_limits_on_features_are_inclusive_and_mended_by_the_first_features(name):
    limit = int(name.removeprefix("N <= "))
    for features in (limit, limit + 1):
        wide = Problem(np.eye(features), np.zeros((features, 1)), Grid(1.0), damping=1.0, ordering=np.arange(features)[::-1])
        assert met(name, wide) == (features <= limit)
    mended = NAMED[name].mend(wide)
    assert mended.X.shape[1] == limit
    assert np.array_equal(mended.order, np.arange(limit)[::-1]), "those that are left keep their order"


def test_fewer_features_take_everything_of_theirs_along():
    order = np.add.outer([0, 6, 12], [4, 0, 5, 2, 1, 3]).ravel()
    grid = Grid(np.tile(STEPS, (3, 1)), low=np.arange(-18, 0)[:, None], high=7)
    wide = problem(X=np.tile(X, 3), W=np.tile(W, (3, 1)), grid=grid, X_quantized=np.tile(X_TILDE, 3),
                   X_validation=np.tile(HELD_OUT, 3), ordering=order)
    mended = NAMED["N <= 12"].mend(wide)
    for name in ("X", "X_quantized", "X_validation"):
        assert np.array_equal(getattr(mended, name), getattr(wide, name)[:, :12])
    assert np.array_equal(mended.W, wide.W[:12])
    laid, before = mended.grid.alphabet(12, K), wide.grid.alphabet(18, K)
    assert all(np.array_equal(one, other[:12]) for one, other in zip(laid, before, strict=True))
    assert mended.damping == wide.damping


def test_infinite_alphabets_keep_their_steps():
    for name in ("no step saturates", "the alphabet is infinite"):
        mended = NAMED[name].mend(problem())
        assert not mended.grid.finite
        assert np.array_equal(np.broadcast_to(mended.grid.step, (N, K)), STEPS)
    assert met("the alphabet is infinite", mended)
    assert not met("the alphabet is infinite", problem())


def test_saturation_and_steps_are_asked_of_every_neuron_by_itself():
    given = Problem(np.eye(2), np.array([[0.4, 9.0, 0.2], [0.3, 0.1, 9.0]]), Grid(1.0, low=-2, high=2))
    assert list(NAMED["no step saturates"].test(given, given.result)) == [True, False, False]
    steps = Problem(np.eye(2), np.zeros((2, 3)), Grid(np.array([[1.0, 1.0, 2.0], [1.0, 2.0, 2.0]])))
    assert list(NAMED["the step is the same for all features of a neuron"].test(steps, None)) == [True, False, True]


def test_one_step_is_the_first_and_ends_stay():
    mended = NAMED["the step is the same for all features of a neuron"].mend(problem())
    laid, before = mended.grid.alphabet(N, K), FINITE.alphabet(N, K)
    assert np.array_equal(laid.step, np.tile(STEPS[:1], (N, 1)))
    assert np.array_equal(laid.low, before.low)
    assert np.array_equal(laid.high, before.high)


@pytest.mark.parametrize("damping", [0.0, "none", 0.3, "spectral:0.1"])
def test_dead_features_come_to_life_and_nothing_else_changes(damping):
    """A feature is dead where its deployed inputs are; damping is put in only where there was none."""
    dead = np.where(np.arange(N) == 2, 0.0, X_TILDE)
    given = problem(X_quantized=dead, damping=damping)
    mended = NAMED["no column is zero"].mend(given)
    for before, after in ((X, mended.X), (dead, mended.X_quantized)):
        assert np.array_equal(np.delete(after, 2, axis=1), np.delete(before, 2, axis=1))
        assert (after[:, 2] == 1).all()
    assert mended.damping == ("mean-diagonal:0.01" if damping in (0.0, "none") else damping)
    assert not met("no column is zero", given)
    assert met("no column is zero", mended)


def test_definite_means_that_no_pivot_vanishes():
    dead = np.where(np.arange(N) == 2, 0.0, X)
    for name in ("H is positive definite", "the damping is positive"):
        assert not met(name, problem(X=dead, X_quantized=None, damping=0.0))
        assert met(name, problem(X=dead, X_quantized=None, damping=1e-3))
        assert met(name, NAMED[name].mend(problem(X=dead, X_quantized=None, damping=0.0)))
    assert met("H is positive definite", problem(damping=0.0))
    assert not met("the damping is positive", problem(damping=0.0))


@pytest.mark.parametrize("seed", range(8))
def test_as_many_samples_as_features_or_fewer(seed):
    assert not met("m <= N", problem())
    assert met("m <= N", problem(X=X[:N], X_quantized=None))
    mended = NAMED["m <= N"].mend(problem(seed=seed, damping=0.0))
    assert 1 <= mended.m <= N
    assert np.array_equal(mended.X, X[: mended.m])
    assert np.array_equal(mended.X_quantized, X_TILDE[: mended.m])
    assert mended.damping == "mean-diagonal:0.01", "fewer samples than features are dependent"
    assert len({NAMED["m <= N"].mend(problem(seed=each)).m for each in range(8)}) == N, "every number of samples in turn"


@pytest.mark.parametrize(("samples", "features", "few"), [(256, 257, False), (257, 257, True), (1, 256, True), (300, 257, True)])
def test_few_tails_are_decomposed(samples, features, few):
    tails = next(hypothesis for name, hypothesis in NAMED.items() if name.startswith("m >= N"))
    wide = Problem(np.ones((samples, features)), np.zeros((features, 1)), Grid(1.0), damping=1.0)
    assert bool(tails.test(wide, None)) == few
    assert tails.mend(wide).N == 256


def test_deployed_inputs_match_where_they_are_the_same_or_none():
    matched = "the deployed inputs are the calibration inputs"
    assert met(matched, problem(X_quantized=None))
    assert met(matched, problem(X_quantized=X.copy()))
    assert not met(matched, problem(X_quantized=np.where(X[0, 0] == X, np.nextafter(X, 9), X)))
    assert NAMED[matched].mend(problem()).X_quantized is None
    given = "the layer's deployed inputs are given"
    assert met(given, problem())
    assert not met(given, problem(X_quantized=None))
    assert met("held-out inputs are given", problem())
    assert not met("held-out inputs are given", problem(X_validation=None))
