"""The closest approach to each bound, beside what the study's own runs reached."""

import numpy as np
import pandas as pd
import pytest
from provable_ptq.bounds import claims
from provable_ptq.figures import tightness
from provable_ptq.figures.runs import NothingToDrawError

ATTACKS = {  # claim: full, small
    "sto-optq-linf": (0.16, 0.18),
    "optq-l2": (1.0, 1.0),
    "optq-linf": (0.9, 1.0),
    "gpfq-l2": (0.97, 0.95),
}
STUDY = {"optq-l2": [(0.3, 0.7), (0.2, 0.6), (0.4, 0.9)], "sto-optq-linf": [(0.02, 0.05)]}  # median and worst of each run
SQUARED = {"optq-l2", "gpfq-l2"}  # claims about squared errors; the figure compares norms


def norm(claim, ratio):
    return np.sqrt(ratio) if claim in SQUARED else ratio


def attack(claim, size, ratio):
    return {"sweep": "tightness", "record": "claim", "claim": claim, "calibration": size, "ratio": ratio, "ratio_median": np.nan}


@pytest.fixture
def table():
    rows = [attack(claim, size, ratio) for claim, both in ATTACKS.items() for size, ratio in zip(("full", "small"), both, strict=True)]
    rows += [{"sweep": "zoo", "record": "claim", "claim": claim, "calibration": "ar1", "ratio": worst, "ratio_median": median}
             for claim, runs in STUDY.items() for median, worst in runs]  # fmt: skip
    return pd.DataFrame(rows)


def names(figure):
    return [label.get_text() for label in figure.axes[0].get_yticklabels()]


def marks(figure, gid):
    """x and claim of every mark."""
    known = names(figure)
    lines = [line for line in figure.axes[0].get_lines() if line.get_gid() == gid]
    return [(known[round(y)], x, line.get_markerfacecolor()) for line in lines for x, y in line.get_xydata()]


def test_the_tightest_claims_come_first_with_their_origin(table):
    figure = tightness.draw(table)
    assert names(figure) == ["optq-l2", "gpfq-l2", "optq-linf", "sto-optq-linf"]
    (right,) = figure.axes[0].child_axes
    assert [label.get_text() for label in right.get_yticklabels()] == [claims()[name].origin.value for name in names(figure)]


def test_marks_stand_at_their_claims_and_the_shrunk_ones_are_open(table):
    drawn = marks(tightness.draw(table), "measured")
    assert sorted((name, x) for name, x, face in drawn if face != "none") == sorted(
        (name, norm(name, full)) for name, (full, _) in ATTACKS.items())
    assert sorted((name, x) for name, x, face in drawn if face == "none") == sorted(
        (name, norm(name, small)) for name, (_, small) in ATTACKS.items())


def test_bars_reach_from_the_median_to_the_worst_of_the_studys_own_runs(table):
    figure = tightness.draw(table)
    bars = [bar for bar in figure.axes[0].collections if bar.get_gid() == "study"]
    ends = {names(figure)[round(ends[0, 1])]: ends[:, 0] for bar in bars for ends in bar.get_segments()}
    assert set(ends) == set(STUDY), "claims without a run in the study have no bar; the attacks are no runs of the study"
    np.testing.assert_allclose(ends["optq-l2"], np.sqrt([0.3, 0.9]))
    np.testing.assert_allclose(ends["sto-optq-linf"], [0.02, 0.05])


def test_the_bound_is_a_black_line_at_one(table):
    (bound,) = (line for line in tightness.draw(table).axes[0].get_lines() if line.get_gid() == "bound")
    assert (bound.get_color(), list(bound.get_xdata())) == ("#000000", [1, 1])


def test_unknown_claims_and_missing_sizes_are_left_out(table):
    own = pd.concat([table, pd.DataFrame([attack("my-own", "full", 0.5)])])
    assert "my-own" not in names(tightness.draw(own))
    full = tightness.draw(table[table["calibration"] != "small"])
    assert {face for _, x, face in marks(full, "measured") if np.isfinite(x)} == {"#0072B2", "#D55E00", "#009E73"}


def test_nothing_to_draw_is_named(table):
    with pytest.raises(NothingToDrawError, match="no sweep 'tightness'"):
        tightness.draw(table[table["sweep"] == "zoo"])
    with pytest.raises(NothingToDrawError, match="has a ratio"):
        tightness.draw(table.assign(ratio=np.nan))


def test_all_ratios_are_of_norms_and_what_is_none_has_a_star():
    """optq-l2 squared and optq-mismatch as a norm say the same where nothing is mismatched: so do their marks."""
    ratios = {"optq-l2": 0.25, "optq-mismatch": 0.5, "sto-optq-convex-order": 0.5}
    rows = pd.DataFrame([attack(claim, "full", ratio) for claim, ratio in ratios.items()])
    figure = tightness.draw(rows)
    assert {x for _, x, face in marks(figure, "measured") if face != "none"} == {0.5}
    assert names(figure) == ["optq-l2", "optq-mismatch", "sto-optq-convex-order *"]
    assert "as norms" in figure.axes[0].get_xlabel()
    assert "with a star" in tightness.caption(rows)
    assert "star" not in tightness.caption(rows[rows["claim"] != "sto-optq-convex-order"])
