"""A study becomes a table: the same bytes however it is run, one row per cell and claim."""

import numpy as np
import pandas as pd
import pytest
from provable_ptq.algorithms import Grid, InvalidArgumentError, optq
from provable_ptq.bounds import Outcome
from provable_ptq.experiments.calibration import load_layer
from provable_ptq.experiments.progress import StoppedError
from provable_ptq.experiments.runner import run_study
from provable_ptq.experiments.study import read_study
from provable_ptq.experiments.table import read_table, tidy

CLAIMS = ["optq-identity", "optq-l2", "order-floor", "sto-optq-l2", "sto-optq-linf", "sto-optq-linf-rowwise"]
NEAREST = {"optq-identity", "optq-l2", "order-floor"}
STOCHASTIC = {"optq-identity", "order-floor"}
LAW = {"sto-optq-l2", "sto-optq-linf", "sto-optq-linf-rowwise"}  # of a stochastic run: where runs are drawn
SWEEP = {"sweep.claims": str(CLAIMS), "sweep.seeds": "2"}
MORE = f"""
[[sweep]]
name = "stochastic"
calibration = "a"
damping = ["mean-diagonal:0.1", 2.0]
ordering = ["natural", "random:1"]
rounding = "stochastic"
failure_probability = [0.5, 0.1]
claims = {CLAIMS}

[[sweep]]
name = "tail"
calibration = "a"
damping = 0.5
rounding = "stochastic"
draws = 200
failure_probability = [0.5, 0.1]
claims = {CLAIMS}

[[sweep]]
name = "flat"
calibration = "flat"
damping = [0.0, "mean-diagonal:0.01"]
claims = {CLAIMS}

[calibration.flat]
kind = "low-rank"
samples = 4
features = 8
neurons = 3
"""


def run(path, table, workers=1):
    return run_study(read_study(path), table, workers, progress=False, store=table.with_suffix(".store")).table


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """Memory of the study below, which several tests read: {"first": path of its table}."""
    return {"folder": tmp_path_factory.mktemp("tables")}


@pytest.fixture
def study(write_study):
    return write_study(SWEEP, MORE)


@pytest.fixture
def table(tables, study):
    if "first" not in tables:
        tables["first"] = run(study, tables["folder"] / "first.parquet")
    return tables["first"]


@pytest.fixture
def rows(table):
    return read_table(table)[0]


def test_the_bytes_do_not_depend_on_run_or_workers(table, study, tmp_path):
    again, shared = run(study, tmp_path / "again.parquet"), run(study, tmp_path / "shared.parquet", workers=2)
    assert again.read_bytes() == table.read_bytes()
    assert shared.read_bytes() == table.read_bytes()


def test_another_seed_gives_other_numbers(rows, write_study, tmp_path):
    other, _ = read_table(run(write_study(SWEEP | {"seed": "8"}, MORE), tmp_path / "other.parquet"))
    signals = [set(table["signal"].dropna()) for table in (rows, other)]
    assert len(signals[0]) == len(signals[1]) == 3
    assert not signals[0] & signals[1]


def test_there_is_one_row_per_cell_probability_and_claim(rows, study):
    cells = [cell for cell in read_study(study).cells if not cell.draws and not (cell.sweep == "flat" and cell.damping == 0.0)]
    expected = {
        (cell.sweep, str(cell.damping), cell.ordering, cell.seed, p, claim)
        for cell in cells for p in cell.failure_probability for claim in (NEAREST if cell.rounding == "nearest" else STOCHASTIC)
    }
    kept = rows[(rows["sweep"] != "tail") & (rows["claim"] != "")]
    keys = list(kept[["sweep", "damping", "ordering", "seed", "failure_probability", "claim"]].itertuples(index=False, name=None))
    assert len(keys) == len(set(keys))
    assert set(keys) == expected
    assert set(kept["outcome"]) <= {Outcome.HOLDS.value, Outcome.UNDECIDED.value}


