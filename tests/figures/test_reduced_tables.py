"""Every figure of every reduced table is drawn, or says what is missing: no study has all that the paper's study has."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from provable_ptq import experiments
from provable_ptq.experiments.cells.facts import FACTS
from provable_ptq.experiments.table import KEY, VERDICT, read_table
from provable_ptq.figures.render import FIGURES
from provable_ptq.figures.runs import NothingToDrawError

PAPER = Path(experiments.__file__).parent / "results" / "paper.parquet"
HELDOUT = ["heldout_error", "heldout_predicted", "heldout_rtn_error", "heldout_signal"]
OPTIMUM = ["optimum_decided", "optimum_error"]
AXES = {  # what tells runs apart, and the size of their matrix; all else is a fact
    "study", "sweep", "calibration", "layer", "mismatch", "algorithm", "form", "rounding", "bits", "steps", "alphabet", "ordering",
    "damping", "seed", "draws", "record", "claim", "samples", "features", "neurons", "outcome", "advice",
}  # fmt: skip


def without(table, columns):
    return table.assign(**dict.fromkeys(columns, np.nan))


def without_facts(table):
    return without(table, [column for column in table.columns if column not in AXES])


def ended_as(record):
    """The table of a study none of whose runs came to an end: facts that not every table has are no columns of it."""

    def reduce(table):
        rows = without_facts(table[table["record"] == "run"]).assign(record=record)
        return rows.drop(columns=set(rows.columns) - {*KEY, *VERDICT, *FACTS})

    return reduce


def with_one_run_without_facts(table):
    """Every second run has lost its facts."""
    lost = (table["record"] == "run") & (np.arange(len(table)) % 2 == 0)
    return table.where(~lost, without_facts(table))


REDUCED = {
    "whole": lambda table: table,
    "nothing": lambda table: table[:0],
    "one ordering": lambda table: table[table["ordering"] == "natural"],
    "other orderings": lambda table: table[table["ordering"] != "natural"].assign(ordering="my-own"),
    "one damping": lambda table: table[table["damping"] == "mean-diagonal:1e-2"],
    "no named damping": lambda table: table.assign(damping="0.1"),
    "one run each": lambda table: table[table["seed"] == 0],
    "optq only": lambda table: table[table["algorithm"] == "optq"],
    "qronos only": lambda table: table[table["algorithm"] == "qronos"],
    "projected only": lambda table: table[table["form"] == "projected"],
    "gpfq only": lambda table: table[table["algorithm"] == "gpfq"],
    "matched inputs only": lambda table: table[table["mismatch"] == "none"],
    "mismatched inputs only": lambda table: table[table["mismatch"] != "none"],
    "noise only": lambda table: table[table["mismatch"].str.startswith("noise")],
    "one noise": lambda table: table[table["mismatch"] == "noise:0.1"],
    "deployed inputs": lambda table: table.assign(mismatch="deployed"),
    "nearest rounding only": lambda table: table[table["rounding"] == "nearest"],
    "stochastic rounding only": lambda table: table[table["rounding"] == "stochastic"],
    "finite alphabets": lambda table: table.assign(alphabet="finite", saturated_share=0.1),
    "steps of their own": lambda table: table.assign(steps="inverse-pivot"),
    "no claims": lambda table: table[table["claim"] == ""],
    "claims only": lambda table: table[table["record"] == "claim"],
    "runs only": lambda table: table[table["record"] == "run"],
    "no optimum": lambda table: without(table, OPTIMUM),
    "no held-out inputs": lambda table: without(table, HELDOUT),
    "no sizes that suffice": lambda table: without(table, ["sufficient_code", "likely_code"]),
    "no levels": lambda table: without(table, ["level", "code_level", "deterministic_level", "interval_low", "interval_high"]),
    "no mismatch of its own": lambda table: without(table, ["mismatch_error"]),
    "no predictions": lambda table: without(table, ["damped_predicted", "heldout_predicted"]),
    "another network": lambda table: table.assign(calibration="mine", layer="block." + table["layer"]),
    "one layer": lambda table: table.assign(layer="hidden"),
    "refused": ended_as("run"),
    "failed": ended_as("failed"),
    "not applicable": ended_as("not applicable"),
    "half of the runs refused": with_one_run_without_facts,
    "no outputs": lambda table: table.assign(signal=0.0, original_signal=0.0, heldout_signal=0.0),
}


def shown_marks(figure):
    """Heights of all that was measured and drawn."""
    marks = [line.get_ydata() for axes in figure.axes for line in axes.lines if line.get_gid() == "measured"]
    return np.isfinite(np.concatenate(marks)).sum() if marks else 0


@pytest.fixture(scope="module")
def paper():
    """The paper's table, two calibrations of each sweep."""
    table, _ = read_table(PAPER)
    firsts = {sweep: sorted(names.unique())[:2] for sweep, names in table.groupby("sweep")["calibration"]}
    return pd.concat([table[(table["sweep"] == sweep) & table["calibration"].isin(names)] for sweep, names in firsts.items()])


@pytest.mark.parametrize("reduced", REDUCED)
@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_drawn_or_says_what_is_missing(paper, name, reduced):
    table = REDUCED[reduced](paper[paper["sweep"] == FIGURES[name].sweep])
    try:
        assert shown_marks(FIGURES[name].draw(table)), "an empty figure"
    except NothingToDrawError:
        assert reduced != "whole"
