"""The exact optimum over the grid: against brute force, between floor and OPTQ, under symmetries, within a node budget."""

from fractions import Fraction
from importlib import import_module
from itertools import product

import numpy as np
import pytest
from flint import fmpz_mat
from hypothesis import given, settings
from hypothesis import strategies as st
from provable_ptq.algorithms import Factorization, Grid, InvalidArgumentError, RankDeficientError, factorize, optq
from provable_ptq.algorithms.enumeration import by_distance

module = import_module("provable_ptq.algorithms.closest_vector")
closest_vector = module.closest_vector

TIE = 1e-9  # relative difference of squared distances; the matrices below have condition numbers of at most 1e6


def calibration(rng, m, N, condition=1.0):
    """A Gaussian matrix (m, N) whose columns are mixed until its condition number grows by about `condition`."""
    rotation = np.linalg.qr(rng.normal(size=(N, N)))[0]
    return rng.normal(size=(m, N)) @ (np.geomspace(1, 1 / condition, N)[:, None] * rotation)


def autoregressive(rng, m, N, correlation):
    X = rng.normal(size=(m, N))
    for j in range(1, N):
        X[:, j] = correlation * X[:, j - 1] + np.sqrt(1 - correlation**2) * X[:, j]
    return X


def squared_distance(X, w, q, damping=0.0):
    return np.square(X @ (w - q)).sum(axis=0) + damping * np.square(w - q).sum(axis=0)


def brute_force(X, w, step, damping=0.0, low=-np.inf, high=np.inf):
    """The least squared distance over the whole grid, one neuron: w, step, low, high are (N,).

    A point at least as close as a known one, at distance r, has |w_j - q_j| <= r sqrt((H^-1)_jj): all codes in that range
    are tried, but for one feature, for which the best code given the others is the nearest to a quotient.
    """
    N = len(w)
    low, high = np.broadcast_to(low, N), np.broadcast_to(high, N)
    H = X.T @ X + damping * np.eye(N)
    known = step * np.clip(np.rint(w / step), low, high)
    for _ in range(20):  # any grid point would do; a few rounds of coordinate descent shorten the ranges
        for j in range(N):
            known[j] = step[j] * np.clip(np.rint((known[j] + H[j] @ (w - known) / H[j, j]) / step[j]), low[j], high[j])
    reach = np.sqrt(squared_distance(X, w, known, damping) * np.diag(np.linalg.inv(H))) * (1 + 1e-6) + 1e-12 * np.abs(w)
    first = np.maximum(np.ceil((w - reach) / step), low).astype(int)
    last = np.minimum(np.floor((w + reach) / step), high).astype(int)
    free = int(np.argmax(last - first))
    others = [j for j in range(N) if j != free]
    tried = list(product(*(range(first[j], last[j] + 1) for j in others)))
    codes = np.array(tried, dtype=float).reshape(len(tried), N - 1)
    difference = np.empty((N, len(codes)))
    difference[others] = w[others, None] - step[others, None] * codes.T
    target = w[free] + H[free, others] @ difference[others] / H[free, free]
    difference[free] = w[free] - step[free] * np.clip(np.rint(target / step[free]), low[free], high[free])
    return float(squared_distance(X, difference, 0.0, damping).min())


def assert_optimal(X, w, grid, damping=0.0):
    """The result for (X, w, grid, damping) is decided, on the grid, honestly measured, and equals brute force."""
    result = closest_vector(X, w, grid, damping)
    step, low, high = grid.alphabet(*w.shape)
    assert result.decided.all()
    assert result.codes.dtype == np.int64
    assert ((low <= result.codes) & (result.codes <= high)).all()
    np.testing.assert_array_equal(result.weights, step * result.codes)
    np.testing.assert_allclose(result.distance_squared, squared_distance(X, w, result.weights, damping), rtol=1e-12)
    for k in range(w.shape[1]):
        least = brute_force(X, w[:, k], step[:, k], damping, low[:, k], high[:, k])
        assert result.distance_squared[k] == pytest.approx(least, rel=TIE, abs=1e-20)
    return result


