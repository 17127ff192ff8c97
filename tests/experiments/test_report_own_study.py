"""Reports of studies that are not the shipped one: settings of their own, less in them, failures, names that mean harm."""

import re

import pytest
from made_up import MADE, made_up_table
from provable_ptq.experiments.cells.construction import ConstructionCell, constructions
from provable_ptq.experiments.report import Picture, render_report
from provable_ptq.experiments.report.words import FOLDS
from provable_ptq.experiments.runner import run_study
from provable_ptq.experiments.study import read_study
from provable_ptq.experiments.table import read_table, tidy

FAILED = [{"study": "s", "sweep": "damping", "calibration": "a", "layer": "", "damping": "none", "ordering": "natural", "seed": seed,
           "bits": 4, "draws": 0, "record": "failed", "error": "no | luck"} for seed in (0, 1)]


def report(rows, **made):
    return render_report(rows, MADE | made, [], "figures", "t.parquet")


@pytest.fixture
def ran(write_study, tmp_path):
    """The table of the small study with changes, really run, and its report."""

    def run(changes):
        done = run_study(read_study(write_study(changes)), tmp_path / "table.parquet", workers=1, progress=False)
        rows, made = read_table(done.table)
        return rows, render_report(rows, made, [], "figures", "t.parquet")

    return run


def verdict_rows(*changes):
    row = {"study": "s", "sweep": "mine", "calibration": "a", "layer": "", "mismatch": "none", "algorithm": "optq", "form": "",
           "bits": 3, "rounding": "nearest", "steps": "uniform", "alphabet": "infinite", "ordering": "natural", "damping": "none",
           "draws": 0, "seed": 0, "record": "claim", "claim": "optq-l2", "outcome": "holds", "ratio": 0.25, "neurons": 64, "covered": 64,
           "samples": 9, "features": 8, "failure_probability": 0.05}  # fmt: skip
    return tidy([row | {"seed": seed} | change for seed, change in enumerate(changes)])


def test_widths_of_a_sweep_are_told_apart(ran):
    rows, text = ran({"sweep.name": '"damping"', "sweep.bits": "[2, 3, 4, 5, 6, 8]", "sweep.damping": '"mean-diagonal:1e-2"',
                      "sweep.ordering": '"natural"', "sweep.seeds": "2", "sweep.claims": '["optq-l2"]'})
    made = rows[(rows["record"] == "run") & (rows["sweep"] == "damping")]
    assert len(made) == 12
    assert "The sweep varies bits: one table per width." in text
    for bits, group in made.groupby("bits"):
        part = text.partition(f"<summary>{bits}-bit steps</summary>")[2].partition("</details>")[0]
        mean = ((group["damped_error"] / group["signal"]) ** 0.5).mean()
        (line,) = re.findall(r"^\| a.*$", part, re.MULTILINE)
        assert line.split(" | ")[1] == f"{mean:.3g}"
        assert f"{bits}-bit steps, damping 0.01 of the mean diagonal of live features, natural order, mean over 2 repetitions" in part


def test_one_setting_is_called_by_its_name(ran):
    _, text = ran({"sweep.name": '"damping"', "sweep.bits": "8", "sweep.damping": '"mean-diagonal:1"',
                   "sweep.ordering": '"natural"', "sweep.claims": '["optq-l2"]'})
    assert "OPTQ, 8-bit steps, damping 1 of the mean diagonal of live features, natural order:" in text
    for wrong in ("4-bit", "0.01 of the mean diagonal", "decreasing norm", "repetition"):
        assert wrong not in text.partition("## Claims")[0].replace("repetition (seed)", "")


def test_a_report_of_one_layer_speaks_of_nothing_else(ran):
    _, text = ran({"sweep.name": '"damping"', "sweep.claims": '["optq-l2"]'})
    opening, _, missing = text.partition("## Claims")[0].partition("Not in this study:")
    for wrong in ("real and synthetic", "heuristics", "stochastic", "Qronos instead", "act-order", "transformer"):
        assert wrong not in opening
    assert "Here 1 statement about them is checked on 1 calibration matrix. *Bound*" in opening
    dropped = re.findall(r"^- \*(.*?)\* (.*)\.$", missing, re.MULTILINE)
    assert len(dropped) == 8
    assert ("Which ordering of the features?", "no run of the sweep `ordering`") in dropped


