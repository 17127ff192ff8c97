"""The literal definitions themselves: every step solves its problem, the minimum norm where that has many solutions."""

import inspect

import numpy as np
import pytest
from provable_ptq.algorithms import Grid, InvalidArgumentError, RankDeficientError, definitions, factorize, gpfq, optq, qronos


def dependent_problem(seed, index):
    """Fewer samples than features, or low rank, or duplicates, or dead columns; no damping."""
    rng = np.random.default_rng([seed, index])
    N = int(rng.integers(2, 7))
    m = int(rng.integers(1, N + 1))
    X = rng.normal(size=(m, N))
    if index % 3 == 1:
        X = X[:, rng.integers(0, N, size=N)]
    if index % 3 == 2:
        X[:, rng.random(N) < 0.3] = 0
    return X, rng.normal(size=(N, 3)) * 2


def minimum_norm_L(X):
    """L = M^-1 with M's columns 1_j - X_{>j}^+ X_j (bounds/THEORY.md#reverse-gram-schmidt): no pivots, no rank hypothesis."""
    N = X.shape[1]
    M = np.eye(N)
    for j in range(N - 1):
        M[j + 1 :, j] = -np.linalg.pinv(X[:, j + 1 :]) @ X[:, j]
    return np.linalg.inv(M)


def test_minimum_norm_example():
    """X = [1 1 1], w = (.4, .35, .2): the error .4 is spread over both later features (.55, .4), then -.45 goes to the last."""
    X, W, grid = np.array([[1.0, 1.0, 1.0]]), np.array([[0.4], [0.35], [0.2]]), Grid(1.0)
    result = definitions.optq(X, W, grid)
    assert result.codes.ravel().tolist() == [0, 1, 0]
    np.testing.assert_allclose(result.rounding_errors.ravel(), [0.4, -0.45, -0.05], atol=1e-14)
    with pytest.raises(RankDeficientError):
        optq(X, W, grid)


def test_minimum_norm_is_the_feedback_form_with_pseudo_inverses():
    for index in range(300):
        X, W = dependent_problem(0, index)
        result = definitions.optq(X, W, Grid(0.5))
        L = minimum_norm_L(X)
        difference = W - result.weights
        z = W + (L - np.eye(len(L))) @ difference
        np.testing.assert_array_equal(result.codes, np.rint(z / 0.5))
        np.testing.assert_allclose(result.rounding_errors, L @ difference, atol=1e-9)


def test_minimum_norm_is_the_limit_of_vanishing_damping():
    compared = 0
    for index in range(300):
        X, W = dependent_problem(1, index)
        singular = np.linalg.svd(X, compute_uv=False)
        singular = singular[singular > 1e-12]
        if not singular.size or singular[-1] < 0.1:
            continue
        literal = definitions.optq(X, W, Grid(0.5))
        damped = optq(X, W, Grid(0.5), 1e-9)
        np.testing.assert_array_equal(literal.codes, damped.codes)
        compared += 1
    assert compared > 100


def test_without_damping_the_output_error_obeys_the_identity_all_the_same():
    """||X(w - q)||^2 = sum_j d_j^2 e_j^2 with d_j the distance of X_j to the span of the later columns, zeros included."""
    for index in range(200):
        X, W = dependent_problem(2, index)
        N = X.shape[1]
        result = definitions.optq(X, W, Grid(0.5))
        pivots = [np.linalg.norm(X[:, j] - X[:, j + 1 :] @ (np.linalg.pinv(X[:, j + 1 :]) @ X[:, j])) if j + 1 < N
                  else np.linalg.norm(X[:, j]) for j in range(N)]
        proven = np.square(np.array(pivots)[:, None] * result.rounding_errors).sum(axis=0)
        np.testing.assert_allclose(np.square(X @ (W - result.weights)).sum(axis=0), proven, rtol=1e-9, atol=1e-20)


