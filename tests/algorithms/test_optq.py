"""OPTQ in feedback form: its definition, its identity, and what must not change its codes."""

from dataclasses import replace

import numpy as np
import pytest
from provable_ptq.algorithms import Factorization, Grid, definitions, factorize, optq, round_to_nearest

BATCHES = range(8)


# --- the definition and the identity -------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", BATCHES)
def test_same_codes_as_both_definitions_and_the_identity_holds(draws, batch):
    for problem in draws.problems(300, seed=batch):
        fast = optq(problem.X, damping=problem.damping, **problem.layer)
        forms = [(1, definitions.optq(problem.X, damping=problem.damping, **problem.layer))]
        if problem.definite:
            forms.append((2, definitions.optq_inverse_hessian(problem.X, damping=problem.damping, **problem.layer)))
        f = fast.factorization
        size = np.abs(f.L).sum(axis=1).max() * np.abs(problem.W - fast.weights).max(initial=0) + np.abs(problem.W).max(initial=0)
        for power, form in forms:
            np.testing.assert_array_equal(fast.codes, form.codes)
            np.testing.assert_array_equal(fast.saturated, form.saturated)
            np.testing.assert_array_equal(fast.weights, form.weights)
            np.testing.assert_array_equal(fast.order, form.order)
            # least squares know z to eps cond, the inverse Hessian to eps cond^2, relative to the sums that make up z
            allowance = 100 * len(problem.W) * np.finfo(float).eps * f.condition**power * size
            np.testing.assert_allclose(fast.rounding_errors, form.rounding_errors, rtol=0, atol=allowance)
        draws.check_identity(problem.X, problem.damping, problem.W, fast)


def test_the_drawn_problems_cover_what_they_claim(draws):
    drawn = [problem for batch in BATCHES for problem in draws.problems(300, seed=batch)]
    results = [optq(problem.X, damping=problem.damping, **problem.layer) for problem in drawn[::4]]

    def duplicated(X):
        return any(np.array_equal(X[:, i], X[:, j]) and X[:, i].any() for i in range(X.shape[1]) for j in range(i))

    counts = {
        "fewer samples than features, damped": sum(p.X.shape[0] < p.X.shape[1] and p.damping > 0 for p in drawn),
        "duplicate columns, damped": sum(duplicated(p.X) and p.damping > 0 for p in drawn),
        "dead columns": sum(not p.X.any(axis=0).all() for p in drawn),
        "dead columns without damping": sum(not p.definite for p in drawn),
        "no damping": sum(p.damping == 0 for p in drawn),
        "one feature": sum(p.X.shape[1] == 1 for p in drawn),
        "one sample": sum(p.X.shape[0] == 1 for p in drawn),
        "no neuron": sum(p.W.shape[1] == 0 for p in drawn),
        "one step for all": sum(p.grid.step.shape == () for p in drawn),
        "per-neuron steps": sum(p.grid.step.shape == (p.W.shape[1],) for p in drawn),
        "per-feature steps": sum(p.grid.step.shape == (p.W.shape[0], 1) for p in drawn),
        "a step for every weight": sum(p.grid.step.shape == p.W.shape for p in drawn),
        "finite grids": sum(p.grid.finite for p in drawn),
        "stochastic": sum(p.rounding == "stochastic" for p in drawn),
        "saturated": sum(bool(r.saturated.any()) for r in results),
        "nonzero codes": sum(bool(r.codes.any()) for r in results),
        "codes other than round-to-nearest": sum(
            p.rounding == "nearest" and not np.array_equal(r.codes, round_to_nearest(p.W, p.grid).codes)
            for p, r in zip(drawn[::4], results, strict=True)),
    }
    assert min(counts.values()) >= 30, counts


def test_a_layer_of_many_features_agrees_with_the_definition(draws):
    rng = np.random.default_rng(3)
    X = rng.normal(size=(48, 70)) @ np.diag(10 ** rng.uniform(-1, 1, size=70))
    W = rng.normal(size=(70, 30))
    grid = Grid.for_weights(W, bits=4, group_size=16)
    for rounding in ("nearest", "stochastic"):
        fast = optq(X, W, grid, "mean-diagonal:0.01", "min-pivot", rounding, seed=1)
        literal = definitions.optq(X, W, grid, "mean-diagonal:0.01", "min-pivot", rounding, seed=1)
        np.testing.assert_array_equal(fast.codes, literal.codes)
        draws.check_identity(X, fast.damping, W, fast)


