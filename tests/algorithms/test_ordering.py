"""Feature orderings: what the names mean, who goes first among equals, min-pivot against its literal definition."""

import numpy as np
import pytest
from provable_ptq.algorithms import Grid, definitions, factorize, gpfq, optq, qronos
from provable_ptq.algorithms.factorization import RowSource
from provable_ptq.algorithms.ordering import PANEL, TIE, min_pivot_order
from provable_ptq.bounds.problems import zoo_matrix
from provable_ptq.bounds.problems.drawn import draw_problem
from provable_ptq.bounds.problems.zoo import ZOO


def integer_matrix(index, m=None):
    """Small integers, so that equal norms occur and are exactly equal."""
    rng = np.random.default_rng([0, index])
    N = int(rng.integers(1, 9))
    return rng.integers(-2, 3, size=(m or N + 3, N)).astype(float)


def literal_min_pivot(X, damping, tie=1e-9):
    """Backwards, always eliminate the feature with the smallest least-squares residual; of equals the higher index."""
    N = X.shape[1]
    stacked = np.vstack([X, np.sqrt(damping) * np.eye(N)])
    left, later = list(range(N)), []
    while left:
        residual = {}
        for j in left:
            goal = stacked[:, j]
            explained = stacked[:, later] @ np.linalg.lstsq(stacked[:, later], goal, rcond=None)[0] if later else 0
            residual[j] = np.linalg.norm(goal - explained)
        smallest = min(residual.values())
        chosen = max(j for j in left if residual[j] <= smallest * (1 + tie))
        left.remove(chosen)
        later.insert(0, chosen)
    return later


def plain_min_pivot(root):
    """One feature after the other, every residual and every norm recomputed after each; residuals of rounding noise count as zero."""
    residuals, left, backwards = root.T.copy(), np.arange(root.shape[1]), []
    nothing = (len(left) * np.finfo(float).eps) ** 2 * (root**2).sum(axis=0).max()
    while len(left):
        sizes = (residuals**2).sum(axis=1)
        sizes[sizes <= nothing] = 0
        chosen = np.flatnonzero(sizes <= sizes.min() * (1 + TIE))[-1]
        eliminated, size = residuals[chosen], sizes[chosen]
        backwards.append(left[chosen])
        left, residuals = np.delete(left, chosen), np.delete(residuals, chosen, axis=0)
        if size:
            residuals = residuals - np.outer(residuals @ eliminated / size, eliminated)
    return np.array(backwards[::-1])


def assert_panels_change_nothing(X, damping):
    """The blocked form against the plain one, as far as the rank goes: what is left then is rounding noise."""
    root = RowSource.of(X).root(damping)
    rank = np.linalg.matrix_rank(root)
    np.testing.assert_array_equal(min_pivot_order(root)[-rank:], plain_min_pivot(root)[-rank:])


def test_norm_orderings_and_their_ties():
    for index in range(300):
        X = integer_matrix(index)
        norms = [int(column @ column) for column in X.T]
        decreasing = sorted(range(len(norms)), key=lambda j: (-norms[j], j))
        increasing = sorted(range(len(norms)), key=lambda j: (norms[j], j))
        assert factorize(X, 1.0, "decreasing-norm").order.tolist() == decreasing
        assert factorize(X, 1.0, "increasing-norm").order.tolist() == increasing
        assert factorize(X, 1.0).order.tolist() == list(range(len(norms)))


def test_random_is_the_named_permutation():
    X = np.ones((1, 20))
    for seed in (0, 1, 123456789012345678901234567890):
        np.testing.assert_array_equal(factorize(X, 1.0, f"random:{seed}").order, np.random.default_rng(seed).permutation(20))


def test_order_says_which_feature_each_step_processes():
    X = np.diag([2.0, 5.0, 3.0])
    assert factorize(X, ordering="decreasing-norm").order.tolist() == [1, 2, 0]
    np.testing.assert_array_equal(factorize(X, ordering="decreasing-norm").pivots, [5.0, 3.0, 2.0])
    for given in ([2, 0, 1], (2, 0, 1), np.array([2, 0, 1], dtype=np.uint8)):
        assert factorize(X, ordering=given).order.tolist() == [2, 0, 1]
        np.testing.assert_array_equal(factorize(X, ordering=given).pivots, [3.0, 2.0, 5.0])


