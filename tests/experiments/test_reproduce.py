"""`reproduce` writes beside the shipped results or, on demand, in their place, and says whether they came out again."""

import dataclasses
from pathlib import Path

import pytest
from provable_ptq.experiments import study
from provable_ptq.experiments.table import read_table, write_table
from provable_ptq.figures import render

TABLE, REPORT, PICTURES = Path("experiments/results/paper.parquet"), Path("paper_results.md"), Path("figures/rendered")
SMALL = {"sweep.claims": '["optq-l2"]', "sweep.damping": '["mean-diagonal:0.1", "mean-diagonal:1"]'}


@pytest.fixture
def reproduce(command, write_study, tmp_path, monkeypatch):
    """`provable-ptq reproduce` in a checkout whose shipped study is a small one."""
    path, real = write_study(SMALL), study.read_study
    monkeypatch.setattr(study, "read_study", lambda name: dataclasses.replace(real(path), name=name))
    return lambda *words: command("reproduce", "--workers", 1, *words)


def draw(table, folder, *_):
    """In place of the figures a file that is as fast to draw, and depends on the table as they do."""
    folder.mkdir(parents=True, exist_ok=True)
    picture = folder / "error_against_damping.png"
    picture.write_text(read_table(table)[0].to_json())
    return render.Rendered([picture], [])


@pytest.fixture
def shipped(reproduce, tmp_path, monkeypatch):
    """The same with results that were shipped; returns their bytes by file."""
    monkeypatch.setattr(render, "render", draw)
    status, _, err = reproduce("--update")
    assert status == 0, err
    return contents(tmp_path)


def contents(folder):
    """The bytes of every file that is shipped."""
    return {file.relative_to(folder): file.read_bytes() for file in folder.rglob("*")
            if file.is_file() and file.relative_to(folder).parts[0] in ("experiments", "figures", "paper_results.md")}


def test_without_shipped_results_there_is_nothing_to_compare_with(reproduce, tmp_path):
    status, out, err = reproduce()
    assert status == 0, err
    assert out.startswith("4 cells in out/paper/paper.parquet, ")
    assert out.splitlines()[-1] == f"no table is shipped at {TABLE}: nothing to compare with"
    assert {path.name for path in (tmp_path / "out/paper/figures").iterdir()} == {f"error_against_damping.{end}" for end in ("png", "pdf")}
    assert contents(tmp_path) == {}


def test_update_writes_the_shipped_results(shipped):
    assert set(shipped) == {TABLE, REPORT, PICTURES / "error_against_damping.png"}


def test_by_default_the_shipped_results_stay_as_they_are_and_come_out_again(reproduce, shipped, tmp_path):
    status, out, err = reproduce()
    assert status == 0, err
    assert contents(tmp_path) == shipped
    beside = tmp_path / "out" / "paper"
    assert {"paper.parquet", "figures", "paper_results.md"} == {path.name for path in beside.iterdir()}
    assert (beside / "paper.parquet").read_bytes() == shipped[TABLE]
    assert {path.name: path.read_bytes() for path in (beside / "figures").iterdir()} == {
        path.name: content for path, content in shipped.items() if path.parent == PICTURES}
    assert "4 of 4 cells and 8 of 8 rows agree to 1e-09 in every number\nno outcome changed\n" in out
    assert "figures drawn from the same numbers to 1e-09: 1 of 1\n" in out
    assert out.splitlines()[-1].startswith("the same: ")


@pytest.mark.parametrize(("by", "status", "ends", "figures"), [
    (1e-12, 0, "the same: every number", "1 of 1"),
    (1e-8, 0, "the same: no number differs by more than 1e-08", "0 of 1, not error_against_damping"),
    (5e-3, 1, "not the same: numbers differ", "0 of 1, not error_against_damping"),
])
def test_another_table_is_said_to_be_one_in_words_and_status(reproduce, shipped, tmp_path, by, status, ends, figures):
    rows, made = read_table(tmp_path / TABLE)
    runs = rows["record"] == "run"
    write_table(rows.assign(damped_error=rows["damped_error"].where(~runs, rows["damped_error"] * (1 + by))), made, tmp_path / TABLE)
    got, out, _ = reproduce()
    assert got == status
    assert out.splitlines()[-1].startswith(ends)
    assert f"figures drawn from the same numbers to 1e-09: {figures}\n" in out
    got, out, _ = reproduce("--update")
    assert got == 0, "it was asked to replace them"
    assert out.splitlines()[-1].startswith(ends), "and still says what changed"
    assert contents(tmp_path) == shipped


def test_quick_stays_in_a_folder_of_its_own(reproduce, shipped, tmp_path):
    status, out, _ = reproduce("--quick")
    assert status == 0
    assert contents(tmp_path) == shipped
    assert {"quick.parquet", "paper_results.md", "store", "figures"} == {path.name for path in (tmp_path / "out" / "quick").iterdir()}
    assert len(out.splitlines()) == 1, "nothing is shipped of it, so nothing is compared"
    status, out, err = reproduce("--quick", "--update")
    assert (status, out) == (2, "")
    assert err.startswith("error: update = True is not accepted: --quick or --update, not both")


def test_a_damaged_shipped_table_is_refused_before_anything_runs(reproduce, tmp_path):
    (tmp_path / TABLE).parent.mkdir(parents=True)
    (tmp_path / TABLE).write_text("no table")
    status, out, err = reproduce()
    assert (status, out) == (2, "")
    assert err.startswith(f"error: table = '{TABLE}' is not accepted")
    assert not (tmp_path / "out").exists()
