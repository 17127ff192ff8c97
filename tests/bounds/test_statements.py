"""Every closed-form bound against its statement, written out with loops and projections: no factorization, no shared helper."""

from math import cosh, exp, log, pi, sqrt

import numpy as np
import pytest
from provable_ptq.algorithms import Grid
from provable_ptq.bounds import Problem, claims
from scipy.integrate import quad
from scipy.optimize import brentq

LAMBDA, P = 0.37, 0.03
RNG = np.random.default_rng(20250806)
X, W, X_TILDE = RNG.standard_normal((7, 5)), RNG.standard_normal((5, 3)), RNG.standard_normal((7, 5))
STEPS = np.array([0.31, 0.5, 0.72])  # one per neuron
ORDER = np.array([3, 0, 4, 1, 2])


def problem(algorithm="optq", rounding="nearest", step=STEPS, form="alternating", **changes):
    return Problem(X, W, Grid(step), algorithm, form, LAMBDA, ORDER, rounding, seed=5, failure_probability=P, **changes)


def stacked(matrix):
    return np.vstack([matrix[:, ORDER], sqrt(LAMBDA) * np.eye(5)])


def reverse_gram_schmidt(matrix):
    """V (m + N, N), pivots (N,) and M (N, N) by projecting every feature off all later ones."""
    S = stacked(matrix)
    V, M = np.empty_like(S), np.eye(5)
    for j in range(5):
        later = S[:, j + 1 :]
        M[j + 1 :, j] = -np.linalg.lstsq(later, S[:, j], rcond=None)[0]
        V[:, j] = S[:, j] + later @ M[j + 1 :, j]
    return V, np.linalg.norm(V, axis=0), M


V, D, M = reverse_gram_schmidt(X)
V_TILDE, D_TILDE, M_TILDE = reverse_gram_schmidt(X_TILDE)


def bound(claim_id, given):
    return np.asarray(claims()[claim_id](given, given.result).bound)


def test_optq_l2():
    assert bound("optq-l2", problem()) == pytest.approx([sum(s**2 * d**2 for d in D) / 4 for s in STEPS])


def test_optq_l2_with_a_step_per_feature():
    step = RNG.uniform(0.2, 0.9, (5, 1))
    assert bound("optq-l2", problem(step=step)) == pytest.approx([sum(step[ORDER[j], 0] ** 2 * D[j] ** 2 for j in range(5)) / 4] * 3)


def test_optq_linf():
    rows = [sum(abs(V[i, j]) for j in range(5)) for i in range(7)]
    assert bound("optq-linf", problem()) == pytest.approx(STEPS * max(rows) / 2)


def test_optq_alphabet():
    drift = [[s * sum(abs(M[j, i]) for i in range(j)) / 2 for s in STEPS] for j in range(5)]
    assert bound("optq-alphabet", problem())[:5] == pytest.approx(np.array(drift))


def test_optq_near_optimal():
    best = claims()["optq-near-optimal"](problem(), problem().result).bound
    gamma = 1 + max(sum(D[j] ** 2 for j in range(t + 1, 5)) / D[t] ** 2 for t in range(5))
    S = stacked(X)
    offsets = np.stack(np.meshgrid(*[np.arange(-4, 5)] * 5), -1).reshape(-1, 5)
    for k, s in enumerate(STEPS):
        w = W[ORDER, k]
        points = s * (np.rint(w / s) + offsets)
        optimum = min(((S @ (w - block).T) ** 2).sum(axis=0).min() for block in np.array_split(points, 20))
        assert best[k] == pytest.approx(gamma * optimum)


def test_optimum_floor():
    H_inverse = np.linalg.inv(stacked(X).T @ stacked(X))
    least = np.linalg.eigvalsh(stacked(X).T @ stacked(X))[0]
    found = bound("optimum-floor", problem())
    for k, s in enumerate(STEPS):
        distance = [abs(w / s - round(w / s)) * s for w in W[ORDER, k]]
        assert found[0, k] == pytest.approx(max(distance[j] ** 2 / H_inverse[j, j] for j in range(5)))
        assert found[2, k] == pytest.approx(least * sum(d**2 for d in distance))


def test_pivot_bound_and_its_sum_where_features_outnumber_samples():
    wide = RNG.standard_normal((2, 5))
    given = Problem(wide, W, Grid(1.0), damping=LAMBDA, ordering=ORDER)
    ordered, expected = wide[:, ORDER], []
    for j in range(5):
        norm = ordered[:, j] @ ordered[:, j]
        if 5 - (j + 1) >= 2:
            sigma = np.linalg.svd(ordered[:, j + 1 :], compute_uv=False)[1]
            expected.append(LAMBDA / (sigma**2 + LAMBDA) * norm + LAMBDA)
        else:
            expected.append(norm + LAMBDA)
    assert bound("pivot-bound", given) == pytest.approx(expected)
    assert bound("optq-l2-explicit", given) == pytest.approx([sum(expected)])