def test_orderings_and_dampings_of_a_repetition_share_the_data(rows):
    kept = rows[(rows["calibration"] == "a") & rows["signal"].notna()]
    signals = kept.groupby("seed")["signal"].unique()
    assert {seed: len(values) for seed, values in signals.items()} == {0: 1, 1: 1}
    assert signals[0][0] != signals[1][0]
    assert kept.groupby("seed")[["ordering", "damping"]].nunique().loc[0].tolist() == [3, 4]


def test_a_row_is_what_the_algorithm_gives(rows):
    parameters = {"kind": "gaussian", "samples": 12, "features": 8, "neurons": 3}
    layer = load_layer("a", parameters, study_seed=7, seed=1)
    result = optq(layer.X, layer.W, Grid(Grid.for_weights(layer.W, bits=4).step), damping=0.5, ordering="min-pivot")
    left = layer.W - result.weights
    picked = rows[(rows["sweep"] == "damping") & (rows["damping"] == "0.5") & (rows["ordering"] == "min-pivot") & (rows["seed"] == 1)]
    (row,) = (row for _, row in picked[picked["record"] == "run"].iterrows())
    assert row["reconstruction"] == pytest.approx(np.square(layer.X @ left).sum(), rel=1e-12)
    assert row["ridge"] == pytest.approx(0.5 * np.square(left).sum(), rel=1e-12)
    assert row["signal"] == pytest.approx(np.square(layer.X @ layer.W).sum(), rel=1e-12)
    claim = picked.set_index("claim").loc["optq-l2"]
    assert claim["measured_sum"] == pytest.approx(row["reconstruction"] + row["ridge"], rel=1e-12)
    assert claim["measured_sum"] < claim["bound_sum"] == pytest.approx(row["damped_bound"], rel=1e-12)
    assert (row["samples"], row["features"], row["neurons"], row["absolute_damping"]) == (12, 8, 3, 0.5)


def test_draws_give_the_law_of_the_claims_and_an_empirical_tail(rows):
    tail = rows[rows["sweep"] == "tail"]
    of_claims, counted = tail[tail["record"] == "claim"], tail[tail["record"] == "tail"]
    keys = list(of_claims[["claim", "failure_probability"]].itertuples(index=False, name=None))
    assert sorted(keys) == sorted((claim, p) for claim in LAW for p in (0.5, 0.1))
    assert set(of_claims["outcome"]) == {Outcome.HOLDS.value}
    assert (counted["draws"] == 200).all()
    assert len(counted) > 20
    assert counted["level"].is_monotonic_increasing
    assert counted["failures"].is_monotonic_decreasing
    assert counted["failures"].iloc[0] > 100 > 10 > counted["failures"].iloc[-1]
    share = counted["failures"] / 200
    assert ((counted["interval_low"] <= share) & (share <= counted["interval_high"])).all()


def test_a_claim_whose_hypothesis_fails_is_not_decided_by_draws(write_study, tmp_path):
    path = write_study({"sweep.rounding": '"stochastic"', "sweep.draws": "50", "sweep.alphabet": '"finite"', "sweep.bits": "2",
                        "sweep.claims": '["sto-optq-l2"]', "sweep.damping": "0.5", "sweep.ordering": '"natural"'})
    rows, _ = read_table(run(path, tmp_path / "table.parquet"))
    (row,) = rows[rows["claim"] == "sto-optq-l2"].itertuples()
    assert row.outcome == Outcome.NOT_APPLICABLE.value
    assert "take an infinite grid" in row.advice


def test_dependent_features_without_damping_become_one_row_with_advice(rows):
    flat = rows[(rows["sweep"] == "flat") & (rows["damping"] == "0.0")]
    (row,) = flat.itertuples()
    assert (row.claim, row.outcome) == ("", Outcome.NOT_APPLICABLE.value)
    assert "rank 4 with 8 live features" in row.advice
    assert "the smallest damping that will do is " in row.advice
    damped = rows[(rows["sweep"] == "flat") & (rows["damping"] != "0.0")]
    assert set(damped["claim"]) == NEAREST | {""}


def test_rows_hold_no_place(rows, tmp_path, root):
    words = {word for column in rows.select_dtypes("str") for word in rows[column].unique()}
    assert "natural" in words
    assert [word for word in words if str(root) in word or str(tmp_path.parent) in word] == []