# --- brute force ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("N", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("damping", [0.0, 0.3])
def test_infinite_grids_against_brute_force(N, damping):
    better_than_optq = 0
    for index in range(25):
        rng = np.random.default_rng([1, N, index])
        X = calibration(rng, N + int(rng.integers(0, 6)), N, condition=10 ** rng.uniform(0, 1))
        w = rng.normal(size=(N, 3))
        step = 10 ** rng.uniform(-1.5, 0.5) * np.exp(0.7 * rng.normal(size=[(), (3,), (N, 1), (N, 3)][index % 4]))
        result = assert_optimal(X, w, Grid(step), damping)
        start = squared_distance(X, w, optq(X, w, Grid(step), damping).weights, damping)
        better_than_optq += int((result.distance_squared < start * (1 - TIE)).sum())
    assert better_than_optq >= (5 if N > 1 else 0)


@pytest.mark.parametrize(("N", "condition"), [(2, 1e3), (2, 1e5), (3, 300), (4, 30), (5, 10)])
def test_ill_conditioned_matrices_against_brute_force(N, condition):
    far = 0
    for index in range(6):
        rng = np.random.default_rng([2, N, index])
        X, w = calibration(rng, 2 * N, N, condition), rng.normal(size=(N, 2))
        result = assert_optimal(X, w, Grid(np.exp(0.3 * rng.normal(size=(N, 1)))))
        far = max(far, np.abs(result.weights - w).max())
    assert far > 1  # the optimum is not around the corner of the nearest grid point


def test_steps_that_differ_by_orders_of_magnitude():
    for index in range(20):
        rng = np.random.default_rng([3, index])
        assert_optimal(rng.normal(size=(7, 4)), rng.normal(size=(4, 2)), Grid(10 ** rng.uniform(-2, 3, size=(4, 2))))


def test_a_fine_step_makes_up_for_a_coarse_one_as_far_as_codes_reach():
    X, w = np.array([[1.0, 0.5], [0.0, 0.01]]), np.array([[0.3], [0.2]])
    codes = closest_vector(X, w, Grid([[1.0], [1e-12]])).codes
    assert codes[0, 0] == 0
    assert codes[1, 0] == pytest.approx((0.2 + 0.3 * 0.5 / 0.2501) / 1e-12, abs=2)
    with pytest.raises(InvalidArgumentError, match="code is at most"):
        closest_vector(1e20 * X, 1e20 * w, Grid([[1e20], [1e-12]]))


