"""Error against mismatch: real small runs; every algorithm below its own bound, whichever settings are there."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from provable_ptq import experiments
from provable_ptq.algorithms import Grid
from provable_ptq.bounds import Problem, check
from provable_ptq.experiments.table import read_table
from provable_ptq.figures import error_against_mismatch
from provable_ptq.figures.runs import NothingToDrawError

PAPER = Path(experiments.__file__).parent / "results" / "paper.parquet"
AXES = {"sweep": "mismatch", "record": "run", "layer": "", "rounding": "nearest", "saturated_share": 0.0, "samples": 24, "features": 6}
ALGORITHMS = (("optq", "alternating"), ("qronos", "alternating"), ("qronos", "projected"), ("gpfq", "alternating"))
CLAIM = {"optq": "optq-mismatch", "qronos": "qronos-l2", "gpfq": "gpfq-mismatch"}
POWER = {"optq": 2, "qronos": 1, "gpfq": 1}  # of the claim's unit, to be squared
SIZES = {"noise:0.01": 0.01, "noise:0.1": 0.1, "noise:1": 1.0, "layers:8": 0.02, "layers:4:8": 0.2, "layers:4": 0.1}


def run_row(calibration, mismatch, algorithm, form, seed):
    rng = np.random.default_rng(seed)
    X, W = rng.standard_normal((24, 6)), rng.standard_normal((6, 5))
    deployed = X + SIZES[mismatch] * rng.standard_normal((24, 6))
    damping = 0.0 if algorithm == "gpfq" else 0.2
    problem = Problem(X, W, Grid(step=0.5), algorithm=algorithm, form=form, damping=damping, X_quantized=deployed)
    verdict = check(problem, [CLAIM[algorithm]])[CLAIM[algorithm]]
    bounded, bound = ((side ** POWER[algorithm]).sum() for side in (verdict.measured, verdict.bound))
    return AXES | {
        "calibration": calibration, "mismatch": mismatch, "algorithm": algorithm, "form": form, "seed": seed,
        "original_signal": ((X @ W) ** 2).sum(), "mismatch_error": (((X - deployed) @ W) ** 2).sum(),
        "deployed_bounded": bounded, "deployed_bound": bound,
    }  # fmt: skip


@pytest.fixture(scope="module")
def table():
    calibrations = {"ar1": ("noise:0.01", "noise:0.1", "noise:1"), "digits": ("layers:4", "layers:8", "layers:4:8")}
    return pd.DataFrame([run_row(calibration, mismatch, *algorithm, seed) for calibration, mismatches in calibrations.items()
                         for mismatch in mismatches for algorithm in ALGORITHMS for seed in (0, 1)])  # fmt: skip


def panels(rows):
    return [axes for axes in error_against_mismatch.draw(rows).axes if axes.get_title()]


def artists(axes, gid):
    return [artist for artist in axes.get_children() if artist.get_gid() == gid]


def heights(artist):
    return artist.get_ydata() if hasattr(artist, "get_ydata") else np.array(artist.get_segments())[:, 0, 1]


def test_noise_and_real_mismatch_stand_in_panels_of_their_own(table):
    noise, layers = panels(table)
    assert (noise.get_title(), layers.get_title()) == ("AR(1) (24 × 6)", "Digits network (24 × 6)")
    assert [label.get_text() for label in noise.get_xticklabels()] == ["1", "10", "100"]


def test_every_dot_lies_below_the_bound_of_its_own_algorithm(table):
    for axes in panels(table):
        bounds, dots = artists(axes, "bound"), artists(axes, "measured")
        assert len(bounds) == len(dots) == 4
        for bound, measured in zip(bounds, dots, strict=True):
            assert len(measured.get_ydata()) == 3
            assert (measured.get_ydata() < heights(bound)).all()


def test_dots_are_means_of_norms_relative_to_the_signal(table):
    noise, _ = panels(table)
    runs = table[(table["mismatch"] == "noise:1") & (table["form"] == "projected")]
    expected = np.sqrt(runs["deployed_bounded"] / runs["original_signal"]).mean()
    np.testing.assert_allclose(artists(noise, "measured")[2].get_ydata()[-1], expected)


def test_the_mismatch_itself_is_drawn_at_its_own_size(table):
    noise, layers = panels(table)
    relative = np.sqrt(table["mismatch_error"] / table["original_signal"]).groupby(table["mismatch"]).mean()
    for axes, order in ((noise, ["noise:0.01", "noise:0.1", "noise:1"]), (layers, ["layers:8", "layers:4", "layers:4:8"])):
        (bars,) = artists(axes, "mismatch")
        np.testing.assert_allclose(heights(bars), relative[order])


def test_settings_stand_by_growing_mismatch_under_their_bits(table):
    _, layers = panels(table)
    assert [label.get_text() for label in layers.get_xticklabels()] == ["W8", "W4", "W4A8"]


def test_an_algorithm_and_a_setting_may_be_missing(table):
    incomplete = table[~((table["calibration"] == "digits") & ((table["form"] == "projected") | (table["algorithm"] == "gpfq")))]
    incomplete = incomplete[~((incomplete["mismatch"] == "layers:4") & (incomplete["algorithm"] == "qronos"))]
    noise, layers = panels(incomplete)
    assert len(artists(noise, "measured")) == 4
    optq, qronos = artists(layers, "measured")
    assert np.isfinite(optq.get_ydata()).all()
    np.testing.assert_array_equal(np.isnan(qronos.get_ydata()), [False, True, False])


def test_one_kind_of_mismatch_alone_is_drawn_alone(table):
    assert len(panels(table[table["calibration"] == "digits"])) == 1


@pytest.mark.parametrize(("changes", "said"), [
    ({"sweep": "other"}, "no sweep"),
    ({"record": "claim"}, "bound on the deployed error"),
    ({"mismatch": "none"}, "bound on the deployed error"),
    ({"rounding": "stochastic"}, "bound on the deployed error"),
    ({"saturated_share": 0.1}, "bound on the deployed error"),
    ({"deployed_bound": np.nan}, "bound on the deployed error"),
], ids=lambda value: next(iter(value)) if isinstance(value, dict) else "")  # fmt: skip
def test_rows_that_no_bound_covers_are_refused(table, changes, said):
    with pytest.raises(NothingToDrawError, match=said):
        error_against_mismatch.draw(table.assign(**changes))


def test_no_two_marks_and_no_two_bounds_stand_upon_each_other():
    """On the paper's matrices the bounds of both forms of Qronos are all but the same, and at little mismatch all errors are."""
    paper, _ = read_table(PAPER)
    for axes in panels(paper):
        reach = np.concatenate([np.array(bars.get_segments())[:, :, 0] for bars in artists(axes, "bound")])
        reach = reach[np.argsort(reach[:, 0])]
        assert (reach[1:, 0] > reach[:-1, 1]).all(), "bars side by side"
        dots = np.sort(np.concatenate([measured.get_xdata() for measured in artists(axes, "measured")]))
        assert np.diff(dots).min() > 0.1, "dots beside each other"
        for bars, measured in zip(artists(axes, "bound"), artists(axes, "measured"), strict=True):
            ends, y = np.array(bars.get_segments()), measured.get_ydata()
            np.testing.assert_allclose(ends[:, :, 0].mean(axis=1), measured.get_xdata())
            assert (y <= ends[:, 0, 1]).all(), "every dot straight below its own bound"


def test_deployed_inputs_of_a_file_are_one_more_group_by_growing_mismatch(table):
    own = table[table["mismatch"] == "layers:4"].assign(mismatch="deployed", mismatch_error=lambda rows: 100 * rows["mismatch_error"])
    _, layers = panels(pd.concat([table, own]))
    assert [label.get_text() for label in layers.get_xticklabels()] == ["W8", "W4", "W4A8", "deployed"]
    (alone,) = panels(own.assign(calibration="mine"))
    assert [label.get_text() for label in alone.get_xticklabels()] == ["deployed"]
    for bound, measured in zip(artists(alone, "bound"), artists(alone, "measured"), strict=True):
        assert (measured.get_ydata() < heights(bound)).all()


@pytest.mark.parametrize(("seeds", "said"), [([0], "one run each"), ([0, 1], "mean of\n2 repetitions;\nbar: smallest to largest")])
def test_the_legend_speaks_of_means_only_where_there_are_several_runs(table, seeds, said):
    figure = error_against_mismatch.draw(table[table["seed"].isin(seeds)])
    (legend,) = (axes.get_legend() for axes in figure.axes if axes.get_legend())
    assert legend.get_title().get_text() == f"dot: measured, {said}"
