"""The table: written whole or not at all, and it says what made it."""

import shutil
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from provable_ptq.algorithms import InvalidArgumentError
from provable_ptq.experiments import store
from provable_ptq.experiments.study import read_study

ROWS = pd.DataFrame({"claim": ["optq-l2", ""], "ratio": [0.1 + 0.2, float("nan")], "seed": [0, 1]})
MADE = {"study": "x", "seed": 1, "inputs": {}}


def test_a_table_comes_back_as_it_was_written(tmp_path):
    path = store.write_table(ROWS, MADE, tmp_path / "new" / "folder" / "table.parquet")
    rows, made = store.read_table(path)
    pd.testing.assert_frame_equal(rows, ROWS, check_dtype=False)
    assert rows["ratio"][0] == 0.1 + 0.2
    assert made == MADE
    assert [file.name for file in path.parent.iterdir()] == ["table.parquet"]


def test_the_same_table_gives_the_same_bytes(tmp_path):
    one, other = (store.write_table(ROWS, made, tmp_path / name).read_bytes()
                  for name, made in (("a", MADE), ("b", dict(reversed(MADE.items())))))
    assert one == other
    assert one != store.write_table(ROWS, MADE | {"seed": 2}, tmp_path / "c").read_bytes()


def test_a_writer_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "table.parquet"
    path.write_text("old", encoding="utf-8")

    def fail(temporary):
        assert temporary != path
        temporary.write_text("half of the n", encoding="utf-8")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        store.write_whole(path, fail)
    assert {file.name: file.read_text(encoding="utf-8") for file in tmp_path.iterdir()} == {"table.parquet": "old"}


def test_readers_see_the_old_file_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "table.parquet"
    path.write_text("old", encoding="utf-8")

    def write(temporary):
        temporary.write_text("new", encoding="utf-8")
        assert path.read_text(encoding="utf-8") == "old"

    assert store.write_whole(path, write) == path
    assert path.read_text(encoding="utf-8") == "new"


def test_files_that_no_study_wrote_are_refused(tmp_path):
    foreign, text = tmp_path / "foreign.parquet", tmp_path / "text.parquet"
    ROWS.to_parquet(foreign)
    text.write_text("no Parquet at all", encoding="utf-8")
    for path in (tmp_path / "missing.parquet", tmp_path, foreign, text):
        with pytest.raises(InvalidArgumentError) as refused:
            store.read_table(path)
        assert str(refused.value) == f"table = {str(path)!r} is not accepted: a Parquet table written by `provable-ptq run`"


@pytest.fixture
def copied_rooms(root, tmp_path, monkeypatch):
    """The sources that the code version reads, copied to a folder that a test may change."""
    for room in store.ROOMS:
        shutil.copytree(root / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(store, "find_spec", lambda name: SimpleNamespace(origin=str(tmp_path / name.rpartition(".")[2] / "__init__.py")))
    return tmp_path


def test_code_version_is_of_the_sources_and_not_of_their_place(root, monkeypatch, copied_rooms):
    of_the_copy = store.code_version()
    monkeypatch.undo()
    assert of_the_copy == store.code_version()
    assert len(of_the_copy) == 64
    assert of_the_copy != sha256(b"").hexdigest()


@pytest.mark.parametrize("file", ["algorithms/optq.py", "bounds/deterministic/optq_l2.py", "experiments/calibration/digits.py"])
def test_code_version_changes_with_a_byte_of_any_source(copied_rooms, file):
    before = store.code_version()
    source = copied_rooms / file
    content = source.read_bytes()
    source.write_bytes(content + b"\n")
    assert store.code_version() != before
    source.write_bytes(content)
    assert store.code_version() == before


def test_code_version_changes_when_a_source_comes_goes_or_moves(copied_rooms):
    versions = [store.code_version()]
    new = copied_rooms / "bounds" / "new.py"
    new.write_text("x = 1\n", encoding="utf-8")
    versions.append(store.code_version())
    for name in ("new_name.py", "stochastic/new.py"):  # the first keeps its place between the other files
        new = new.rename(copied_rooms / "bounds" / name)
        versions.append(store.code_version())
    assert len(set(versions)) == 4
    new.unlink()
    assert store.code_version() == versions[0]


def test_code_version_leaves_out_what_is_no_source(copied_rooms):
    before = store.code_version()
    (copied_rooms / "bounds" / "__pycache__").mkdir()
    for name in ("bounds/__pycache__/optq.pyc", "bounds/notes.txt"):
        (copied_rooms / name).write_bytes(b"x")
    assert store.code_version() == before


def test_provenance_names_study_code_versions_and_inputs(write_study):
    study = read_study(write_study())
    made = store.provenance(study, {"z": "2" * 64, "a": "1" * 64})
    libraries = made.pop("versions")
    assert made == {"study": "tiny", "title": "A small study", "seed": 7, "cells": 4, "code": store.code_version(),
                    "inputs": {"a": "1" * 64, "z": "2" * 64}}
    assert list(made["inputs"]) == ["a", "z"]
    assert libraries == {name: version(name) for name in libraries}
    assert {"numpy", "scipy"} <= set(libraries) <= {"numpy", "scipy", "torch"}


def test_provenance_names_no_place_and_no_time(write_study):
    made = store.provenance(read_study(write_study()), {})
    assert made == store.provenance(read_study(write_study()), {})
    assert str(Path.cwd()) not in str(made)
    assert str(Path.home()) not in str(made)