@pytest.mark.parametrize("N", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("spread", [0.5, 3.0])
def test_finite_grids_against_brute_force(N, spread):
    clamped = moved = 0
    for index in range(20):
        rng = np.random.default_rng([4, N, index])
        X = calibration(rng, N + 3, N, condition=10 ** rng.uniform(0, 1.5))
        w = spread * rng.normal(size=(N, 3))
        low = rng.integers(-3, 1, size=[(), (3,), (N, 3)][index % 3])
        grid = Grid(np.exp(0.3 * rng.normal(size=(N, 1))) * 0.7, low, low + rng.integers(0, 4))
        result = assert_optimal(X, w, grid, damping=0.1 * (index % 2))
        free = closest_vector(X, w, Grid(grid.step), damping=0.1 * (index % 2)).codes
        clamped += int((free != result.codes).any(axis=0).sum())
        moved += int((np.clip(free, grid.low, grid.high) != result.codes).any(axis=0).sum())
    assert clamped >= 10
    assert moved >= 1 or N == 1  # clamping the free optimum is not enough


def test_both_trees_find_the_same_optimum():
    for index in range(20):
        rng = np.random.default_rng([5, index])
        n = int(rng.integers(1, 9))
        f = factorize(autoregressive(rng, 2 * n, n, 0.8))
        B = f.pivots[:, None] * f.L
        B /= np.diag(B).min()
        target = B @ rng.normal(size=n)
        box = module.Box(np.full(n, -2.0), np.full(n, 1.0))
        start = module.Found([0] * n, float(target @ target), 0, False)
        reduced, plain = (module.enumerate_closest(make(B), target, box, start, 10**6)
                          for make in (module.reduced_tree, module.plain_tree))
        assert reduced.decided
        assert plain.decided
        assert reduced.distance == pytest.approx(plain.distance, rel=TIE)
        for found in (reduced, plain):
            assert found.distance == pytest.approx(float(np.square(target - B @ found.offsets).sum()), rel=TIE)
            assert all(-2 <= offset <= 1 for offset in found.offsets)


@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.data())
def test_exact_integer_arithmetic_agrees(data):
    """Integer X and damping, weights in eighths: 64 times the squared distance is an integer, ties are exact."""
    N = data.draw(st.integers(1, 3), label="N")
    m = data.draw(st.integers(1, 4), label="m")
    X = np.array(data.draw(st.lists(st.lists(st.integers(-3, 3), min_size=N, max_size=N), min_size=m, max_size=m), label="X"))
    eighths = np.array(data.draw(st.lists(st.integers(-12, 12), min_size=N, max_size=N), label="8w"))
    damping = data.draw(st.integers(1, 3), label="damping")
    result = closest_vector(X, eighths[:, None] / 8, Grid(1.0), damping=float(damping))

    def exact(codes):  # (N, count) integers
        difference = eighths[:, None] - 8 * codes
        return np.square(X @ difference).sum(axis=0) + damping * np.square(difference).sum(axis=0)

    found = int(exact(result.codes)[0])
    reach = int(np.sqrt(found / damping) / 8) + 3  # ||w - q|| <= distance / sqrt(damping), and |w| <= 1.5
    everything = np.array(list(product(range(-reach, reach + 1), repeat=N))).T
    assert found == exact(everything).min()
    assert result.distance_squared[0] == pytest.approx(found / 64, rel=1e-12, abs=0)
    assert result.decided.all()


# --- between the floor and OPTQ ------------------------------------------------------------------------------------


@pytest.mark.parametrize("N", [8, 16, 24])
@pytest.mark.parametrize("correlation", [0.0, 0.95])
@pytest.mark.parametrize("step", [1.0, 1e-3])
def test_the_optimum_lies_between_the_floors_and_optq(N, correlation, step):
    rng = np.random.default_rng([6, N])
    X, w = autoregressive(rng, 2 * N, N, correlation), rng.normal(size=(N, 3))
    damping = 0.1
    result = closest_vector(X, w, Grid(step), damping)
    optimum = result.distance_squared
    assert result.decided.all()
    for ordering in ("natural", "decreasing-norm", "min-pivot"):
        f = factorize(X, damping, ordering)
        measured = squared_distance(X, w, optq(f, w, Grid(step)).weights, damping)
        assert (optimum <= measured * (1 + TIE)).all()
        assert (measured <= step**2 / 4 * np.square(f.pivots).sum() * (1 + TIE)).all()
        later = np.append(np.cumsum(np.square(f.pivots)[::-1])[::-1][1:], 0)
        assert (measured <= (1 + (later / np.square(f.pivots)).max()) * optimum * (1 + TIE)).all()  # `optq-near-optimal`
    H = X.T @ X + damping * np.eye(N)
    apart = np.square(w - step * np.rint(w / step))
    floor = np.maximum((apart / np.diag(np.linalg.inv(H))[:, None]).max(axis=0), np.linalg.eigvalsh(H)[0] * apart.sum(axis=0))
    assert (floor <= optimum * (1 + TIE)).all()  # `optimum-floor`