@pytest.mark.parametrize(("exponent", "damping"), [(4, 0.0), (7.9, 0.0), (9, 0.0), (12, 0.0), (9, 1e-16)])
def test_the_identity_survives_ill_conditioning(draws, exponent, damping):
    for index in range(20):
        rng = np.random.default_rng([4, index])
        left, right = np.linalg.qr(rng.normal(size=(12, 8)))[0], np.linalg.qr(rng.normal(size=(8, 8)))[0]
        X, W = left * np.logspace(0, -exponent, 8) @ right, rng.normal(size=(8, 4))
        draws.check_identity(X, damping, W, optq(X, W, Grid(0.3), damping, ordering="min-pivot"))


def test_exact_arithmetic_confirms_codes_errors_identity_and_bound(exact):
    for index in range(150):
        rng = np.random.default_rng([5, index])
        m, N = rng.integers(1, 6), rng.integers(1, 5)
        X = rng.integers(-64, 65, size=(m, N)) / 16
        damping = 0.0 if np.linalg.matrix_rank(X) == N and index % 2 else float(rng.integers(1, 99)) / 32
        W = rng.integers(-(2**20), 2**20, size=(N, 2)) / 2**16
        grid = Grid(rng.integers(1, 40, size=(N, 1)) / 16)
        result = optq(X, W, grid, damping)
        H = exact.gram(X, damping)
        squares, L = exact.factors(H)
        steps = [row[0] for row in exact.matrix(grid.step)]
        for neuron in range(2):
            w = [row[neuron] for row in exact.matrix(W)]
            codes, errors = exact.optq(H, w, steps)
            assert codes == result.codes[:, neuron].tolist()
            difference = [a - k * s for a, k, s in zip(w, codes, steps, strict=True)]
            fed_back = [sum(L[j][i] * difference[i] for i in range(j + 1)) for j in range(N)]
            assert fed_back == errors  # L(w - q) = e, without any rounding
            np.testing.assert_allclose(result.rounding_errors[:, neuron], [float(e) for e in errors], rtol=0, atol=1e-11)
            squared = sum(difference[i] * H[i][j] * difference[j] for i in range(N) for j in range(N))
            assert squared == sum(d * e * e for d, e in zip(squares, errors, strict=True))
            assert squared <= sum(d * s * s for d, s in zip(squares, steps, strict=True)) / 4
            assert all(abs(e) <= s / 2 for e, s in zip(errors, steps, strict=True))


def test_feedback_of_the_error_gives_the_rounding_error(draws):
    """L(w - q) = e, in processing order, saturated and stochastic steps included."""
    for problem in draws.problems(300, seed=20):
        result = optq(problem.X, damping=problem.damping, **problem.layer)
        difference = (problem.W - result.weights)[result.order]
        size = np.abs(result.factorization.L).sum(axis=1).max() * np.abs(difference).max(initial=0)
        np.testing.assert_allclose(result.factorization.L @ difference, result.rounding_errors, rtol=0, atol=1e-13 * size)


def test_every_grid_point_is_reached_from_weights_built_for_it(draws):
    """w = step k + M e with |e| below half a step is rounded to k with the errors e (claim `optq-l2-tight`)."""
    for index, problem in enumerate(draws.problems(200, seed=21, degenerate=False)):
        rng = np.random.default_rng([21, index])
        f = factorize(problem.X, problem.damping, problem.ordering)
        step = np.broadcast_to(problem.grid.step, problem.W.shape)
        codes = rng.integers(-9, 10, size=problem.W.shape)
        errors = 0.499 * step[f.order] * rng.choice([-1, 1], size=step.shape)
        W = step * codes
        W[f.order] += f.M @ errors
        result = optq(f, W, problem.grid)
        np.testing.assert_array_equal(result.codes, codes)
        np.testing.assert_allclose(result.rounding_errors, errors, rtol=0, atol=1e-9 * np.abs(W).max())


# --- planted faults: what the identity check must refuse -----------------------------------------------------------


def generic(draws, seed, count=40):
    """Problems with at least two features and so little damping that features interact."""
    for problem in draws.problems(count, seed, degenerate=False):
        if problem.X.shape[1] > 1:
            yield problem


def test_a_flipped_sign_in_L_breaks_the_identity(draws):
    refused = 0
    for problem in generic(draws, 22):
        f = factorize(problem.X, problem.damping, problem.ordering)
        lower = np.tril(f.L, -1)
        row, column = np.unravel_index(np.abs(lower).argmax(), lower.shape)
        wrong = f.L.copy()
        wrong[row, column] *= -1
        with pytest.raises(AssertionError):
            draws.check_identity(problem.X, problem.damping, problem.W, optq(replace(f, L=wrong), problem.W, problem.grid))
        draws.check_identity(problem.X, problem.damping, problem.W, optq(f, problem.W, problem.grid))
        refused += 1
    assert refused > 20


