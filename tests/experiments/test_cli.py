"""The command line: one sentence and status 2 for bad input, status 1 for a violation, one JSON document on demand."""

import importlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
from provable_ptq.bounds import Outcome, Problem, check, claims
from provable_ptq.bounds.checking.claim import CHAPTERS
from provable_ptq.experiments import store
from provable_ptq.experiments.cells.sweep import SweepCell
from provable_ptq.experiments.commands import attack
from provable_ptq.experiments.table import read_table, write_table


def json_of(text):
    def refuse(constant):
        raise ValueError(f"{constant} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_check_exact_decides_without_tolerance_and_compares_the_integers(command):
    status, out, err = command("check", "--exact", "--examples", 4, "--claim", "optq-identity", "--claim", "qronos-l2", "--workers", 1)
    assert status == 0, err
    _, identity, qronos, legend, integers = out.splitlines()
    assert re.search(r" 0  holds on 4 drawn problems$", identity), "an identity has no residual at all"
    assert "holds on 4 drawn problems" in qronos
    assert legend.endswith("with no tolerance")
    same, of_all = re.match(r"float64 made the same integers on (\d+) of (\d+) neurons", integers).groups()
    assert same == of_all


def test_check_prints_one_line_per_claim(command):
    status, out, err = command("check", "--examples", 12, "--workers", 1)
    assert status == 0, err
    header, *lines, legend, false_alarms = out.splitlines()
    assert header.split() == ["claim", "origin", "kind", "tried", "worst", "outcome"]
    assert legend.startswith("worst: measured/bound")
    assert false_alarms == "a run whose claims are all true reports a violation with probability at most 1%"
    by_id = {line.split()[0]: line for line in lines}
    assert list(by_id) == [claim_id for claim_id, made in claims().items() if made.chapter in CHAPTERS]
    for claim_id in ("optq-l2", "optq-identity", "sto-optq-linf-rowwise"):
        words = by_id[claim_id].split()
        assert words[1] == claims()[claim_id].origin
        assert "12" in words
        assert "not refuted on" in by_id[claim_id]
    assert err == "", "no bar where standard error is no terminal"


def test_check_prints_one_json_document(command):
    words = ("check", "--claim", "optq-l2", "--claim", "order-floor", "--examples", 3, "--seed", 5, "--workers", 1, "--json")
    status, out, _ = command(*words)
    document = json_of(out)
    assert status == 0
    assert (document["examples"], document["seed"]) == (3, 5)
    assert [row["id"] for row in document["claims"]] == ["optq-l2", "order-floor"]
    row = document["claims"][0]
    assert (row["origin"], row["kind"], row["tried"], row["outcome"], row["witness"]) == ("paper", "upper bound", 3, "not refuted", None)
    assert 0 < row["worst"] <= 1
    assert row["outcomes"] == {"holds": 3, "violated": 0, "undecided": 0, "not applicable": 0}


def test_check_is_the_same_for_any_number_of_workers(command):
    words = ("check", "--claim", "optq-l2", "--claim", "sto-optq-linf", "--examples", 22, "--json", "--workers")
    assert command(*words, 1)[:2] == command(*words, 2)[:2]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_wrong_claim_ends_with_a_witness_that_replays(command, write_claims, own_claims, tmp_path, workers):
    file = write_claims(0.01)
    status, out, _ = command("check", "--claims", file, "--claim", "my-claim", "--examples", 5, "--workers", workers)
    witness = tmp_path / "out" / "witnesses" / "my-claim.npz"
    assert status == 1
    (line,) = (line for line in out.splitlines() if line.startswith("my-claim"))
    assert "violated" in line
    assert line.endswith(f"witness in {Path('out/witnesses/my-claim.npz')}")
    verdict = check(Problem.load(witness), ["my-claim"])["my-claim"]
    assert verdict.outcome is Outcome.VIOLATED
    assert verdict.ratio > 1
    assert check(Problem.load(witness), ["optq-l2"])["optq-l2"].outcome is Outcome.HOLDS


def test_a_claim_of_ones_own_that_is_true_holds(command, write_claims, own_claims, tmp_path):
    status, out, _ = command("check", "--claims", write_claims(1.0), "--claim", "my-claim", "--examples", 5, "--workers", 1, "--json")
    assert status == 0
    assert json_of(out)["claims"][0]["outcome"] == "not refuted"
    assert not (tmp_path / "out").exists()


def test_json_stays_json_where_a_bound_of_zero_is_missed(command, write_claims, own_claims, tmp_path):
    words = ("check", "--claims", write_claims(0.0), "--claim", "my-claim", "--examples", 3, "--workers", 1, "--json")
    status, out, _ = command(*words, "--witnesses", tmp_path / "mine")
    (row,) = json_of(out)["claims"]
    assert (status, row["outcome"], row["worst"]) == (1, "violated", "inf")
    assert Path(row["witness"]) == tmp_path / "mine" / "my-claim.npz"
    assert Problem.load(row["witness"]).W.shape[1] >= 1


def test_bad_input_ends_with_one_sentence(command, tmp_path, write_claims):
    empty = tmp_path / "empty.py"
    empty.write_text("x = 1\n", encoding="utf-8")
    for words, sentence in (
        (("check", "--claim", "optq-l3"), "error: claim id = 'optq-l3' is not accepted: one of "),
        (("check", "--claims", "nowhere.py"), "error: claims file = 'nowhere.py' is not accepted: a Python file that registers claims"),
        (("check", "--claims", empty), f"error: claims file = '{empty}' is not accepted: a file that registers at least one claim"),
        (("run", "papre"), "error: study = 'papre' is not accepted: a TOML file or a shipped study: paper, quick"),
        (("figures", "paper"), f"error: table = '{Path('out/paper.parquet')}' is not accepted: no such file; `provable-ptq run paper` "),
        (("report", "quick", "--sweep", "bits", "--output", "here"), f"error: table = '{Path('here/quick-bits.parquet')}' is not accepted: "
         "no such file; `provable-ptq run quick --sweep bits --output here` makes it\n"),
        (("report", "quick", "--sweep", "bist"), "error: sweep = 'bist' is not accepted: one of "),
    ):
        status, out, err = command(*words, *(["--examples", 1, "--workers", 1] if words[0] == "check" else []))
        assert (status, out) == (2, "")
        assert err.startswith(sentence)
        assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("words", [("chek",), ("check", "--examples", "0"), ("check", "--examples", "x"), ("check", "--seed", "-1")])
def test_bad_options_end_with_status_2(command, words):
    status, out, err = command(*words)
    assert (status, out) == (2, "")
    assert words[-1] in err or words[-2] in err


def test_a_bad_study_is_refused_before_any_cell_runs(command, write_study, tmp_path, monkeypatch):
    ran = []
    monkeypatch.setattr(SweepCell, "rows", ran.append)
    path = write_study(more='[[sweep]]\nname = "late"\ncalibration = "a"\nrounding = "stochastic"\ndampin = 1.0\n')
    status, _, err = command("run", path, "--workers", 1)
    assert status == 2
    assert err == (f"error: {path}: sweep late: key = 'dampin' is not accepted: one of name, calibration, mismatch, damping, ordering, "
                   "rounding, algorithm, form, bits, steps, alphabet, seeds, draws, failure_probability, claims, optimum; "
                   "did you mean 'damping'?\n")
    assert ran == []
    assert not (tmp_path / "out").exists()


def test_run_writes_the_table_and_ends_with_0(command, write_study, tmp_path):
    path = write_study({"sweep.claims": '["optq-l2", "optq-identity"]'})
    status, out, err = command("run", path, "--output", "results", "--workers", 1)
    table = Path("results") / "tiny.parquet"
    assert (status, out) == (0, f"4 cells in {table}\n")
    assert err == "", "no bar where standard error is no terminal"
    rows, made = read_table(tmp_path / table)
    assert (len(rows), made["cells"]) == (12, 4)


def test_a_violation_in_a_study_ends_with_1_and_says_where(command, write_study, write_claims, own_claims, tmp_path):
    write_claims(0.01)
    path = write_study({"claims": '["my_claim.py"]', "sweep.claims": '["my-claim", "optq-l2"]', "sweep.ordering": '"min-pivot"'})
    status, _, err = command("run", path, "--workers", 1)
    assert status == 1
    said = [line for line in err.splitlines() if line.startswith("violated: ")]
    assert said == [f"violated: my-claim in damping, a, min-pivot, {damping}" for damping in ("0.0", "0.5")]


def test_figures_and_report_follow_from_the_table_of_a_study(command, write_study, tmp_path):
    path = write_study({"sweep.claims": '["optq-l2", "optq-identity"]', "sweep.damping": '["mean-diagonal:0.01", "mean-diagonal:0.1"]'})
    for step, words in (("run", ("--workers", 1)), ("figures", ()), ("report", ())):
        status, out, err = command(step, path, *words)
        assert status == 0, err
    assert out == f"{Path('out/tiny/paper_results.md')}\n"
    text = (tmp_path / "out" / "tiny" / "paper_results.md").read_text(encoding="utf-8")
    assert text.startswith("# A small study\n")
    assert "`optq-identity`" in text
    drawn = {picture.stem for picture in (tmp_path / "out" / "tiny" / "figures").glob("*.png")}
    assert drawn == {"error_against_damping"}
    assert "(figures/error_against_damping.png)" in text
    assert "stochastic_tail" not in text


def test_two_studies_in_one_folder_do_not_show_each_others_figures(command, write_study, tmp_path):
    both = {"sweep.claims": '["optq-l2"]', "sweep.damping": '["mean-diagonal:0.01", "mean-diagonal:0.1"]'}
    drawn, bare = write_study(both), write_study(both | {"name": '"bare"'}, name="bare.toml")
    for path in (drawn, bare):
        assert command("run", path, "--workers", 1)[0] == 0
    for words in (("figures", drawn), ("report", bare)):
        assert command(*words)[0] == 0
    assert "error_against_damping" not in (tmp_path / "out" / "bare" / "paper_results.md").read_text(encoding="utf-8")


def test_one_sweep_is_drawn_and_reported_from_its_own_table(command, write_study, tmp_path):
    changes = {"sweep.claims": '["optq-l2"]', "sweep.damping": '["mean-diagonal:0.01", "mean-diagonal:0.1"]'}
    path = write_study(changes, '[[sweep]]\nname = "other"\ncalibration = "a"\nclaims = ["optq-l2"]\n')
    for words in (("run", path, "--workers", 1), ("figures", path), ("report", path)):
        status, out, err = command(*words, "--sweep", "damping")
        assert status == 0, err
    assert out == f"{Path('out/tiny-damping/paper_results.md')}\n"
    assert (tmp_path / "out" / "tiny-damping" / "figures" / "error_against_damping.png").is_file()
    assert command("report", path)[0] == 2, "the whole study was never run"


@pytest.mark.parametrize("broken", ["violated", "failed"])
def test_the_report_of_a_table_with_a_violation_or_a_failed_cell_ends_with_1(command, write_study, tmp_path, broken):
    path, table = write_study({"sweep.claims": '["optq-l2"]'}), tmp_path / "out" / "tiny.parquet"
    command("run", path, "--workers", 1)
    assert command("report", path)[0] == 0
    rows, made = read_table(table)
    first = rows.index == rows.index[rows["record"] == "claim"][0]
    changed = {"outcome": broken} if broken == "violated" else {"record": broken, "error": "ArithmeticError: no luck"}
    for column, value in changed.items():
        rows[column] = rows[column].where(~first, value) if column in rows else value
    write_table(rows, made, table)
    status, out, err = command("report", path)
    assert (status, out) == (1, f"{Path('out/tiny/paper_results.md')}\n")
    assert err.startswith("violated: optq-l2 in damping, a, " if broken == "violated" else "failed: damping, a, ")


@pytest.mark.parametrize("workers", [0, -2, -100, 100_000, 10**30])
@pytest.mark.parametrize("words", [("run", "quick"), ("check",), ("reproduce", "--quick")])
def test_a_bad_number_of_workers_is_refused(command, tmp_path, words, workers):
    status, out, err = command(*words, "--workers", workers)
    assert (status, out) == (2, "")
    most = 16 * os.cpu_count()
    assert err == f"error: workers = {workers} is not accepted: a number of processes from 1 to {most} (16 per core), or -1: one per core\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(("wrong", "said"), [
    ("problem.X.nonsense", ", line 10: AttributeError: 'numpy.ndarray' object has no attribute 'nonsense')"),
    ("None", ", AttributeError: "),
])  # fmt: skip
def test_a_claim_of_ones_own_that_raises_is_named_with_its_error(command, write_claims, own_claims, wrong, said, workers):
    file = write_claims(1.0)
    source = file.read_text(encoding="utf-8")
    file.write_text(re.sub(r"(?<=return ).*", wrong, source), encoding="utf-8")
    status, out, err = command("check", "--claims", file, "--examples", 3, "--workers", workers)
    assert (status, out) == (2, "")
    assert err.startswith(f"error: claim = 'my-claim' is not accepted: a function that can be evaluated (in {file}, ")
    assert said in err
    assert err.count("\n") == 1