@pytest.mark.parametrize("workers", [1, 2])
def test_a_claim_of_ones_own_appears_in_the_rows(write_study, write_claims, own_claims, tmp_path, workers):
    write_claims(1.0)
    changes = {"claims": '["my_claim.py"]', "sweep.claims": '["optq-l2", "my-claim"]'}
    rows, _ = read_table(run(write_study(changes), tmp_path / "table.parquet", workers))
    mine, shipped = (rows[rows["claim"] == claim].set_index(["damping", "ordering"]) for claim in ("my-claim", "optq-l2"))
    assert len(mine) == len(shipped) == 4
    pd.testing.assert_series_equal(mine["ratio"], shipped["ratio"])
    assert set(mine["outcome"]) == {Outcome.HOLDS.value}


@pytest.mark.parametrize("workers", [1, 2])
def test_claims_of_one_study_do_not_show_in_another(write_study, write_claims, own_claims, tmp_path, workers):
    small = {"sweep.damping": "0.5", "calibration.a.neurons": "1"}
    plain = write_study(small, name="plain.toml")
    before = run(plain, tmp_path / "before.parquet")
    write_claims(1.0)
    theirs, _ = read_table(run(write_study(small | {"claims": '["my_claim.py"]'}), tmp_path / "theirs.parquet", workers))
    after = run(plain, tmp_path / "after.parquet", workers)
    assert "my-claim" in set(theirs["claim"])
    assert set(theirs["claim"]) - {"my-claim"} == set(read_table(before)[0]["claim"])
    assert after.read_bytes() == before.read_bytes()


def test_a_claims_file_that_is_gone_is_refused_and_leaves_the_old_table(write_study, write_claims, own_claims, tmp_path):
    file = write_claims(1.0)
    study = read_study(write_study({"claims": '["my_claim.py"]'}))
    old = tmp_path / "out" / "table.parquet"
    old.parent.mkdir()
    old.write_text("old", encoding="utf-8")
    file.unlink()
    with pytest.raises(InvalidArgumentError, match="claims file"):
        run_study(study, old, workers=1, progress=False)
    assert [(kept.name, kept.read_text(encoding="utf-8")) for kept in old.parent.iterdir()] == [("table.parquet", "old")]


def test_columns_have_one_type_and_rows_one_order():
    rows = [{"claim": "b", "ratio": 2, "advice": "x", "failures": None, "sweep": "s"}, {"claim": "a", "ratio": 0.5, "sweep": "s"}]
    one, other = tidy(rows), tidy(rows[::-1])
    pd.testing.assert_frame_equal(one, other)
    assert one["claim"].tolist() == ["a", "b"]
    assert one["advice"].tolist() == ["", "x"]
    assert one["ratio"].tolist() == [0.5, 2.0]
    assert one["failures"].dtype == np.float64
    assert one.columns[:2].tolist() == ["study", "sweep"]


def test_text_wins_where_a_column_holds_both():
    """A cell that failed knows its axes as its spec has them, 0.5; the rows of others as text, "0.5"."""
    assert tidy([{"damping": "0.5"}, {"damping": 0.5}, {}])["damping"].tolist() == ["", "0.5", "0.5"]


def test_a_cell_that_fails_is_a_row_and_is_tried_again(toys, ran, tmp_path):
    study, whole = toys.toy(tmp_path), toys.toy(tmp_path)
    alone = run_study(whole, tmp_path / "alone" / "table.parquet", 1, progress=False).table.read_bytes()
    (tmp_path / "ran").unlink()
    failing = tmp_path / "fail-sweep-1-0.25-3"
    failing.touch()
    for found, computed in ((0, 23), (23, 0)):
        done = run_study(study, tmp_path / "table.parquet", 1, progress=False)
        assert (done.cells, done.found, done.computed) == (24, found, computed)
        (failure,) = map(str, done.failures)
        assert failure == "sweep sweep-1, damping 0.25, seed 3 — ValueError: no luck with sweep-1-0.25-3"
        rows, made = read_table(done.table)
        (row,) = rows[rows["record"] == "failed"].itertuples()
        assert (row.study, row.sweep, row.damping, row.seed) == ("toy", "sweep-1", "0.25", 3)
        assert row.error == "ValueError: no luck\nwith sweep-1-0.25-3"
        assert (row.claim, pd.isna(row.ratio)) == ("", True)
        assert len(rows) == 3 * 23 + 1
        assert made["cells"] == 24
    assert ran()["sweep-1-0.25-3"] == 2
    failing.unlink()
    done = run_study(study, tmp_path / "table.parquet", 1, progress=False)
    assert (done.found, done.computed, done.failures) == (23, 1, ())
    assert done.table.read_bytes() == alone