@pytest.mark.parametrize(("claim_id", "factor"), [
    ("sto-optq-linf", sqrt(2 * pi * log(sqrt(2) * 7 / P))),
    ("sto-optq-linf-sharp", sqrt(pi / 4 * log(2 * 7 / P))),
    ("sto-optq-weights", sqrt(2 * pi * log(sqrt(2) * 5 / P)) / sqrt(LAMBDA)),
])
def test_levels_of_the_largest_pivot(claim_id, factor):
    assert bound(claim_id, problem(rounding="stochastic")) == pytest.approx(STEPS * max(D) * factor)


def level(variances):
    return brentq(lambda alpha: sum(2 * np.exp(-2 * alpha**2 / s) for s in variances) - P, 1e-9, 100)


def test_row_wise_level():
    expected = [level([s**2 * sum(V[i, j] ** 2 for j in range(5)) for i in range(7)]) for s in STEPS]
    assert bound("sto-optq-linf-rowwise", problem(rounding="stochastic")) == pytest.approx(expected)


def test_stochastic_alphabet():
    found = bound("sto-optq-alphabet", problem(rounding="stochastic"))
    whole = [level([s**2 * sum(M[j, i] ** 2 for i in range(j + 1)) for j in range(5)]) for s in STEPS]
    before = [level([s**2 * sum(M[j, i] ** 2 for i in range(j)) for j in range(1, 5)]) for s in STEPS]
    assert found == pytest.approx(np.array([whole, before]))


def test_stochastic_l2_damped_and_undamped():
    found = bound("sto-optq-l2", problem(rounding="stochastic"))
    undamped = [D[j] ** 2 - LAMBDA * sum(M[i, j] ** 2 for i in range(5)) for j in range(5)]
    assert undamped == pytest.approx([sum(V[i, j] ** 2 for i in range(7)) for j in range(5)])
    assert found == pytest.approx(np.array([STEPS**2 * sum(D**2) / 4, STEPS**2 * sum(undamped) / 4]))


def test_generalization():
    held_out = RNG.standard_normal((9, 5))
    S = held_out[:, ORDER].T @ held_out[:, ORDER] / 9
    expected = STEPS**2 * np.trace(M.T @ S @ M) / 4
    assert bound("sto-optq-generalization", problem(rounding="stochastic", X_validation=held_out)) == pytest.approx(expected)


@pytest.mark.parametrize(("claim_id", "variance"), [("sto-optq-convex-order", pi / 2), ("sto-optq-convex-order-sharp", pi / 8)])
def test_convex_order_means_are_those_of_the_gaussian(claim_id, variance):
    """The first functional is the sample with the largest row of V; cosh, |y| and hinges against numerical integrals."""
    row = max(range(7), key=lambda i: sum(V[i, j] ** 2 for j in range(5)))
    found = bound(claim_id, problem(rounding="stochastic"))
    for k, s in enumerate(STEPS):
        sigma = sqrt(variance * s**2 * sum(V[row, j] ** 2 for j in range(5)))
        functions = [cosh, lambda x, s=sigma: s * abs(x), *(lambda x, t=t, s=sigma: s * max(x - t, 0) for t in (0, 1, 2))]
        density = [lambda x, f=f: f(x) * exp(-x * x / 2) / sqrt(2 * pi) for f in functions]
        assert found[:5, k] == pytest.approx([quad(g, -12, 12, points=[0, 1, 2])[0] for g in density], rel=1e-7)


def test_gpfq_and_spfq():
    norms = [X[:, j] @ X[:, j] for j in range(5)]
    given = Problem(X, W, Grid(STEPS), "gpfq", ordering=ORDER)
    assert bound("gpfq-l2", given)[0] == pytest.approx(STEPS**2 * sum(norms) / 4)
    stochastic = Problem(X, W, Grid(STEPS), "gpfq", ordering=ORDER, rounding="stochastic", failure_probability=P)
    expected = [STEPS * sqrt(max(norms)) * sqrt(2 * pi * log(sqrt(2) * 7 / P)), STEPS * sqrt(max(norms)) * sqrt(log(2 * 7 / P) / 2)]
    assert bound("spfq-linf", stochastic) == pytest.approx(np.array(expected))


