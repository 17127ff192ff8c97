"""Figures: drawn from the table alone, the same bytes every time, bounds never below what was measured."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from provable_ptq import figures
from provable_ptq.algorithms import InvalidArgumentError
from provable_ptq.experiments.table import write_table
from provable_ptq.figures import error_against_damping, ordering_effect, stochastic_tail
from provable_ptq.figures.panels import by_panel
from provable_ptq.figures.render import FIGURES, render
from provable_ptq.figures.runs import NothingToDrawError, guaranteed_runs

FOLDER = Path(figures.__file__).parent
NAMES = sorted(FIGURES)
MACHINERY = {"__init__", "looks", "marks", "panels", "render", "runs", "style"}
COMMON = {
    "layer": "", "mismatch": "none", "algorithm": "optq", "form": "alternating", "rounding": "nearest", "bits": 4, "steps": "uniform",
    "alphabet": "infinite", "seed": 0, "draws": 0, "samples": 8, "features": 4, "neurons": 2, "record": "run", "claim": "",
}  # fmt: skip
FACTS = {"saturated_share": 0.0, "signal": 100.0, "step_square_sum": 2.0, "order_floor": 4.0}


def run_row(sweep, calibration, damping, ordering, pivots, share=0.3, **changes):
    """A run whose damped error is `share` of its bound."""
    bound = FACTS["step_square_sum"] * pivots / 4
    sizes = {"pivot_square_sum": pivots, "damped_bound": bound, "damped_error": share * bound, "reconstruction": share * bound / 2}
    sizes |= {"absolute_damping": 7.0 * float(damping.rpartition(":")[2]), "mean_diagonal": 7.0}
    axes = {"sweep": sweep, "calibration": calibration, "damping": damping, "ordering": ordering}
    return COMMON | FACTS | axes | sizes | changes


def damping_rows():
    return [run_row("damping", calibration, f"mean-diagonal:{share}", ordering, 5 + 10 * float(share) + seed / 10, seed=seed)
            for calibration in ("gaussian", "my own") for share in ("1e-2", "1e-1", "1")
            for ordering in ("natural", "min-pivot", "made-up") for seed in (0, 1)]


def ordering_rows():
    orderings = {"natural": 5.0, "decreasing-norm": 7.0, "random:0": 6.0, "random:1": 6.5}
    rows = [run_row("ordering", "ar1", "mean-diagonal:1e-2", ordering, pivots) for ordering, pivots in orderings.items()]
    return [*rows, run_row("ordering", "low-rank", "0.0", "natural", 5.0, order_floor=0.0)]


def tail_rows(unit=2.0, **changes):
    """Levels in the unit that the row-wise level at p = 0.05 sets; the sure level is 1.5 units."""
    cell = COMMON | {"sweep": "tail", "calibration": "digits", "damping": "mean-diagonal:1e-2", "ordering": "natural",
                     "rounding": "stochastic", "draws": 1000}  # fmt: skip
    levels = [("", np.nan, 0.25, 400), ("", np.nan, 0.5, 3), ("", np.nan, 1.0, 0)]
    levels += [("sto-optq-linf-rowwise", 0.05, 1.0, 0), ("sto-optq-linf-rowwise", 0.5, 0.75, 1)]
    levels += [("sto-optq-linf-sharp", 0.05, 2.0, 0), ("sto-optq-linf", 0.05, 4.5, 0)]
    counted = [cell | {"record": "claim" if claim else "tail", "claim": claim, "failure_probability": p, "level": unit * level,
                       "failures": failures, "interval_low": 0.5 * failures / 1000, "interval_high": min(1.0, (1.5 * failures + 5) / 1000),
                       "deterministic_level": np.nan if claim else 1.5 * unit} for claim, p, level, failures in levels]  # fmt: skip
    return [row | changes for row in [cell, *counted]]


MADE = {"damping": damping_rows, "ordering": ordering_rows, "tail": tail_rows}
SHOWN = [name for name, entry in FIGURES.items() if entry.sweep in MADE]


def small_table(*sweeps):
    return pd.DataFrame([row for sweep in sweeps or MADE for row in MADE[sweep]()])


def artists(axes, gid):
    return [artist for artist in axes.get_children() if artist.get_gid() == gid]


def panels(module, table):
    return [axes for axes in module.draw(table).axes if axes.get_title()]


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    folder = tmp_path_factory.mktemp("figures")
    write_table(small_table(), {"study": "small"}, folder / "small.parquet")
    return folder / "small.parquet", render(folder / "small.parquet", folder / "here", progress=False)


def test_each_figure_is_one_file_named_after_it():
    assert {file.stem for file in FOLDER.glob("*.py")} - MACHINERY == set(FIGURES)
    assert all(entry.sweep for entry in FIGURES.values())


def test_every_figure_is_written_as_small_png_and_pdf(rendered):
    _, (paths, notes) = rendered
    assert [path.name for path in paths] == [f"{name}.{kind}" for name in SHOWN for kind in ("png", "pdf")]
    assert notes == [f"{len(FIGURES) - len(SHOWN)} figures left out: their sweeps are not in the table"]
    assert all(0 < path.stat().st_size < 400_000 for path in paths)


def test_same_table_same_bytes_in_another_process(rendered, tmp_path):
    table, (paths, _) = rendered
    program = f"from provable_ptq.figures.render import render; render({str(table)!r}, {str(tmp_path)!r}, progress=False)"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)
    for path in paths:
        assert path.read_bytes() == (tmp_path / path.name).read_bytes(), path.name


def test_style_does_not_depend_on_the_users_settings_nor_change_them(rendered, tmp_path):
    import matplotlib as mpl
    table, (paths, _) = rendered
    with mpl.rc_context({"font.size": 30, "pdf.fonttype": 3, "lines.linewidth": 9}):
        mine = dict(mpl.rcParams)
        again = render(table, tmp_path, progress=False).paths
        assert dict(mpl.rcParams) == mine
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in paths]


def test_fonts_are_embedded_as_truetype_and_no_dates_or_programs(rendered):
    _, (paths, _) = rendered
    for path in paths:
        content = path.read_bytes()
        assert b"Matplotlib" not in content
        assert b"CreationDate" not in content
        if path.suffix == ".pdf":
            assert b"/CIDFontType2" in content
            assert b"/FontFile2" in content
            assert b"/Type3" not in content


def test_damping_bounds_lie_above_the_dots_of_their_ordering():
    shown = panels(error_against_damping, small_table())
    assert [axes.get_title() for axes in shown] == ["Gaussian (8 × 4)", "my own (8 × 4)"]
    for axes in shown:
        bounds, dots = artists(axes, "bound"), artists(axes, "measured")
        assert len(bounds) == len(dots) == 3
        for bound, measured in zip(bounds, dots, strict=True):
            assert bound.get_color() == "#000000" != measured.get_color()
            np.testing.assert_allclose(measured.get_ydata() / bound.get_ydata(), np.sqrt(0.3), rtol=1e-3)
            assert np.abs(np.log10(measured.get_xdata() / bound.get_xdata())).max() < 0.3


def test_ordering_bounds_lie_right_of_the_dots_and_of_the_floor():
    shown = panels(ordering_effect, small_table())
    assert [axes.get_title() for axes in shown] == ["AR(1) (8 × 4)"], "runs with a floor of zero are left out"
    bounds, dots = artists(shown[0], "bound"), artists(shown[0], "measured")
    assert artists(shown[0], "floor")[0].get_xdata() == [1, 1]
    drawn = {}
    for kind, bars, measured in zip(("natural", "decreasing-norm", "random"), bounds, dots, strict=True):
        ends = np.array(bars.get_segments())
        np.testing.assert_allclose(ends[:, :, 1].mean(axis=1), measured.get_ydata(), atol=1e-12)
        assert (ends[:, 0, 0] >= 1).all()
        assert (ends[:, 0, 0] > measured.get_xdata()).all()
        drawn[kind] = ends[:, 0, 0]
    assert len(drawn["random"]) == 2
    assert drawn["decreasing-norm"] > drawn["natural"], "decreasing norm is not always better"


def test_tail_bounds_lie_above_what_was_counted_at_their_levels():
    (axes,) = panels(stochastic_tail, small_table())
    counted = {x: y for artist in artists(axes, "measured") + artists(axes, "upper end") for x, y in artist.get_xydata()}
    bounds = artists(axes, "bound")
    assert len(bounds) == 3
    for bound in bounds:
        for x, y in bound.get_xydata():
            assert counted[x] <= y
    (unseen,) = artists(axes, "upper end")
    assert unseen.get_markerfacecolor() == "white"
    np.testing.assert_allclose(unseen.get_ydata(), 0.005)
    np.testing.assert_allclose(np.unique(unseen.get_xdata()), [1.0, 2.0, 4.5])


def test_tail_shows_the_level_that_nearest_rounding_never_exceeds():
    (axes,) = panels(stochastic_tail, small_table())
    (sure,) = artists(axes, "sure")
    np.testing.assert_allclose(sure.get_xdata(), 1.5)
    assert sure.get_color() == "#000000"


@pytest.mark.parametrize("axis", [{"layer": "out"}, {"mismatch": "noise:0.1"}, {"steps": "inverse-pivot"}, {"seed": 1}])
def test_tail_measures_each_cell_in_its_own_unit(axis):
    table = pd.DataFrame(tail_rows() + tail_rows(unit=7.0, **axis))
    shown = panels(stochastic_tail, table)
    assert len(shown) == (1 if "seed" in axis else 2), "repetitions stand in one panel, settings do not"
    for sure in (line for axes in shown for line in artists(axes, "sure")):
        np.testing.assert_allclose(sure.get_xdata(), 1.5)


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_sweep_is_reported_and_the_others_are_drawn(name, tmp_path):
    sweep = FIGURES[name].sweep
    other = "ordering" if sweep != "ordering" else "tail"
    table = write_table(small_table(other), {}, tmp_path / "part.parquet")
    paths, notes = render(table, tmp_path, progress=False)
    assert len(paths) == 2 * sum(entry.sweep == other for entry in FIGURES.values())
    assert not any(path.stem == name for path in paths)
    assert notes == [f"{len(FIGURES) - len(paths) // 2} figures left out: their sweeps are not in the table"]


def test_a_figure_that_its_sweep_cannot_fill_has_a_note_of_its_own(tmp_path):
    table = small_table().assign(order_floor=0.0)
    paths, notes = render(write_table(table, {}, tmp_path / "part.parquet"), tmp_path, progress=False)
    assert "ordering_effect" not in {path.stem for path in paths}
    own, together = notes
    assert own.startswith("figure 'ordering_effect' left out: no run has a positive order floor")
    assert together == f"{len(FIGURES) - len(SHOWN)} figures left out: their sweeps are not in the table"


def test_pictures_of_another_table_do_not_stay_and_foreign_files_do(tmp_path):
    render(write_table(small_table(), {}, tmp_path / "first.parquet"), tmp_path / "here", progress=False)
    foreign = tmp_path / "here" / "my_own.png"
    foreign.write_bytes(b"mine")
    again = render(write_table(small_table("tail"), {}, tmp_path / "second.parquet"), tmp_path / "here", progress=False)
    assert set((tmp_path / "here").iterdir()) == {*again.paths, foreign}


@pytest.mark.parametrize(("seeds", "said"), [([0], "one run each"), ([0, 1], "mean of\n2 repetitions;\nbar: smallest to largest")])
def test_legends_speak_of_means_only_where_there_are_several_runs(seeds, said):
    table = small_table("damping")
    figure = error_against_damping.draw(table[table["seed"].isin(seeds)])
    (title,) = (axes.get_legend().get_title().get_text() for axes in figure.axes if axes.get_legend())
    assert title == f"line: proven bound\ndot: measured, {said}"


@pytest.mark.parametrize(("module", "changes", "said"), [
    (error_against_damping, {"saturated_share": 0.5}, "covered by the bound"),
    (error_against_damping, {"rounding": "stochastic"}, "covered by the bound"),
    (error_against_damping, {"record": "claim"}, "covered by the bound"),
    (error_against_damping, {"absolute_damping": 0.0}, "damping λ > 0"),
    (ordering_effect, {"order_floor": 0.0}, "positive order floor"),
    (stochastic_tail, {"claim": "sto-optq-linf"}, "unit of the figure"),
])  # fmt: skip
def test_rows_that_cannot_be_shown_are_named(module, changes, said):
    with pytest.raises(NothingToDrawError, match=said):
        module.draw(small_table().assign(**changes))


def test_rank_deficient_runs_without_sizes_are_not_drawn():
    bare = small_table("damping").drop(columns=["signal", "saturated_share", "damped_error"])
    with pytest.raises(NothingToDrawError, match="covered by the bound"):
        error_against_damping.draw(bare)


def test_a_file_that_is_no_table_is_refused(tmp_path):
    with pytest.raises(InvalidArgumentError, match=r"provable-ptq run"):
        render(tmp_path / "none.parquet", tmp_path, progress=False)


def test_each_layer_has_a_panel_of_its_own_with_a_short_name():
    layers = ["encoder.layer.3.intermediate.dense", "encoder.layer.3.output.dense", "encoder.layer.0.attention.output.dense"]
    rows = [run_row("ordering", "minilm", "0.0", "natural", 5.0, layer=layer) for layer in layers]
    rows += [run_row("ordering", name, "0.0", "natural", 5.0, layer="hidden") for name in ("mine", "digits")]
    titles = [title.replace("\n", " ") for title, _ in by_panel(pd.DataFrame(rows), ())]
    assert titles == [f"{name} (8 × 4)" for name in (
        "Digits network", "MiniLM block 0, attention output", "MiniLM block 3, intermediate", "MiniLM block 3, output", "mine, hidden")]


def test_many_panels_wrap_and_none_is_lost():
    table = pd.DataFrame([row | {"layer": str(layer), "calibration": "mine"} for layer in range(7) for row in ordering_rows()])
    assert len(panels(ordering_effect, table)) == 7


def test_claims_and_runs_with_stochastic_rounding_are_no_guaranteed_runs():
    runs = small_table("damping")
    others = [runs.assign(record="claim"), runs.assign(rounding="stochastic"), runs.assign(algorithm="qronos")]
    assert len(guaranteed_runs(pd.concat([runs, *others]), "damping")) == len(runs)