ENDINGS = {"sys.exit(0)": r"it called sys\.exit\(0\)", "os._exit(0)": r"it called os\._exit\(0\)",
           "raise SystemExit": r"it called sys\.exit\(\)"}


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("place", ["file", "claim"])
@pytest.mark.parametrize("words", [("check", "--workers", 1), ("check", "--workers", 2),
                                   ("attack", "my-claim", "--features", 2, "--samples", 2)])
def test_a_claims_file_cannot_end_the_program_as_if_all_were_well(command, write_claims, own_claims, ending, place, words):
    file = write_claims(1.0)
    source = file.read_text(encoding="utf-8")
    ended = re.sub(r"return (.*)", ending, source) if place == "claim" else f"{source}\n{ending}\n"
    file.write_text(f"import os\nimport sys\n{ended}", encoding="utf-8")
    examples = ["--examples", 2, "--claim", "my-claim"] if words[0] == "check" else []
    status, out, err = command(*words, "--claims", file, *examples)
    assert (status, out) == (2, "")
    assert re.match(rf"error: claims? .*{re.escape(str(file))}.*EndedError: {ENDINGS[ending]}\)\n$", err), err


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("place", ["file", "claim"])
def test_a_study_with_such_a_file_ends_with_its_sentence(command, write_study, write_claims, own_claims, tmp_path, ending, place):
    file = write_claims(1.0)
    source = file.read_text(encoding="utf-8")
    ended = re.sub(r"return (.*)", ending, source) if place == "claim" else f"{source}\n{ending}\n"
    file.write_text(f"import os\nimport sys\n{ended}", encoding="utf-8")
    path = write_study({"claims": '["my_claim.py"]', "sweep.claims": '["my-claim"]'})
    status, _, err = command("run", path, "--workers", 1)
    if place == "file":
        assert (status, (tmp_path / "out").exists()) == (2, False)
        assert re.match(rf"error: claims file = .*EndedError: {ENDINGS[ending]}\)\n$", err)
    else:
        assert (status, read_table(tmp_path / "out" / "tiny.parquet")[0]["record"].unique().tolist()) == (1, ["failed"])
        assert re.match(rf"failed in 4 cells: EndedError: {ENDINGS[ending]}, first: ", err)


