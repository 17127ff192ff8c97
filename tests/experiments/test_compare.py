"""Two tables of one study: equal but for last digits is the same, one number, word, row or outcome beyond that is found and named."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from provable_ptq.experiments.commands.compare_words import document, told
from provable_ptq.experiments.compare import AGREED, NOISE, STATED, compare, distance
from provable_ptq.experiments.table import read_table, write_table

SHIPPED = Path(__file__).parents[2] / "experiments" / "results" / "paper.parquet"
SECTIONS = ("mismatch", "growth", "tightness", "tail")


@pytest.fixture(scope="module")
def shipped():
    return read_table(SHIPPED)


@pytest.fixture(scope="module")
def some(shipped):
    """Whole cells of several sections."""
    rows, made = shipped
    return rows[rows["sweep"].isin(SECTIONS)].reset_index(drop=True), made


def place(rows, **wanted):
    """The first row with these values."""
    return int(np.flatnonzero(np.all([rows[name] == value for name, value in wanted.items()], axis=0))[0])


def altered(table, row, column, change):
    rows = table[0].copy()
    rows.loc[row, column] = change(rows.loc[row, column])
    return rows, table[1]


def verdict(found):
    return list(told(found, "A", "B"))[-1]


# --- the same --------------------------------------------------------------------------------------------------------------


def test_a_table_is_the_same_as_itself_and_its_cells_are_those_of_the_study(shipped):
    found = compare(shipped, shipped)
    assert found.same
    assert found.cells == (shipped[1]["cells"],) * 2
    assert found.cells_agree == shipped[1]["cells"], "cells are counted as the study counts them"
    assert found.rows_agree == len(shipped[0])
    assert (found.differences, found.changes, found.sweeps, found.made, found.largest) == ((), (), (), {}, 0.0)


def test_other_last_digits_everywhere_and_another_order_of_rows_change_nothing(some):
    rng = np.random.default_rng(0)
    rows = some[0].sample(frac=1, random_state=1).reset_index(drop=True)
    for column in rows.select_dtypes("float"):
        if column != "failure_probability":
            rows[column] *= 1 + 1e-13 * rng.uniform(-1, 1, len(rows))
    found = compare(some, (rows, some[1]))
    assert found.same
    assert found.rows_agree == len(rows) > 1000
    assert found.cells_agree == found.cells.first == found.cells.second > 200


# --- one thing changed -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("column", ["damped_error", "deployed_error", "condition"])
@pytest.mark.parametrize(("by", "agrees", "same"), [(0.3 * AGREED, True, True), (3 * AGREED, False, True), (0.3 * STATED, False, True),
                                                     (3 * STATED, False, False), (1e-3, False, False), (-0.9, False, False)])
def test_one_number_in_one_row_is_found_and_measured(some, column, by, agrees, same):
    row = place(some[0], sweep="mismatch", record="run", calibration="minilm-deep")
    found = compare(some, altered(some, row, column, lambda value: value * (1 + by)))
    assert found.same == same
    assert found.rows.first - found.rows_agree == found.cells.first - found.cells_agree == int(not agrees)
    if not agrees:
        (only,) = found.differences
        assert (only.sweep, only.column, only.rows) == ("mismatch", column, 1)
        assert only.largest == pytest.approx(abs(by) / max(1, 1 + by), rel=1e-4)
        assert found.largest == only.largest
        assert "minilm-deep" in only.where
        assert found.sweeps == ("mismatch",)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 0.0])
def test_a_number_that_is_lost_is_never_within_a_tolerance(some, value):
    row = place(some[0], sweep="mismatch", record="run")
    lost = altered(some, row, "damped_error", lambda _: value)
    for found in (compare(some, lost), compare(lost, some)):
        assert not found.same
        assert found.largest == (1.0 if value == 0 else np.inf)
        json.dumps(document(found), allow_nan=False)


def test_an_outcome_that_changed_is_named_even_where_every_number_agrees(some):
    row = place(some[0], sweep="mismatch", outcome="holds")
    found = compare(some, altered(some, row, "outcome", lambda _: "undecided"))
    assert (found.same, found.largest, found.differences) == (False, 0.0, ())
    assert found.cells.first - found.cells_agree == 1
    (change,) = found.changes
    assert change.outcomes == ("holds", "undecided")
    assert some[0].loc[row, "claim"] in change.where
    assert "outcomes that changed: 1" in list(told(found, "A", "B"))
    assert verdict(found) == "not the same: outcomes changed"


def test_rows_cells_and_columns_of_one_table_only_are_counted(some):
    cell = (some[0]["sweep"] == "tightness") & (some[0]["claim"] == "optq-l2") & (some[0]["calibration"] == "small")
    assert cell.sum() == 1
    found = compare(some, (some[0][~cell], some[1]))
    assert (found.missing, found.cells.first - found.cells.second, found.same) == ((1, 0), 1, False)
    assert compare((some[0][~cell], some[1]), some).missing == (0, 1)
    found = compare(some, (some[0].drop(columns="ratio"), some[1]))
    assert (found.columns, found.same) == ((("ratio",), ()), False)
    assert compare(some, (some[0].assign(new=np.nan), some[1])).same, "a column without values says nothing"
    assert not compare(some, (some[0].assign(new=1.0), some[1])).same


def test_another_deployed_network_is_another_table(some):
    named = (some[0].assign(deployed_codes="3f2a"), some[1])
    found = compare(named, altered(named, place(some[0], sweep="mismatch"), "deployed_codes", lambda _: "3f2b"))
    assert (found.same, found.largest) == (False, np.inf)
    (only,) = found.differences
    assert (only.column, only.values) == ("deployed_codes", ("3f2a", "3f2b"))
    assert any("3f2a → 3f2b" in line for line in told(found, "A", "B"))


def test_of_advice_the_words_count_and_not_the_digits_in_them(some):
    first = altered(some, 0, "advice", lambda _: "margin 1.23e-14 (m = 1,200): widen it")
    assert compare(first, altered(some, 0, "advice", lambda _: "margin 3e-15 (m = 7): widen it")).same
    assert not compare(first, altered(some, 0, "advice", lambda _: "margin 1.23e-14 (m = 1,200): take another")).same


# --- rounding noise --------------------------------------------------------------------------------------------------------


def test_residuals_below_the_noise_are_equal_and_a_small_number_with_a_unit_is_no_residual():
    def apart(a, b, column):
        return float(distance(pd.Series([a]), pd.Series([b]), column)[0])

    assert apart(1e-15, 0.9 * NOISE, "ratio") == 0
    assert apart(1e-15, 1.1 * NOISE, "ratio") > 0.9
    assert apart(-1e-15, 1e-15, "ratio_median") == 0
    for column in ("damped_error", "measured_sum", "ridge"):
        assert apart(1e-20, 2e-20, column) == pytest.approx(0.5), "of inputs of size 1e-10 an error of 1e-20 is one"
    assert apart(1e300, -1e300, "signal") == pytest.approx(2)
    assert apart(5e-324, 5e-324, "signal") == 0


def test_residuals_of_rounding_noise_are_called_so(some):
    row = place(some[0], sweep="mismatch", claim="qronos-identity", outcome="holds")
    assert 0 < some[0].loc[row, "ratio"] < NOISE
    found = compare(some, altered(some, row, "ratio", lambda _: 1e-3))
    assert any("< 1e-12 → 0.001" in line for line in told(found, "A", "B"))


def test_what_the_tables_say_of_their_making_is_told_where_it_differs(some):
    other = some[1] | {"code": "0" * 64, "versions": some[1]["versions"] | {"numpy": "0.1"}, "kernels": ["another kernel"]}
    found = compare(some, (some[0], other))
    assert found.same
    assert set(found.made) == {"code", "versions: numpy", "kernels"}
    lines = list(told(found, "A", "B"))
    assert f"  code: {some[1]['code'][:12]} → 000000000000" in lines
    assert f"  kernels: {some[1]['kernels']} → ['another kernel']" in lines


def test_long_lists_are_cut_and_say_so(some):
    rows = some[0].assign(**{column: 1.5 * some[0][column] for column in some[0].select_dtypes("float") if column != "failure_probability"})
    lines = list(told(compare(some, (rows, some[1])), "A", "B"))
    assert any(line.startswith("  and ") and line.endswith(" more") for line in lines)
    assert len(lines) < 30


# --- the commands ----------------------------------------------------------------------------------------------------------


def test_compare_prints_its_verdict_and_ends_with_its_status(command, some, tmp_path):
    row = place(some[0], sweep="mismatch", record="run")
    tables = {"a": some, "near": altered(some, row, "damped_error", lambda value: value * (1 + 1e-8)),
              "far": altered(some, row, "damped_error", lambda value: value * 1.001)}
    for name, (rows, made) in tables.items():
        write_table(rows, made, tmp_path / f"{name}.parquet")
    total = len(some[0])
    status, out, err = command("compare", "a.parquet", "a.parquet")
    assert (status, err) == (0, "")
    assert f"and {total:,} of {total:,} rows agree to 1e-09 in every number\nno outcome changed\nthe same: " in out
    status, out, _ = command("compare", "a.parquet", "near.parquet")
    assert status == 0
    assert f"{total - 1:,} of {total:,} rows" in out
    assert "mismatch  damped_error  1     1.0e-08" in out
    assert out.splitlines()[-1] == "the same: no number differs by more than 1e-08, within the 1e-06 that is stated for another machine"
    status, out, _ = command("compare", "a.parquet", "far.parquet")
    assert status == 1
    assert out.splitlines()[-1] == "not the same: numbers differ by more than the 1e-06 that is stated for another machine"
    status, out, _ = command("compare", "a.parquet", "far.parquet", "--json")
    told = json.loads(out)
    assert (status, told["same"], told["rows_agree"]) == (1, False, total - 1)
    assert told["differences"][0]["column"] == "damped_error"


def test_what_is_no_table_is_refused(command, tmp_path):
    (tmp_path / "x.parquet").write_text("no")
    for name in ("x.parquet", "nowhere.parquet", "."):
        status, out, err = command("compare", name, "x.parquet")
        assert (status, out) == (2, "")
        assert err == f"error: table = {name!r} is not accepted: a Parquet table written by `provable-ptq run`\n"