def test_every_optq_step_solves_its_least_squares_problem():
    """z_{t+1} is the first weight of one refit of all later weights to the whole target, with the codes so far fixed."""
    for index in range(60):
        rng = np.random.default_rng([3, index])
        N = int(rng.integers(2, 6))
        X, W, damping = rng.normal(size=(4, N)), rng.normal(size=(N, 1)), 0.3
        result = definitions.optq(X, W, Grid(0.5), damping)
        z = result.weights + result.rounding_errors
        damped = np.vstack([X, np.sqrt(damping) * np.eye(N)])
        for t in range(N - 1):
            goal = damped @ W - damped[:, : t + 1] @ result.weights[: t + 1]
            refit = np.linalg.lstsq(damped[:, t + 1 :], goal, rcond=None)[0]
            np.testing.assert_allclose(z[t + 1], refit[0], atol=1e-11)


def test_qronos_by_trying_every_code(draws):
    """The alternating definition with a brute-force argmin over a finite alphabet."""
    for problem in draws.problems(150, seed=300, degenerate=False):
        grid = Grid(np.broadcast_to(problem.grid.step, problem.W.shape), -4, 3)
        N, K = problem.W.shape
        result = definitions.qronos(problem.X, problem.X_quantized, problem.W, grid, problem.damping, problem.ordering)
        order = result.order
        original = draws.stacked(problem.X, problem.damping, order)
        deployed = draws.stacked(problem.X_quantized, problem.damping, order)
        step = grid.step[order]
        for k in range(K):
            goal = original @ problem.W[order, k]
            weights = problem.W[order, k].copy()
            for t in range(N):
                rest = goal - deployed @ np.where(np.arange(N) == t, 0, weights)
                distances = [np.linalg.norm(rest - step[t, k] * code * deployed[:, t]) for code in range(-4, 4)]
                code = int(np.argmin(distances)) - 4
                assert result.codes[order[t], k] == code
                weights[t] = step[t, k] * code
                if t + 1 < N:
                    weights[t + 1 :] = np.linalg.lstsq(deployed[:, t + 1 :], goal - deployed[:, : t + 1] @ weights[: t + 1], rcond=None)[0]


def test_qronos_without_damping_on_dependent_features():
    """The minimum-norm change: both forms meet the target as well as any weights could after every refit, and never raise."""
    for index in range(100):
        X, W = dependent_problem(4, index)
        deployed = X * (1 + 0.1 * np.random.default_rng([5, index]).normal(size=X.shape))
        for form in ("alternating", "projected"):
            result = definitions.qronos(X, deployed, W, Grid(0.5), form=form)
            best = np.linalg.lstsq(deployed, X @ W, rcond=None)[0]
            np.testing.assert_allclose(deployed @ result.target, deployed @ best, atol=1e-9)
            # the projection changes w as little as possible: the change has no part in the null space
            change = result.target - W
            np.testing.assert_allclose(np.linalg.pinv(deployed) @ (deployed @ change), change, atol=1e-7)
            silent = ~deployed.any(axis=0)
            np.testing.assert_array_equal(result.codes[silent], np.rint(W[silent] / 0.5))


@pytest.mark.parametrize("form", ["optq", "optq_inverse_hessian", "alternating", "projected"])
def test_replayed_codes_reproduce_every_step(draws, form):
    """`codes` prescribes the rounding: the fast run's codes give its z again, foreign codes obey L(w - q) = e as well."""
    for index, problem in enumerate(draws.problems(120, seed=301, degenerate=False)):
        shared = {"W": problem.W, "grid": problem.grid, "ordering": problem.ordering, "damping": problem.damping}
        foreign = np.random.default_rng([301, index]).integers(-5, 6, size=problem.W.shape)
        if form in ("optq", "optq_inverse_hessian"):
            fast, literal = optq(problem.X, **shared), getattr(definitions, form)
            replayed, other = (literal(problem.X, codes=codes, **shared) for codes in (fast.codes, foreign))
        else:
            fast = qronos(problem.X, problem.X_quantized, form=form, **shared)
            replayed, other = (definitions.qronos(problem.X, problem.X_quantized, form=form, codes=codes, **shared)
                               for codes in (fast.codes, foreign))
        f = fast.factorization
        scale = np.abs(f.L).sum(axis=1).max() * (np.abs(problem.W).max() + np.abs(fast.target).max() + 5 * np.max(problem.grid.step))
        allowance = 100 * len(problem.W) * np.finfo(float).eps * f.condition**2 * scale
        np.testing.assert_array_equal(replayed.codes, fast.codes)
        np.testing.assert_allclose(replayed.rounding_errors, fast.rounding_errors, rtol=0, atol=allowance)
        np.testing.assert_array_equal(other.codes, foreign)
        fed_back = f.L @ (fast.target - other.weights)[f.order]
        first = 1 if form == "alternating" else 0  # there z_1 is another number than u_1
        np.testing.assert_allclose(other.rounding_errors[first:], fed_back[first:], rtol=0, atol=allowance)
        assert replayed.seed is None