def test_report_figures_and_merge_run_nothing_of_the_users(command, write_study, write_claims, own_claims, tmp_path):
    """What they say of one's own claims is in the table, and the table's is in the shards."""
    file = write_claims(1.0)
    changes = {"claims": '["my_claim.py"]', "sweep.claims": '["my-claim", "optq-l2"]', "sweep.damping": '["mean-diagonal:0.01", "none"]'}
    path = write_study(changes)
    assert command("run", path, "--workers", 1, "--shard", "1/1")[0] == 0
    file.write_text(f"{file.read_text(encoding='utf-8')}\nopen('ran', 'w').close()\n", encoding="utf-8")
    assert command("run", path, "--workers", 1, "--shard", "1/1")[0] == 0, "it is other code: the cells are made again"
    (tmp_path / "ran").unlink()
    importlib.import_module("provable_ptq.bounds.checking.registry")._registry.pop("my-claim")
    for words in (("merge", path, "--store", Path("out") / "store"), ("figures", path), ("report", path)):
        status, _, err = command(*words)
        assert status == 0, err
        assert not (tmp_path / "ran").exists()
    assert read_table(tmp_path / "out" / "tiny.parquet")[1]["own_claims"]["my-claim"]["kind"] == "upper bound"
    assert "| `my-claim` | $x$ |" in (tmp_path / "out" / "tiny" / "paper_results.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("words", "name"), [
    (("check", "--witnesses", "taken"), "witnesses = 'taken'"), (("check", "--witnesses", "taken/deeper"), "witnesses = 'taken/deeper'"),
    (("check", "--claim", "optq-l2", "--witnesses", "folders"), "witnesses = 'folders/optq-l2.npz'"),
    (("attack", "optq-l2", "--output", "taken"), "output = 'taken'"), (("attack", "optq-l2", "--output", "folders"), "output = 'folders/"),
    (("run", "study.toml", "--output", "taken"), "table = 'taken'"), (("run", "study.toml", "--output", "folders"), "table = 'folders/"),
    (("run", "study.toml", "--store", "taken"), "store = 'taken'"), (("merge", "study.toml", "--store", "taken"), "store = 'taken'"),
    (("report", "study.toml", "--output", "taken"), "table = 'taken/tiny.parquet'"),
])  # fmt: skip
def test_what_is_in_the_way_of_a_result_is_found_before_any_work(command, write_study, tmp_path, monkeypatch, words, name):
    def work(*_, **__):
        raise AssertionError("worked")

    write_study()
    (tmp_path / "taken").touch()
    for folder in ("optq-l2.npz", "tiny.parquet"):
        (tmp_path / "folders" / folder).mkdir(parents=True)
    for place in ("bounds.campaign.campaign", "bounds.attack.attack", "experiments.cells.sweep.SweepCell.rows"):
        monkeypatch.setattr(f"provable_ptq.{place}", work)
    status, out, err = command(*words)
    assert (status, out) == (2, "")
    assert err.startswith(f"error: {name}")
    assert err.count("\n") == 1


