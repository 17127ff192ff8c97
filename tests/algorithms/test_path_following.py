"""GPFQ and SPFQ: the running error of the definition, which the fast form never builds."""

from fractions import Fraction

import numpy as np
import pytest
from provable_ptq.algorithms import Factorization, Grid, InvalidArgumentError, definitions, factorize, gpfq, optq


@pytest.mark.parametrize("mismatch", [False, True])
@pytest.mark.parametrize("batch", range(2))
def test_same_codes_as_the_definition(draws, mismatch, batch):
    stochastic = dead = 0
    for problem in draws.problems(250, seed=200 + batch):
        deployed = problem.X_quantized if mismatch else None
        fast = gpfq(problem.X, X_quantized=deployed, **problem.layer)
        literal = definitions.gpfq(problem.X, X_quantized=deployed, **problem.layer)
        np.testing.assert_array_equal(fast.codes, literal.codes)
        np.testing.assert_array_equal(fast.saturated, literal.saturated)
        np.testing.assert_array_equal(fast.order, literal.order)
        # z is a quotient of sums over the products of columns; duplicates and saturation make these sums long
        G = problem.X_quantized if mismatch else problem.X
        norms = np.sqrt(np.square(G).sum(axis=0))
        sums = np.linalg.norm(problem.X) * np.abs(problem.W).sum(axis=0) + norms @ np.abs(fast.weights)
        allowance = 100 * len(norms) * np.finfo(float).eps * sums.max(initial=0) / norms[norms > 0].min(initial=np.inf)
        allowance += 1e-13 * np.abs(problem.W).max(initial=0)
        np.testing.assert_allclose(fast.rounding_errors, literal.rounding_errors, rtol=0, atol=allowance)
        assert fast.algorithm == literal.algorithm == "gpfq"
        stochastic += problem.rounding == "stochastic"
        dead += not G.any(axis=0).all()
    assert min(stochastic, dead) > 20


def exact_gpfq(X, deployed, w, steps):
    """Codes by the definition with the running error as a vector of rationals; ties to the even code."""
    m, N = len(X), len(w)
    running, codes = [Fraction(0)] * m, []
    for t in range(N):
        incoming = [running[i] + w[t] * X[i][t] for i in range(m)]
        column = [deployed[i][t] for i in range(m)]
        energy = sum(x * x for x in column)
        z = sum(x * y for x, y in zip(column, incoming, strict=True)) / energy if energy else w[t]
        codes.append(round(z / steps[t]))
        running = [y - codes[t] * steps[t] * x for y, x in zip(incoming, column, strict=True)]
    return codes


@pytest.mark.parametrize("mismatch", [False, True])
def test_exact_arithmetic_confirms_codes(exact, mismatch):
    for index in range(120):
        rng = np.random.default_rng([201, index])
        m, N = int(rng.integers(1, 6)), int(rng.integers(1, 6))
        X = rng.integers(-64, 65, size=(m, N)) / 16 * (rng.random(N) > 0.1)
        deployed = X + rng.integers(-20, 21, size=(m, N)) / 32 * (rng.random(N) > 0.3) if mismatch else X
        W = rng.integers(-(2**20), 2**20, size=(N, 2)) / 2**17
        step = rng.integers(5, 40, size=(N, 1)) / 16
        result = gpfq(X, W, Grid(step), deployed if mismatch else None)
        for neuron in range(2):
            w = [row[neuron] for row in exact.matrix(W)]
            codes = exact_gpfq(exact.matrix(X), exact.matrix(deployed), w, [row[0] for row in exact.matrix(step)])
            assert codes == result.codes[:, neuron].tolist()


@pytest.mark.parametrize("ends", [None, (-3, 2)])
def test_every_code_is_the_greedy_best(draws, ends):
    """q_t is the element closest to the running error: min over p of ||r_{t-1} + w_t X_t - p X~_t||, tried element by element."""
    for problem in draws.problems(150, seed=202, degenerate=False):
        grid = Grid(problem.grid.step, *(ends or (None, None)))
        result = gpfq(problem.X, problem.W, grid, problem.X_quantized, problem.ordering)
        alphabet = grid.alphabet(*problem.W.shape)
        running = np.zeros((len(problem.X), problem.W.shape[1]))
        for t in result.order:
            incoming = running + np.outer(problem.X[:, t], problem.W[t])
            running = incoming - np.outer(problem.X_quantized[:, t], result.weights[t])
            chosen = np.linalg.norm(running, axis=0)
            for other in (result.codes[t] - 1, result.codes[t] + 1):
                allowed = (other >= alphabet.low[t]) & (other <= alphabet.high[t])
                rest = incoming - np.outer(problem.X_quantized[:, t], 1) * (alphabet.step[t] * other)
                assert (chosen <= np.linalg.norm(rest, axis=0) * (1 + 1e-12))[allowed].all()


def test_the_rounding_errors_are_those_of_the_running_error(draws):
    """e_t = z_t - q_t with z_t = <X~_t, r_{t-1} + w_t X_t> / ||X~_t||^2, the running error rebuilt from the returned weights."""
    for problem in draws.problems(200, seed=203, degenerate=False):
        result = gpfq(problem.X, problem.W, problem.grid, problem.X_quantized, problem.ordering)
        running = np.zeros((len(problem.X), problem.W.shape[1]))
        for step, t in enumerate(result.order):
            column = problem.X_quantized[:, t]
            running += np.outer(problem.X[:, t], problem.W[t])
            z = column @ running / (column @ column)
            running -= np.outer(column, result.weights[t])
            scale = np.linalg.norm(problem.X, axis=0).max() / np.linalg.norm(column) * np.abs(problem.W).max()
            np.testing.assert_allclose(result.rounding_errors[step], z - result.weights[t], rtol=0, atol=1e-11 * scale)


