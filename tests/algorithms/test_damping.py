"""Damping rules: the absolute number each one stands for."""

import numpy as np
import pytest
from provable_ptq.algorithms import Factorization, InvalidArgumentError, factorize, qronos
from provable_ptq.algorithms.grid import Grid

RULES = ("none", "mean-diagonal:0.01", "mean-diagonal:1", "spectral:1e-6", "spectral:0.001", "george-saab")


def by_hand(rule, X):
    """The rule written out over the live columns of X."""
    live = X[:, X.any(axis=0)]
    m, N = live.shape
    if rule == "none" or N == 0:
        return 0.0
    name, _, fraction = rule.partition(":")
    if name == "mean-diagonal":
        return float(fraction) * np.mean([np.linalg.norm(column) ** 2 for column in live.T])
    if name == "spectral":
        return float(fraction) * np.linalg.norm(live, 2) ** 2
    return np.linalg.norm(live, "fro") ** 2 / (m ** (1 / 3) * min(m, N) ** (2 / 3))


def matrices():
    """Tall matrices of all scales, some with dead columns; H stays definite without damping."""
    for index in range(100):
        rng = np.random.default_rng([0, index])
        N = int(rng.integers(1, 8))
        X = rng.normal(size=(N + int(rng.integers(1, 9)), N)) * 10 ** rng.uniform(-6, 6) * 10 ** rng.uniform(-1, 1, size=N)
        if index % 3 == 0:
            X[:, rng.random(N) < 0.4] = 0
        yield X


@pytest.mark.parametrize("rule", RULES)
def test_rules_against_their_formulas(rule):
    for X in matrices():
        value = by_hand(rule, X)
        live = X.any(axis=0).any()
        for f in (
            factorize(X, rule),
            Factorization.from_gram(X.T @ X, rule, samples=len(X)),
            Factorization.from_blocks([X[:1], X[1:]], rule),
            factorize(X, 1.0).with_damping(rule),
        ):
            assert f.damping == pytest.approx(value, rel=1e-10, abs=0)
            assert (f.damping > 0) == (live and rule != "none")


def test_wide_matrices():
    for index in range(50):
        rng = np.random.default_rng([1, index])
        X = rng.normal(size=(int(rng.integers(1, 6)), 9))
        X[:, 4] = 0
        for rule in RULES[1:]:
            assert factorize(X, rule).damping == pytest.approx(by_hand(rule, X), rel=1e-10)


@pytest.mark.parametrize("rule", RULES)
def test_dead_features_never_change_a_rule(rule):
    for X in matrices():
        live = X[:, X.any(axis=0)]
        if live.size:
            padded = np.insert(X, [0, X.shape[1]], 0, axis=1)
            assert factorize(padded, rule).damping == pytest.approx(factorize(live, rule).damping, rel=1e-13, abs=0)


@pytest.mark.parametrize("rule", RULES)
def test_the_rule_scales_with_the_square_of_X_and_ignores_rotations(rule):
    for index, X in enumerate(matrices()):
        value = factorize(X, rule).damping
        assert factorize(5 * X, rule).damping == pytest.approx(25 * value, rel=1e-12, abs=0)
        rotation = np.linalg.qr(np.random.default_rng([2, index]).normal(size=(len(X), len(X))))[0]
        assert factorize(rotation @ X, rule).damping == pytest.approx(value, rel=1e-10, abs=0)


@pytest.mark.parametrize("rule", RULES)
def test_nothing_alive_means_no_damping(rule):
    for f in (factorize(np.zeros((3, 2)), rule), Factorization.from_gram(np.zeros((2, 2)), rule, samples=3)):
        assert f.damping == 0.0


def test_a_number_is_taken_as_it_is():
    X = next(matrices())
    for value in (0, 0.0, 3, 0.25, np.float32(0.5), np.int64(2), np.array(0.125), 1e300):
        f = factorize(X, value)
        assert f.damping == float(value)
        assert isinstance(f.damping, float)


def test_george_saab_needs_the_number_of_samples():
    X = np.random.default_rng(3).normal(size=(6, 3))
    with pytest.raises(InvalidArgumentError, match=r"damping = 'george-saab' .*samples="):
        Factorization.from_gram(X.T @ X, "george-saab")
    assert Factorization.from_gram(X.T @ X, "george-saab", samples=6).damping == pytest.approx(by_hand("george-saab", X))
    for samples in (1, 3, 600):  # the count enters, both through m and through min(m, N)
        expected = np.square(X).sum() / (samples ** (1 / 3) * min(samples, 3) ** (2 / 3))
        assert Factorization.from_gram(X.T @ X, "george-saab", samples=samples).damping == pytest.approx(expected)