def test_a_check_whose_worker_vanishes_ends_with_one_sentence(command, write_claims, own_claims):
    file = write_claims(1.0)
    vanish = "__import__('ctypes').CDLL(None)._exit(0)"
    file.write_text(re.sub(r"(?<=return ).*", vanish, file.read_text(encoding="utf-8")), encoding="utf-8")
    status, out, err = command("check", "--claims", file, "--claim", "my-claim", "--examples", 20, "--workers", 2)
    assert (status, out) == (1, "")
    assert re.match(r"stopped: the system killed a worker, .*; nothing was decided\n$", err), err


def test_a_table_of_two_kernels_says_so(command, write_study, tmp_path, monkeypatch):
    path = write_study({"sweep.claims": '["optq-l2"]'})
    for number, kernel in enumerate(("openblas Haswell", "openblas Zen"), 1):
        monkeypatch.setattr(store, "kernel", lambda kernel=kernel: kernel)
        status, _, err = command("run", path, "--workers", 1, "--shard", f"{number}/2")
        assert (status, err) == (0, "")
    said = ("these cells were computed by 2 BLAS kernels (openblas Haswell; openblas Zen): digits may differ in the last places, "
            "and on networks quantized layer by layer in more\n")
    assert command("merge", path, "--store", Path("out") / "store")[::2] == (0, said)
    assert command("run", path, "--workers", 1)[::2] == (0, said), "a store that another kernel began is not mixed in silence"
    assert read_table(tmp_path / "out" / "tiny.parquet")[1]["kernels"] == ["openblas Haswell", "openblas Zen"]
    assert command("run", path, "--workers", 1, "--store", "fresh")[::2] == (0, "")
    assert read_table(tmp_path / "out" / "tiny.parquet")[1]["kernels"] == ["openblas Zen"]


