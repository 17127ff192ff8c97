"""More numbers of the report, recomputed from the table by plain loops."""

import math
import re
from pathlib import Path
from statistics import mean, median

import pytest
from provable_ptq.bounds import claims
from provable_ptq.bounds.predictions.rate_distortion_floor import GAP_IN_BITS
from provable_ptq.experiments.report.bits import bits
from provable_ptq.experiments.report.claims_table import claims_table
from provable_ptq.experiments.report.damping import damping
from provable_ptq.experiments.report.errors import errors
from provable_ptq.experiments.report.mismatch import mismatch
from provable_ptq.experiments.report.optimality import optimality
from provable_ptq.experiments.report.ordering import ordering
from provable_ptq.experiments.report.rounding import rounding
from provable_ptq.experiments.report.tightness import tightness
from provable_ptq.experiments.report.traceability import traceability
from provable_ptq.experiments.report.transformer import transformer
from provable_ptq.experiments.report.words import number, percent
from provable_ptq.experiments.table import read_table

TYPICAL = {"damping": "mean-diagonal:1e-2", "ordering": "decreasing-norm"}


@pytest.fixture(scope="module")
def table():
    return read_table(Path(__file__).parents[2] / "experiments/results/paper.parquet")


@pytest.fixture(scope="module")
def rows(table):
    return table[0]


@pytest.fixture(scope="module")
def records(rows):
    return rows.to_dict("records")


def of(records, record="run", **wanted):
    wanted |= {"record": record}
    return [row for row in records if all(row[name] == value for name, value in wanted.items())]


def ratio(run, over, under):
    return math.sqrt(run[over] / run[under])


def words(section):
    return " ".join(section.text.split())


def line(text, start):
    return next(line for line in text.splitlines() if line.startswith(start)).split(" | ")


def nothing(name):
    return ""


def test_the_accuracy_of_the_held_out_prediction(rows, records):
    found = [ratio(run, "heldout_predicted", "heldout_error") for run in of(records, sweep="heldout")]
    low, high = (float(re.search(rf"median, {a}", words(damping(rows, nothing)))[1]) for a in (r"([\d.]+) to", r"[\d.]+ to ([\d.]+)"))
    assert mean(value < low * 0.999 for value in found) <= 0.05 <= mean(value < low * 1.001 for value in found) + 0.01
    assert high > 1.1 > 1 / low  # it errs upwards: weights that round to zero
    assert mean(value > high * 1.005 for value in found) <= 0.05 <= mean(value > high * 0.995 for value in found) + 0.01


def test_errors_beside_their_bounds(rows, records):
    runs = of(records, sweep="damping")
    text = words(errors(rows, nothing))
    factors = [ratio(run, "damped_bound", "damped_error") for run in runs]
    assert f"overestimates the error by a factor of {number(min(factors))} to {number(max(factors))}" in text
    for name in ("ar1", "digits: hidden2"):
        few = of(runs, calibration=name.partition(":")[0], **TYPICAL)
        cells = line(errors(rows, nothing).text, f"| {name} |")
        assert cells[1] == number(mean(ratio(run, "damped_error", "signal") for run in few))
        assert cells[-2] == number(mean(ratio(run, "rtn_damped_error", "signal") for run in few))
        assert cells[-1].rstrip(" |") == number(mean(ratio(run, "rtn_damped_error", "damped_error") for run in few))  # both damped


def test_qronos_gains_by_the_size_of_the_mismatch(rows, records):
    by = {}
    for run in of(records, sweep="mismatch"):
        key, program = (run["calibration"], run["layer"], run["mismatch"]), (run["algorithm"], run["form"])
        by.setdefault(key, {}).setdefault(program, []).append(run)
    gains = {}
    lower = 0
    for key, of_program in by.items():
        optq, projected = of_program["optq", "alternating"], of_program["qronos", "projected"]
        size = mean(ratio(run, "mismatch_error", "original_signal") for run in optq)
        error, bound = ([mean(ratio(run, side, "original_signal") for run in runs) for runs in (optq, projected)]
                        for side in ("deployed_error", "deployed_bound"))
        gains[key] = size, error[0] / error[1]
        lower += bound[1] <= bound[0]
    section = mismatch(rows, nothing)
    for kind, where in (("layers", "in networks whose layers before are quantized"), ("noise", "under synthetic noise")):
        below = [gain for key, (size, gain) in gains.items() if size < 0.01 and key[2].startswith(kind)]
        above = [gain for key, (size, gain) in gains.items() if size > 0.05 and key[2].startswith(kind)]
        before, _, after = words(section).partition("where the mismatch is below 1 % of the signal")
        assert f"{number(min(below))} to {number(max(below))} {where}" in before
        assert f"{number(min(above))} to {number(max(above))} {where}" in after
    assert section.answer.endswith(f"on {lower} of {len(gains)}.")


