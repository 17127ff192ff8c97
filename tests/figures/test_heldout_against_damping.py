"""Held-out error over the damping: marks of rules lie on measured points, regrets start at one, layers are chosen by regret."""

import numpy as np
import pandas as pd
import pytest
from provable_ptq.figures import heldout_against_damping
from provable_ptq.figures.runs import NothingToDrawError

RULES = [rule for rule in heldout_against_damping.RULES if not rule.startswith("mean-diagonal-all")]
GRID = {"mean-diagonal:1e-3": 0.1, "mean-diagonal:1e-2": 1.0, "mean-diagonal:1e-1": 10.0}
NAMED = {"spectral:1e-6": 0.02, "spectral:1e-3": 20.0, "george-saab": 50.0}
AXES = {
    "sweep": "heldout", "calibration": "mine", "mismatch": "none", "algorithm": "optq", "form": "alternating",
    "rounding": "nearest", "bits": 4, "steps": "uniform", "alphabet": "infinite", "ordering": "decreasing-norm",
    "seed": 0, "draws": 0, "record": "run", "samples": 8,
    "features": 4, "neurons": 2, "signal": 100.0, "damped_error": 1.0, "saturated_share": 0.0, "mean_diagonal": 100.0,
    "heldout_signal": 50.0, "heldout_rtn_error": 9.0,
}  # fmt: skip


def curve(calibration, layer, best, dampings=GRID | NAMED, **changes):
    """Runs of one layer whose squared error grows with the distance from the damping `best`, 10% above what is predicted."""
    errors = {name: 1 + np.log(damping / best) ** 2 for name, damping in dampings.items()}
    return [AXES | {"calibration": calibration, "layer": layer, "damping": name, "absolute_damping": damping,
                    "heldout_error": 1.1 * errors[name], "heldout_predicted": errors[name]} | changes for name, damping in dampings.items()]


def table():
    """Four layers of a network, the first best served by GPTQ's rule and the last worst; and a matrix of its own."""
    rows = [row for layer, best in {"a": 1.0, "b": 0.5, "c": 30.0, "d": 0.05}.items() for row in curve("mine", layer, best)]
    return pd.DataFrame(rows + curve("low-rank", "", 0.1))


def panels(rows):
    """The panels over the damping, and the strips of regrets."""
    shown = [axes for axes in heldout_against_damping.draw(rows).axes if axes.get_title()]
    return shown[:-1], shown[-1]


def points(axes, gid):
    return [tuple(point) for line in axes.lines if line.get_gid() == gid for point in line.get_xydata()]


def test_of_many_layers_the_median_and_the_worst_of_gptqs_rule_are_shown():
    shown, _ = panels(table())
    assert [axes.get_title() for axes in shown] == ["Low rank (8 × 4)", "mine, b (8 × 4)", "mine, c (8 × 4)"]


def test_a_rules_mark_lies_on_a_measured_point():
    for axes in panels(table())[0]:
        measured = points(axes, "measured")
        assert len(measured) == len(GRID | NAMED)
        for rule in RULES:
            (mark,) = points(axes, rule)
            assert mark in measured


def test_the_prediction_joins_dampings_in_their_order_and_is_not_black():
    for axes in panels(table())[0]:
        (line,) = [line for line in axes.lines if line.get_gid() == "prediction"]
        assert (np.diff(line.get_xdata()) > 0).all()
        assert line.get_color() != "#000000"
        assert line.get_linestyle() != "-"
        np.testing.assert_allclose([y for _, y in points(axes, "measured")] / line.get_ydata(), np.sqrt(1.1))


def test_regret_starts_at_one_and_a_prediction_right_up_to_a_factor_has_none():
    _, strips = panels(table())
    for rule in RULES:
        assert len(points(strips, rule)) == 5
        assert min(x for x, _ in points(strips, rule)) >= 1
    assert {x for x, _ in points(strips, "predicted")} == {1.0}
    everything = [x for rule in RULES for x, _ in points(strips, rule)]
    assert max(everything) > 1


def test_regret_is_what_the_errors_say():
    rows = pd.DataFrame(curve("low-rank", "", 0.1))
    errors = rows.set_index("damping")["heldout_error"]
    _, strips = panels(rows)
    for rule in ("mean-diagonal:1e-2", *NAMED):
        ((shown, _),) = points(strips, rule)
        assert shown == pytest.approx(np.sqrt(errors[rule] / errors.min()))


def test_outputs_in_other_units_give_the_same_figure():
    sizes = ["heldout_signal", "heldout_error", "heldout_predicted", "heldout_rtn_error"]
    (shown, strips), (others, other_strips) = panels(table()), panels(table().assign(**{size: 7 * table()[size] for size in sizes}))
    for axes, other in zip([*shown, strips], [*others, other_strips], strict=True):
        for gid in ("measured", "prediction", "round-to-nearest", *heldout_against_damping.RULES):
            np.testing.assert_allclose(points(axes, gid), points(other, gid))


def test_a_misleading_prediction_is_seen_in_its_regret():
    rows = table()
    _, strips = panels(rows.assign(heldout_predicted=1 / rows["heldout_predicted"]))
    assert min(x for x, _ in points(strips, "predicted")) > 1


def test_rules_that_were_not_run_are_left_out():
    shown, strips = panels(pd.DataFrame(curve("low-rank", "", 0.1, {"mean-diagonal:1e-3": 0.1, "mean-diagonal:1": 100.0})))
    assert len(shown) == 1
    assert [label.get_text() for label in strips.get_yticklabels()] == [heldout_against_damping.RULES["predicted"].label]


@pytest.mark.parametrize("missing", [{"heldout_signal": np.nan}, {"rounding": "stochastic"}, {"sweep": "other"}])
def test_without_heldout_inputs_there_is_nothing_to_draw(missing):
    with pytest.raises(NothingToDrawError, match="heldout"):
        heldout_against_damping.draw(table().assign(**missing))
