"""Functions that serve floating point and exact arithmetic alike: both agree, and exact ones enclose the truth."""

from fractions import Fraction

import numpy as np
import pytest
from flint import arb, ctx, fmpq
from provable_ptq.bounds.checking.arithmetic import (
    absolute,
    as_float,
    ball,
    erfc,
    exp,
    is_exact,
    lift,
    log,
    maximum,
    minimum,
    pi,
    rational,
    rationals,
    smallest_eigenvalue,
    sqrt,
    tail_level,
)

FLOATS = [0.1, 1 / 3, -2.5, 1e-300, 5e-324, 1e300, 2.0**-1074, 0.0, -0.0, 7]


# --- conversions ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [*FLOATS, np.float32(0.1), np.int64(-3), 2**70])
def test_a_number_becomes_the_rational_it_is(value):
    exact, expected = rational(value), Fraction(value if isinstance(value, int) else float(value))
    assert (int(exact.p), int(exact.q)) == (expected.numerator, expected.denominator)


def test_arrays_become_rationals_and_come_back():
    array = np.array([FLOATS[:5], FLOATS[5:]])
    exact = rationals(array)
    assert is_exact(exact)
    assert exact.shape == array.shape
    np.testing.assert_array_equal(as_float(exact), array)
    np.testing.assert_array_equal(as_float(rationals(np.arange(3))), [0, 1, 2])
    assert rationals(np.zeros((0, 2))).shape == (0, 2)


def test_what_is_exact():
    assert [is_exact(x) for x in (fmpq(1, 3), arb(1), rationals(np.ones(2)))] == [True] * 3
    assert [is_exact(x) for x in (1.0, 1, np.ones(2), np.float64(1), np.ones(2, dtype=int))] == [False] * 5


def test_lift_follows_its_example():
    assert lift(0.5, 1.0) == 0.5
    assert lift(0.5, fmpq(1)) == fmpq(1, 2)
    assert lift(0.1, arb(1)) == rational(0.1) != fmpq(1, 10)
    assert lift(np.array([0.5]), rationals(np.ones(1)))[0] == fmpq(1, 2)
    assert lift(np.array([0.5]), np.ones(1)).dtype == np.float64


def test_as_float_takes_midpoints():
    assert as_float(np.array([fmpq(1, 3), arb(2), arb("0.5 +/- 0.1")], dtype=object)).tolist() == [1 / 3, 2.0, 0.5]
    assert as_float(np.array([[1, 2]])).dtype == np.float64
    assert as_float(rational(1 / 3)) == 1 / 3


def test_floats_are_not_mixed_into_exact_arithmetic():
    with pytest.raises(TypeError):
        _ = fmpq(1) * 0.25
    with pytest.raises(TypeError):
        _ = rationals(np.ones(2)) * np.array([0.5, 0.25])


# --- functions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("function", "values"), [
    (sqrt, [0.0, 1e-10, 0.3, 2.0, 1e20]), (log, [1e-10, 0.3, 1.0, 1e20]), (exp, [-50.0, -0.3, 0.0, 1.0, 50.0]),
    (erfc, [-2.0, 0.0, 0.3, 5.0]),
])
def test_floating_point_agrees_with_enclosures(function, values):
    """Each entry of numpy's and scipy's answer is within a few units in the last place of a ball that is far smaller than one."""
    values = np.array([values])
    with ctx.workprec(100):
        enclosed = function(rationals(values))
    assert enclosed.shape == values.shape
    assert all(isinstance(entry, arb) for entry in enclosed.flat)
    assert all(float(entry.rad()) <= 1e-25 * abs(float(entry.mid())) for entry in enclosed.flat)
    np.testing.assert_allclose(function(values), as_float(enclosed), rtol=4e-16 if function is not erfc else 2e-15, atol=0)
    assert isinstance(function(rational(values[0, -1])), arb)
    assert isinstance(function(float(values[0, -1])), float)


def test_an_enclosure_encloses():
    with ctx.workprec(200):
        finer = fmpq(2)
        root = ball(sqrt(finer))
    coarse = sqrt(fmpq(2))
    assert coarse.contains(root)
    assert (coarse * coarse).contains(fmpq(2))
    assert not coarse.contains(fmpq(141421, 100000))


def test_pi():
    assert pi(1.0) == np.pi
    assert pi(np.ones(2)) == np.pi
    assert isinstance(pi(fmpq(1)), arb)
    assert abs(float(pi(fmpq(1)).mid()) - np.pi) < 1e-15


def test_largest_smallest_and_absolute_values():
    rng = np.random.default_rng(0)
    x = np.round(rng.standard_normal((4, 5)), 3)
    exact = rationals(x)
    for axis in (0, 1):
        np.testing.assert_array_equal(as_float(maximum(exact, axis)), maximum(x, axis))
        np.testing.assert_array_equal(as_float(minimum(exact, axis)), minimum(x, axis))
    np.testing.assert_array_equal(minimum(x), x.min(axis=0))
    np.testing.assert_array_equal(as_float(absolute(exact)), absolute(x))
    assert all(isinstance(entry, fmpq) for entry in maximum(exact))


def test_the_largest_of_overlapping_balls_is_an_enclosure():
    wide, narrow = arb("1 +/- 0.5"), arb("1.2")
    largest = maximum(np.array([wide, narrow], dtype=object))
    assert largest.contains(arb("1.2"))
    assert largest.contains(arb("1.5"))
    assert not largest.contains(fmpq(1))
    mixed = maximum(np.array([fmpq(2), narrow], dtype=object))
    assert mixed.contains(fmpq(2))


# --- the row-wise level --------------------------------------------------------------------------------------------