def test_bits_beyond_those_used(rows, records):
    def width(code):
        return 1 + math.ceil(math.log2(code + 1))

    nearest = of(records, sweep="bits", rounding="nearest")
    extra = [width(run["sufficient_code"]) - width(run["largest_code"]) for run in nearest]
    assert f"{min(extra)} to {max(extra)} bits wider" in bits(rows, nothing).answer
    for name in ("ar1", "heavy-tailed"):
        made = of(records, sweep="bits", rounding="stochastic", calibration=name)
        stochastic = sorted(made, key=lambda run: run["absolute_damping"])
        assert line(bits(rows, nothing).text, f"| {name} |")[-1].rstrip(" |") == " → ".join(
            str(width(run["likely_code"])) for run in (stochastic[0], stochastic[-1]))


def test_distances_to_the_optimum_and_to_the_limit(rows, records):
    text = optimality(rows, nothing).text
    few = of(records, sweep="optimum", algorithm="optq", features=12, mismatch="noise:0.2")
    assert line(text, "| ar1-small-12 | noise of 20 % of each feature's size |")[3] == number(
        mean(ratio(run, "deployed_damped_error", "optimum_error") for run in few))
    (run,) = of(records, sweep="rate-distortion", calibration="ar1", steps="uniform", ordering="natural")
    assert line(text, "| ar1 |")[1] == number(0.5 * math.log2(run["damped_error"] / run["rate_floor"]) + GAP_IN_BITS)


def test_stochastic_against_nearest_and_the_tail(rows, records):
    found = {}
    for run in of(records, sweep="layers", bits=4, alphabet="infinite", ordering="decreasing-norm"):
        found.setdefault(run["layer"], {})[run["rounding"]] = run["damped_error"]
    middle = median(math.sqrt(by["stochastic"] / by["nearest"]) for by in found.values())
    section = rounding(rows, nothing)
    largest = max(math.sqrt(by["stochastic"] / by["nearest"]) for by in found.values())
    assert f"{number(middle)} times as large in the median, {number(largest)} times at most" in section.answer
    level = {row["claim"]: row["level"] for row in of(records, "claim", sweep="tail", calibration="ar1", failure_probability=0.05)}
    assert line(section.text, "| ar1 |")[1] == number(level["sto-optq-linf"] / level["sto-optq-linf-rowwise"])


def test_the_worst_verdict_of_each_claim(rows, records):
    text = claims_table(rows, {})
    for claim_id in ("optq-l2", "sto-optq-linf-rowwise"):
        mine = [row for row in of(records, "claim", claim=claim_id) if row["sweep"] != "tightness" and row["outcome"] != "not applicable"]
        cell, worst = line(text, f"| `{claim_id}` |")[-2], max(row["ratio"] for row in mine)
        assert cell.split(";")[0] == number(math.sqrt(worst) if claim_id == "optq-l2" else worst)  # its sides are squares
        if claims()[claim_id].kind.value == "bound with probability":
            assert cell.endswith(f"; {number(max(row['interval_low'] / row['failure_probability'] for row in mine))}")


def test_the_transformer_by_ordering_width_and_rtn(rows, records):
    layers = of(records, sweep="layers", bits=4, rounding="nearest", alphabet="infinite")
    by = {}
    for run in layers:
        by.setdefault(run["layer"], {})[run["ordering"]] = run
    gain = median(math.sqrt(of["decreasing-norm"]["damped_error"] / of["natural"]["damped_error"]) for of in by.values())
    assert f"decreasing norm is {number(gain)} times that of natural order in the median" in words(ordering(rows, nothing))
    rtn = [ratio(run["decreasing-norm"], "rtn_damped_error", "damped_error") for run in by.values()]
    section = transformer(rows, nothing)
    assert f"RTN's is {number(min(rtn))} to {number(max(rtn))} times OPTQ's" in section.answer
    less = median(math.sqrt(of["min-pivot"]["damped_error"] / of["decreasing-norm"]["damped_error"]) for of in by.values())
    assert f"min-pivot's error is {percent(1 - less)} smaller than decreasing norm's in the median" in ordering(rows, nothing).answer
    key = [ratio(run["decreasing-norm"], "damped_error", "damped_predicted") for layer, run in by.items() if layer.endswith("key")]
    assert line(section.text, "| key |")[3] == f"{number(min(key))} to {number(max(key))}"


def test_attained_bounds_and_repetitions(table, records):
    rows, made = table
    full = [row for row in records if row["sweep"] == "tightness" and row["calibration"] == "full"]
    reached = [math.sqrt(row["ratio"]) if claims()[row["claim"]].unit.startswith(("squared", "ratio of squared")) else row["ratio"]
               for row in full]
    assert f"{sum(ratio >= 0.99 for ratio in reached)} of {len(full)} bounds" in tightness(rows, nothing).answer
    assert line(traceability(rows, made, [], "t"), '| `[[sweep]] name = "optimum"` |')[-2] == "0 to 4"