@pytest.mark.parametrize("fault", ["another damping", "another order", "one code off", "errors in original order", "transposed L"])
def test_wrong_algorithms_break_the_identity(draws, fault):
    for problem in generic(draws, 23):
        N = problem.X.shape[1]
        damping = problem.damping + 0.1 * np.square(problem.X).sum() / N
        f = factorize(problem.X, damping, np.arange(N)[::-1].copy())
        result = optq(f, problem.W, problem.grid)
        draws.check_identity(problem.X, damping, problem.W, result)
        if fault == "another damping":
            result = optq(f.with_damping(2 * damping), problem.W, problem.grid)
        elif fault == "another order":
            result = replace(result, order=np.arange(N))
        elif fault == "one code off":
            result = replace(result, weights=result.weights + np.eye(N, problem.W.shape[1]) * problem.grid.step)
        elif fault == "errors in original order":
            result = replace(result, rounding_errors=result.rounding_errors[::-1])
        else:
            result = optq(replace(f, L=f.L.T), problem.W, problem.grid)
        with pytest.raises(AssertionError):
            draws.check_identity(problem.X, damping, problem.W, result)


# --- what must not change the codes --------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [0.037, 1e4])
def test_scaling_X_and_damping_together(draws, factor):
    for problem in draws.problems(90, seed=30, degenerate=False):
        before = optq(problem.X, damping=problem.damping, **problem.layer)
        after = optq(factor * problem.X, damping=factor**2 * problem.damping, **problem.layer)
        np.testing.assert_array_equal(before.codes, after.codes)
        np.testing.assert_allclose(after.factorization.pivots, factor * before.factorization.pivots, rtol=1e-10)


@pytest.mark.parametrize("rule", ["mean-diagonal:0.01", "spectral:1e-3", "george-saab"])
def test_scaling_X_under_a_named_rule(draws, rule):
    for problem in draws.problems(100, seed=31, degenerate=False):
        before = optq(problem.X, damping=rule, **problem.layer)
        after = optq(7.3 * problem.X, damping=rule, **problem.layer)
        assert after.damping == pytest.approx(7.3**2 * before.damping, rel=1e-12)
        np.testing.assert_array_equal(before.codes, after.codes)


@pytest.mark.parametrize("factor", [0.3, 1e3])
def test_scaling_weights_and_step_together(draws, factor):
    for problem in draws.problems(90, seed=32, degenerate=False):
        before = optq(problem.X, damping=problem.damping, **problem.layer)
        scaled = problem.layer | {"W": factor * problem.W, "grid": Grid(factor * problem.grid.step)}
        after = optq(problem.X, damping=problem.damping, **scaled)
        np.testing.assert_array_equal(before.codes, after.codes)
        allowance = 1e-9 * factor * np.abs(problem.W).max()
        np.testing.assert_allclose(after.rounding_errors, factor * before.rounding_errors, rtol=0, atol=allowance)


def test_rotating_the_samples(draws):
    for index, problem in enumerate(draws.problems(90, seed=33, degenerate=False)):
        m = problem.X.shape[0]
        rotation = np.linalg.qr(np.random.default_rng([33, index]).normal(size=(m, m)))[0]
        before = optq(problem.X, damping=problem.damping, **problem.layer)
        np.testing.assert_array_equal(before.codes, optq(rotation @ problem.X, damping=problem.damping, **problem.layer).codes)


def test_permuting_the_features_and_back(draws):
    for index, problem in enumerate(draws.problems(90, seed=34, degenerate=False)):
        N = problem.X.shape[1]
        shuffle = np.random.default_rng([34, index]).permutation(N)
        step = np.broadcast_to(problem.grid.step, problem.W.shape)
        for ordering in (np.arange(N), problem.ordering):
            before = optq(problem.X, problem.W, problem.grid, problem.damping, ordering)
            position = np.argsort(shuffle)  # where feature i went
            after = optq(problem.X[:, shuffle], problem.W[shuffle], Grid(step[shuffle]), problem.damping, position[before.order])
            np.testing.assert_array_equal(before.codes[shuffle], after.codes)


