"""The exact optimum: real small runs; optimum ≤ measured ≤ bound, and the guarantee above what it guarantees."""

import numpy as np
import pandas as pd
import pytest
from provable_ptq.algorithms import Grid
from provable_ptq.algorithms.closest_vector import closest_vector
from provable_ptq.bounds import Problem, check
from provable_ptq.bounds.mismatch.projection import target, unexplained_squared
from provable_ptq.figures import exact_optimum
from provable_ptq.figures.runs import CELL, NothingToDrawError

ALGORITHMS = (("optq", "alternating"), ("qronos", "alternating"), ("qronos", "projected"))
CLAIM, POWER = {"optq": "optq-mismatch", "qronos": "qronos-l2"}, {"optq": 2, "qronos": 1}
GUARANTEE = "optq-near-optimal"


def rows_of_run(features, mismatch, algorithm, form, seed):
    rng = np.random.default_rng([features, seed])
    X, W = rng.standard_normal((4 * features, features)) @ rng.standard_normal((features, features)), rng.standard_normal((features, 6))
    deployed = None if mismatch == "none" else X + 0.2 * rng.standard_normal(X.shape)
    problem = Problem(X, W, Grid(step=0.6), algorithm=algorithm, form=form, damping=0.1, X_quantized=deployed)
    axes = dict.fromkeys(CELL, "") | {"sweep": "optimum", "calibration": f"ar1-small-{features}", "mismatch": mismatch,
                                      "algorithm": algorithm, "form": form, "seed": seed, "features": features,
                                      "rounding": "nearest"}  # fmt: skip
    facts = {"record": "run", "claim": "", "saturated_share": 0.0, "optimum_decided": 1.0} | sides(problem, mismatch)
    rows = [axes | facts]
    if algorithm == "optq" and mismatch == "none":
        verdict = check(problem, [GUARANTEE])[GUARANTEE]
        rows += [
            axes | {"record": "claim", "claim": GUARANTEE, "failure_probability": p, "bound_sum": verdict.bound.sum()} for p in (0.1, 0.01)
        ]
    return rows


def sides(problem, mismatch):
    """Error, bound and optimum, summed over neurons, squared."""
    if mismatch == "none":
        verdict = check(problem, ["optq-l2"] if problem.algorithm == "optq" else ["qronos-l2"]).popitem()[1]
        names, power, optimum = ("damped_error", "damped_bound"), 1, closest_vector(problem.factorization, problem.W, problem.grid)
        least = optimum.distance_squared
    else:
        verdict = check(problem, [CLAIM[problem.algorithm]]).popitem()[1]
        names, power, as_qronos = ("deployed_bounded", "deployed_bound"), POWER[problem.algorithm], problem.but(algorithm="qronos")
        least = unexplained_squared(as_qronos) + closest_vector(problem.factorization, target(as_qronos), problem.grid).distance_squared
    return dict(zip(names, ((side**power).sum() for side in (verdict.measured, verdict.bound)), strict=True)) | {
        "optimum_error": least.sum()
    }


@pytest.fixture(scope="module")
def table():
    return pd.DataFrame([row for features in (2, 4) for mismatch in ("none", "noise:0.2") for algorithm in ALGORITHMS for seed in (0, 1)
                         for row in rows_of_run(features, mismatch, *algorithm, seed)])  # fmt: skip


def panels(rows):
    return [axes for axes in exact_optimum.draw(rows).axes if axes.get_title()]


def artists(axes, gid):
    return [artist for artist in axes.get_children() if artist.get_gid() == gid]


def heights(bars):
    return np.array(bars.get_segments())[:, 0, 1]


def test_matched_inputs_come_first_and_show_one_algorithm(table):
    matched, mismatched = panels(table)
    assert (matched.get_title(), mismatched.get_title()) == ("matched inputs", "noise of 20 % of each\nfeature's size")
    assert (len(artists(matched, "measured")), len(artists(mismatched, "measured"))) == (1, 3)
    assert [label.get_text() for label in matched.get_xticklabels()] == ["2", "4"]


def test_measurements_lie_between_the_optimum_and_their_bounds(table):
    for axes in panels(table):
        assert artists(axes, "optimum")[0].get_ydata() == [1, 1]
        for bars, measured in zip(artists(axes, "bound"), artists(axes, "measured"), strict=True):
            assert (measured.get_ydata() >= 1 - 1e-9).all()
            assert (measured.get_ydata() < heights(bars)).all()


def test_dots_are_means_of_norms_relative_to_the_optimum(table):
    _, mismatched = panels(table)
    runs = table[(table["mismatch"] == "noise:0.2") & (table["algorithm"] == "optq") & (table["features"] == 4)]
    expected = np.sqrt(runs["deployed_bounded"] / runs["optimum_error"]).mean()
    np.testing.assert_allclose(artists(mismatched, "measured")[0].get_ydata()[1], expected)


def test_the_guarantee_lies_above_what_it_guarantees_and_only_on_matched_inputs(table):
    matched, mismatched = panels(table)
    (guarantee,) = artists(matched, "guarantee")
    assert (heights(guarantee) > artists(matched, "measured")[0].get_ydata()).all()
    assert not any(len(segment) for segment in artists(mismatched, "guarantee")[0].get_segments())


def test_claims_at_several_probabilities_do_not_multiply_runs(table):
    text = exact_optimum.draw(table).axes[2].get_legend().get_title().get_text()
    assert "mean of\n2 repetitions" in text
    np.testing.assert_array_equal(
        heights(artists(panels(table)[0], "guarantee")[0]),
        heights(artists(panels(table[table["failure_probability"] != 0.01])[0], "guarantee")[0]),
    )


def test_a_study_without_mismatch_or_guarantee_has_less_to_show(table):
    figure = exact_optimum.draw(table[(table["mismatch"] == "none") & (table["record"] == "run")])
    assert [axes.get_title() for axes in figure.axes] == ["matched inputs", ""]
    assert [text.get_text() for text in figure.axes[1].get_legend().get_texts()] == ["OPTQ", "exact optimum"]


def test_a_run_whose_optimum_was_not_found_is_left_out(table):
    undecided = table.assign(optimum_decided=np.where(table["features"] == 4, 0.9, table["optimum_decided"]))
    assert [label.get_text() for label in panels(undecided)[0].get_xticklabels()] == ["2"]


@pytest.mark.parametrize("changes", [
    {"sweep": "other"}, {"record": "claim"}, {"optimum_decided": 0.5}, {"rounding": "stochastic"}, {"saturated_share": 0.1},
], ids=lambda changes: next(iter(changes)))  # fmt: skip
def test_rows_that_cannot_be_shown_are_refused(table, changes):
    with pytest.raises(NothingToDrawError, match="optimum"):
        exact_optimum.draw(table.assign(**changes))
