"""Bits above the rate–distortion limit: where real runs of OPTQ, the prediction and the bound have to lie."""

import numpy as np
import pandas as pd
import pytest
from provable_ptq.algorithms import Grid, factorize, optq
from provable_ptq.figures import rate_distortion
from provable_ptq.figures.runs import NothingToDrawError

LIMIT_OF_SCALARS = np.log2(2 * np.pi * np.e / 12) / 2
ORDERINGS = ("natural", "decreasing-norm", "min-pivot")
NEURONS = 1500
AXES = {
    "sweep": "rate-distortion", "layer": "", "mismatch": "none", "algorithm": "optq", "form": "alternating",
    "rounding": "nearest", "bits": 4, "alphabet": "infinite", "damping": "0.1",
    "seed": 0, "draws": 0, "record": "run", "samples": 40, "features": 8, "neurons": NEURONS,
    "signal": 1.0, "saturated_share": 0.0,
}  # fmt: skip


def run_row(calibration, X, W, ordering, steps, step):
    """A run of OPTQ with one step for all features, or with steps inverse to the pivots of the same geometric mean."""
    factorization = factorize(X, 0.1, ordering)
    d = factorization.pivots
    processed = np.full(len(d), step) if steps == "uniform" else step * np.exp(np.log(d).mean()) / d
    grid = Grid(step=processed[np.argsort(factorization.order)][:, None])
    error = W - optq(factorization, W, grid).weights
    pivots = NEURONS * (processed**2 @ d**2)
    return AXES | {
        "calibration": calibration, "ordering": ordering, "steps": steps, "step_square_sum": NEURONS * processed[0] ** 2,
        "order_floor": len(d) * np.exp(2 * np.log(d).mean()), "damped_error": (error * ((X.T @ X + 0.1 * np.eye(len(d))) @ error)).sum(),
        "rate_floor": NEURONS * step**2 * len(d) * np.exp(2 * np.log(d).mean()) / 12,
        "damped_bound": pivots / 4, "damped_predicted": pivots / 12,
    }  # fmt: skip


@pytest.fixture(scope="module")
def table():
    return two_matrices(0.05)


def two_matrices(step):
    rng = np.random.default_rng(0)
    X, W = rng.standard_normal((40, 8)), rng.standard_normal((8, NEURONS))
    matrices = {"gaussian": np.eye(8), "heavy-tailed": X * 10.0 ** rng.uniform(-1, 1, 8)}
    return pd.DataFrame([run_row(name, matrix, W, ordering, steps, step) for name, matrix in matrices.items()
                         for ordering in ORDERINGS for steps in ("uniform", "inverse-pivot")])  # fmt: skip


def drawn(rows):
    return rate_distortion.draw(rows).axes[0]


def points(axes, gid, marked=True):
    return np.array([point for line in axes.lines if line.get_gid() == gid and (line.get_marker() != "None") == marked
                     for point in line.get_xydata()])  # fmt: skip


def coloured(axes, colour):
    return np.array([x for line in axes.lines if line.get_gid() == "measured" and line.get_color() == colour for x in line.get_xdata()])


def test_steps_inverse_to_the_pivots_reach_what_scalar_quantizers_can(table):
    shown = coloured(drawn(table), rate_distortion.INVERSE.colour)
    assert len(shown) == 6
    np.testing.assert_allclose(shown, LIMIT_OF_SCALARS, atol=0.02)


def test_equal_steps_lose_half_the_logarithm_of_arithmetic_over_geometric_mean(table):
    uniform = table[table["steps"] == "uniform"]
    squared = uniform["damped_bound"] * 4 / uniform["step_square_sum"]
    expected = LIMIT_OF_SCALARS + np.log2(squared / uniform["order_floor"]) / 2
    shown = points(drawn(table), "prediction")[:, 0]
    np.testing.assert_allclose(np.sort(shown), np.sort(expected))
    assert shown[0] == pytest.approx(LIMIT_OF_SCALARS), "nothing is lost where all pivots are equal"
    assert shown.max() > LIMIT_OF_SCALARS + 0.5, "much is lost where they are not"


def test_bounds_are_black_right_of_their_dots_and_not_left_of_the_best_bound(table):
    axes = drawn(table)
    bounds, predicted = points(axes, "bound"), points(axes, "prediction")
    (best, _), *_ = points(axes, "bound", marked=False)
    assert (bounds[:, 0] >= best - 1e-12).all()
    np.testing.assert_allclose(bounds[:, 0] - predicted[:, 0], np.log2(3) / 2)
    for x, y in points(axes, "measured"):
        assert x < bounds[bounds[:, 1] == y, 0].item()
    assert {line.get_color() for line in axes.lines if line.get_gid() == "bound"} == {"#000000"}


def test_half_the_step_buys_one_bit_so_the_place_stays():
    for gid in ("bound", "prediction"):
        np.testing.assert_allclose(points(drawn(two_matrices(0.05)), gid), points(drawn(two_matrices(0.025)), gid))


def test_each_matrix_is_named_and_a_missing_kind_of_steps_leaves_the_other(table):
    axes = drawn(table[table["steps"] == "inverse-pivot"])
    assert [label.get_text() for label in axes.get_yticklabels()] == ["Gaussian (40 × 8)", "Heavy-tailed (40 × 8)"]
    assert len(points(axes, "measured")) == 6
    assert len(points(axes, "bound")) == 0


def test_runs_without_a_floor_are_named(table):
    with pytest.raises(NothingToDrawError, match="positive order floor"):
        rate_distortion.draw(table.assign(order_floor=0.0))