def test_a_section_that_is_dropped_says_why():
    text = report(made_up_table(sweeps=["damping", "mismatch"], rounding=["stochastic"], algorithm=["gpfq"]))
    assert "`optq-l2` covers none of the 2 runs of the sweep `damping`" in text
    heldout = made_up_table(sweeps=["heldout"])
    assert "the sweep `heldout` tries one damping only" in report(heldout[heldout["damping"] == "mean-diagonal:7"])
    other = made_up_table(sweeps=["layers"])
    assert "are not those of an encoder's blocks" in report(other.assign(layer="mine"))


def test_a_study_whose_cells_all_failed_has_a_report():
    text = report(tidy(FAILED))
    assert "2 cells failed (every cell of the table)" in text
    assert "| no \\| luck | 2 | damping, a, natural, none |" in text
    assert "verdict" not in text.partition("**What was asked.**")[0]
    assert "hold" not in text.partition("## What failed")[0].partition("**Units.**")[0].partition("proves how large")[0]


def test_zero_inputs_are_no_bounds_that_hold():
    rows = made_up_table(sweeps=["damping"])
    zero = dict.fromkeys(["signal", "damped_error", "damped_bound", "damped_predicted", "reconstruction", "rtn_damped_error"], 0.0)
    text = report(rows.assign(**zero))
    assert not re.search(r"\bnan\b|inf\b", text)
    assert "bounds hold**" not in text
    assert "covers none of the 2 runs" in text
    half = rows.copy()
    half.loc[half["calibration"] == "a", list(zero)] = 0.0
    assert "Left out: 1 run that `optq-l2` does not cover" in report(half)
    assert "| a |" not in report(half).partition("## Calibration matrices")[0]


def test_verdicts_for_a_part_of_the_neurons_are_counted_apart():
    rows = verdict_rows({}, {"covered": 60}, {"covered": 64}, {"outcome": "violated", "covered": 3}, {"outcome": "undecided"})
    text = report(rows)
    assert "5 verdicts on theorems (2 hold, 1 hold for a part of the neurons, 1 undecided, **1 violation**)" in text
    assert "| 2 hold, 1 hold for a part of the neurons, 1 undecided, 1 violated |" in text
    without = report(rows.drop(columns="covered"))  # a table from before
    assert "3 hold, 1 undecided" in without


def test_predictions_are_no_theorems():
    prediction = {"claim": "predicted-error"}
    text = report(verdict_rows({}, prediction | {"ratio": 0.7}, prediction | {"outcome": "undecided", "ratio": 3.0}))
    assert "1 verdict on theorems (1 hold, **0 violations**), 2 on predictions of squared errors" in text
    assert "squared errors (1 within a factor 2, 1 further off)" in text
    line = next(line for line in text.splitlines() if line.startswith("| `predicted-error` |"))
    assert line.endswith("| 0.7 to 3 | 1 within a factor 2, 1 further off |")
    assert text.index("**Predictions, no theorems**") < text.index(line)


def test_every_table_of_claims_names_its_one_unit():
    text = report(verdict_rows({}, {"claim": "optq-linf", "ratio": 0.25}, {"claim": "optq-identity", "ratio": 3e-16}))
    assert "| `optq-l2` | paper | 1 matrix | 0.5 |" in text  # squares, as norms
    assert "| 1 matrix | 0.25 | 1 hold |" in text
    assert "| 1 matrix | < 1e-12 | 1 hold |" in text
    assert text.count("as norms (lower bounds: bound / measured)") == 1
    assert "$" not in "".join(line for line in text.partition("## Claims")[2].splitlines() if line.startswith("|"))