def test_a_terminated_command_ends_as_an_interrupted_one(write_claims, tmp_path):
    file, started = write_claims(1.0), tmp_path / "started"
    waits = f"__import__('pathlib').Path({str(started)!r}).touch() or __import__('time').sleep(60)"
    file.write_text(re.sub(r"(?<=return ).*", waits, file.read_text(encoding="utf-8")), encoding="utf-8")
    command = [Path(sys.executable).with_name("provable-ptq"), "check", "--workers", "1", "--claims", file, "--claim", "my-claim"]
    ended = []
    for number in (signal.SIGINT, signal.SIGTERM):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while not started.exists() and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(number)
        ended.append((*process.communicate(timeout=60), process.returncode))
        started.unlink()
    assert ended[0] == ended[1]
    assert ended[0][2] == 130


def test_an_attack_on_a_claim_that_raises_names_it(command, write_claims, own_claims):
    file = write_claims(1.0)
    file.write_text(re.sub(r"(?<=return ).*", "1 / 0", file.read_text(encoding="utf-8")), encoding="utf-8")
    status, out, err = command("attack", "my-claim", "--claims", file, "--features", 2, "--samples", 2)
    assert (status, out) == (2, "")
    assert err == (f"error: claim = 'my-claim' is not accepted: a function that can be evaluated (in {file}, "
                   "line 10: ZeroDivisionError: division by zero)\n")


