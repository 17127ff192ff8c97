"""A correct output of a GPTQ library is certified, dead features and all, once the damping is the one that the library added."""

import numpy as np
import pytest
from provable_ptq.algorithms import Grid, factorize
from provable_ptq.bounds import Problem
from provable_ptq.bounds.certificate import departures

FRACTION, BITS, BLOCK = 0.01, 4, 32
RULE = f"mean-diagonal-all:{FRACTION}"


def gptq(X, W, factor, act_order):
    """The published GPTQ loop in torch's layout (out, in), step by step from its description; H = factor X^T X.

    Returns: codes (K, N), steps (K, 1), the damping that was added to H, and the order of the features.
    """
    W = W.copy()
    H = factor * X.T @ X
    steps = 2 * abs(W).max(axis=1, keepdims=True) / (2**BITS - 1)
    dead = np.diag(H) == 0
    H[dead, dead] = 1
    W[:, dead] = 0
    order = np.argsort(-np.diag(H), kind="stable") if act_order else np.arange(len(H))
    W, H = W[:, order], H[np.ix_(order, order)]
    damp = FRACTION * np.mean(np.diag(H))
    H[np.diag_indices_from(H)] += damp
    root = np.linalg.cholesky(np.linalg.inv(H)).T
    codes = np.zeros(W.shape, dtype=int)
    for start in range(0, len(H), BLOCK):
        end = min(start + BLOCK, len(H))
        errors = np.zeros((len(W), end - start))
        for t in range(start, end):
            codes[:, t] = np.clip(np.rint(W[:, t] / steps[:, 0]), -(2 ** (BITS - 1)), 2 ** (BITS - 1) - 1)
            errors[:, t - start] = (W[:, t] - steps[:, 0] * codes[:, t]) / root[t, t]
            W[:, t:end] -= np.outer(errors[:, t - start], root[t, t:end])
        W[:, end:] -= errors @ root[start:end, end:]
    back = np.argsort(order)
    return codes[:, back], steps, damp, order


def layer_with_dead_features():
    """What the digits network's second hidden layer is given and its weights, 0 at dead features as libraries set them."""
    pytest.importorskip("sklearn")
    pytest.importorskip("torch")
    from provable_ptq.experiments.calibration import load_layer

    layer = load_layer("digits", {"kind": "digits", "layer": "hidden2"}, 0, 0)
    dead = ~layer.X.any(axis=0)
    assert dead.sum() == 7
    return layer.X, np.where(dead[:, None], 0.0, layer.W)


def convicted(X, W, codes, steps, order, rule):
    """How many neurons the certificate says are no output of OPTQ at this damping."""
    grid = Grid(steps.T, -(2 ** (BITS - 1)), 2 ** (BITS - 1) - 1)
    problem = Problem(X, W, grid, damping=rule, ordering=order)
    return int((departures(problem, codes.T[order]) < problem.N).sum())


@pytest.mark.parametrize("act_order", [False, True], ids=["natural", "act-order"])
@pytest.mark.parametrize(("factor", "wrongly"), [(1.0, 16), (2.0, 16), (2 / 1200, 3)], ids=["Gram", "2 per sequence", "2 per row"])
def test_a_correct_output_is_certified_with_the_rule_of_libraries_and_convicted_with_another(factor, wrongly, act_order):
    X, W = layer_with_dead_features()
    codes, steps, damp, order = gptq(X, W.T, factor, act_order)
    rule = f"{RULE}:{factor!r}"
    assert factorize(X, rule).damping == pytest.approx(damp / factor, rel=1e-12)
    assert convicted(X, W, codes, steps, order, rule) == 0
    assert convicted(X, W, codes, steps, order, f"mean-diagonal:{FRACTION}") >= wrongly, "of 96"


def test_where_nothing_is_dead_the_two_rules_are_one():
    rng = np.random.default_rng(0)
    X, W = rng.standard_normal((200, 40)), rng.standard_normal((40, 16))
    codes, steps, damp, order = gptq(X, W.T, 2.0, act_order=True)
    for rule in (f"{RULE}:2", RULE, f"mean-diagonal:{FRACTION}"):
        assert convicted(X, W, codes, steps, order, rule) == 0
        assert factorize(X, rule).damping == pytest.approx(damp / 2, rel=1e-12)


def test_one_wrong_code_is_convicted():
    X, W = layer_with_dead_features()
    codes, steps, _, order = gptq(X, W.T, 2.0, act_order=False)
    codes[5, 60] += 2 if codes[5, 60] < 0 else -2
    assert convicted(X, W, codes, steps, order, f"{RULE}:2") == 1