def test_a_planted_point_is_an_upper_bound():
    """w = grid point + X^-1 noise: the planted point has distance ||noise||, so the optimum has no more; here it is unique."""
    rng = np.random.default_rng(7)
    N = 24
    X = calibration(rng, 2 * N, N, 1e4)
    planted = rng.integers(-50, 50, size=(N, 4))
    noise = 0.9 * factorize(X).pivots.min() * np.array([0.1, 0.4, 1.0, 3.0])
    direction = rng.normal(size=(2 * N, 4))
    direction /= np.linalg.norm(direction, axis=0)
    w = planted + np.linalg.lstsq(X, direction * noise, rcond=None)[0]
    result = closest_vector(X, w, Grid(1.0))
    assert result.decided.all()
    assert (result.distance_squared <= squared_distance(X, w, planted.astype(float)) * (1 + 1e-6)).all()
    np.testing.assert_array_equal(result.codes[:, :2], planted[:, :2])  # within half of a length no lattice vector goes below


def test_grid_points_are_their_own_optimum():
    rng = np.random.default_rng(8)
    codes = rng.integers(-8, 8, size=(10, 3))
    for grid in (Grid(0.1), Grid(0.1, -8, 7)):
        result = closest_vector(calibration(rng, 12, 10, 1e3), 0.1 * codes, grid)
        np.testing.assert_array_equal(result.codes, codes)
        assert not result.distance_squared.any()


def test_exact_ties_cost_nodes_but_not_correctness():
    """Orthonormal features and weights half a step off: all 2^N surrounding grid points are equally near."""
    for grid in (Grid(1.0), Grid(1.0, -1, 1)):
        result = closest_vector(np.eye(7), np.full((7, 1), 0.5), grid)
        assert result.distance_squared[0] == pytest.approx(7 / 4, rel=1e-14)
        assert result.decided.all()


# --- symmetries ----------------------------------------------------------------------------------------------------


def problem_parts(seed, finite):
    rng = np.random.default_rng(seed)
    X, w, step = autoregressive(rng, 25, 10, 0.9), rng.normal(size=(10, 3)), 0.4 * np.exp(0.3 * rng.normal(size=(10, 3)))
    return rng, X, w, Grid(step, -2, [1, 2, 3]) if finite else Grid(step)


