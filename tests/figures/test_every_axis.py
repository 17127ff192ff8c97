"""A study of every axis at two unusual values: figures show what was run, number by number and word by word, or say what they do not."""

import json

import numpy as np
import pandas as pd
import pytest
from provable_ptq.experiments.runner import run_study
from provable_ptq.experiments.settings import in_words
from provable_ptq.experiments.study import read_study
from provable_ptq.experiments.table import read_table
from provable_ptq.figures import exact_optimum, panels
from provable_ptq.figures.render import FIGURES
from provable_ptq.figures.runs import NothingToDrawError

MATRICES = """
name = "unusual"
title = "Every axis at two unusual values"
seed = 5

[growth]
features = [16, 64]
eta = 0.20000171661376953

[permutations]
calibration = ["my-ar1"]
damping = ["spectral:1e-2", 0.5]
bits = [5, 8]

[calibration.my-ar1]
kind = "ar1"
samples = 24
features = 4
neurons = 5
correlation = 0.7

[calibration.my-low]
kind = "low-rank"
samples = 20
features = 5
neurons = 4
rank = 3
"""
SETTINGS = {
    "mismatch": ["none", "noise:0.25"], "damping": ["spectral:1e-2", 0.5], "ordering": ["increasing-norm", "random:3"], "bits": [5, 8],
    "calibration": ["my-ar1"], "claims": ["optq-l2"],
}  # fmt: skip
ONE = {"mismatch": "none", "damping": 0.5, "ordering": "random:3", "bits": 8}
REPEATED = ONE | {"calibration": "my-low", "seeds": 2}
METHODS = {"algorithm": ["optq", "qronos", "gpfq"], "form": ["alternating", "projected"]}
NOISES = {"mismatch": ["noise:0.25", "noise:0.7"], "claims": ["qronos-l2"]}
TAIL = {"rounding": "stochastic", "draws": 300, "failure_probability": [0.3, 0.02],
        "claims": ["sto-optq-linf", "sto-optq-linf-sharp", "sto-optq-linf-rowwise"]}  # fmt: skip
ROUNDINGS = {"rounding": ["nearest", "stochastic"], "failure_probability": 0.2}
SWEEPS = [
    *((name, changes)
      for name in ("damping", "ordering", "heldout", "layers", "rate-distortion")
      for changes in ({}, REPEATED, ONE | {"steps": "inverse-pivot"}, ONE | {"alphabet": "finite"}, ONE | {"rounding": "stochastic"})),
    ("bits", ROUNDINGS), ("bits", REPEATED | ROUNDINGS), ("bits", ONE | ROUNDINGS | {"steps": "inverse-pivot"}),
    ("tail", ONE | TAIL), ("tail", TAIL | {"mismatch": "none", "draws": 400, "claims": ["sto-optq-linf-rowwise"]}),
    ("mismatch", METHODS | NOISES), ("mismatch", REPEATED | METHODS | NOISES),
    ("optimum", METHODS | {"optimum": True, "algorithm": ["optq", "qronos"], "claims": ["optq-near-optimal"]}),
    ("optimum", REPEATED | METHODS | {"mismatch": ["none", "noise:0.7"], "optimum": True, "claims": ["optq-near-optimal"]}),
]  # fmt: skip
NOT_RUN = ["2-bit", "3-bit", "4-bit", "mean diagonal of live", "decreasing norm", "min-pivot", "natural order", "Digits", "MiniLM", "block",
           "0.05", "0.95", "noise of 20"]  # fmt: skip
RUN = [
    "seed", "calibration", "layer", "mismatch", "algorithm", "form", "rounding", "bits", "steps", "alphabet", "ordering", "damping",
    "draws",
]  # fmt: skip


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    folder = tmp_path_factory.mktemp("unusual")
    sections = [f'[[sweep]]\nname = "{name}"\n' + "\n".join(f"{key} = {written(value)}" for key, value in (SETTINGS | changes).items())
                for name, changes in SWEEPS]  # fmt: skip
    (folder / "unusual.toml").write_text(MATRICES + "\n\n".join(sections))
    study = read_study(folder / "unusual.toml")
    rows, _ = read_table(run_study(study, folder / "unusual.parquet", workers=1, store=folder / "store").table)
    return rows


