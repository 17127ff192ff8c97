"""Bits that suffice against bits used: heights are the bits of whole alphabets, sufficient ones never below used ones."""

import numpy as np
import pandas as pd
import pytest
from provable_ptq.figures import bits_against_damping
from provable_ptq.figures.runs import NothingToDrawError

AXES = {"sweep": "bits", "record": "run", "calibration": "ar1", "layer": "", "algorithm": "optq", "alphabet": "infinite", "samples": 8,
        "features": 4, "mean_diagonal": 1.0, "likely_probability": 0.9, "signal": 1.0, "largest_weight_code": 7.0}  # fmt: skip
CODES = {"1e-4": (30, 12, 22, 15), "1": (9, 7, 11, 8)}  # sufficient and used by nearest rounding, likely and used by stochastic


def table(**changes):
    rows = []
    for share, (sufficient, nearest, likely, stochastic) in CODES.items():
        for rounding, used in (("nearest", nearest), ("stochastic", stochastic)):
            codes = {"sufficient_code": float(sufficient), "likely_code": float(likely), "largest_code": float(used)}
            damping = {"damping": f"mean-diagonal:{share}", "absolute_damping": float(share)}
            rows.append(AXES | damping | {"rounding": rounding} | codes | changes)
    return pd.DataFrame(rows)


def panels(rows):
    return [axes for axes in bits_against_damping.draw(rows).axes if axes.get_title()]


def lines(axes, gid):
    return [line for line in axes.lines if line.get_gid() == gid]


def test_whole_bits_above_a_height_hold_its_code_and_one_bit_less_does_not():
    codes = np.array([1, 2, 3, 6, 7, 8, 14, 15, 16, 100, 127, 128, 5000])
    (axes,) = panels(pd.concat([
        table(damping=f"mean-diagonal:{place}", absolute_damping=place, largest_code=float(code)) for place, code in enumerate(codes, 1)
    ]))
    for measured in lines(axes, "measured"):
        whole = np.ceil(measured.get_ydata() - 1e-12)
        assert (2 ** (whole - 1) - 1 >= codes).all()
        assert (2 ** (whole - 2) - 1 < codes).all()


def test_what_suffices_is_black_and_never_below_what_was_used():
    (axes,) = panels(table())
    bounds, dots = lines(axes, "bound"), lines(axes, "measured")
    assert len(bounds) == len(dots) == 2
    for bound, measured in zip(bounds, dots, strict=True):
        assert bound.get_color() == "#000000" != measured.get_color()
        np.testing.assert_allclose(bound.get_xdata(), [1e-4, 1])
        assert np.abs(np.log10(measured.get_xdata() / bound.get_xdata())).max() < 0.3
        assert (measured.get_ydata() < bound.get_ydata()).all()
    np.testing.assert_allclose(2 ** (bounds[0].get_ydata() - 1) - 1, [30, 9])
    np.testing.assert_allclose(2 ** (bounds[1].get_ydata() - 1) - 1, [22, 11])
    np.testing.assert_allclose(lines(axes, "round-to-nearest")[0].get_ydata(), 4)


def test_the_largest_of_several_runs_counts():
    smaller = table(largest_code=1.0, sufficient_code=2.0, likely_code=2.0, seed=1)
    several, alone = panels(pd.concat([smaller, table(seed=0)]))[0], panels(table())[0]
    for drawn, expected in zip(several.lines, alone.lines, strict=True):
        np.testing.assert_array_equal(drawn.get_xydata(), expected.get_xydata())


def test_each_matrix_has_a_panel_of_the_same_height_and_everything_is_inside():
    layers = [table(calibration="mine", layer=name, largest_code=code) for name, code in (("a", 3.0), ("b", 25.0))]
    shown = panels(pd.concat([table(), *layers]))
    assert len(shown) == 3
    assert len({axes.get_ylim() for axes in shown}) == 1
    for axes in shown:
        low, high = axes.get_ylim()
        assert all(
            (low < line.get_ydata()).all() and (line.get_ydata() < high).all() for line in lines(axes, "bound") + lines(axes, "measured")
        )


def test_one_rounding_alone_is_drawn_alone():
    (axes,) = panels(table().query("rounding == 'nearest'"))
    assert len(lines(axes, "bound")) == len(lines(axes, "measured")) == 1


@pytest.mark.parametrize("changes", [
    {"sweep": "other"}, {"record": "claim"}, {"alphabet": "finite"}, {"absolute_damping": 0.0}, {"algorithm": "gpfq"}, {"signal": np.nan},
], ids=lambda changes: next(iter(changes)))  # fmt: skip
def test_rows_that_cannot_be_shown_are_refused(changes):
    with pytest.raises(NothingToDrawError, match="bits"):
        bits_against_damping.draw(table(**changes))