def test_what_was_asked_for_is_kept():
    X = next(matrices())
    f = factorize(X, "spectral:0.5")
    assert f.damping_rule == "spectral:0.5"
    assert f.with_ordering("decreasing-norm").damping == f.damping
    assert f.with_damping("none").damping_rule == "none"


def test_qronos_reads_the_rule_from_the_deployed_inputs():
    rng = np.random.default_rng(4)
    X = rng.normal(size=(9, 4))
    deployed = 3 * X + rng.normal(size=X.shape)
    for rule in RULES:
        result = qronos(X, deployed, rng.normal(size=(4, 2)), Grid(0.5), rule)
        assert result.damping == pytest.approx(by_hand(rule, deployed), rel=1e-10, abs=0)


def test_a_rule_that_overflows_is_refused():
    with pytest.raises(InvalidArgumentError, match=r"damping = 'mean-diagonal:1e308' .*overflow"):
        factorize(10 * np.eye(2), "mean-diagonal:1e308")


# --- the rule of GPTQ libraries: all features count, dead ones as 1 ---------------------------------------------------------


@pytest.mark.parametrize("factor", [None, 2.0, 1e-3])
def test_the_mean_over_all_features_counts_dead_ones_as_one_in_units_of_the_librarys_hessian(factor):
    rule = "mean-diagonal-all:0.01" + (f":{factor}" if factor else "")
    for X in matrices():
        H = (factor or 1.0) * X.T @ X  # as the library has it
        diagonal = np.where(np.diag(H) == 0, 1.0, np.diag(H))
        expected = 0.01 * diagonal.mean() / (factor or 1.0)
        for f in (factorize(X, rule), Factorization.from_gram(X.T @ X, rule), Factorization.from_blocks([X[:1], X[1:]], rule)):
            assert f.damping == pytest.approx(expected, rel=1e-12, abs=0)


def test_the_two_means_agree_exactly_where_every_feature_is_alive():
    dead_seen = 0
    for X in matrices():
        live, every = (factorize(X, f"{name}:0.25").damping for name in ("mean-diagonal", "mean-diagonal-all"))
        dead = int((~X.any(axis=0)).sum())
        assert every == pytest.approx(live * (1 - dead / X.shape[1]) + 0.25 * dead / X.shape[1], rel=1e-12)
        dead_seen += dead > 0
    assert dead_seen > 20


def test_with_dead_features_the_rule_of_libraries_does_not_scale_with_X():
    X = np.diag([1.0, 2.0, 0.0])[:2]
    values = {scale: factorize(scale * X, "mean-diagonal-all:1").damping / scale**2 for scale in (1.0, 1e-3)}
    assert values == pytest.approx({1.0: 2.0, 1e-3: (5 + 1e6) / 3})
    assert factorize(1e-3 * X, "mean-diagonal-all:1:1e6").damping == pytest.approx(2e-6), "a factor that undoes the scale"


@pytest.mark.parametrize(("rule", "says"), [
    ("mean-diagonal-all", "one of the rules"), ("mean-diagonal-all:", "one of the rules"), ("mean-diagonal-all:0.1:", "one of the rules"),
    ("mean-diagonal-all:0.1:2:3", "one of the rules"), ("mean-diagonal:0.1:2", "one of the rules"),
    ("mean-diagonal-all:x", "mean-diagonal-all:FRACTION with a number as FRACTION"),
    ("mean-diagonal-all:0.1:x", "mean-diagonal-all:FRACTION:FACTOR with a number as FRACTION and as FACTOR"),
    ("mean-diagonal-all:0.1:0", "with a FACTOR > 0"), ("mean-diagonal-all:0.1:-1", "damping factor of mean-diagonal-all = -1.0"),
    ("mean-diagonal-all:0.1:nan", "damping factor of mean-diagonal-all = nan"), ("mean-diagonal-all:1:5e-324", "overflow"),
])
def test_what_is_no_rule_is_refused(rule, says):
    with pytest.raises(InvalidArgumentError, match="damping") as refused:
        factorize(np.diag([1.0, 0.0]), rule)
    assert says in str(refused.value)