def written(value):
    """A value as TOML has it."""
    return json.dumps(value)


def runs_of(table, sweep, *conditions, record="run"):
    """The runs of a sweep, each once, GPFQ's and OPTQ's without a form."""
    asked = " and ".join(f"({condition})" for condition in conditions)
    rows = table[(table["sweep"] == sweep) & (table["record"] == record)]
    rows = rows.query(asked) if asked else rows
    return rows.assign(form=rows["form"].where(rows["algorithm"] == "qronos", "")).drop_duplicates(RUN)


def of_repetitions(rows, how="mean", **columns):
    """One number for each group of runs that are repetitions of each other and differ in nothing else."""
    return [rows.assign(value=np.asarray(value)).groupby([axis for axis in RUN if axis != "seed"])["value"].agg(how)
            for value in columns.values()]  # fmt: skip


COVERED = ("algorithm == 'optq'", "rounding == 'nearest'", "saturated_share == 0")


def damping(table):
    rows = runs_of(table, "damping", *COVERED)
    sides = {side: (rows[f"damped_{side}"] / rows["signal"]) ** 0.5 for side in ("error", "bound")}
    return rows, *of_repetitions(rows, **sides)


def relative_to_floor(rows):
    floor = rows["step_square_sum"] * rows["order_floor"] / 4
    return rows, (rows["damped_error"] / floor) ** 0.5, (rows["pivot_square_sum"] / rows["order_floor"]) ** 0.5


def ordering(table):
    return relative_to_floor(runs_of(table, "ordering", *COVERED, "steps == 'uniform'"))


def permutations(table):
    return relative_to_floor(runs_of(table, "permutations", record="permutation"))


def heldout(table):
    rows = runs_of(table, "heldout", *COVERED, "heldout_signal > 0")
    return rows, (rows["heldout_error"] / rows["heldout_signal"]) ** 0.5, []


def bits(table):
    rows = runs_of(table, "bits", "algorithm == 'optq'", "alphabet == 'infinite'")
    suffices = rows["sufficient_code"].where(rows["rounding"] == "nearest", rows["likely_code"])
    return rows, *of_repetitions(rows, "max", measured=1 + np.log2(1 + rows["largest_code"]), bound=1 + np.log2(1 + suffices))


def tail(table):
    rows = table[(table["sweep"] == "tail") & (table["level"] > 0)]
    seen = rows[rows["failures"] > 0]
    return runs_of(table, "tail"), seen["failures"] / seen["draws"], rows.loc[rows["claim"] != "", "failure_probability"]


def mismatch(table):
    rows = runs_of(table, "mismatch")
    sides = {side: (rows[f"deployed_{side}"] / rows["original_signal"]) ** 0.5 for side in ("bounded", "bound")}
    return rows, *of_repetitions(rows, **sides)


def optimum(table):
    rows = runs_of(table, "optimum", "optimum_decided == 1", "algorithm == 'optq' or (algorithm == 'qronos' and mismatch != 'none')")
    matched = rows["mismatch"] == "none"
    sides = {side: (matching.where(matched, deployed) / rows["optimum_error"]) ** 0.5
             for side, matching, deployed in (("measured", rows["damped_error"], rows["deployed_bounded"]),
                                              ("bound", rows["damped_bound"], rows["deployed_bound"]))}  # fmt: skip
    return rows, *of_repetitions(rows, **sides)


def rate_distortion(table):
    rows = runs_of(table, "rate-distortion", *COVERED)
    uniform = rows[rows["steps"] == "uniform"]
    measured, bound = rows["damped_error"] / rows["rate_floor"], uniform["damped_bound"] / uniform["rate_floor"]
    return rows, *(np.log2(2 * np.pi * np.e / 12 * side) / 2 for side in (measured, bound))


def growth(table):
    rows = table[table["sweep"] == "growth"]
    levels = rows.drop_duplicates(["features", "rounding"])
    return rows, pd.concat([rows["measured_max"], rows["largest_code"]]), pd.concat([levels["level"], levels["code_level"]])