def test_claims_about_constructions_of_their_own_have_their_line():
    assert set(constructions()) == {"adversarial-growth", "finite-grid-counterexample"}
    rows = tidy([row for claim in constructions() for row in ConstructionCell("s", 1, claim).rows()[0]])
    text = report(rows)
    for claim in constructions():
        (line,) = (line for line in text.splitlines() if line.startswith(f"| `{claim}` |"))
        assert "| its own construction |" in line
        assert line.endswith("| 1 hold |")


def test_claims_link_to_the_book_only_where_it_stands():
    rows = verdict_rows({}, {"claim": "my-own"})
    here = render_report(rows, MADE, [], "figures", "experiments/results/t.parquet")
    assert "| [`optq-l2`](bounds/THEORY.md#optq-l2) |" in here
    assert "| `my-own` |  | 1 matrix | 0.25 | 1 hold |" in here.partition("**Claims of the study's own**")[2]
    assert "THEORY.md" not in report(rows)


def test_a_study_of_ones_own_with_a_shipped_name_is_not_the_shipped_one():
    shipped = read_study("paper").sha256
    assert "Generated by `make reproduce`" in report(verdict_rows({}), study="paper", study_sha256=shipped)
    own = report(verdict_rows({}), study="paper", study_sha256="0" * 64)
    assert "make reproduce" not in own
    assert "experiments/studies" not in own


def test_several_kernels_are_said():
    rows = verdict_rows({})
    assert "BLAS kernel: `Haswell`." in report(rows, kernels=["Haswell"])
    assert "**The cells were computed with 2 BLAS kernels** (`Haswell`, `SkylakeX`)" in report(rows, kernels=["Haswell", "SkylakeX"])
    assert "kernel" not in report(rows)


def test_long_tables_open_on_demand():
    many = [f"m{n}" for n in range(FOLDS + 1)]
    rows = made_up_table(sweeps=["damping", "ordering", "heldout", "rate-distortion", "bits"], calibration=many)
    depth = lines = 0
    for line in report(rows).splitlines():
        depth += line.startswith("<details") - line.startswith("</details")
        lines = lines + 1 if line.startswith("|") else 0
        assert depth or lines <= FOLDS + 2


def test_blocks_are_explained_before_they_are_named():
    text = report(made_up_table(sweeps=["layers"]))
    explained = text.index("named by block, counted from 0")
    assert explained < text.index("## In short")
    assert "block" not in report(made_up_table(sweeps=["damping"]))


HARM = "x`|<script>alert(1)</script>\n# Heading\n**b** [l](j) $y$"


def test_names_of_a_study_are_shown_and_do_nothing():
    rows = made_up_table(calibration=["a"], sweeps=["damping", "ordering", "heldout", "bits", "mismatch", "optimum", "rate-distortion"])
    own = verdict_rows({"claim": HARM, "sweep": HARM, "calibration": HARM})
    failed = tidy([FAILED[0] | {"calibration": HARM, "error": HARM}])
    harmless = {"title": "t", "inputs": {"f": "0"}, "claims_files": {"g": "1"}, "kernels": ["k"]}
    harmful = {"title": HARM, "inputs": {HARM: "0"}, "claims_files": {HARM: "1"}, "kernels": [HARM]}
    picture = [Picture("p", "What. How.", "mine")]
    benign = [rows, verdict_rows({"claim": "mine"}), tidy(FAILED[:1])]
    evil = [rows.assign(calibration=HARM), own, failed]
    both = [(tidy([row for table in tables for row in table.to_dict("records")]), made)
            for tables, made in ((benign, harmless), (evil, harmful))]
    shown, text = (render_report(facts, MADE | made, picture, "f", "t.parquet") for facts, made in both)
    assert shape(text) == shape(shown)
    assert "<script" not in text
    assert text.count("alert(1)") > 10


def shape(text):
    """Headings, HTML elements, and the number of cells in each line of each table."""
    headings = [line for line in text.splitlines()[1:] if re.match(r"#+ ", line)]
    elements = sorted(set(re.findall(r"</?(\w+)", text)) - {"code"})
    cells = [len(re.findall(r"(?<!\\)\|", line)) for line in text.splitlines() if line.startswith("|")]
    return headings, elements, cells