def tail(alpha, s):
    s = s[s > 1e-200]  # the others have no tail
    return 2 * np.exp(-2 * alpha**2 / s).sum()


COLUMNS = {
    "one row": np.array([3.0]),
    "equal rows": np.full(40, 0.7),
    "unequal rows": np.geomspace(1e-6, 10, 30),
    "zero rows": np.array([0.0, 2.0, 0.0, 0.5]),
    "one large row": np.append(np.full(500, 1e-3), 1.0),
    "far apart": np.array([1e-320, 1e-290, 1.0, 1e10]),
}


@pytest.mark.parametrize("p", [0.999, 0.5, 0.1, 0.01, 1e-12, 1e-300])
@pytest.mark.parametrize("name", COLUMNS)
def test_the_level_solves_its_equation(name, p):
    s = COLUMNS[name]
    (level,) = tail_level(s[:, None], p)
    # a relative change eps of alpha changes the tail by about 2 log(2/p) eps: at p = 1e-300 three digits are lost
    np.testing.assert_allclose(tail(level, s), p, rtol=1e-10)
    assert tail(0.999 * level, s) > p > tail(1.001 * level, s)


@pytest.mark.parametrize("name", COLUMNS)
def test_the_level_falls_as_p_grows_and_grows_with_the_rows(name):
    s = COLUMNS[name]
    levels = [tail_level(s[:, None], p)[0] for p in (1e-6, 1e-3, 0.1, 0.5, 0.9)]
    assert levels == sorted(levels, reverse=True)
    assert len(set(levels)) == 5
    assert tail_level(2 * s[:, None], 0.1)[0] == pytest.approx(np.sqrt(2) * levels[2], rel=1e-12)
    assert tail_level(np.append(s, s.max())[:, None], 0.1)[0] > levels[2]


@pytest.mark.parametrize("p", [0.5, 0.1, 0.01, 1e-9])
def test_the_level_is_never_above_the_closed_form_and_meets_it_for_equal_rows(p):
    for s in COLUMNS.values():
        closed = np.sqrt(s.max() * np.log(2 * len(s) / p) / 2)
        level = tail_level(s[:, None], p)[0]
        assert level <= closed * (1 + 1e-14)
        assert level >= np.sqrt(s.max() * np.log(2 / p) / 2) * (1 - 1e-14)
    assert tail_level(np.full((40, 1), 0.7), p)[0] == pytest.approx(np.sqrt(0.7 * np.log(80 / p) / 2), rel=1e-14)


def test_no_variance_no_level():
    assert tail_level(np.zeros((3, 2)), 0.1).tolist() == [0.0, 0.0]
    assert as_float(tail_level(rationals(np.zeros((3, 2))), fmpq(1, 10))).tolist() == [0.0, 0.0]


def test_every_column_has_its_own_level():
    s = np.array([[1.0, 4.0, 1.0, 0.0], [2.0, 1.0, 2.0, 0.0]])
    levels = tail_level(s, 0.1)
    assert levels[0] == levels[2]
    assert levels[3] == 0
    for column, level in zip(s.T[:3], levels, strict=False):
        assert tail(level, column) == pytest.approx(0.1, rel=1e-12)


@pytest.mark.parametrize("p", [0.5, 0.01, 1e-12])
@pytest.mark.parametrize("name", [name for name in COLUMNS if name != "one large row"])
def test_the_enclosed_level_encloses_and_is_narrow(name, p):
    s = COLUMNS[name]
    (enclosed,) = tail_level(rationals(s)[:, None], rational(p))
    (level,) = tail_level(s[:, None], p)
    assert float(enclosed.rad()) < 1e-9 * level
    assert float(enclosed.mid()) == pytest.approx(level, rel=1e-10)
    low, high = enclosed.lower(), enclosed.upper()
    totals = [sum((2 * (-2 * end * end / ball(entry)).exp() for entry in rationals(s) if entry != 0), arb(0)) for end in (low, high)]
    assert totals[0] > ball(rational(p)) > totals[1], "the equation changes sign inside, certainly"


# --- the smallest eigenvalue ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 5])
def test_smallest_eigenvalue_in_both_arithmetics(size):
    rng = np.random.default_rng(size)
    X = rng.integers(-8, 9, (size + 1, size)) + np.eye(size + 1, size) / 2
    gram = X.T @ X
    enclosed = ball(smallest_eigenvalue(rationals(gram)))
    assert smallest_eigenvalue(gram) == pytest.approx(np.linalg.eigvalsh(gram)[0], rel=1e-12)
    assert float(enclosed.mid()) == pytest.approx(np.linalg.eigvalsh(gram)[0], rel=1e-9)
    assert float(enclosed.rad()) <= 1e-6 * float(enclosed.mid())


def test_smallest_eigenvalue_of_dependent_columns_is_zero():
    gram = np.array([[1.0, 1.0], [1.0, 1.0]])
    assert smallest_eigenvalue(rationals(gram)) == 0
    assert 0 <= smallest_eigenvalue(gram) < 1e-15


def test_smallest_eigenvalue_encloses_where_float64_sees_nothing():
    """[[1, 1], [1, 1 + x]] has the smallest eigenvalue 1 + x/2 - sqrt(1 + x^2/4), about x/2, far below float64's reach."""
    x = fmpq(1, 2**80)
    enclosed = ball(smallest_eigenvalue(np.array([[fmpq(1), fmpq(1)], [fmpq(1), 1 + x]], dtype=object)))
    with ctx.workprec(400):
        truth = 1 + ball(x) / 2 - (1 + ball(x) * ball(x) / 4).sqrt()
    assert enclosed.contains(truth)