def test_an_attack_on_an_unknown_claim_is_refused_before_any_bar(command, monkeypatch):
    bars = []
    monkeypatch.setattr(attack, "tqdm", bars.append)
    status, out, err = command("attack", "optq-lnf")
    assert (status, out, bars) == (2, "", [])
    assert err.endswith("; did you mean 'optq-linf'?\n")


def test_the_version_is_that_of_the_package(command, root):
    version = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert command("--version") == (0, f"provable-ptq {version}\n", "")


def test_the_installed_command_runs_and_shows_its_commands():
    done = subprocess.run([Path(sys.executable).with_name("provable-ptq"), "--help"], capture_output=True, text=True, check=True)
    for name in ("run", "figures", "report", "reproduce", "check"):
        assert f" {name} " in done.stdout


def test_the_same_command_resumes_and_says_so(command, write_study, tmp_path):
    path = write_study({"sweep.claims": '["optq-l2"]'})
    table = Path("out") / "tiny.parquet"
    assert command("run", path, "--workers", 1)[:2] == (0, f"4 cells in {table}\n")
    first = (tmp_path / table).read_bytes()
    shards = sorted((tmp_path / "out" / "store").glob("*.parquet"))
    assert len(shards) == 4
    shards[0].unlink()
    assert command("run", path, "--workers", 1)[:2] == (0, f"4 cells (3 found, 1 computed) in {table}\n")
    assert (tmp_path / table).read_bytes() == first


@pytest.fixture
def one_cell_fails(monkeypatch):
    real = SweepCell.rows

    def rows(cell, cache=None):
        if (cell.damping, cell.ordering) == (0.5, "min-pivot"):
            raise ArithmeticError("no luck")
        return real(cell, cache)

    monkeypatch.setattr(SweepCell, "rows", rows)


def test_a_cell_that_fails_is_listed_and_ends_with_1(command, write_study, one_cell_fails, tmp_path):
    path = write_study({"sweep.claims": '["optq-l2"]'})
    status, out, err = command("run", path, "--workers", 1)
    assert (status, out) == (1, f"4 cells (1 failed) in {Path('out/tiny.parquet')}\n")
    (line,) = (line for line in err.splitlines() if line.startswith("failed: "))
    assert line.startswith("failed: sweep damping, calibration a, ")
    assert "ordering min-pivot, damping 0.5, seed 0" in line
    assert line.endswith(" — ArithmeticError: no luck")
    rows, _ = read_table(tmp_path / "out" / "tiny.parquet")
    (row,) = rows[rows["record"] == "failed"].itertuples()
    assert (row.calibration, row.ordering, row.damping, row.error) == ("a", "min-pivot", "0.5", "ArithmeticError: no luck")


def test_cells_that_fail_alike_are_told_once_with_their_number(command, write_study, monkeypatch):
    def rows(cell, cache=None):
        raise ArithmeticError("no luck" if cell.ordering == "natural" or cell.damping == 0.0 else "worse")

    monkeypatch.setattr(SweepCell, "rows", rows)
    status, out, err = command("run", write_study({"sweep.claims": '["optq-l2"]'}), "--workers", 1)
    assert (status, out) == (1, f"4 cells (4 failed) in {Path('out/tiny.parquet')}\n")
    alike, other = sorted(err.splitlines(), reverse=True, key=lambda line: "failed in" in line)
    assert re.fullmatch(r"failed in 3 cells: ArithmeticError: no luck, first: sweep damping, .* ordering natural, damping 0\.0, .*", alike)
    assert other.startswith("failed: sweep damping, ")
    assert other.endswith(" — ArithmeticError: worse")


