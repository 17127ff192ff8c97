"""The benchmarks run, on tiny sizes, and compare what they say: the loop is GPTQ, jobs take turns, ratios are ratios. Nothing is timed."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from provable_ptq.algorithms import Grid, definitions, optq, qronos

torch = pytest.importorskip("torch")
ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module", autouse=True)
def benchmarks():
    """They are no part of what is installed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT))
        with import_module("benchmarks.clock").threads(1):
            yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "benchmarks"]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def part(benchmarks):
    """One of their modules."""
    return lambda name: import_module(f"benchmarks.{name}")


def problem(rng, m, N, K, dead=()):
    X = rng.standard_normal((m, N)) @ np.triu(rng.standard_normal((N, N))) / np.sqrt(N)
    X[:, list(dead)] = 0
    W = rng.standard_normal((N, K))
    return X, W, Grid.for_weights(W, bits=3)


def loop_arguments(part, X, W, grid):
    levels = part("published_loop").Levels(torch.tensor(grid.step.ravel()), int(grid.low), int(grid.high))
    return torch.tensor(X.T @ X), torch.tensor(W.T.copy()), levels


@pytest.mark.parametrize(("N", "dead"), [(7, ()), (20, (0, 5)), (150, ()), (300, (299,))])
def test_published_loop_is_gptq(part, N, dead):
    loop = part("published_loop")
    X, W, grid = problem(np.random.default_rng(N), 2 * N, N, 5, dead)
    H, rows, levels = loop_arguments(part, X, W, grid)
    rule = "mean-diagonal-all:0.01"
    expected = definitions.optq(X, W, grid, rule).codes if N <= 20 else optq(X, W, grid, rule).codes
    assert np.array_equal(loop.published_loop(H, rows, levels).numpy().T, expected)
    assert np.array_equal(loop.features_first(H, rows.T.contiguous(), levels).numpy(), expected)
    ordered = optq(X, W, grid, rule, "decreasing-norm").codes
    assert np.array_equal(loop.published_loop(H, rows, levels, act_order=True).numpy().T, ordered)
    assert not np.array_equal(ordered, expected)
    assert not np.array_equal(loop.published_loop(H, rows, levels, damping=1.0).numpy().T, expected)


def test_published_loop_leaves_its_inputs_alone(part):
    X, W, grid = problem(np.random.default_rng(0), 40, 20, 5)
    H, rows, levels = loop_arguments(part, X, W, grid)
    kept = H.clone(), rows.clone()
    part("published_loop").published_loop(H, rows, levels)
    assert torch.equal(H, kept[0])
    assert torch.equal(rows, kept[1])


def test_tasks_take_turns_after_calls_that_do_not_count(part):
    called = []
    tasks = {name: lambda name=name: called.append(name) for name in "abc"}
    times = part("clock").interleaved(tasks, lambda name: 1 if name == "b" else 3, None)
    assert "".join(called) == "abcacac"
    assert {name: len(repetitions) for name, repetitions in times.items()} == {"a": 3, "b": 1, "c": 3}
    called.clear()
    slow = {name: lambda name=name: (called.append(name), time.sleep(1e-3)) for name in "ab"}
    times = part("clock").interleaved(slow, lambda name: 2, 0.0)
    assert "".join(called) == "ababab"
    assert {name: len(repetitions) for name, repetitions in times.items()} == {"a": 2, "b": 2}


def test_fast_tasks_fill_a_repetition(part):
    calls = []
    (once,) = part("clock").interleaved({"fast": lambda: calls.append(sum(range(1000)))}, lambda name: 1, 0.02)["fast"]
    assert len(calls) > 100
    assert once.cpu < 0.01  # of one call, not of all


def test_waiting_is_no_processor_time(part):
    once = part("clock").repetition(lambda: time.sleep(0.05), 1)
    assert once.wall >= 0.05
    assert once.cpu < 0.5 * once.wall


def test_number_of_threads_is_what_is_asked_for(part):
    clock = part("clock")
    before = torch.get_num_threads()
    for count in (1, 2):
        with clock.threads(count):
            assert torch.get_num_threads() == count
            assert {library["num_threads"] for library in clock.libraries().select(user_api="blas").info()} == {count}
    assert torch.get_num_threads() == before