def test_min_pivot_against_least_squares():
    for index in range(150):
        rng = np.random.default_rng([1, index])
        m, N = int(rng.integers(1, 9)), int(rng.integers(1, 8))
        X = rng.normal(size=(m, N)) @ np.diag(10 ** rng.uniform(-1, 1, size=N))
        damping = 0.0 if m > N and index % 2 else float(10 ** rng.uniform(-3, 0))
        f = factorize(X, damping, "min-pivot")
        assert f.order.tolist() == literal_min_pivot(X, damping)


def test_min_pivot_ties_with_equal_norms_and_duplicates():
    for index in range(150):
        X = integer_matrix(index)
        if index % 2:
            X = X[:, np.random.default_rng([2, index]).integers(0, X.shape[1], size=X.shape[1])]
        f = factorize(X, 0.5, "min-pivot")
        assert f.order.tolist() == literal_min_pivot(X, 0.5)


@pytest.mark.parametrize("damping", [0.0, 1e-12, 1e-4, 1.0])
@pytest.mark.parametrize("kind", ZOO)
def test_panels_change_nothing_on_the_zoo(kind, damping):
    """Several panels, more and fewer samples than features; the adversarial kind has ties at every step."""
    N = 2 * PANEL + 22
    for m in (N,) if kind == "adversarial" else (2 * N, N, N // 3):
        assert_panels_change_nothing(zoo_matrix(kind, m, N, np.random.default_rng([6, m])), damping)


def test_panels_change_nothing_on_drawn_problems():
    """Any shape and conditioning; every third with copied columns, every fifth in small integers, where ties are exact."""
    for index in range(400):
        rng = np.random.default_rng([7, index])
        X = draw_problem(rng, 40).X
        X = X * (1 + 1e-3 * rng.standard_normal(X.shape))  # no ties but those made below: rounding decides them after many projections
        if index % 3 == 0:
            X = X[:, rng.integers(0, X.shape[1], X.shape[1])]
        if index % 5 == 0:
            X = np.rint(3 * X)
        assert_panels_change_nothing(X, (0.0, 1e-12, 1e-6, 1e-2, 1.0)[index % 7 % 5] * (X**2).sum() / X.shape[1])


@pytest.mark.parametrize("decades", [3, 6, 9])
def test_panels_change_nothing_on_ill_conditioned_matrices(decades):
    """Residuals fall by up to nine decades within a panel: far below what is left of their squares after downdating."""
    N = PANEL + 36
    rng = np.random.default_rng([8, decades])
    left, right = (np.linalg.qr(rng.standard_normal((size, N)))[0] for size in (2 * N, N))
    graded = left * 10.0 ** -np.linspace(0, decades, N) @ right.T
    nearly_low_rank = rng.standard_normal((2 * N, 5)) @ rng.standard_normal((5, N)) + 10.0**-decades * rng.standard_normal((2 * N, N))
    for X in (graded, nearly_low_rank, rng.standard_normal((2 * N, N)) * 10.0 ** -np.linspace(0, decades, N)):
        assert_panels_change_nothing(X, 0.0)


@pytest.mark.parametrize("N", [PANEL, 3 * PANEL])
def test_panels_change_no_tie(N):
    """All features tied at every step; each tied with its copy; and features that are one or the other of a few."""
    rng = np.random.default_rng([9, N])
    for X in (np.eye(N), np.ones((3, N)), np.repeat(rng.standard_normal((N, N // 2)), 2, axis=1), np.eye(N)[rng.integers(0, N, 2 * N)]):
        assert_panels_change_nothing(X, 0.25)
    assert min_pivot_order(np.eye(N)).tolist() == list(range(N))


def test_features_without_a_residual_are_equals():
    """Copies of one feature: once it is eliminated the others are zero but for rounding, and rounding must not choose among them."""
    for seed in range(20):
        column = np.random.default_rng([10, seed]).standard_normal((7, 1))
        assert min_pivot_order(np.tile(column, 6)).tolist() == list(range(6))


@pytest.mark.parametrize("N", [1, 2, 5])
def test_among_equals_the_higher_index_is_eliminated_first(N):
    """Equal orthogonal features, and all features equal: in both cases the natural order comes out."""
    assert factorize(np.eye(N), ordering="min-pivot").order.tolist() == list(range(N))
    assert factorize(np.ones((3, N)), 1.0, "min-pivot").order.tolist() == list(range(N))
    for ordering in ("decreasing-norm", "increasing-norm"):
        assert factorize(np.ones((3, N)), 1.0, ordering).order.tolist() == list(range(N))


def test_min_pivot_pivots_are_the_smallest_residuals():
    """Each pivot is the smallest among the features not yet eliminated: no swap with an earlier one gives a smaller."""
    for index in range(60):
        rng = np.random.default_rng([3, index])
        N = int(rng.integers(2, 7))
        X = rng.normal(size=(N + 2, N))
        f = factorize(X, 0.1, "min-pivot")
        for t in range(N):
            for s in range(t):
                swapped = f.order.copy()
                swapped[[s, t]] = swapped[[t, s]]
                assert f.pivots[t] <= f.with_ordering(swapped).pivots[t] * (1 + 1e-12)


def test_dead_features_are_eliminated_first():
    X = np.array([[1.0, 0.0, 3.0, 0.0], [2.0, 0.0, 1.0, 0.0]])
    assert factorize(X, ordering="min-pivot").order[2:].tolist() == [1, 3]
    assert min_pivot_order(np.zeros((2, 3))).tolist() == [0, 1, 2]


def test_small_residuals_are_told_apart():
    """Residuals of 1e-9 and 3e-9 beside features of size 1: their squares vanish beside those of the features."""
    e = np.eye(3)
    X = np.stack([e[0] + 1e-9 * e[1], e[0] + 3e-9 * e[2], 0.5 * e[0]], axis=1)
    assert factorize(X, ordering="min-pivot").order.tolist() == literal_min_pivot(X, 0.0) == [1, 0, 2]


def test_named_orderings_read_the_deployed_inputs():
    rng = np.random.default_rng(4)
    X = rng.normal(size=(9, 5)) * [5, 4, 3, 2, 1]
    deployed = X[:, ::-1] + 0.1 * rng.normal(size=X.shape)
    W, grid = rng.normal(size=(5, 2)), Grid(0.5)
    for ordering in ("decreasing-norm", "increasing-norm", "min-pivot"):
        expected = factorize(deployed, 0.0, ordering).order
        assert expected.tolist() != factorize(X, 0.0, ordering).order.tolist()
        for result in (
            qronos(X, deployed, W, grid, ordering=ordering),
            definitions.qronos(X, deployed, W, grid, ordering=ordering),
            gpfq(X, W, grid, deployed, ordering=ordering),
            definitions.gpfq(X, W, grid, deployed, ordering=ordering),
        ):
            np.testing.assert_array_equal(result.order, expected)


def test_min_pivot_sees_the_damping():
    """Without damping the nearly dependent pair goes first; with much damping only norms count."""
    X = np.array([[3.0, 3.0, 0.0], [0.0, 0.1, 0.0], [0.0, 0.0, 1.0]])
    assert factorize(X, 0.0, "min-pivot").order.tolist() == literal_min_pivot(X, 0.0)
    assert factorize(X, 1e6, "min-pivot").order.tolist() == literal_min_pivot(X, 1e6)
    light, heavy = factorize(X, 1e-4, "min-pivot"), factorize(X, 30.0, "min-pivot")
    np.testing.assert_array_equal(light.with_damping(30.0).order, heavy.order)


def test_results_are_in_original_order():
    """Codes do not move when the ordering changes: where features do not interact they are the same numbers."""
    W = np.arange(12.0).reshape(6, 2) + 0.3
    X = np.diag([3.0, 1.0, 2.0, 5.0, 4.0, 0.5])
    for ordering in ("natural", "decreasing-norm", "increasing-norm", "min-pivot", "random:7", [3, 1, 5, 0, 2, 4]):
        result = optq(X, W, Grid(1.0), ordering=ordering)
        np.testing.assert_array_equal(result.codes, np.arange(12).reshape(6, 2))
        np.testing.assert_array_equal(result.target, W)