def mismatch_parts():
    """Delta w, its explained and unexplained parts (m + N, K), u and z_1, from projections alone."""
    S, T, w = stacked(X), stacked(X_TILDE), W[ORDER]
    u = np.linalg.lstsq(T, S @ w, rcond=None)[0]
    delta = (S - T) @ w
    explained = T @ np.linalg.lstsq(T, delta, rcond=None)[0]
    z_1 = w[0] + T[:, 0] @ delta / (T[:, 0] @ T[:, 0])
    return delta, explained, delta - explained, u, z_1


@pytest.mark.parametrize("form", ["alternating", "projected"])
def test_qronos_l2(form):
    _, _, unexplained, u, z_1 = mismatch_parts()
    first = (np.abs(u[0] - z_1) + STEPS / 2) ** 2 if form == "alternating" else STEPS**2 / 4
    expected = (unexplained**2).sum(axis=0) + first * D_TILDE[0] ** 2 + STEPS**2 * sum(D_TILDE[1:] ** 2) / 4
    assert bound("qronos-l2", problem("qronos", form=form, X_quantized=X_TILDE)) == pytest.approx(expected)


def test_optq_mismatch_and_the_target_family():
    delta, explained, unexplained, _, _ = mismatch_parts()
    rounding = STEPS * sqrt(sum(D_TILDE**2)) / 2
    given = problem(X_quantized=X_TILDE)
    assert bound("optq-mismatch", given) == pytest.approx(np.linalg.norm(delta, axis=0) + rounding)
    along = np.linalg.norm(explained, axis=0)
    expected = [(unexplained**2).sum(axis=0) + (abs(1 - alpha) * along + rounding) ** 2 for alpha in (0, 0.5, 1, 1.5)]
    assert bound("target-family", given)[:4] == pytest.approx(np.array(expected))


@pytest.mark.parametrize("dead", [False, True])
def test_gpfq_mismatch(dead):
    """The running error of the path that rounds nothing, feature by feature; a zero column absorbs nothing of it."""
    deployed = X_TILDE.copy()
    if dead:
        deployed[:, ORDER[2]] = 0
    left, norms = np.zeros((7, 3)), []
    for j in ORDER:
        column = deployed[:, j]
        left = left + np.outer(X[:, j], W[j])
        left = left - np.outer(column, np.linalg.lstsq(column[:, None], left, rcond=None)[0])
        norms.append(column @ column)
    before = STEPS / 2 * sqrt(sum(norms[:-1]))
    expected = (np.linalg.norm(left, axis=0) + before) ** 2 + STEPS**2 / 4 * norms[-1]
    assert bound("gpfq-mismatch", Problem(X, W, Grid(STEPS), "gpfq", ordering=ORDER, X_quantized=deployed)) == pytest.approx(expected)
    least = X @ W - deployed @ np.linalg.lstsq(deployed, X @ W, rcond=None)[0]
    assert (np.linalg.norm(left, axis=0) >= np.linalg.norm(least, axis=0)).all(), "Qronos keeps no more of the mismatch"


def test_gpfq_mismatch_without_mismatch_is_gpfq_l2():
    matched, mismatched = (Problem(X, W, Grid(STEPS), "gpfq", ordering=ORDER, X_quantized=given) for given in (None, X))
    assert bound("gpfq-mismatch", mismatched) == pytest.approx(bound("gpfq-l2", matched)[0])


@pytest.mark.parametrize("form", ["alternating", "projected"])
def test_stochastic_qronos(form):
    _, _, unexplained, u, z_1 = mismatch_parts()
    mean = unexplained[:7] + (np.outer(V_TILDE[:7, 0], u[0] - z_1) if form == "alternating" else 0)
    paper = STEPS * max(D_TILDE) * sqrt(2 * pi * log(sqrt(2) * 7 / P))
    rowwise = [level([s**2 * sum(V_TILDE[i, j] ** 2 for j in range(5)) for i in range(7)]) for s in STEPS]
    expected = np.abs(mean).max(axis=0) + np.array([paper, rowwise])
    assert bound("sto-qronos-linf", problem("qronos", "stochastic", form=form, X_quantized=X_TILDE)) == pytest.approx(expected)


def test_predictions():
    held_out = RNG.standard_normal((9, 5))
    for rounding, share in (("nearest", 12), ("stochastic", 6)):
        given = problem(rounding=rounding, X_validation=held_out)
        assert bound("predicted-error", given) == pytest.approx(STEPS**2 * sum(D**2) / share)
        moments = M.T @ held_out[:, ORDER].T @ held_out[:, ORDER] @ M
        assert bound("predicted-heldout-error", given) == pytest.approx(STEPS**2 * np.trace(moments) / share)
    floor = 5 * np.linalg.det(stacked(X).T @ stacked(X)) ** (1 / 5)
    assert bound("rate-distortion-floor", problem()) == pytest.approx(STEPS**2 * floor / 12)