def test_fail_fast_ends_with_one_sentence_and_no_table(command, write_study, one_cell_fails, tmp_path):
    status, out, err = command("run", write_study({"sweep.claims": '["optq-l2"]'}), "--workers", 1, "--fail-fast")
    assert (status, out) == (1, "")
    (line,) = (line for line in err.replace("\r", "\n").splitlines() if line.startswith("stopped: "))
    assert re.fullmatch(r"stopped: failed: sweep damping, .* — ArithmeticError: no luck; \d of 4 cells are finished and kept in "
                        rf"{Path('out/store')}, the same command resumes", line)
    assert not (tmp_path / "out" / "tiny.parquet").exists()


def test_a_study_in_shards_merges_to_the_same_bytes(command, write_study, tmp_path):
    path = write_study({"sweep.claims": '["optq-l2"]', "sweep.seeds": "2"})
    command("run", path, "--workers", 1, "--output", "whole")
    store = Path("out") / "store"
    words = ("run", path, "--workers", 1, "--shard")
    status, out, _ = command(*words, "1/2")
    assert status == 0
    assert re.fullmatch(rf"\d cells in {store}; when all 2 shards are done: provable-ptq merge {path} --store {store}\n", out)
    assert not (tmp_path / "out" / "tiny.parquet").exists()
    status, out, err = command("merge", path, "--store", store)
    assert (status, out) == (2, "")
    assert re.match(r"error: store = 'out/store' is not accepted: stores that together hold all 8 cells of tiny; "
                    r"(\d) are missing \(\1 of --shard 2/2\), the first: sweep damping, calibration a, ", err)
    assert command(*words, "2/2", "--store", "elsewhere")[0] == 0
    table = Path("out") / "tiny.parquet"
    assert command("merge", path, "--store", store, "--store", "elsewhere")[:2] == (0, f"8 cells (8 found, 0 computed) in {table}\n")
    assert (tmp_path / table).read_bytes() == (tmp_path / "whole" / "tiny.parquet").read_bytes()


def test_one_sweep_is_run_into_a_table_of_its_own_and_shares_the_store(command, write_study, tmp_path):
    other = '[[sweep]]\nname = "other"\ncalibration = "a"\ndamping = 1.0\nclaims = ["optq-l2"]\n'
    path = write_study({"sweep.claims": '["optq-l2"]'}, other)
    table = Path("out") / "tiny-other.parquet"
    assert command("run", path, "--workers", 1, "--sweep", "other")[:2] == (0, f"1 cells in {table}\n")
    assert set(read_table(tmp_path / table)[0]["sweep"]) == {"other"}
    assert command("run", path, "--workers", 1)[1].startswith("5 cells (1 found, 4 computed) in ")
    for words, said in ((("othr",), "sweep = 'othr' is not accepted: one of damping, other; did you mean 'other'?"),
                        (("other", "--shard", "1/2"), "sweep = 'other' is not accepted: --sweep or --shard, not both")):
        status, _, err = command("run", path, "--sweep", *words)
        assert (status, err) == (2, f"error: {said}\n")


@pytest.mark.parametrize("shard", ["0/4", "5/4", "1/0", "1", "a/b", "1/2/3", "-1/2", "1.5/2", ""])
def test_a_bad_shard_is_refused(command, write_study, tmp_path, shard):
    status, out, err = command("run", write_study(), "--shard", shard)
    assert (status, out) == (2, "")
    assert err == f"error: shard = {shard!r} is not accepted: NUMBER/PARTS with a number from 1 to the parts, like 2/4\n"
    assert not (tmp_path / "out").exists()


def test_merge_and_run_show_their_options():
    for name, options in (("run", ("--store", "--fail-fast", "--scheduler", "--shard", "--sweep", "--workers")), ("merge", ("--store",))):
        done = subprocess.run([Path(sys.executable).with_name("provable-ptq"), name, "--help"], capture_output=True, text=True, check=True)
        assert [option for option in options if option not in done.stdout] == []