@pytest.mark.parametrize("workers", [1, 2])
def test_fail_fast_stops_at_the_first_failure(toys, ran, tmp_path, workers):
    (tmp_path / "fail-sweep-0-0.0-1").touch()
    study = toys.toy(tmp_path, sweeps=4, seconds=0.02)
    with pytest.raises(StoppedError, match=r"^failed: sweep sweep-0, damping 0\.0, seed 1 — ValueError: .*; \d+ of 48 cells .* resumes$"):
        run_study(study, tmp_path / "table.parquet", workers, progress=False, fail_fast=True)
    assert not (tmp_path / "table.parquet").exists()
    assert len(ran()) < 40


def test_a_cell_of_unfit_rows_fails_and_a_cell_of_no_rows_is_finished(toys, tmp_path):
    cells = (toys.ToyCell("toy", "a", 0.5, 0, "mixed", str(tmp_path)), toys.ToyCell("toy", "b", 0.5, 0, "empty", str(tmp_path)))
    done = [run_study(toys.ToyStudy(cells), tmp_path / "table.parquet", 1, progress=False) for _ in range(2)]
    assert [(one.found, one.computed, len(one.failures)) for one in done] == [(0, 1, 1), (1, 0, 1)]
    assert "Arrow" in done[0].failures[0].error
    assert read_table(done[0].table)[0][["sweep", "record"]].to_numpy().tolist() == [["a", "failed"]]


def test_preparations_run_once_each_before_the_cells(toys, ran, tmp_path):
    prepared = tuple(toys.ToyPreparation(name, folder=str(tmp_path)) for name in ("one", "two"))
    done = run_study(toys.toy(tmp_path, prepared=prepared), tmp_path / "table.parquet", 2, progress=False)
    order = [line.split()[0] for line in (tmp_path / "ran").read_text(encoding="utf-8").splitlines()]
    assert sorted(order[:2]) == ["prepared-one", "prepared-two"]
    assert len(order) == 26
    assert {file.name for file in (tmp_path / "store" / "inputs").iterdir()} == {"one", "two"}
    run_study(toys.toy(tmp_path, prepared=prepared), tmp_path / "table.parquet", 2, progress=False)
    assert sum(ran().values()) == 26, "nothing to do, nothing to prepare"
    assert done.failures == ()


def test_a_preparation_that_fails_is_told_and_the_cells_go_on(toys, tmp_path):
    prepared = (toys.ToyPreparation("one", trouble="fail", folder=str(tmp_path)),)
    done = run_study(toys.toy(tmp_path, prepared=prepared), tmp_path / "table.parquet", 1, progress=False)
    assert (done.computed, [failure.error for failure in done.failures]) == (24, ["ValueError: not ready"])
    with pytest.raises(StoppedError, match=r"^failed: preparation .*not ready; 0 of 24 cells are finished"):
        run_study(toys.toy(tmp_path, prepared=prepared), tmp_path / "other" / "table.parquet", 1, progress=False, fail_fast=True)


def test_the_table_does_not_depend_on_workers_or_on_the_order_of_the_work(toys, tmp_path, monkeypatch):
    tables = [run_study(toys.toy(tmp_path), tmp_path / str(workers) / "table.parquet", workers, progress=False).table for workers in (1, 2)]
    monkeypatch.setattr(toys.ToyCell, "cost", lambda cell: -cell.seed - cell.damping)
    monkeypatch.setattr(toys.ToyCell, "group", lambda cell: cell.seed)
    tables.append(run_study(toys.toy(tmp_path), tmp_path / "turned" / "table.parquet", 1, progress=False).table)
    assert len({table.read_bytes() for table in tables}) == 1