def test_peak_counts_what_is_held_at_once_and_no_inputs(part):
    given, peak = np.ones(125_000), part("clock").peak_bytes
    assert peak(lambda: given + 1) == pytest.approx(1e6, rel=0.01)
    assert peak(lambda: (given + 1) * (given + 2)) == pytest.approx(2e6, rel=0.01)  # the product takes the place of a summand
    assert peak(lambda: [given + 1, given + 2, given + 3]) == pytest.approx(3e6, rel=0.01)
    assert peak(lambda: given.sum()) < 1e4


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_every_job_does_what_its_name_says(part, precision):
    jobs, layer = part("jobs").JOBS, part("layer").Layer(24, 10, 48, precision)
    made = {name: job.prepare(layer)() for name, job in jobs.items() if precision in job.precisions}
    expected = optq(layer.X, layer.W, layer.grid, "mean-diagonal:0.01", dtype=precision)
    for name in ("gram-optq", "rows-optq", "rounding"):
        assert np.array_equal(made[name].codes, expected.codes)
    for name in ("gram-loop", "rows-loop"):
        assert np.array_equal(made[name].numpy().T, expected.codes)
    assert np.array_equal(made["gram-loop-features-first"].numpy(), expected.codes)
    for form in ("alternating", "projected"):
        codes = qronos(layer.X, layer.X_quantized, layer.W, layer.grid, "mean-diagonal:0.01", form=form, dtype=precision).codes
        assert np.array_equal(made[f"gram-qronos-{form}"].codes, codes)
        assert np.array_equal(made[f"rows-qronos-{form}"].codes, codes)
        assert not np.array_equal(codes, expected.codes)
    for name in ("gram-factorization", "rows-factorization"):
        assert np.allclose(made[name].pivots, expected.factorization.pivots, rtol=1e-4)
    assert made["new-damping"].damping > 100 * expected.damping
    assert np.array_equal(made["new-ordering"].order, np.argsort(-np.square(layer.X).sum(axis=0), kind="stable"))
    if precision == "float64":
        assert (made["certificate"] == layer.N).all()
        assert made["bounds"]["optq-identity"].outcome.value == "holds"


def test_nothing_is_put_off_until_after_the_clock(part):
    jobs = part("jobs")

    class Lazy:
        asked = ()

        def __getattr__(self, name):
            Lazy.asked += (name,)

    jobs.whole(Lazy())
    assert Lazy.asked == jobs.FACTORS
    layer = part("layer").Layer(8, 3, 16)
    first, second = (jobs.JOBS["certificate"].prepare(layer), jobs.JOBS["certificate"].prepare(layer))
    assert (first() == second()).all()
    assert "condition" not in vars(layer.factorization)  # an earlier call leaves no condition number to the next


def test_both_precisions_hold_the_same_layer(part):
    wide, narrow = (part("layer").Layer(16, 4, 32, precision) for precision in ("float64", "float32"))
    assert np.array_equal(wide.X.astype(np.float32), narrow.X)
    assert np.array_equal(wide.W.astype(np.float32), narrow.W)
    assert np.array_equal(wide.grid.step, narrow.grid.step)


def test_a_ratio_compares_neighbours_in_time(part):
    ratios = part("ratios")
    rows = [{"part": "layers", "job": job, "precision": "float64", "N": 8, "threads": 1, "repetition": index, "cpu": value, "wall": 9.0}
            for job, values in {"a": (2.0, 20.0, 6.0), "b": (1.0, 10.0, 2.0), "once": (5.0,)}.items() for index, value in enumerate(values)]
    rows += [dict(row, job=job) for row in rows[:3] for job in ("gemm-numpy", "gemm-torch")]
    seconds = ratios.Seconds(pd.DataFrame(rows).sample(frac=1, random_state=0), "layers")
    ratio = seconds.ratio(("a", "float64"), ("b", "float64"), 8)
    assert (ratio.median, ratio.half, ratio.count, str(ratio)) == (2.0, 0.25, 3, "2.00 ± 0.25")
    assert str(seconds.ratio(("once", "float64"), ("b", "float64"), 8)) == "5.00"
    assert str(seconds.ratio(("nothing", "float64"), ("b", "float64"), 8)) == "–"
    operations = 8**3 / 3 + 8**3
    assert seconds.of(ratios.LIMIT, "float64", 8) == pytest.approx(operations * np.array([2.0, 20.0, 6.0]) / (2 * 8**3))


