"""The command line: one sentence and status 2 for bad input, status 1 for a violation, one JSON document on demand."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from provable_ptq.bounds import Outcome, Problem, check, claims
from provable_ptq.bounds.claim import CHAPTERS
from provable_ptq.experiments import cell, cli, runner
from provable_ptq.experiments.store import read_table


@pytest.fixture
def command(monkeypatch, capsys, tmp_path):
    """Run one command in an empty folder; returns (exit status, standard output, standard error)."""

    def call(*words):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("sys.argv", ["provable-ptq", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capsys.readouterr()
        return ended.value.code or 0, captured.out, captured.err

    return call


def json_of(text):
    def refuse(constant):
        raise ValueError(f"{constant} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_check_exact_decides_without_tolerance_and_compares_the_integers(command):
    status, out, err = command("check", "--exact", "--examples", 4, "--claim", "optq-identity", "--claim", "qronos-l2", "--workers", 1)
    assert status == 0, err
    _, identity, qronos, legend, integers = out.splitlines()
    assert identity.split()[-3:] == ["4", "0", "holds"], "an identity has no residual at all"
    assert qronos.split()[-1] == "holds"
    assert legend.endswith("with no tolerance")
    assert integers.startswith("float64 made the same integers on 24 of 24 neurons")


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
        assert words[-1] == "holds"
    assert "100%" in err


def test_check_prints_one_json_document(command):
    words = ("check", "--claim", "optq-l2", "--claim", "order-floor", "--examples", 3, "--seed", 5, "--workers", 1, "--json")
    status, out, _ = command(*words)
    document = json_of(out)
    assert status == 0
    assert (document["examples"], document["seed"]) == (3, 5)
    assert [row["id"] for row in document["claims"]] == ["optq-l2", "order-floor"]
    row = document["claims"][0]
    assert (row["origin"], row["kind"], row["tried"], row["outcome"], row["witness"]) == ("paper", "upper bound", 3, "holds", None)
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
    assert json_of(out)["claims"][0]["outcome"] == "holds"
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
        (("run", "papre"), "error: study = 'papre' is not accepted: a TOML file or a shipped study: paper"),
        (("figures", "paper"), f"error: table = '{Path('out/paper.parquet')}' is not accepted: a Parquet table written by"),
        (("report", "paper"), f"error: table = '{Path('out/paper.parquet')}' is not accepted: a Parquet table written by"),
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
    for module in (cell, runner):
        monkeypatch.setattr(module, "run_cell", ran.append)
    path = write_study(more='[[sweep]]\nname = "late"\ncalibration = "a"\nrounding = "stochastic"\ndampin = 1.0\n')
    status, _, err = command("run", path, "--workers", 1)
    assert status == 2
    assert err == (f"error: {path}: sweep late: key = 'dampin' is not accepted: one of name, calibration, damping, ordering, rounding, "
                   "algorithm, form, bits, alphabet, seeds, draws, failure_probability, claims; did you mean 'damping'?\n")
    assert ran == []
    assert not (tmp_path / "out").exists()


def test_run_writes_the_table_and_ends_with_0(command, write_study, tmp_path):
    path = write_study({"sweep.claims": '["optq-l2", "optq-identity"]'})
    status, out, err = command("run", path, "--output", "results", "--workers", 1)
    table = Path("results") / "tiny.parquet"
    assert (status, out) == (0, f"4 cells in {table}\n")
    assert "100%" in err
    rows, made = read_table(tmp_path / table)
    assert (len(rows), made["cells"]) == (8, 4)


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
    assert out == f"{Path('out/paper_results.md')}\n"
    text = (tmp_path / "out" / "paper_results.md").read_text(encoding="utf-8")
    assert text.startswith("# A small study\n")
    assert "`optq-identity`" in text
    drawn = {picture.stem for picture in (tmp_path / "out" / "figures").glob("*.png")}
    assert drawn == {"error_against_damping"}
    assert "(figures/error_against_damping.png)" in text
    assert "stochastic_tail" not in text


def test_the_installed_command_runs_and_shows_its_commands():
    done = subprocess.run([Path(sys.executable).with_name("provable-ptq"), "--help"], capture_output=True, text=True, check=True)
    for name in ("run", "figures", "report", "reproduce", "check"):
        assert f" {name} " in done.stdout
