"""Adversarial growth: nearest rounding stands on its proven lines, stochastic rounding below its own."""

import numpy as np
import pandas as pd
import pytest
from provable_ptq.bounds.checking.measure import own_errors
from provable_ptq.bounds.problems.constructions import growth_problem
from provable_ptq.bounds.stochastic.levels import rowwise_level
from provable_ptq.bounds.stochastic.sto_optq_alphabet import alphabet_levels
from provable_ptq.figures import adversarial_growth
from provable_ptq.figures.runs import NothingToDrawError

ETA = 0.3


def run_row(features, rounding):
    """A real run of the construction, with what the claims say of nearest and of stochastic rounding."""
    problem = growth_problem(features, ETA, rounding, 5)
    if rounding == "nearest":
        level, code_level = ETA * np.sqrt(features), np.rint(ETA * features)
    else:
        level, code_level = rowwise_level(problem)[0], np.abs(problem.W).max() + alphabet_levels(problem)[0, 0]
    return {"sweep": "growth", "record": "run", "features": features, "rounding": rounding, "level": level, "code_level": code_level,
            "measured_max": np.abs(own_errors(problem, problem.result)).max(),
            "largest_code": np.abs(problem.result.codes).max()}  # fmt: skip


@pytest.fixture(scope="module")
def table():
    return pd.DataFrame([run_row(features, rounding) for features in (256, 16, 64) for rounding in ("stochastic", "nearest")])


def panels(rows):
    return adversarial_growth.draw(rows).axes[:2]


def lines(axes, gid):
    return [line for line in axes.lines if line.get_gid() == gid]


def test_measurements_never_lie_above_what_is_proven(table):
    for axes in panels(table):
        bounds, dots = lines(axes, "bound"), lines(axes, "measured")
        assert len(bounds) == len(dots) == 2
        for bound, measured in zip(bounds, dots, strict=True):
            assert bound.get_color() == "#000000" != measured.get_color()
            np.testing.assert_array_equal(bound.get_xdata(), [16, 64, 256])
            np.testing.assert_array_equal(measured.get_xdata(), [16, 64, 256])
            assert (measured.get_ydata() <= bound.get_ydata() * (1 + 1e-5)).all()


def test_nearest_rounding_grows_like_the_root_and_its_codes_like_the_size(table):
    errors, codes = (lines(axes, "measured")[0].get_ydata() for axes in panels(table))
    np.testing.assert_allclose(errors, ETA * np.sqrt([16, 64, 256]), rtol=1e-5)
    np.testing.assert_allclose(codes, ETA * np.array([16, 64, 256]), atol=0.5)


def test_one_rounding_alone_is_drawn_alone(table):
    figure = adversarial_growth.draw(table[table["rounding"] == "stochastic"])
    assert all(len(lines(axes, "bound")) == 1 for axes in figure.axes[:2])
    labels = [text.get_text() for text in figure.axes[2].get_legend().get_texts()]
    assert len(labels) == 2
    assert all("stochastic" in label for label in labels)


def test_a_table_without_the_sweep_is_refused(table):
    with pytest.raises(NothingToDrawError, match="growth"):
        adversarial_growth.draw(table.assign(sweep="other"))