def test_exponents_are_those_of_power_laws(part):
    rows = [{"part": "scaling", "job": "rounding", "axis": axis, "N": 64, "K": 64, "m": 64, "cpu": 1e-9 * size**power} | {axis: size}
            for axis, power in (("N", 2.0), ("K", 1.0), ("m", 0.0)) for size in (64, 128, 512)]
    table = pd.DataFrame(rows).assign(bytes=np.nan)
    found = part("scaling").exponents(table)
    assert [found["rounding", axis, "cpu"] for axis in "NKm"] == pytest.approx([2.0, 1.0, 0.0], abs=1e-9)
    assert ("rounding", "N", "bytes") not in found


def test_shares_never_round_up_to_all(part):
    percentage = part("report").percentage
    assert [percentage(share) for share in (1.0, 1 - 1e-9, 0.998, 0.0)] == ["all", "99.999 %", "99.800 %", "0.000 %"]


@pytest.fixture(scope="module")
def table(part):
    """All parts on the smallest sizes; the runner on no more than a cell or two."""
    quick = part("sizes").QUICK
    measured = part("measure").all_rows(replace(quick, layers=(16, 32), once=32, threaded=(32,), held=(), cells=200))
    held = [{"part": "memory", "job": job, "precision": "float64", "N": 32, "K": 32, "m": 64, "bytes": None if "loop" in job else 8e3 * k,
             "resident": 1e4 * k} for k, job in enumerate(part("measure").HELD, 1)]
    return pd.concat([measured, pd.DataFrame(held)], ignore_index=True)


def test_every_part_is_measured(part, table):
    assert set(table["part"]) == {"layers", "integers", "threads", "scaling", "memory", "streaming", "small"}
    layers = table[table["part"] == "layers"]
    for name, job in part("jobs").JOBS.items():
        for precision in job.precisions:
            rows = layers[(layers["job"] == name) & (layers["precision"] == precision)]
            main = name in part("measure").MAIN
            assert rows["N"].value_counts().to_dict() == {16: 2, 32: 2 if main else 1}
    assert (layers["cpu"] > 0).all()
    integers = table[(table["part"] == "integers") & (table["precision"] == "float64")]
    assert len(integers) == 4
    assert (integers["share"] == 1).all()


def test_document_and_figure_come_from_the_table(part, table, tmp_path):
    table.attrs["machine"] = part("machine").machine()
    table.to_parquet(tmp_path / "results.parquet")
    part("__main__").main(["--again", "--output", str(tmp_path)])
    assert {file.name for file in tmp_path.iterdir()} == {"RESULTS.md", "results.parquet", "scaling.png", "scaling.pdf"}
    text = (tmp_path / "RESULTS.md").read_text(encoding="utf-8")
    assert text == part("report").report(table, table.attrs["machine"])
    assert "nan" not in text
    for job in part("jobs").JOBS.values():
        assert f"| {job.label} |" in text


def test_memory_is_measured_in_a_process_of_its_own(part):
    layer = part("layer").Layer(128, 64, 256)
    held = part("resident").bytes_in_own_process("gram-optq", layer)
    assert held["bytes"] == pytest.approx(part("clock").peak_bytes(part("jobs").JOBS["gram-optq"].prepare(layer)), rel=0.05)
    assert held["bytes"] > 8 * 128**2  # L alone
    assert 0 <= held["resident"] < 100 * held["bytes"]


def test_machine_is_named(part):
    facts = part("machine").machine()
    assert int(facts["cores"]) >= 1
    assert "kernel" in facts["BLAS"]
    assert all(facts.values())


def test_peers_that_are_missing_are_left_out_with_a_sentence(part):
    peers = part("peers")
    absent = peers.Peer("Nobody's program", "no_such_package_anywhere", None)
    assert absent.missing == "Nobody's program is left out: No module named 'no_such_package_anywhere'."
    layer = part("layer").Layer(24, 5, 48)
    theirs, ours = peers.PEERS["ist"].prepare(layer)
    assert not peers.PEERS["ist"].missing
    assert np.array_equal(theirs().numpy().T, ours().codes)