EXPECTED = {  # of each figure: the runs that it shows, and the numbers that it draws as measured and as bounds
    "error_against_damping": damping, "ordering_effect": ordering, "all_orderings": permutations, "heldout_against_damping": heldout,
    "bits_against_damping": bits, "stochastic_tail": tail, "error_against_mismatch": mismatch, "exact_optimum": optimum,
    "rate_distortion": rate_distortion, "adversarial_growth": growth,
}  # fmt: skip
SIDEWAYS = {"ordering_effect", "rate_distortion"}  # what is measured lies along x
LEGEND = {  # settings that are seen on an axis or in the legend, under names of their own
    "error_against_damping": {"damping", "ordering"}, "ordering_effect": {"ordering"}, "all_orderings": {"ordering"},
    "heldout_against_damping": {"damping"}, "bits_against_damping": {"damping", "rounding"}, "stochastic_tail": {"ordering"},
    "error_against_mismatch": {"mismatch", "algorithm", "form"}, "exact_optimum": {"mismatch", "algorithm", "form"},
    "rate_distortion": {"ordering", "steps"}, "adversarial_growth": {"rounding", "bits"},
}  # fmt: skip


def drawn(figure, gid, along):
    """The numbers of all lines or bars that are called so, along x (0) or y (1); lines across a whole panel have none."""
    numbers = []
    for artist in (artist for axes in figure.axes for artist in axes.get_children() if artist.get_gid() == gid):
        if hasattr(artist, "get_segments"):
            numbers += [segment[0][along] for segment in artist.get_segments() if len(segment)]
        elif along or artist.get_marker() != "None":
            numbers += list(artist.get_xydata()[:, along])
    return np.sort([number for number in numbers if np.isfinite(number)])


def numbers_agree(name, table):
    _, measured, bound = EXPECTED[name](table)
    figure, along = FIGURES[name].draw(table), 0 if name in SIDEWAYS else 1
    for gid, expected in (("measured", measured), ("bound", bound)):
        shown = drawn(figure, gid, along)
        assert len(shown) == len(expected), gid
        np.testing.assert_allclose(shown, np.sort(np.asarray(expected, dtype=float)), rtol=1e-12, err_msg=gid)


def words(name, table):
    """All that a figure says but for its ticks: above the panels, at the axes, in the legends; and its caption."""
    figure = FIGURES[name].draw(table)
    legends = figure.legends + [axes.get_legend() for axes in figure.axes if axes.get_legend()]
    legends += [legend for part in figure.subfigs for legend in part.legends]
    said = [figure.get_suptitle(), *(legend.get_title().get_text() for legend in legends)]
    said += [text.get_text() for legend in legends for text in legend.get_texts()]
    said += [text for axes in figure.axes for text in (axes.get_title(), axes.get_xlabel(), axes.get_ylabel())]
    said += [label.get_text() for axes in figure.axes for label in axes.get_yticklabels() if "(" in label.get_text()]
    return " | ".join(said).replace("\n", " ").replace("\u00a0", " "), FIGURES[name].caption(table)


def settings_are_said(name, table):
    rows, *_ = EXPECTED[name](table)
    figure, caption = words(name, table)
    for axis in ("mismatch", "rounding", "bits", "steps", "alphabet", "ordering", "damping", "draws"):
        values = set(rows[axis]) - ({"uniform", "none", 0} if rows[axis].nunique() == 1 else set())
        for value in values if axis not in LEGEND[name] else ():
            assert in_words(axis, value) in figure, (axis, value)
            if name != "adversarial_growth":
                assert rows[axis].nunique() > 1 or in_words(axis, value) in caption, (axis, value)


@pytest.mark.parametrize("name", EXPECTED)
def test_every_number_drawn_is_recomputed_from_the_runs_of_one_setting(name, table):
    numbers_agree(name, table)


@pytest.mark.parametrize("name", EXPECTED)
def test_every_setting_is_said(name, table):
    settings_are_said(name, table)


@pytest.mark.parametrize("name", [name for name in FIGURES if name != "tightness"])  # whose problems come from a search
def test_nothing_is_said_that_was_not_run(name, table):
    run = {"all_orderings": ("decreasing norm", "min-pivot", "natural order"), "adversarial_growth": ("natural order", "0.95")}
    for said in words(name, table):
        assert not [phrase for phrase in NOT_RUN if phrase in said and phrase not in run.get(name, ())]


