"""The report: its numbers recomputed from the table by plain loops, short enough to read, honest about what is missing."""

import math
import re
from statistics import fmean

import pandas as pd
import pytest
from provable_ptq.experiments.report import Picture, render_report
from provable_ptq.experiments.report.bits import bits_for
from provable_ptq.experiments.report.damping import RULES, damping
from provable_ptq.experiments.report.errors import errors
from provable_ptq.experiments.report.mismatch import mismatch
from provable_ptq.experiments.report.ordering import ordering
from provable_ptq.experiments.report.transformer import transformer
from provable_ptq.experiments.report.words import number, percent
from provable_ptq.experiments.table import read_table

WORDS_IN_TEN_MINUTES = 2850  # of them some 400 name settings in captions and heads of tables: they are looked up, not read
MADE = {"study": "s", "title": "t", "seed": 1, "cells": 2, "code": "c" * 64, "study_sha256": "d" * 64,
        "claims_files": {"mine.py": "e" * 64}, "versions": {"numpy": "2"}, "inputs": {}}


def nothing(name):
    return ""


@pytest.fixture(scope="module")
def table():
    from pathlib import Path

    return read_table(Path(__file__).parents[2] / "experiments/results/paper.parquet")


@pytest.fixture(scope="module")
def rows(table):
    return table[0]


@pytest.fixture(scope="module")
def runs(rows):
    return [row for row in rows[rows["record"] == "run"].to_dict("records") if not math.isnan(row["damped_error"])]


def of(runs, **wanted):
    return [row for row in runs if all(row[name] == value for name, value in wanted.items())]


def test_reading_takes_less_than_ten_minutes(root):
    text = (root / "paper_results.md").read_text(encoding="utf-8")
    prose = re.sub(r"<details>.*?</details>|```.*?```|^\|[^\n]*$", "", text, flags=re.DOTALL | re.MULTILINE)
    assert 1000 < len(prose.split()) < WORDS_IN_TEN_MINUTES


def test_what_opens_on_demand_closes(root):
    text = (root / "paper_results.md").read_text(encoding="utf-8")
    assert text.count("<details>") == text.count("</details>") == text.count("<summary>") > 12


def test_ratios_of_error_and_bound_are_those_of_the_runs(rows, runs):
    ratios = [math.sqrt(run["damped_error"] / run["damped_bound"]) for run in of(runs, sweep="damping")]
    assert f"{number(min(ratios))} to {number(max(ratios))} of its bound" in errors(rows, nothing).answer


def test_matrices_on_which_decreasing_norm_loses_are_named(rows, runs):
    found = {}
    for run in of(runs, sweep="ordering"):
        name = run["calibration"] if not run["layer"] else f"{run['calibration']}: {run['layer'].removeprefix('encoder.layer.')}"
        found.setdefault(name, {})[run["ordering"]] = math.sqrt(run["pivot_square_sum"] / run["order_floor"])
    text = ordering(rows, nothing).text
    for name, by in found.items():
        assert (f"| {name} | {number(by['natural'])} | {number(by['decreasing-norm'])} |") in text
    losing = [name for name, by in found.items() if by["decreasing-norm"] > 1.01 * by["natural"]]
    assert losing
    for name in losing:
        assert name in ordering(rows, nothing).answer.partition("above that of natural order on")[2].partition(")")[0]


def test_shares_of_all_orderings_are_counted(rows):
    picked = rows[(rows["sweep"] == "permutations") & (rows["calibration"] == "low-rank-7")]
    sums = list(picked[picked["record"] == "permutation"]["pivot_square_sum"])
    named = picked[(picked["record"] == "run") & (picked["ordering"] == "decreasing-norm")]["pivot_square_sum"].iloc[0]
    share = sum(value < named * (1 - 1e-9) for value in sums) / math.factorial(7)
    assert percent(share) in next(line for line in ordering(rows, nothing).text.splitlines() if line.startswith("| low-rank-7 |"))


def test_regrets_are_errors_over_the_best_damping(rows, runs):
    worst, chosen = {}, []
    for layer in {run["layer"] for run in of(runs, sweep="heldout", calibration="minilm")}:
        tried = of(runs, sweep="heldout", calibration="minilm", layer=layer)
        best = min(run["heldout_error"] for run in tried)
        for run in (run for run in tried if run["damping"] in RULES):
            worst.setdefault(run["damping"], []).append(math.sqrt(run["heldout_error"] / best))
        chosen.append(math.sqrt(min(tried, key=lambda run: run["heldout_predicted"])["heldout_error"] / best))
    answer = damping(rows, nothing).answer
    network = answer.partition("; on 4 other matrices")[0]
    assert f"at most {number(max(chosen))} times" in network
    assert len(worst) == 4
    for rule, regrets in worst.items():
        assert f"{number(max(regrets))} with {RULES[rule]}" in network