def test_reordering_and_repeating_samples(draws):
    for problem in draws.problems(100, seed=35, degenerate=False):
        codes = optq(problem.X, damping=problem.damping, **problem.layer).codes
        for X, damping in [
            (problem.X[::-1], problem.damping),
            (np.vstack([problem.X, problem.X]), 2 * problem.damping),
            (np.vstack([problem.X, np.zeros_like(problem.X)]), problem.damping),
        ]:
            np.testing.assert_array_equal(codes, optq(X, damping=damping, **problem.layer).codes)


@pytest.mark.parametrize("rule", ["mean-diagonal:0.05", "spectral:1e-2", "george-saab", "none"])
def test_dead_features_change_neither_damping_nor_live_codes(draws, rule):
    for index, problem in enumerate(draws.problems(40, seed=36, degenerate=False)):
        m, N = problem.X.shape
        if rule == "none" and m < N:
            continue
        rng = np.random.default_rng([36, index])
        dead = int(rng.integers(1, 4))
        places = rng.permutation(N + dead)[:N]
        places.sort()
        X = np.zeros((m, N + dead))
        X[:, places] = problem.X
        W = rng.normal(size=(N + dead, problem.W.shape[1]))
        W[places] = problem.W
        step = np.ones_like(W)
        step[places] = problem.grid.step
        for ordering in ("natural", "decreasing-norm", "increasing-norm", "min-pivot"):
            before = optq(problem.X, problem.W, problem.grid, rule, ordering)
            after = optq(X, W, Grid(step), rule, ordering)
            assert after.damping == pytest.approx(before.damping, rel=1e-13, abs=0)
            np.testing.assert_array_equal(before.codes, after.codes[places])
            np.testing.assert_array_equal(after.codes, np.where(X.any(axis=0)[:, None], after.codes, np.rint(W)))


def test_shifting_by_grid_points_and_flipping_signs(draws):
    for index, problem in enumerate(draws.problems(90, seed=37, degenerate=False)):
        rng = np.random.default_rng([37, index])
        N, K = problem.W.shape
        codes = optq(problem.X, damping=problem.damping, **problem.layer).codes
        shift = rng.integers(-5, 6, size=(N, K))
        shifted = problem.layer | {"W": problem.W + problem.grid.step * shift}
        np.testing.assert_array_equal(codes + shift, optq(problem.X, damping=problem.damping, **shifted).codes)
        neurons, features = rng.choice([-1, 1], size=K), rng.choice([-1, 1], size=N)
        flipped = problem.layer | {"W": features[:, None] * problem.W * neurons}
        np.testing.assert_array_equal(
            features[:, None] * codes * neurons, optq(problem.X * features, damping=problem.damping, **flipped).codes)


def test_neurons_do_not_know_each_other(draws):
    for problem in draws.problems(100, seed=38, degenerate=False):
        together = optq(problem.X, damping=problem.damping, **problem.layer)
        step = np.broadcast_to(problem.grid.step, problem.W.shape)
        for k in range(problem.W.shape[1]):
            alone = optq(together.factorization, problem.W[:, [k]], Grid(step[:, [k]]))
            np.testing.assert_array_equal(together.codes[:, [k]], alone.codes)


def test_any_source_of_the_factorization_gives_the_same_codes(draws):
    for problem in draws.problems(90, seed=39, degenerate=False):
        direct = optq(problem.X, damping=problem.damping, **problem.layer)
        f = factorize(problem.X, problem.damping, problem.ordering)
        streamed = Factorization.from_blocks(np.array_split(problem.X, 3), problem.damping, problem.ordering) \
            if len(problem.X) >= 3 else f
        gram = Factorization.from_gram(problem.X.T @ problem.X, problem.damping, problem.ordering)
        for source in (f, streamed, gram):
            np.testing.assert_array_equal(direct.codes, optq(source, problem.W, problem.grid).codes)


def test_orthogonal_features_and_overwhelming_damping_leave_round_to_nearest(draws):
    for index, problem in enumerate(draws.problems(100, seed=40, degenerate=False)):
        rng = np.random.default_rng([40, index])
        N = problem.X.shape[1]
        plain = round_to_nearest(problem.W, problem.grid).codes
        orthogonal = np.linalg.qr(rng.normal(size=(N + 3, N)))[0] * 10 ** rng.uniform(-2, 2, size=N)
        np.testing.assert_array_equal(plain, optq(orthogonal, problem.W, problem.grid).codes)
        np.testing.assert_array_equal(plain, optq(problem.X, problem.W, problem.grid, 1e13 * np.square(problem.X).sum()).codes)


# --- bounds that follow at once ------------------------------------------------------------------------------------


