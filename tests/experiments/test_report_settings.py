"""What the report says was run is what the rows say: tables of every axis at two unusual values, and no number from any other row."""

import re

import pytest
from made_up import MADE, SWEEPS, disturbed, made_up_table
from provable_ptq.experiments.report import render_report
from provable_ptq.experiments.report.table import MOST_PARTS
from provable_ptq.experiments.report.words import UNSAID
from provable_ptq.experiments.settings import METHODS, SETTINGS, in_words, mean_over_repetitions, method, normal, split

UNUSUAL = {
    "bits": [5, 8], "damping": ["mean-diagonal:0.7", "spectral:0.3"], "ordering": ["increasing-norm", "random:7"],
    "rounding": ["nearest", "stochastic"], "algorithm": ["optq", "gpfq"], "steps": ["uniform", "inverse-pivot"],
    "alphabet": ["infinite", "finite"], "mismatch": ["noise:0.9", "layers:3:5"], "seed": [0, 1], "draws": [700, 9000],
    "failure_probability": [0.3, 0.07],
}  # fmt: skip
ABOUT = {"draws": ["tail"], "failure_probability": ["tail"], "steps": ["damping", "layers", "optimum", "rate-distortion"],
         "alphabet": ["bits", "finite-alphabet", "layers", "optimum"]}  # sweeps that a setting matters to, where it is not all

OWN_ROWS = re.compile(r"\([^)]*(sweep|steps)[^)]*\)")  # in a clause that says itself which rows it is about


def report(rows):
    return render_report(rows, MADE, [], "figures", "t.parquet")


def questions(text):
    """The summary and the answers, without what is about the whole table."""
    return text.partition("## In short")[2].partition("## Claims")[0]


def blocks(text):
    """What is said, with what it says it of: a paragraph with its table, a clause of the summary with the head of its line."""
    found = []
    for block in re.split(r"\n\n|\n(?=- )", questions(text)):
        if block.startswith("|"):
            found[-1] += f"\n{block}"
        elif block.startswith("- "):
            head, _, clauses = block.partition(": ")
            found += [clause if OWN_ROWS.search(clause) else f"{head}: {clause}" for clause in clauses.split("; ")]
        elif not re.match(r"</?details|<summary", block):
            found.append(block)
    return found


def mentioned(axis, value, scope):
    """Whether a text names this value of an axis."""
    if axis == "bits":
        return re.search(rf"\b{value}-(bit|,| and)|\b{value} bits\b", scope)
    if axis == "damping":
        rule, size = value.split(":")
        return re.search(rf"\b{size}\b[^|;]* {'mean diagonal' if rule == 'mean-diagonal' else 'largest eigenvalue'}", scope)
    if axis == "ordering":
        return in_words(axis, value).removesuffix(" order") in scope
    if axis == "rounding":
        return value in scope
    if axis == "algorithm":
        return method(value) in scope
    if axis == "draws":
        return f"of {value:,}:" in scope or in_words(axis, value) in scope
    if axis == "mismatch":
        return value in scope or in_words(axis, value) in scope
    return in_words(axis, value) in scope


def names(axis, value, scope):
    """Whether a text says that numbers are about rows with this value: by naming it, or the whole sweep, or by saying nothing of what goes
    without saying."""
    others = [other for other in UNUSUAL[axis] if other != value and mentioned(axis, other, scope)]
    silent = value in (UNSAID.get(axis),) or "sweep `" in scope
    return mentioned(axis, value, scope) or (silent and not others)


@pytest.mark.parametrize("axis", [axis for axis in UNUSUAL if axis != "seed"])
def test_numbers_come_from_the_rows_that_the_sentence_around_them_names(axis):
    rows = made_up_table(sweeps=ABOUT.get(axis, SWEEPS), **{axis: UNUSUAL[axis]})
    before = blocks(report(rows))
    for value in UNUSUAL[axis]:
        after = blocks(report(disturbed(rows, axis, value)))
        assert len(before) == len(after)
        changed = [old for old, new in zip(before, after, strict=True) if old != new]
        assert changed
        assert [scope for scope in changed if not names(axis, value, scope)] == []