@pytest.mark.parametrize(("codes", "shown"), [([[0.5], [0.0]], "0.5"), ([[9.0], [0.0]], "9.0"), ([[0.0], [-9.0]], "-9.0")])
def test_replayed_codes_must_be_codes_of_the_grid(codes, shown):
    X, W, grid = np.eye(2), np.zeros((2, 1)), Grid(1.0, -8, 7)
    for call in (
        lambda: definitions.optq(X, W, grid, codes=codes),
        lambda: definitions.optq_inverse_hessian(X, W, grid, codes=codes),
        lambda: definitions.qronos(X, X, W, grid, codes=codes),
    ):
        with pytest.raises(InvalidArgumentError) as refusal:
            call()
        assert str(refusal.value) == f"codes = {shown} is not accepted: integer codes of the grid"


@pytest.mark.parametrize(("fast", "literal"), [(optq, definitions.optq), (optq, definitions.optq_inverse_hessian),
                                               (qronos, definitions.qronos), (gpfq, definitions.gpfq)])
def test_signatures_are_those_of_the_fast_forms(fast, literal):
    """Same names, order and defaults; definitions have `codes` besides and compute in float64 only."""
    mine = [(p.name, p.default) for p in inspect.signature(fast).parameters.values() if p.name != "dtype"]
    its = [(p.name, p.default) for p in inspect.signature(literal).parameters.values() if p.name != "codes"]
    assert mine == its


def test_a_factorization_brings_rows_damping_and_order():
    rng = np.random.default_rng(6)
    X, W, grid = rng.normal(size=(7, 4)), rng.normal(size=(4, 3)), Grid(0.5)
    f = factorize(X, "mean-diagonal:0.1", "min-pivot")
    for literal in (definitions.optq, definitions.optq_inverse_hessian):
        result = literal(f, W, grid)
        np.testing.assert_array_equal(result.codes, literal(X, W, grid, "mean-diagonal:0.1", "min-pivot").codes)
        np.testing.assert_array_equal(result.codes, optq(f, W, grid).codes)
        np.testing.assert_array_equal(result.order, f.order)
        assert result.damping == f.damping
    np.testing.assert_array_equal(definitions.qronos(X + 0.1, f, W, grid).codes, qronos(X + 0.1, f, W, grid).codes)


def test_the_inverse_hessian_form_needs_one():
    with pytest.raises(ValueError, match=r"[Ss]ingular|positive definite"):
        definitions.optq_inverse_hessian(np.array([[1.0, 0.0], [2.0, 0.0]]), np.zeros((2, 1)), Grid(1.0))


def test_weights_given_are_not_changed(draws):
    for problem in draws.problems(50, seed=302):
        W, X = problem.W.copy(), problem.X.copy()
        definitions.optq(problem.X, damping=problem.damping, **problem.layer)
        definitions.qronos(problem.X, problem.X_quantized, damping=problem.damping, **problem.layer)
        definitions.gpfq(problem.X, **problem.layer)
        np.testing.assert_array_equal(problem.W, W)
        np.testing.assert_array_equal(problem.X, X)