def test_error_bound_without_mismatch(draws):
    """||X(w - q)|| <= (step / 2) ||X||_F: each feature adds at most its own rounding (claim `gpfq-l2`)."""
    nearly_attained = 0.0
    for problem in draws.problems(300, seed=204, degenerate=False):
        result = gpfq(problem.X, problem.W, Grid(0.5), ordering=problem.ordering)
        ratio = np.linalg.norm(problem.X @ (problem.W - result.weights), axis=0) / (0.25 * np.linalg.norm(problem.X))
        assert (ratio <= 1 + 1e-12).all()
        nearly_attained = max(nearly_attained, ratio.max())
    assert nearly_attained > 0.9


def test_orthogonal_features_give_round_to_nearest_and_optq():
    for index in range(50):
        rng = np.random.default_rng([205, index])
        X = np.linalg.qr(rng.normal(size=(9, 5)))[0] * 10 ** rng.uniform(-2, 2, size=5)
        W = 4 * rng.normal(size=(5, 3))
        result = gpfq(X, W, Grid(1.0))
        np.testing.assert_array_equal(result.codes, np.rint(W))
        np.testing.assert_array_equal(result.codes, optq(X, W, Grid(1.0)).codes)


def test_two_features_differ_from_optq_where_they_should():
    """With two features both hand on <X_2, X_1> / ||X_2||^2 of the first error; a third is shared out by OPTQ only."""
    rng = np.random.default_rng(206)
    X, W = rng.normal(size=(8, 2)), 3 * rng.normal(size=(2, 200))
    np.testing.assert_array_equal(gpfq(X, W, Grid(1.0)).codes, optq(X, W, Grid(1.0)).codes)
    X, W = rng.normal(size=(8, 3)), 3 * rng.normal(size=(3, 200))
    assert not np.array_equal(gpfq(X, W, Grid(1.0)).codes, optq(X, W, Grid(1.0)).codes)


def test_what_must_not_change_the_codes(draws):
    for index, problem in enumerate(draws.problems(100, seed=207, degenerate=False)):
        rng = np.random.default_rng([207, index])
        m, N = problem.X.shape
        X, deployed, W = problem.X, problem.X_quantized, problem.W
        step = np.broadcast_to(problem.grid.step, W.shape)
        before = gpfq(X, W, problem.grid, deployed, problem.ordering)
        order, shuffle = before.order, rng.permutation(N)
        rotation = np.linalg.qr(rng.normal(size=(m, m)))[0]
        dead = np.zeros((m, 1))
        for after in (
            gpfq(0.3 * X, W, problem.grid, 0.3 * deployed, order),
            gpfq(rotation @ X, W, problem.grid, rotation @ deployed, order),
            gpfq(X, 7 * W, Grid(7 * problem.grid.step), deployed, order),
        ):
            np.testing.assert_array_equal(before.codes, after.codes)
        after = gpfq(X[:, shuffle], W[shuffle], Grid(step[shuffle]), deployed[:, shuffle], np.argsort(shuffle)[order])
        np.testing.assert_array_equal(before.codes[shuffle], after.codes)
        padded = gpfq(np.hstack([dead, X]), np.vstack([W[:1], W]), Grid(np.vstack([step[:1], step])), np.hstack([dead, deployed]),
                      np.append(order + 1, 0))
        np.testing.assert_array_equal(before.codes, padded.codes[1:])


def test_factorizations_bring_their_rows_and_order():
    rng = np.random.default_rng(208)
    X, deployed, W = rng.normal(size=(9, 4)), rng.normal(size=(9, 4)), rng.normal(size=(4, 3))
    f = factorize(X, ordering="min-pivot")
    for algorithm in (gpfq, definitions.gpfq):
        np.testing.assert_array_equal(algorithm(f, W, Grid(0.5)).codes, algorithm(X, W, Grid(0.5), ordering="min-pivot").codes)
        led = algorithm(X, W, Grid(0.5), factorize(deployed, ordering="random:4"))
        np.testing.assert_array_equal(led.codes, algorithm(X, W, Grid(0.5), deployed, "random:4").codes)
        np.testing.assert_array_equal(algorithm(f, W, Grid(0.5), deployed).codes, algorithm(X, W, Grid(0.5), deployed).codes)
        with pytest.raises(InvalidArgumentError, match=r"X\.damping = 0\.5 is not accepted: 0: path following has no damping"):
            algorithm(factorize(X, 0.5), W, Grid(0.5))
        with pytest.raises(InvalidArgumentError, match=r"X\.shape = \(9, 3\) is not accepted: 4 columns"):
            algorithm(factorize(X[:, :3]), W, Grid(0.5), deployed)
        with pytest.raises(InvalidArgumentError, match="rows of X"):
            algorithm(Factorization.from_gram(X.T @ X), W, Grid(0.5))


def test_dependent_features_are_no_obstacle():
    """GPFQ inverts nothing: fewer samples than features and duplicates pass without damping."""
    rng = np.random.default_rng(209)
    X, W = rng.normal(size=(2, 6)), rng.normal(size=(6, 3))
    X[:, 3] = X[:, 1]
    fast, literal = gpfq(X, W, Grid(0.5)), definitions.gpfq(X, W, Grid(0.5))
    np.testing.assert_array_equal(fast.codes, literal.codes)
    assert fast.factorization is None
    assert fast.damping == 0.0