def test_wins_of_qronos_are_counted(rows, runs):
    means = {}
    for run in of(runs, sweep="mismatch"):
        program = run["algorithm"] + (run["form"] if run["algorithm"] == "qronos" else "")
        key = (run["calibration"], run["layer"], run["mismatch"])
        means.setdefault(key, {}).setdefault(program, []).append(math.sqrt(run["deployed_error"] / run["original_signal"]))
    for kind, words in (("layers", "in networks whose layers before are quantized"), ("noise", "under synthetic noise")):
        gains = [fmean(by["optq"]) / fmean(by["qronosprojected"]) for key, by in means.items() if key[2].startswith(kind)]
        wins = f"on {sum(gain > 1 for gain in gains)} of {len(gains)} settings {words}"
        assert f"{wins} (OPTQ's error is {number(min(gains))} to {number(max(gains))} times" in mismatch(rows, nothing).answer


def test_layers_within_reach_of_the_prediction_are_counted(rows, runs):
    layers = of(runs, sweep="layers", bits=4, rounding="nearest", alphabet="infinite", ordering="decreasing-norm")
    assert len(layers) == 36
    close = sum(abs(math.sqrt(run["damped_error"] / run["damped_predicted"]) - 1) < 0.03 for run in layers)
    assert f"within 3 % of the prediction on {close}," in transformer(rows, nothing).answer


@pytest.mark.parametrize(("code", "bits"), [(0, 1), (1, 2), (3, 3), (7, 4), (8, 5), (127, 8), (128, 9)])
def test_bits_hold_plus_and_minus_the_code(code, bits):
    (found,) = bits_for(pd.Series([float(code)]))
    assert found == bits
    assert code <= 2 ** (bits - 1) - 1
    assert bits == 1 or code > 2 ** (bits - 2) - 1


def test_violations_and_failures_are_told_first(rows):
    few = rows.head(400).copy()
    few.loc[few.index[0], ["record", "outcome"]] = ["claim", "violated"]
    few.loc[few.index[1], "record"] = "failed"
    first = render_report(few, MADE, [], "figures", "t.parquet").partition("**What was asked.**")[0]
    assert "**1 violation**); 1 cell failed" in first


def test_a_violation_is_no_bound_that_holds(rows):
    few = rows[rows["sweep"] == "damping"].copy()
    few.loc[few[few["claim"] == "optq-l2"].index[0], "outcome"] = "violated"
    summary = render_report(few, MADE, [], "figures", "t.parquet").partition("## In short")[2].partition("## ")[0]
    assert "**A statement is violated** (`optq-l2` in damping" in summary
    assert "bounds hold" not in summary


def only(column, *values):
    return lambda rows: rows[rows[column].isin(values)]


def without(*facts):
    return lambda rows: rows.assign(**dict.fromkeys(facts, float("nan")))


REDUCED = {
    "one ordering": only("ordering", "decreasing-norm"), "natural ordering": only("ordering", "natural"),
    "OPTQ alone": only("algorithm", "optq"), "Qronos alone": only("algorithm", "qronos"),
    "one damping": only("damping", "mean-diagonal:1e-2"), "the rules alone": only("damping", "spectral:1e-6", "george-saab"),
    "matched inputs": only("mismatch", "none"), "nearest rounding": only("rounding", "nearest"),
    "stochastic rounding": only("rounding", "stochastic"), "claims": only("record", "claim"), "runs": only("record", "run"),
    "one layer": only("layer", "", "encoder.layer.0.output.dense"),
    "no held-out inputs": without("heldout_error", "heldout_predicted", "heldout_signal", "heldout_rtn_error"),
    "no optimum": without("optimum_error", "optimum_decided"),
    "nothing": lambda rows: rows.head(0),
    "failures alone": lambda rows: without("damped_error", "mismatch_error")(rows.head(9)).assign(record="failed", outcome=""),
}


@pytest.mark.parametrize("what", REDUCED)
def test_a_study_with_less_in_it_has_a_report_of_what_there_is(rows, what):
    text = render_report(REDUCED[what](rows), MADE, [], "figures", "t.parquet")
    assert text.startswith("# t\n")
    assert [line for line in text.splitlines() if re.search(r"\bnan\b", line)] == []


def test_a_study_without_the_shipped_sweeps_has_a_report_of_its_claims(rows):
    own = rows[rows["sweep"] == "zoo"].assign(sweep="mine")
    text = render_report(own, MADE, [Picture("extra", "What it is. How to read it.", "mine")], "figures", "t.parquet")
    assert "## In short" not in text
    assert "`optq-identity`" in text.partition("## Claims")[2]
    assert "![extra](figures/extra.png)" in text