@pytest.mark.parametrize("name", ["error_against_damping", "bits_against_damping", "error_against_mismatch", "exact_optimum"])
def test_a_hidden_axis_that_is_averaged_over_is_found(name, table, monkeypatch):
    """The fault of old: means over all widths, alphabets and mismatches, under the name of one."""
    for module in (panels, exact_optimum):
        monkeypatch.setattr(module, "split", lambda rows, shows: [("", rows)])
    with pytest.raises(AssertionError):
        numbers_agree(name, table)
    with pytest.raises(AssertionError):
        settings_are_said(name, table)


@pytest.mark.parametrize("name", sorted(set(EXPECTED) - {"adversarial_growth", "exact_optimum", "heldout_against_damping"}))
def test_panels_that_do_not_say_their_setting_are_found(name, table, monkeypatch):
    monkeypatch.setattr(panels, "titled", lambda name, group, which, width: name)
    with pytest.raises(AssertionError):
        settings_are_said(name, table)


def test_the_widths_of_one_sweep_are_never_one_dot(table):
    """Mean over six widths, under the name of four bits: the first thing that was seen."""
    rows = table[(table["sweep"] == "damping") & (table["bits"] == 8)]
    many = pd.concat([rows.assign(bits=width, damped_error=4.0 ** (8 - width) * rows["damped_error"]) for width in (2, 3, 4, 5, 6, 8)])
    alone = drawn(FIGURES["error_against_damping"].draw(rows), "measured", 1)
    together = drawn(FIGURES["error_against_damping"].draw(many), "measured", 1)
    np.testing.assert_allclose(together, np.sort(np.outer(2.0 ** (8 - np.array([2, 3, 4, 5, 6, 8])), alone).ravel()))
    said, _ = words("error_against_damping", many)
    assert all(f"{width}-bit steps" in said for width in (2, 3, 4, 5, 6, 8))


def test_too_many_panels_are_refused_in_words(table):
    rows = table[table["sweep"] == "damping"]
    many = pd.concat([rows.assign(bits=width) for width in range(2, 32)])
    with pytest.raises(NothingToDrawError, match=r"at most 48 are drawn; the sweep varies bits, .*one panel per width"):
        FIGURES["error_against_damping"].draw(many)


@pytest.mark.parametrize("spelling", ["mean-diagonal:0.01", "mean-diagonal:1e-2"])
def test_the_same_run_asked_for_twice_is_one_run(spelling, table):
    rows = table[table["sweep"] == "damping"]
    again = pd.concat([rows.assign(damping=spelling), rows.assign(damping="mean-diagonal:1e-02", form="projected")])
    one = FIGURES["error_against_damping"].draw(rows.assign(damping="mean-diagonal:1e-2"))
    np.testing.assert_array_equal(drawn(FIGURES["error_against_damping"].draw(again), "measured", 1), drawn(one, "measured", 1))


@pytest.mark.parametrize(("shown", "near"), [(1.0, 1.0), (1.004, 1.0), (1.3, 1.0), (3.0, 1.2)])
def test_the_axis_of_regrets_has_ticks_that_can_be_read(shown, near, table):
    """With one layer all regrets may be within a percent: the ticks are told apart, few, and as plain as the numbers."""
    first = runs_of(table, "heldout", *COVERED, "heldout_signal > 0").iloc[0]
    errors = first["heldout_error"] * np.array([shown, near, 1.0]) ** 2
    rows = pd.DataFrame([dict(first) | {"damping": damping, "absolute_damping": size, "heldout_error": error}
                         for damping, size, error in zip(("george-saab", "spectral:1e-3", "0.3"), (1.0, 2.0, 3.0), errors, strict=True)])
    figure = FIGURES["heldout_against_damping"].draw(rows)
    figure.canvas.draw()
    axes = figure.axes[-1]
    low, high = axes.get_xlim()
    labels = zip(axes.get_xticks(), axes.get_xticklabels(), strict=True)
    ticks = [float(label.get_text()) for place, label in labels if low <= place <= high]
    assert 1 in ticks
    assert 2 <= len(ticks) == len(set(ticks)) <= 7
    assert low < 1 <= shown < high


def test_names_of_a_study_are_no_mathematics(table):
    rows = table[table["sweep"].isin(["damping", "layers"])].assign(calibration=r"a$\frac$b", layer="$x_{")
    for name in ("error_against_damping", "transformer_layers"):
        FIGURES[name].draw(rows).canvas.draw()
