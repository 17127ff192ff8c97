"""All orderings of a few features: the curve is the bound, every dot lies below it, names stand where they rank."""

import itertools

import numpy as np
import pandas as pd
import pytest
from provable_ptq.algorithms import Grid, factorize, optq
from provable_ptq.figures import all_orderings
from provable_ptq.figures.runs import NothingToDrawError

NAMED = ("natural", "decreasing-norm", "min-pivot")
COMMON = {"sweep": "permutations", "calibration": "ar1-6", "layer": "", "steps": "uniform", "samples": 9, "features": 4}


def facts(X, W, grid, ordering, record, name):
    f = factorize(X, 0.3, ordering)
    left = W - optq(f, W, grid).weights
    squared = f.pivots_squared
    return COMMON | {
        "record": record, "ordering": name, "pivot_square_sum": squared.sum(), "order_floor": 4 * squared.prod() ** 0.25,
        "damped_error": ((X @ left) ** 2).sum() + 0.3 * (left**2).sum(), "step_square_sum": W.shape[1] * float(grid.step) ** 2,
    }  # fmt: skip


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(5)
    X, W, grid = rng.normal(size=(9, 4)) * [1, 3, 0.5, 2], rng.normal(size=(4, 3)), Grid(0.25)
    rows = [facts(X, W, grid, name, "run", name) for name in NAMED]
    for order in itertools.permutations(range(4)):
        rows.append(facts(X, W, grid, np.array(order), "permutation", "-".join(map(str, order))))
    return pd.DataFrame(rows)


def drawn(table, gid):
    (axes,) = (axes for axes in all_orderings.draw(table).axes if axes.get_title())
    return [line for line in axes.get_lines() if line.get_gid() == gid]


def test_every_ordering_is_on_the_curve_above_its_own_dot_and_the_floor(table):
    (bound,), (measured,), (floor,) = (drawn(table, gid) for gid in ("bound", "measured", "floor"))
    assert len(bound.get_ydata()) == len(measured.get_ydata()) == 24
    assert (np.diff(bound.get_ydata()) >= 0).all()
    assert (measured.get_ydata() < bound.get_ydata()).all()
    assert floor.get_ydata()[0] == 1 <= bound.get_ydata()[0]
    assert bound.get_color() == "#000000" != measured.get_color()


def test_heights_are_norms_relative_to_the_floor(table):
    every = table[table["record"] == "permutation"].sort_values("pivot_square_sum")
    (bound,), (measured,) = drawn(table, "bound"), drawn(table, "measured")
    np.testing.assert_allclose(bound.get_ydata() ** 2 * every["order_floor"], every["pivot_square_sum"])
    proven = every["step_square_sum"] * every["pivot_square_sum"] / 4
    here, there = measured.get_ydata() / bound.get_ydata(), np.sqrt(every["damped_error"] / proven)
    np.testing.assert_allclose(np.sort(here), np.sort(there))


def test_names_stand_at_the_share_of_orderings_with_a_smaller_bound(table):
    (curve,), every = drawn(table, "bound"), table[table["record"] == "permutation"]
    for bound, measured, name in zip(drawn(table, "named bound"), drawn(table, "named measured"), reversed(NAMED), strict=True):
        own = table.set_index("ordering").loc[name]
        smaller = (every["pivot_square_sum"] < own["pivot_square_sum"] * (1 - 1e-12)).sum()
        (x,) = bound.get_xdata()
        assert x == measured.get_xdata() == pytest.approx(smaller / 23)
        assert bound.get_ydata() == pytest.approx(curve.get_ydata()[smaller])
        assert measured.get_ydata() < bound.get_ydata()


def test_the_order_of_the_rows_does_not_matter(table):
    shuffled = table.sample(frac=1, random_state=1)
    for gid in ("bound", "measured", "named bound"):
        for here, there in zip(drawn(table, gid), drawn(shuffled, gid), strict=True):
            np.testing.assert_array_equal(here.get_xydata(), there.get_xydata())


def test_each_matrix_has_a_panel_and_names_may_be_missing(table):
    two = pd.concat([table, table.assign(calibration="mine")])
    figure = all_orderings.draw(two[two["record"] == "permutation"])
    assert [axes.get_title() for axes in figure.axes] == ["AR(1) (9 × 4)", "mine (9 × 4)"]


def test_nothing_to_draw_is_named(table):
    with pytest.raises(NothingToDrawError, match="permutations"):
        all_orderings.draw(table.assign(sweep="tail"))
    with pytest.raises(NothingToDrawError, match="order floor"):
        all_orderings.draw(table.assign(order_floor=0.0))
