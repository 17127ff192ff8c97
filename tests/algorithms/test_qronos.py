"""Qronos in both forms: its definition, its identity, and how the forms relate to each other and to OPTQ."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from provable_ptq.algorithms import Grid, definitions, factorize, optq, qronos

FORMS = ("alternating", "projected")


def run(problem, form, algorithm=qronos, X=None):
    X = problem.X if X is None else X
    return algorithm(X, problem.X_quantized, damping=problem.damping, form=form, **problem.layer)


def check_qronos_identity(X, X_quantized, damping, W, result):
    """||Xw - X~q||^2 + damping ||w - q||^2 = ||P_perp (X - X~)w||^2 + (u_1 - q_1)^2 d_1^2 + sum_{j>1} e_j^2 d_j^2, to 1e-10.

    The part that no weights can repair is computed here by least squares; the pivots by a plain QR.
    """
    order, N = result.order, X.shape[1]
    live = X_quantized[:, order].any(axis=0)
    original = np.vstack([X, np.sqrt(damping) * np.eye(N)])
    deployed = np.vstack([X_quantized, np.sqrt(damping) * np.eye(N)])
    pivots = np.full(N, np.sqrt(damping))
    pivots[live] = np.abs(np.diag(np.linalg.qr(deployed[:, order[live]][:, ::-1], mode="r")))[::-1]
    goal = original @ W
    best = np.linalg.lstsq(deployed, goal, rcond=None)[0]
    errors = result.rounding_errors.copy()
    errors[0] = (result.target - result.weights)[order[0]]
    measured = np.square(goal - deployed @ result.weights).sum(axis=0)
    proven = np.square(goal - deployed @ best).sum(axis=0) + np.square(pivots[:, None] * errors).sum(axis=0)
    assert (np.abs(measured - proven) <= 1e-10 * proven).all(), (measured, proven)


# --- definitions and identity --------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("batch", range(2))
def test_same_codes_as_the_definition_and_the_identity_holds(draws, form, batch):
    for problem in draws.problems(250, seed=100 + batch):
        fast, literal = run(problem, form), run(problem, form, definitions.qronos)
        np.testing.assert_array_equal(fast.codes, literal.codes)
        np.testing.assert_array_equal(fast.saturated, literal.saturated)
        np.testing.assert_array_equal(fast.order, literal.order)
        f = fast.factorization
        moved = np.abs(fast.target - fast.weights).max(initial=0) + np.abs(problem.W).max(initial=0)
        allowance = 100 * len(problem.W) * np.finfo(float).eps * f.condition**2 * np.abs(f.L).sum(axis=1).max() * moved
        np.testing.assert_allclose(fast.rounding_errors, literal.rounding_errors, rtol=0, atol=allowance)
        np.testing.assert_allclose(fast.target, literal.target, rtol=0, atol=allowance)
        check_qronos_identity(problem.X, problem.X_quantized, problem.damping, problem.W, fast)
        assert fast.algorithm == literal.algorithm == f"qronos-{form}"


@pytest.mark.parametrize("fault", ["another code", "target", "damping", "ridge dropped", "transposed"])
def test_the_identity_check_refuses_wrong_results(draws, fault):
    noticed = 0
    for problem in draws.problems(60, seed=102, degenerate=False):
        X, N = problem.X, problem.X.shape[1]
        if N == 1 or len(X) < N:
            continue
        damping = float(np.square(X).sum() / N)
        result = qronos(X, problem.X_quantized, problem.W, problem.grid, damping)
        check_qronos_identity(X, problem.X_quantized, damping, problem.W, result)
        if fault == "another code":
            result = replace(result, weights=result.weights + np.eye(N, problem.W.shape[1]) * problem.grid.step)
        elif fault == "target":
            result = replace(result, target=problem.W)
        elif fault == "damping":
            result = qronos(X, problem.X_quantized, problem.W, problem.grid, 2 * damping)
        else:
            H = problem.X_quantized.T @ problem.X_quantized + damping * np.eye(N)
            cross = X.T @ problem.X_quantized + damping * np.eye(N) if fault == "transposed" else problem.X_quantized.T @ X
            u = np.linalg.solve(H, cross @ problem.W)
            result = replace(optq(problem.X_quantized, u, problem.grid, damping), target=u)
        with pytest.raises(AssertionError):
            check_qronos_identity(X, problem.X_quantized, damping, problem.W, result)
        noticed += 1
    assert noticed > 15


def exact_qronos(X, deployed, damping, w, step, form, exact):
    """Codes and the rounded numbers z of the literal definition in rational arithmetic."""
    H, cross = exact.gram(deployed, damping), exact.gram(deployed, damping, X)
    N = len(w)
    goal = [sum(cross[i][j] * w[j] for j in range(N)) for i in range(N)]  # X~^T X^ w
    current, chosen, codes = list(w), [], []
    if form == "projected":
        current = exact.solve(H, goal)
    for t in range(N):
        rest = goal[t] - sum(H[t][j] * chosen[j] for j in range(t)) - sum(H[t][j] * current[j] for j in range(t + 1, N))
        z = rest / H[t][t]  # minimizes the residual over p, all others fixed
        if form == "projected" or t > 0:
            assert z == current[t]  # after a refit the minimizer is the weight itself
        codes.append(round(z / step))
        chosen.append(codes[-1] * step)
        later = range(t + 1, N)
        right = [goal[i] - sum(H[i][j] * chosen[j] for j in range(t + 1)) for i in later]
        current[t + 1 :] = exact.solve([[H[i][j] for j in later] for i in later], right)
    return codes


@pytest.mark.parametrize("form", FORMS)
def test_exact_arithmetic_confirms_codes(exact, form):
    for index in range(100):
        rng = np.random.default_rng([103, index])
        m, N = int(rng.integers(1, 6)), int(rng.integers(1, 5))
        X = rng.integers(-64, 65, size=(m, N)) / 16
        deployed = X + rng.integers(-20, 21, size=(m, N)) / 32
        damping = 0.0 if np.linalg.matrix_rank(deployed) == N and index % 2 else float(rng.integers(1, 99)) / 32
        W = rng.integers(-(2**20), 2**20, size=(N, 2)) / 2**17
        step = float(rng.integers(5, 40)) / 16
        result = qronos(X, deployed, W, Grid(step), damping, form=form)
        for neuron in range(2):
            w = [row[neuron] for row in exact.matrix(W)]
            assert exact_qronos(X, deployed, damping, w, Fraction(step), form, exact) == result.codes[:, neuron].tolist()


# --- the two forms -------------------------------------------------------------------------------------------------


def test_forms_agree_in_every_column_whose_first_code_agrees(draws):
    agreeing = differing = 0
    for problem in draws.problems(300, seed=104):
        alternating, projected = run(problem, "alternating"), run(problem, "projected")
        same = alternating.codes[alternating.order[0]] == projected.codes[projected.order[0]]
        np.testing.assert_array_equal(alternating.codes[:, same], projected.codes[:, same])
        np.testing.assert_allclose(alternating.target, projected.target)
        agreeing, differing = agreeing + int(same.sum()), differing + int((~same).sum())
    assert agreeing > 150
    assert differing > 50


@pytest.mark.parametrize("form", FORMS)
def test_without_mismatch_it_is_optq(draws, form):
    for problem in draws.problems(200, seed=105):
        plain = optq(problem.X, damping=problem.damping, **problem.layer)
        result = qronos(problem.X, problem.X, damping=problem.damping, form=form, **problem.layer)
        np.testing.assert_array_equal(plain.codes, result.codes)
        np.testing.assert_array_equal(plain.rounding_errors, result.rounding_errors)
        np.testing.assert_array_equal(plain.target, result.target)


def test_projected_is_optq_on_the_projected_weights(draws):
    """u = H~^-1 (X~^T X + damping I) w: the cross-Gram carries the ridge."""
    for problem in draws.problems(200, seed=106, degenerate=False):
        deployed, N = problem.X_quantized, problem.X.shape[1]
        H = deployed.T @ deployed + problem.damping * np.eye(N)
        u = np.linalg.solve(H, (deployed.T @ problem.X + problem.damping * np.eye(N)) @ problem.W)
        result = run(problem, "projected")
        np.testing.assert_allclose(result.target, u, rtol=0, atol=1e-8 * np.abs(u).max())
        np.testing.assert_array_equal(result.codes, optq(deployed, u, problem.grid, problem.damping, problem.ordering).codes)


@pytest.mark.parametrize("form", FORMS)
def test_the_first_number_that_is_rounded(draws, form):
    """Alternating: z_1 = w_1 + <X~_1, (X - X~)w> / (||X~_1||^2 + damping); projected: u_1."""
    for problem in draws.problems(200, seed=107):
        result = run(problem, form)
        first = result.order[0]
        z = result.weights[first] + result.rounding_errors[0]
        column = problem.X_quantized[:, first]
        if form == "projected":
            expected = result.target[first]
        elif column.any():
            steered = column @ (problem.X - problem.X_quantized) @ problem.W
            expected = problem.W[first] + steered / (column @ column + problem.damping)
        else:
            expected = problem.W[first]
        np.testing.assert_allclose(z, expected, rtol=0, atol=1e-12 * (np.abs(expected).max(initial=0) + np.abs(problem.W).max(initial=0)))


def test_first_choice_of_the_alternating_form_is_the_best_code(draws):
    """q_1 is the grid point closest to the target with all other weights at w: compared with its neighbours."""
    for problem in draws.problems(150, seed=108, degenerate=False):
        result = run(problem, "alternating")
        N, first = problem.X.shape[1], result.order[0]
        original = np.vstack([problem.X, np.sqrt(problem.damping) * np.eye(N)])
        deployed = np.vstack([problem.X_quantized, np.sqrt(problem.damping) * np.eye(N)])
        step = np.broadcast_to(problem.grid.step, problem.W.shape)[first]

        def distance(code, W=problem.W, original=original, deployed=deployed, first=first, step=step):
            candidate = W.copy()
            candidate[first] = step * code
            return np.linalg.norm(original @ W - deployed @ candidate, axis=0)

        chosen = result.codes[first]
        for other in (chosen - 1, chosen + 1):
            assert (distance(chosen) <= distance(other) * (1 + 1e-12)).all()


def test_a_feature_that_is_dead_after_quantization_decouples():
    rng = np.random.default_rng(109)
    for damping in (0.0, 0.3):
        for dead in range(4):
            X, W = rng.normal(size=(9, 4)), 3 * rng.normal(size=(4, 3))
            deployed = X + 0.1 * rng.normal(size=X.shape)
            deployed[:, dead] = 0
            for form in FORMS:
                for ordering in ("natural", "decreasing-norm", "increasing-norm"):
                    fast = qronos(X, deployed, W, Grid(1.0), damping, ordering, form=form)
                    literal = definitions.qronos(X, deployed, W, Grid(1.0), damping, ordering, form=form)
                    np.testing.assert_array_equal(fast.codes[dead], np.rint(W[dead]))
                    np.testing.assert_array_equal(fast.codes, literal.codes)


# --- what must not change the codes --------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_scaling_rotating_permuting(draws, form):
    for index, problem in enumerate(draws.problems(60, seed=110, degenerate=False)):
        rng = np.random.default_rng([110, index])
        m, N = problem.X.shape
        before = run(problem, form)
        X, deployed, W = problem.X, problem.X_quantized, problem.W
        step = np.broadcast_to(problem.grid.step, W.shape)
        rotation, shuffle = np.linalg.qr(rng.normal(size=(m, m)))[0], rng.permutation(N)
        order = before.order
        after = qronos(0.3 * X, 0.3 * deployed, W, problem.grid, 0.09 * problem.damping, order, form=form)
        np.testing.assert_array_equal(before.codes, after.codes)
        after = qronos(rotation @ X, rotation @ deployed, W, problem.grid, problem.damping, order, form=form)
        np.testing.assert_array_equal(before.codes, after.codes)
        after = qronos(X, deployed, 7 * W, Grid(7 * problem.grid.step), problem.damping, order, form=form)
        np.testing.assert_array_equal(before.codes, after.codes)
        after = qronos(X[:, shuffle], deployed[:, shuffle], W[shuffle], Grid(step[shuffle]), problem.damping,
                       np.argsort(shuffle)[order], form=form)
        np.testing.assert_array_equal(before.codes[shuffle], after.codes)
        after = qronos(X, factorize(deployed, problem.damping, order), W, problem.grid, form=form)
        np.testing.assert_array_equal(before.codes, after.codes)
        after = definitions.qronos(X, factorize(deployed, problem.damping, order), W, problem.grid, form=form)
        np.testing.assert_array_equal(before.codes, after.codes)


def test_float32_is_honoured_and_not_the_default():
    rng = np.random.default_rng(111)
    X, W = rng.normal(size=(20, 5)).astype(np.float32), rng.normal(size=(5, 3)).astype(np.float32)
    deployed = X + np.float32(0.1)
    double = qronos(X, deployed, W, Grid(0.5))
    assert double.rounding_errors.dtype == double.target.dtype == np.float64
    np.testing.assert_array_equal(double.target, qronos(X.astype(float), deployed.astype(float), W.astype(float), Grid(0.5)).target)
    single = qronos(X, deployed, W, Grid(0.5), dtype="float32")
    assert single.rounding_errors.dtype == single.factorization.L.dtype == np.float32
    np.testing.assert_allclose(single.target, double.target, rtol=1e-4, atol=1e-4)
    assert not np.array_equal(single.target.astype(float), double.target)


def test_by_hand():
    """X~ = X / 2, so u = 2w = (.8, .8); alternating rounds z_1 = .4 + <(.5, 0, .5), (.4, .2, .2)> / .5 = 1 first."""
    X = np.array([[1.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
    W = np.array([[0.4], [0.4]])
    alternating, projected = (qronos(X, 0.5 * X, W, Grid(1.0), form=form) for form in FORMS)
    np.testing.assert_allclose(projected.target.ravel(), [0.8, 0.8], rtol=1e-14)
    np.testing.assert_allclose(projected.rounding_errors.ravel(), [-0.2, -0.3], rtol=1e-13)
    np.testing.assert_allclose(alternating.rounding_errors[0], 0, atol=1e-14)
    assert alternating.codes.ravel().tolist() == projected.codes.ravel().tolist() == [1, 1]
