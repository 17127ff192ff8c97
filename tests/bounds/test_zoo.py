"""The zoo of calibration matrices: shapes, and the statistics that its names promise."""

import inspect

import numpy as np
import pytest
from provable_ptq.algorithms import factorize
from provable_ptq.algorithms.arguments import InvalidArgumentError
from provable_ptq.bounds.problems import ZOO, zoo_matrix
from provable_ptq.bounds.problems.built import NAMED_ORDERINGS, NEURONS, PROBABILITIES
from provable_ptq.bounds.problems.drawn import LARGEST, ZOO_KINDS, draw_problem
from provable_ptq.bounds.problems.zoo import TAGS, ZOO_TAGS, size_tag, tagged

SHAPES = [(1, 1), (1, 5), (5, 1), (3, 8), (40, 7)]


def many(kind, N=6, m=200_000, **parameters):
    """A matrix of so many samples that its second moments are known to about 1%."""
    X = zoo_matrix(kind, m, N, np.random.default_rng(1), **parameters)
    return X, X.T @ X / m


@pytest.mark.parametrize("kind", [kind for kind in ZOO if kind != "adversarial"])
@pytest.mark.parametrize(("m", "N"), SHAPES)
def test_every_kind_has_every_shape(kind, m, N):
    X = zoo_matrix(kind, m, N, np.random.default_rng(0))
    assert X.shape == (m, N)
    assert X.dtype == np.float64
    assert np.isfinite(X).all()


