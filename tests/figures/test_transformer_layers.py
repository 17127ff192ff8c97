"""Every layer ranked: dots between prediction and bound, each above its own name."""

import numpy as np
import pandas as pd
import pytest
from provable_ptq.figures import transformer_layers
from provable_ptq.figures.runs import NothingToDrawError

QUERY, OUTPUT = "encoder.layer.0.attention.self.query", "encoder.layer.5.output.dense"
ERRORS = {QUERY: 1.3, OUTPUT: 0.7, "encoder.layer.1.intermediate.dense": 1.0, "hidden2": 2.1}  # squared, over the predicted ones
AXES = {
    "sweep": "layers", "calibration": "minilm", "mismatch": "none", "algorithm": "optq", "form": "alternating",
    "rounding": "nearest", "bits": 4, "steps": "uniform", "alphabet": "infinite", "ordering": "decreasing-norm",
    "damping": "mean-diagonal:1e-2", "seed": 0, "draws": 0,
    "record": "run", "samples": 8, "features": 4, "neurons": 2, "signal": 100.0, "saturated_share": 0.0,
}  # fmt: skip


def run_row(layer, over, **changes):
    """A run whose squared damped error is `over` times the predicted one, which is a third of the bound."""
    sizes = {"damped_error": over / 12, "damped_predicted": 1 / 12, "damped_bound": 1 / 4, "rtn_damped_error": 3.0}
    return AXES | {"layer": layer} | sizes | changes


def table(**changes):
    return pd.DataFrame([run_row(layer, over, **changes) for layer, over in ERRORS.items()])


def drawn(rows):
    figure = transformer_layers.draw(rows)
    figure.canvas.draw()
    return figure.axes


def points(axes, gid):
    return sorted(tuple(point) for line in axes.lines if line.get_gid() == gid for point in line.get_xydata())


def test_layers_stand_above_their_names_from_smallest_to_largest_error():
    above, below = drawn(table())
    assert [label.get_text() for label in below.get_xticklabels()] == ["5 output", "1 intermediate", "0 query", "hidden2"]
    places, heights = zip(*points(above, "measured"), strict=True)
    assert places == (0, 1, 2, 3)
    np.testing.assert_allclose(heights, np.sqrt(np.array(sorted(ERRORS.values())) / 12 / 100))


def test_bounds_are_black_and_above_every_dot():
    above, below = drawn(table())
    for (place, measured), (bound_place, bound) in zip(points(above, "measured"), points(above, "bound"), strict=True):
        assert place == bound_place
        assert measured < bound
    assert {line.get_color() for axes in (above, below) for line in axes.lines if line.get_gid() == "bound"} == {"#000000"}


def test_the_lower_panel_is_the_upper_one_over_its_predictions():
    above, below = drawn(table())
    predicted = dict(points(above, "prediction"))
    for over, of in (("measured", points(above, "measured")), ("bound", points(above, "bound"))):
        shown = dict(points(below, over))
        heights = [shown.get(place, max(shown.values())) for place, _ in of]
        np.testing.assert_allclose(heights, [height / predicted[place] for place, height in of])


def test_order_of_rows_and_size_of_outputs_do_not_matter():
    scaled = table().iloc[::-1]
    sizes = ["signal", "damped_error", "damped_predicted", "damped_bound", "rtn_damped_error"]
    scaled = scaled.assign(**{size: 7 * scaled[size] for size in sizes})
    for axes, others in zip(drawn(table()), drawn(scaled), strict=True):
        for gid in ("measured", "bound", "prediction", "round-to-nearest"):
            np.testing.assert_allclose(points(axes, gid), points(others, gid))


OTHERS = {  # and how a figure of them alone calls it
    "bits": (3, "3-bit steps"), "damping": ("0.1", "λ = 0.1"), "ordering": ("natural", "natural order"),
    "alphabet": ("finite", ", finite alphabet"), "steps": ("inverse-pivot", "steps inverse to the pivots"),
}  # fmt: skip


@pytest.mark.parametrize("axis", OTHERS)
def test_one_setting_is_shown_and_the_figure_says_which(axis):
    other, words = OTHERS[axis]
    usual, changed = table(), table(damped_error=0.2, **{axis: other})
    both = pd.concat([usual, changed], ignore_index=True)
    assert points(drawn(both)[0], "measured") == points(drawn(usual)[0], "measured")
    assert words not in said(both)
    assert "Of the 8 runs of the sweep 4 are shown" in transformer_layers.caption(both)
    assert words in said(changed), "a study of other settings shows those"
    assert words in transformer_layers.caption(changed)
    assert "runs of the sweep" not in transformer_layers.caption(changed)


def said(rows):
    return transformer_layers.draw(rows).legends[0].get_title().get_text().replace("\n", " ").replace("\u00a0", " ")


def test_runs_that_no_bound_covers_are_left_out():
    both = pd.concat([table(), table(damped_error=0.2, rounding="stochastic")], ignore_index=True)
    assert points(drawn(both)[0], "measured") == points(drawn(table())[0], "measured")
    with pytest.raises(NothingToDrawError, match="layers"):
        transformer_layers.draw(table(rounding="stochastic"))


def test_layers_of_several_networks_and_repetitions_are_not_mixed_up():
    two = pd.concat([table(), table(calibration="mine"), table(seed=1, damped_error=0.9)], ignore_index=True)
    _, below = drawn(two)
    labels = [label.get_text() for label in below.get_xticklabels()]
    assert len(set(labels)) == len(labels) == 8
    assert {"MiniLM block 0, query", "mine block 0, query"} <= set(labels)


def test_block_numbers_are_explained_where_there_are_blocks():
    _, below = drawn(table())
    assert below.get_xlabel() == "MiniLM: block, numbered from 0 at the inputs, and layer in it"
    _, below = drawn(table()[lambda rows: rows["layer"] == "hidden2"])
    assert below.get_xlabel() == "MiniLM: layer"
    assert "block" not in transformer_layers.caption(table()[lambda rows: rows["layer"] == "hidden2"])


def test_layers_of_unknown_types_alone_keep_their_names():
    _, below = drawn(table()[lambda rows: rows["layer"] == "hidden2"])
    assert [label.get_text() for label in below.get_xticklabels()] == ["hidden2"]