@pytest.mark.parametrize("finite", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_symmetries(seed, finite):
    rng, X, w, grid = problem_parts([9, seed], finite)
    before = closest_vector(X, w, grid)
    assert before.decided.all()

    rotation = np.linalg.qr(rng.normal(size=(25, 25)))[0]
    after = closest_vector(rotation @ X, w, grid)
    np.testing.assert_array_equal(after.codes, before.codes)
    np.testing.assert_allclose(after.distance_squared, before.distance_squared, rtol=TIE)

    shift = rng.integers(-20, 20, size=w.shape)
    shifted = Grid(grid.step, grid.low + shift, grid.high + shift) if finite else grid
    np.testing.assert_array_equal(closest_vector(X, w + grid.step * shift, shifted).codes, before.codes + shift)

    shuffle = rng.permutation(10)
    shuffled = Grid(grid.step[shuffle], grid.low, grid.high)
    np.testing.assert_array_equal(closest_vector(X[:, shuffle], w[shuffle], shuffled).codes, before.codes[shuffle])

    scaled = closest_vector(1e5 * X, 1e-7 * w, Grid(1e-7 * grid.step, grid.low, grid.high))
    np.testing.assert_array_equal(scaled.codes, before.codes)
    np.testing.assert_allclose(scaled.distance_squared, 1e-4 * before.distance_squared, rtol=TIE)

    alone = [closest_vector(X, w[:, [k]], Grid(grid.step[:, [k]], *((grid.low, grid.high[k]) if finite else ()))) for k in range(3)]
    np.testing.assert_array_equal(np.hstack([single.codes for single in alone]), before.codes)
    np.testing.assert_array_equal(np.concatenate([single.nodes for single in alone]), before.nodes)


def test_a_change_of_basis_changes_the_codes_along():
    """X U with U unimodular spans the same lattice: the optimum for U^-1 w is U^-1 q."""
    rng = np.random.default_rng(10)
    X, w = calibration(rng, 20, 9, 10.0), rng.normal(size=(9, 3))
    lower, upper = np.tril(rng.integers(-2, 3, size=(9, 9)), -1), np.triu(rng.integers(-2, 3, size=(9, 9)), 1)
    U = (lower + np.eye(9, dtype=int)) @ (upper + np.eye(9, dtype=int))
    before = closest_vector(X, w, Grid(1.0))
    after = closest_vector(X @ U, np.linalg.solve(U, w), Grid(1.0))
    np.testing.assert_array_equal(U @ after.codes, before.codes)
    np.testing.assert_allclose(after.distance_squared, before.distance_squared, rtol=1e-6)


# --- the node budget -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("finite", [False, True])
def test_a_spent_budget_says_undecided_and_never_claims_less_than_the_optimum(finite):
    rng = np.random.default_rng(11)
    X, w = autoregressive(rng, 32, 16, 0.9), 0.5 * rng.normal(size=(16, 4))
    grid = Grid(0.3, -3, 3) if finite else Grid(0.3)
    full = closest_vector(X, w, grid)
    assert full.decided.all()
    start = squared_distance(X, w, optq(X, w, grid, ordering="min-pivot").weights)
    undecided = 0
    previous = np.full(4, np.inf)
    for budget in [1, 2, 10, 30, 100, 300, 1000, 3000, int(full.nodes.max())]:
        result = closest_vector(X, w, grid, node_budget=budget)
        assert (result.nodes <= budget).all()
        assert (result.nodes[~result.decided] == budget).all()
        np.testing.assert_allclose(result.distance_squared, squared_distance(X, w, result.weights), rtol=1e-12)
        assert (result.distance_squared >= full.distance_squared * (1 - TIE)).all()
        assert (result.distance_squared <= np.minimum(start, previous) * (1 + TIE)).all()
        np.testing.assert_array_equal(result.codes[:, result.decided], full.codes[:, result.decided])
        undecided += int((~result.decided).sum())
        previous = result.distance_squared
    assert result.decided.all()
    assert undecided > 10


def test_exactly_the_nodes_needed_decide():
    rng = np.random.default_rng(12)
    X, w = rng.normal(size=(24, 12)), rng.normal(size=(12, 1))
    needed = int(closest_vector(X, w, Grid(1.0)).nodes[0])
    assert closest_vector(X, w, Grid(1.0), node_budget=needed).decided.all()
    assert not closest_vector(X, w, Grid(1.0), node_budget=needed - 1).decided.any()


# --- parts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("condition", [1.0, 1e6, 1e12])
def test_the_reduced_basis_spans_the_same_lattice_and_is_reduced(condition):
    rng = np.random.default_rng(13)
    f = factorize(calibration(rng, 24, 12, condition))
    B = f.pivots[:, None] * f.L / f.pivots.min()
    tree = module.reduced_tree(B)
    assert abs(fmpz_mat(tree.U).det()) == 1
    scaled = [[int(entry * 2**60) for entry in row] for row in B.tolist()]
    exact = np.array([[int(entry) / 2**60 for entry in row] for row in (fmpz_mat(scaled) * fmpz_mat(tree.U)).tolist()])
    np.testing.assert_allclose(tree.Q @ tree.R, exact, rtol=0, atol=1e-9 * np.abs(tree.R).max())
    lengths = np.square(np.diag(tree.R))
    mu = tree.R / np.diag(tree.R)[:, None]
    assert (np.abs(np.triu(mu, 1)) <= 0.52).all()
    assert (lengths[1:] >= (0.98 - 0.52**2) * lengths[:-1]).all()


@pytest.mark.parametrize("condition", [1.0, 1e4, 1e8])
def test_the_slack_covers_rounding_and_little_more(condition):
    """Exact rational distances of what both trees find, against the distances they computed."""
    errors = 0.0
    for index in range(8):
        rng = np.random.default_rng([19, index])
        n = 8
        f = factorize(calibration(rng, 2 * n, n, condition), ordering="min-pivot")
        B = f.pivots[:, None] * f.L / f.pivots.min()
        target = B @ rng.normal(size=n)
        radius = float(np.linalg.norm(target))
        box = module.Box(np.full(n, -4.0), np.full(n, 4.0))
        for tree in (module.reduced_tree(B), module.plain_tree(B)):
            found = module.enumerate_closest(tree, target, box, module.Found([0] * n, radius**2, 0, False), 10_000)
            exact = sum((Fraction(t) - sum(Fraction(b) * x for b, x in zip(row, found.offsets, strict=True))) ** 2
                        for t, row in zip(target.tolist(), B.tolist(), strict=True))
            slack = tree.slack(radius, tree.ends(box))
            assert abs(exact - Fraction(found.distance)) <= slack
            assert slack <= 1e-10 * radius**2 * (1 if not tree.plain else condition)
            errors = max(errors, abs(float(exact - Fraction(found.distance))) / slack)
    assert errors > 1e-6  # rounding happens


@settings(derandomize=True, deadline=None)
@given(st.floats(-30, 30), st.integers(-9, 9), st.integers(0, 12))
def test_candidates_come_by_distance(center, low, width):
    codes = list(by_distance(center, low, low + width))
    assert sorted(codes) == list(range(low, low + width + 1))
    distances = [abs(center - code) for code in codes]
    assert distances == sorted(distances)


def test_neurons_whose_steps_differ_by_a_factor_share_one_reduction(monkeypatch):
    reductions = []
    reduce = module.reduced_tree
    monkeypatch.setattr(module, "reduced_tree", lambda B: reductions.append(len(B)) or reduce(B))
    rng = np.random.default_rng(14)
    X, w = rng.normal(size=(12, 6)), rng.normal(size=(6, 8))
    for step, expected in [(0.1, 1), (rng.uniform(0.1, 1, size=8), 1), (rng.uniform(0.1, 1, size=(6, 1)), 1),
                           (rng.uniform(0.1, 1, size=(6, 8)), 8), (np.outer(np.arange(1, 7), [1, 2, 4, 1, 8, 2, 1, 4]), 1)]:
        reductions.clear()
        closest_vector(X, w, Grid(step))
        assert len(reductions) == expected


# --- degenerate input and what is refused --------------------------------------------------------------------------


@pytest.mark.parametrize("damping", [0.0, 0.5])
def test_dead_features_go_to_the_nearest_grid_point(damping):
    rng = np.random.default_rng(15)
    X, w = np.zeros((12, 7)), rng.normal(size=(7, 3))
    live = [0, 2, 3, 6]
    X[:, live] = rng.normal(size=(12, 4))
    for grid in (Grid(0.7), Grid(0.7, -1, 0)):
        result = closest_vector(X, w, grid, damping)
        np.testing.assert_array_equal(result.codes[live], closest_vector(X[:, live], w[live], grid, damping).codes)
        dead = [1, 4, 5]
        np.testing.assert_array_equal(result.weights[dead], grid.nearest(w)[dead])
    nothing = closest_vector(np.zeros((3, 7)), w, Grid(0.7), damping)
    np.testing.assert_array_equal(nothing.weights, Grid(0.7).nearest(w))
    assert nothing.decided.all()
    assert not nothing.nodes.any()


def test_no_neuron_and_one_feature():
    empty = closest_vector(np.eye(3), np.zeros((3, 0)), Grid(1.0))
    assert empty.codes.shape == empty.weights.shape == (3, 0)
    assert empty.distance_squared.shape == empty.decided.shape == empty.nodes.shape == (0,)
    single = closest_vector(np.array([[2.0]]), np.array([[0.7, -3.2]]), Grid(1.0), damping=1.0)
    assert single.codes.tolist() == [[1, -3]]
    np.testing.assert_allclose(single.distance_squared, [5 * 0.09, 5 * 0.04], rtol=1e-13)


def test_a_factorization_serves_as_well():
    rng = np.random.default_rng(16)
    X, w = rng.normal(size=(15, 8)), rng.normal(size=(8, 3))
    direct = closest_vector(X, w, Grid(0.5), damping=0.2)
    for f in (factorize(X, 0.2), factorize(X, 0.2, "random:3"), Factorization.from_gram(X.T @ X, 0.2),
              Factorization.from_blocks([X[:4], X[4:]], 0.2)):
        result = closest_vector(f, w, Grid(0.5))
        np.testing.assert_array_equal(result.codes, direct.codes)
        np.testing.assert_allclose(result.distance_squared, direct.distance_squared, rtol=1e-9)


def test_a_named_damping_rule():
    rng = np.random.default_rng(17)
    X, w = rng.normal(size=(15, 8)), rng.normal(size=(8, 2))
    absolute = closest_vector(X, w, Grid(0.5), damping=0.01 * np.square(X).sum(axis=0).mean())
    np.testing.assert_allclose(closest_vector(X, w, Grid(0.5), damping="mean-diagonal:0.01").distance_squared,
                               absolute.distance_squared, rtol=1e-12)


def test_dependent_features_need_damping():
    rng = np.random.default_rng(18)
    X, w = rng.normal(size=(4, 6)), rng.normal(size=(6, 2))
    with pytest.raises(RankDeficientError):
        closest_vector(X, w, Grid(1.0))
    assert closest_vector(X, w, Grid(1.0), damping=0.1).decided.all()


@pytest.mark.parametrize(("changes", "name"), [
    ({"X": [[np.nan]]}, "X"),
    ({"w": [0.5]}, "w.shape"),
    ({"w": [[0.5], [0.5]]}, "w.shape"),
    ({"w": [[np.inf]]}, "w"),
    ({"grid": Grid([1.0, 2.0])}, "grid.step.shape"),
    ({"damping": -1.0}, "damping"),
    ({"node_budget": 0}, "node_budget"),
    ({"node_budget": 1.5}, "node_budget"),
    ({"node_budget": True}, "node_budget"),
    ({"X": factorize(np.eye(1)), "damping": 1.0}, "damping"),
    ({"X": factorize(np.eye(1), dtype="float32")}, "X"),
    ({"w": [[1.0]], "grid": Grid(1e-300)}, "weight / step"),
    ({"X": np.eye(2), "w": [[1.0], [1.0]], "grid": Grid([[1e-10], [1e110]])}, r"max\(step\) / min\(step\)"),
])
def test_bad_arguments_are_named(changes, name):
    arguments = {"X": [[1.0]], "w": [[0.5]], "grid": Grid(1.0)} | changes
    with pytest.raises(InvalidArgumentError, match=f"^{name}"):
        closest_vector(**arguments)


def test_a_nearest_point_beyond_the_codes_of_float64_is_refused():
    """OPTQ keeps the first code at its weight, w = 2^53; one step more, and one less of the other, leaves nothing of its 0.4."""
    X, grid = np.array([[1.4, 1.0], [0.01, 0.0]]), Grid(step=1.0)
    found = closest_vector(X, np.array([[2.0**53 - 8], [0.4]]), grid)
    assert found.codes[:, 0].tolist() == [2**53 - 7, -1]
    with pytest.raises(InvalidArgumentError, match=r"2\*\*53"):
        closest_vector(X, np.array([[2.0**53], [0.4]]), grid)