@pytest.mark.parametrize("kind", ZOO)
def test_a_matrix_is_a_function_of_the_generator(kind):
    first, again, other = (zoo_matrix(kind, 6, 6, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.array_equal(first, other) == (kind == "adversarial"), "only the adversarial matrix is fixed"


@pytest.mark.parametrize("kind", ZOO)
def test_every_kind_says_what_it_is(kind):
    assert ZOO[kind].__name__ == kind.replace("-", "_")
    assert inspect.getdoc(ZOO[kind])


# --- tags ----------------------------------------------------------------------------------------------------------


def test_every_kind_is_tagged_with_known_words_and_every_word_is_used():
    assert set(ZOO_TAGS) == set(ZOO)
    assert {tag for tags in ZOO_TAGS.values() for tag in tags} == set(TAGS)
    with pytest.raises(InvalidArgumentError, match=r"tag = 'corelated' is not accepted: one of 'well conditioned', 'correlated'"):
        tagged("corelated")(lambda m, N, rng: np.zeros((m, N)))


@pytest.mark.parametrize("kind", [kind for kind in ZOO if kind != "adversarial"])
def test_tags_say_what_is_true_of_the_matrix(kind):
    """Each tag against the statistic that it names, on ten times as many samples as features."""
    X = zoo_matrix(kind, 320, 32, np.random.default_rng(7))
    live = X[:, X.any(axis=0)]
    norms = np.linalg.norm(live, axis=0)
    values = np.linalg.svd(live, compute_uv=False)
    correlations = (live / norms).T @ (live / norms) - np.eye(live.shape[1])
    true = {
        "well conditioned": np.linalg.cond(X) < 3,
        "correlated": np.median(np.abs(correlations)) > 0.1,
        "outlier features": norms.max() > 3 * np.median(norms),
        "ill conditioned": 20 < values[0] / values[-1] < 1e6,
        "low rank": values[8] < 0.1 * values[7],
        "rank deficient": np.linalg.matrix_rank(X) < 32,
        "dead features": live.shape[1] < 32,
    }
    assert {tag for tag, holds in true.items() if holds} == set(ZOO_TAGS[kind])


@pytest.mark.parametrize(("m", "N", "tag"), [
    (1, 4, "m << N"), (2, 8, "m << N"), (3, 8, "m < N"), (7, 8, "m < N"), (8, 8, "m = N"), (9, 8, "m > N"), (32, 8, "m >> N"),
])
def test_sizes_are_tagged_too(m, N, tag):
    assert size_tag(m, N) == tag
    assert size_tag(N, m) == tag.translate(str.maketrans("<>", "><"))


def test_gaussian_entries():
    X, S = many("gaussian")
    np.testing.assert_allclose(S, np.eye(6), atol=0.02)
    assert np.mean(X**4) == pytest.approx(3, rel=0.02)


@pytest.mark.parametrize("correlation", [0.95, 0.5, 0.0, -0.8])
def test_ar1_correlation_falls_geometrically_with_distance(correlation):
    _, S = many("ar1", correlation=correlation)
    distance = np.abs(np.subtract.outer(np.arange(6), np.arange(6)))
    np.testing.assert_allclose(S, np.power(float(correlation), distance), atol=0.02)


@pytest.mark.parametrize("tail", [1.0, 0.2])
def test_heavy_tailed_channels_have_lognormal_scales(tail):
    X = zoo_matrix("heavy-tailed-channels", 200, 20_000, np.random.default_rng(2), tail=tail)
    scales = np.log(np.square(X).mean(axis=0)) / 2
    assert scales.mean() == pytest.approx(0, abs=0.03)
    assert scales.std() == pytest.approx(tail, rel=0.05)
    off_diagonal = many("heavy-tailed-channels")[1]
    scaled = off_diagonal / np.sqrt(np.outer(np.diag(off_diagonal), np.diag(off_diagonal)))
    np.testing.assert_allclose(scaled, np.eye(6), atol=0.02)


@pytest.mark.parametrize("rank", [1, 3])
def test_low_rank_is_low_rank_up_to_its_noise(rank):
    values = np.linalg.svd(zoo_matrix("low-rank", 400, 30, np.random.default_rng(3), rank=rank, noise=0.01), compute_uv=False)
    assert values[rank - 1] > 100 * values[rank]
    assert values[rank:] == pytest.approx(0.01 * np.sqrt(400), rel=0.5), "the rest is the noise"
    silent = zoo_matrix("low-rank", 400, 30, np.random.default_rng(3), rank=rank, noise=0.0)
    assert np.linalg.matrix_rank(silent) == rank


def test_spiked_covariance_has_few_large_eigenvalues():
    _, S = many("spiked", N=8, spikes=2, strength=10.0)
    values = np.linalg.eigvalsh(S)
    np.testing.assert_allclose(values[:6], 1, atol=0.05)
    np.testing.assert_allclose(values[6:], 101, rtol=0.05)


def test_more_spikes_than_features_spike_them_all():
    _, S = many("spiked", N=2)
    np.testing.assert_allclose(np.linalg.eigvalsh(S), 901, rtol=0.03)


@pytest.mark.parametrize("exponent", [1.0, 0.5])
def test_power_law_spectrum(exponent):
    _, S = many("power-law", exponent=exponent)
    np.testing.assert_allclose(np.linalg.eigvalsh(S)[::-1], np.arange(1.0, 7) ** (-2 * exponent), rtol=0.05)
    assert np.abs(S - np.diag(np.diag(S))).max() > 0.01, "in a random basis"


def test_dead_and_duplicated_columns():
    X = zoo_matrix("dead-and-duplicated", 20, 9, np.random.default_rng(4))
    assert (~X.any(axis=0)).tolist() == [True, True] + [False] * 7
    np.testing.assert_array_equal(X[:, 7], X[:, 6])
    np.testing.assert_array_equal(X[:, 8], X[:, 7])
    assert np.linalg.matrix_rank(X) == 5
    custom = zoo_matrix("dead-and-duplicated", 20, 9, np.random.default_rng(4), dead=0, duplicated=1)
    assert custom.any(axis=0).all()
    assert np.linalg.matrix_rank(custom) == 8


@pytest.mark.parametrize("N", [1, 2, 5, 64])
def test_adversarial_matrix_has_pivots_of_one_and_a_constant_row_of_sums(N):
    X = zoo_matrix("adversarial", N, N, np.random.default_rng(0))
    f = factorize(X)
    np.testing.assert_allclose(f.pivots, 1, rtol=1e-12)
    np.testing.assert_allclose(f.M, np.tri(N), atol=1e-10)
    V = X @ np.tri(N)
    np.testing.assert_allclose(V.T @ V, np.eye(N), atol=1e-12)
    np.testing.assert_allclose(V[0], np.full(N, N**-0.5), rtol=1e-12)
    assert (np.linalg.norm(X, axis=0) <= np.sqrt(2) + 1e-12).all()


def test_adversarial_matrix_is_square():
    with pytest.raises(InvalidArgumentError, match=r"samples = 3 is not accepted: samples = features = 4"):
        zoo_matrix("adversarial", 3, 4, np.random.default_rng(0))


@pytest.mark.parametrize("kind", ["normal", "ar-1", ""])
def test_an_unknown_kind_is_refused_with_the_known_ones(kind):
    with pytest.raises(InvalidArgumentError, match=r"kind = .* is not accepted: one of gaussian, ar1, .*adversarial"):
        zoo_matrix(kind, 3, 3, np.random.default_rng(0))


# --- problems drawn from it ----------------------------------------------------------------------------------------


def regimes(problem):
    """What is special about a problem, in words."""
    X, K, damping = problem.calibration, problem.K, problem.factorization.damping
    step = problem.steps
    pairs = [(i, j) for i in range(problem.N) for j in range(i)]
    diagonal = (X**2).sum() / problem.N
    near = np.abs(np.abs(problem.result.rounding_errors / step) - 0.5) < 0.02
    return {
        "fewer samples than features": problem.m < problem.N,
        "as many samples as features": problem.m == problem.N,
        "more samples than features": problem.m > problem.N,
        "one feature": problem.N == 1,
        "at most four features": problem.N <= 4,
        "more than eight features": problem.N > 8,
        "one sample": problem.m == 1,
        "one neuron": K == 1,
        "several neurons": K > 1,
        "dead features": not X.any(axis=0).all(),
        "duplicated features": any(np.array_equal(X[:, i], X[:, j]) and X[:, i].any() for i, j in pairs),
        "no damping": damping == 0,
        "some damping": 0 < damping < diagonal,
        "damping that outweighs the features": damping > 10 * diagonal,
        "damping by rule": isinstance(problem.damping, str),
        "an infinite alphabet": not problem.grid.finite,
        "a finite alphabet": problem.grid.finite,
        "saturated": problem.result.saturated.any(),
        "one step": (step == step[0, 0]).all() and step.size > 1,
        "a step per feature": (step != step[:1]).any(),
        "a step per neuron": (step != step[:, :1]).any(),
        "weights near ties": near.all(),
        "weights of no particular kind": not near.any(),
        "numbers of full precision": np.count_nonzero(X * 2.0**30 % 1) > 0,
        "condition number above 100": problem.factorization.condition > 100,
        "an order of its own": not isinstance(problem.ordering, str),
    }


def shares(problems):
    found = [regimes(problem) for problem in problems]
    return {name: float(np.mean([of_one[name] for of_one in found])) for name in found[0]}


@pytest.mark.parametrize("mismatched", [False, True])
def test_drawn_problems_cover_what_they_claim(mismatched):
    drawn = [draw_problem(np.random.default_rng([0, number]), mismatched=mismatched) for number in range(400)]
    assert all(1 <= problem.N <= LARGEST and 1 <= problem.K <= NEURONS and 1 <= problem.m <= 2 * LARGEST for problem in drawn)
    assert all((problem.X_quantized is not None) is mismatched for problem in drawn)
    assert {name: share for name, share in shares(drawn).items() if share < 0.01} == {}
    assert {problem.ordering.partition(":")[0] for problem in drawn if isinstance(problem.ordering, str)} == {*NAMED_ORDERINGS, "random"}
    assert {problem.failure_probability for problem in drawn} == set(PROBABILITIES)


def test_a_drawn_problem_is_a_function_of_the_generator():
    first, again = (draw_problem(np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first.X, again.X)
    np.testing.assert_array_equal(first.result.codes, again.result.codes)
    assert (first.damping, list(first.ordering), first.seed) == (again.damping, list(again.ordering), again.seed)


def test_the_adversarial_matrix_is_not_drawn():
    assert set(ZOO_KINDS) == set(ZOO) - {"adversarial"}
