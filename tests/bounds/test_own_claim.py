"""The page on adding a claim, word for word: its code, its study and its commands, with nothing else touched."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from provable_ptq.algorithms import InvalidArgumentError
from provable_ptq.bounds import Problem, load_claims
from provable_ptq.experiments import cli
from provable_ptq.experiments.table import read_table

PAGE = Path(__file__).resolve().parents[2] / "bounds" / "ADD_A_CLAIM.md"


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@pytest.fixture
def folder(tmp_path, monkeypatch, own_claims):
    """A folder with the page's two files in it."""
    (tmp_path / "my_claims.py").write_text(blocks("python")[0], encoding="utf-8")
    (tmp_path / "my_study.toml").write_text(blocks("toml")[0], encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def command(monkeypatch, capsys):
    """Run one line of the page; returns what it prints."""

    def call(line):
        program, *words = shlex.split(line)
        one_worker = ["--workers", "1"] if words[0] in ("check", "run") else []
        monkeypatch.setattr("sys.argv", [program, *words, *one_worker])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capsys.readouterr()
        assert (ended.value.code or 0) == 0, captured.err
        return captured.out

    return call


def test_the_page_is_about_one_claim_and_names_what_there_is():
    claim_file, property_test, attacked = blocks("python")
    assert "@claim(" in claim_file
    assert "@given(" in property_test
    assert "attack(" in attacked
    assert "check_exact(" in attacked


@pytest.mark.parametrize(("block", "more"), [(1, "test_my_l1_is_never_violated()\n"), (2, "assert found.problem.N <= 2\n")])
def test_the_property_test_and_the_attack_stand_in_files_of_their_own(folder, block, more):
    (folder / "alone.py").write_text(blocks("python")[block] + more, encoding="utf-8")
    done = subprocess.run([sys.executable, "alone.py"], env=os.environ, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_commands_of_the_page_sweep_and_report_it(folder, command):
    printed = {" ".join(line.split()[1:]): command(line) for line in blocks("sh")[0].splitlines()}
    for line, text in printed.items():
        if line.startswith(("check", "attack")):
            assert "my-l1" in text
            assert ("holds on 5 drawn problems" if "--exact" in line else "not refuted") in text
    rows, _ = read_table("out/mine.parquet")
    mine = rows[rows["claim"] == "my-l1"]
    assert len(mine) == 4
    assert (mine["outcome"] == "holds").all()
    assert mine["ratio"].between(0.01, 0.99).all()
    report = (folder / "out" / "mine" / "paper_results.md").read_text(encoding="utf-8")
    (line,) = (line for line in report.splitlines() if line.startswith("| `my-l1` |"))
    assert r"$\Vert X(w-q)\Vert _1 \le \frac12\sum_j\delta_j\Vert V_{\cdot j}\Vert _1$" in line
    assert "| 1 matrix |" in line
    assert Problem.load("out/attacks/my-l1.npz").N <= 2


def test_the_same_claim_with_half_the_constant_is_refuted(folder):
    from provable_ptq.bounds.attack import attack

    source = Path("my_claims.py").read_text(encoding="utf-8")
    assert source.count("/ 2)") == 1
    Path("wrong.py").write_text(source.replace("/ 2)", "/ 4)").replace("my-l1", "my-wrong-l1"), encoding="utf-8")
    load_claims("wrong.py")
    found = attack("my-wrong-l1", features=3, samples=3, budget=500)
    assert found.violated
    assert found.ratio > 1
    with pytest.raises(InvalidArgumentError, match="my-l1"):
        attack("my-l1")