@pytest.mark.parametrize("axis", ["bits", "damping", "algorithm", "failure_probability"])
def test_a_part_of_one_setting_is_what_a_table_of_that_setting_alone_says(axis):
    rows = made_up_table(sweeps=ABOUT.get(axis, SWEEPS), **{axis: UNUSUAL[axis]})
    text, found = report(rows), 0
    for value in UNUSUAL[axis]:
        alone = report(rows[(rows[axis] == value) | rows[axis].isna()])
        for which, part in re.findall(r"<summary>(.*?)</summary>\n\n(.*?)\n\n</details>", text, re.DOTALL):
            if which == (method(value) if axis == "algorithm" else in_words(axis, value)):
                assert part in alone
                found += 1
    assert found >= 2


def test_every_axis_is_tried():
    assert set(UNUSUAL) | {"form"} == {*SETTINGS, "seed"}
    assert set(SWEEPS) >= {"damping", "ordering", "heldout", "bits", "layers", "mismatch", "optimum", "rate-distortion", "tail"}


def test_nothing_is_said_to_have_been_run_that_was_not():
    text = questions(report(made_up_table(bits=[8], damping=["mean-diagonal:0.7"], ordering=["random:7"], seed=[0])))
    assert set(re.findall(r"(\d+)-bit", text)) <= {"8", "5", "3"}  # 3 and 5: the weights and activations of layers:3:5
    assert set(re.findall(r"damping ([\d.]+) of the mean diagonal", text)) <= {"0.7"}
    assert "decreasing norm" in text  # it is in the sweeps that compare orderings
    captions = [block for block in blocks(report(made_up_table(bits=[8], ordering=["random:7"]))) if "relative to $\\Vert XW" in block]
    assert len(captions) == 2
    assert [caption for caption in captions if "decreasing norm" in caption or "repetition" in caption] == []


def test_repetitions_are_the_only_mean_and_it_is_said():
    text = questions(report(made_up_table(seed=[0, 1])))
    one = questions(report(made_up_table(seed=[0])))
    assert "mean over 2 repetitions" in text
    assert "repetition" not in one
    rows = normal(made_up_table(bits=[5, 8], seed=[0, 1], sweeps=["damping"]))
    with pytest.raises(ValueError, match="bits vary too"):
        mean_over_repetitions(rows, ["calibration"], ["damped_error"])


def test_too_many_settings_are_refused_in_words_and_not_averaged():
    widths = list(range(2, 3 + MOST_PARTS))
    text = questions(report(made_up_table(bits=widths, sweeps=["damping"])))
    assert f"the sweep varies bits: one table per width, and with {len(widths)} of them" in text
    assert "| a |" not in text


def test_a_value_of_the_table_is_that_of_its_width():
    rows = made_up_table(bits=[2, 3, 4], sweeps=["damping"], calibration=["a"])
    text = report(rows)
    for width in (2, 3, 4):
        (run,) = rows[rows["bits"] == width].to_dict("records")
        part = text.partition(f"<summary>{width}-bit steps</summary>")[2].partition("</details>")[0]
        assert f"| a | {(run['damped_error'] / run['signal']) ** 0.5:.3g} |" in part


def test_parts_cover_all_rows_once():
    rows = made_up_table(bits=[5, 8], damping=["mean-diagonal:0.7", "mean-diagonal:7e-1", "none"], sweeps=["damping"])
    parts = split(rows)
    assert [which for which, _ in parts] == [f"{bits}-bit steps, {damping}" for bits in (5, 8) for damping in (
        "damping 0.7 of the mean diagonal of live features", "no damping")]
    assert sum(len(part) for _, part in parts) == len(rows)


def test_methods_have_their_names():
    assert set(METHODS.values()) >= {"OPTQ", "Qronos", "projected Qronos", "GPFQ"}
