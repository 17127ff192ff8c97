"""The zoo of calibration matrices: shapes, and the statistics that its names promise."""

import inspect

import numpy as np
import pytest
from provable_ptq.algorithms import factorize
from provable_ptq.algorithms.arguments import InvalidArgumentError
from provable_ptq.bounds.problems import ZOO, zoo_matrix
from provable_ptq.bounds.problems.drawn import LARGEST, NEURONS, ORDERINGS, PROBABILITIES, ZOO_KINDS, draw_problem
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


def test_drawn_problems_cover_what_they_claim():
    drawn = [draw_problem(np.random.default_rng([0, number])) for number in range(400)]
    assert all(1 <= problem.N <= LARGEST and problem.K == NEURONS and 1 <= problem.m <= 2 * LARGEST for problem in drawn)

    def duplicated(X):
        return any(np.array_equal(X[:, i], X[:, i + 1]) and X[:, i].any() for i in range(X.shape[1] - 1))

    shares = {
        "fewer samples than features": np.mean([problem.m < problem.N for problem in drawn]),
        "one feature": np.mean([problem.N == 1 for problem in drawn]),
        "one sample": np.mean([problem.m == 1 for problem in drawn]),
        "dead features": np.mean([not problem.X.any(axis=0).all() for problem in drawn]),
        "duplicated features": np.mean([duplicated(problem.X) for problem in drawn]),
        "no damping": np.mean([problem.damping == 0.0 for problem in drawn]),
        "damping by rule": np.mean([isinstance(problem.damping, str) for problem in drawn]),
        "finite grids": np.mean([problem.grid.finite for problem in drawn]),
        "saturated": np.mean([bool(problem.result.saturated.any()) for problem in drawn]),
        "a step per feature": np.mean([problem.grid.step.ndim == 2 and problem.grid.step.shape[0] == problem.N > 1 for problem in drawn]),
        "one step": np.mean([problem.grid.step.ndim == 0 for problem in drawn]),
        "condition number above 100": np.mean([problem.factorization.condition > 100 for problem in drawn]),
    }
    assert min(shares.values()) > 0.02, shares
    assert {problem.ordering for problem in drawn} == set(ORDERINGS)
    assert {problem.failure_probability for problem in drawn} == set(PROBABILITIES)


def test_a_drawn_problem_is_a_function_of_the_generator():
    first, again = (draw_problem(np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first.X, again.X)
    np.testing.assert_array_equal(first.result.codes, again.result.codes)
    assert (first.damping, first.ordering, first.seed) == (again.damping, again.ordering, again.seed)


def test_drawn_pairs_share_their_dead_features():
    for number in range(100):
        problem = draw_problem(np.random.default_rng([1, number]))
        np.testing.assert_array_equal(problem.X.any(axis=0), problem.X_quantized.any(axis=0))
        assert problem.X_validation.shape == problem.X.shape


def test_the_adversarial_matrix_is_not_drawn():
    assert set(ZOO_KINDS) == set(ZOO) - {"adversarial"}