def test_the_error_stays_below_the_bound_unless_saturated(draws):
    saturated_above = 0
    for problem in draws.problems(600, seed=41):
        result = optq(problem.X, damping=problem.damping, **problem.layer)
        f = result.factorization
        step = np.broadcast_to(problem.grid.step, problem.W.shape)[result.order]
        error = problem.W - result.weights
        squared = np.square(problem.X @ error).sum(axis=0) + problem.damping * np.square(error).sum(axis=0)
        worst = 0.25 if problem.rounding == "nearest" else 1.0
        bound = worst * np.square(step * f.pivots[:, None]).sum(axis=0)
        holds = squared <= bound * (1 + 1e-10)  # the identity's own tolerance
        clean = ~result.saturated.any(axis=0)
        assert holds[clean].all()
        saturated_above += int((~holds[~clean]).sum())
    assert saturated_above > 20  # the hypothesis is needed: after saturation the bound does break


# --- precision and the result --------------------------------------------------------------------------------------


def test_float32_input_is_computed_in_float64(draws):
    for problem in draws.problems(50, seed=42, degenerate=False):
        X, W = problem.X.astype(np.float32), problem.W.astype(np.float32)
        single = optq(X, W, problem.grid, problem.damping)
        double = optq(X.astype(np.float64), W.astype(np.float64), problem.grid, problem.damping)
        np.testing.assert_array_equal(single.codes, double.codes)
        np.testing.assert_array_equal(single.rounding_errors, double.rounding_errors)
        assert single.rounding_errors.dtype == single.factorization.L.dtype == np.float64


def test_float32_is_honoured_when_asked_for(draws):
    differing = 0
    for problem in draws.problems(50, seed=43, degenerate=False):
        if problem.X.shape[1] == 1:
            continue
        single = optq(problem.X, problem.W, problem.grid, problem.damping, dtype="float32")
        double = optq(problem.X, problem.W, problem.grid, problem.damping)
        assert single.factorization.L.dtype == single.factorization.pivots.dtype == single.rounding_errors.dtype == np.float32
        assert single.codes.dtype == np.int64
        np.testing.assert_allclose(single.factorization.pivots, double.factorization.pivots, rtol=1e-2)
        differing += not np.array_equal(single.factorization.pivots, double.factorization.pivots)
    assert differing > 30


def test_codes_beyond_float32_integers_survive_float32():
    W = np.array([[3.0]], dtype=np.float32)
    result = optq(np.ones((2, 1)), W, Grid(3.0 / (2**24 + 1)), dtype="float32")
    assert result.codes[0, 0] == 2**24 + 1


def test_what_the_result_holds(draws):
    for problem in draws.problems(100, seed=44):
        given = problem.W.copy()
        result = optq(problem.X, damping=problem.damping, **problem.layer)
        step = np.broadcast_to(problem.grid.step, problem.W.shape)
        assert result.algorithm == "optq"
        assert result.damping == problem.damping == result.factorization.damping
        assert result.seed == (problem.seed if problem.rounding == "stochastic" else None)
        assert result.codes.dtype == np.int64
        assert result.saturated.dtype == bool
        assert result.codes.shape == result.weights.shape == result.rounding_errors.shape == result.saturated.shape == given.shape
        np.testing.assert_array_equal(result.weights, step * result.codes)
        np.testing.assert_array_equal(result.target, given)
        np.testing.assert_array_equal(problem.W, given)
        np.testing.assert_array_equal(np.sort(result.order), np.arange(len(given)))


def test_grid_points_stay_where_they_are():
    rng = np.random.default_rng(45)
    W = 0.25 * rng.integers(-8, 9, size=(6, 3))
    for rounding in ("nearest", "stochastic"):
        result = optq(rng.normal(size=(9, 6)), W, Grid(0.25), 0.1, "min-pivot", rounding, seed=0)
        np.testing.assert_array_equal(result.weights, W)
        assert not result.rounding_errors.any()


def test_by_hand():
    """X = [[1, 1], [0, 1], [1, 0]]: w = (.4, .4) rounds to 0 first, and half of its error lifts the second to .6."""
    result = optq(np.array([[1.0, 1.0], [0.0, 1.0], [1.0, 0.0]]), np.array([[0.4], [0.4]]), Grid(1.0))
    assert result.codes.ravel().tolist() == [0, 1]
    np.testing.assert_allclose(result.rounding_errors.ravel(), [0.4, -0.4], rtol=1e-14)
    np.testing.assert_allclose(result.factorization.pivots**2, [1.5, 2.0], rtol=1e-14)
