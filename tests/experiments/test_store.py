"""The table: written whole or not at all, and it says what made it."""

import os
import shutil
import subprocess
import sys
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pyarrow as pa
import pytest
from provable_ptq.algorithms import InvalidArgumentError
from provable_ptq.bounds import Kind, Origin, load_claims
from provable_ptq.experiments import environment, store, table
from provable_ptq.experiments.own_claims import claims_of
from provable_ptq.experiments.places import write_whole
from provable_ptq.experiments.study import read_study

ROWS = pd.DataFrame({"claim": ["optq-l2", ""], "ratio": [0.1 + 0.2, float("nan")], "seed": [0, 1]})
MADE = {"study": "x", "seed": 1, "inputs": {}}


def test_a_table_comes_back_as_it_was_written(tmp_path):
    path = table.write_table(ROWS, MADE, tmp_path / "new" / "folder" / "table.parquet")
    rows, made = table.read_table(path)
    pd.testing.assert_frame_equal(rows, ROWS, check_dtype=False)
    assert rows["ratio"][0] == 0.1 + 0.2
    assert made == MADE
    assert [file.name for file in path.parent.iterdir()] == ["table.parquet"]


def test_the_same_table_gives_the_same_bytes(tmp_path):
    one, other = (table.write_table(ROWS, made, tmp_path / name).read_bytes()
                  for name, made in (("a", MADE), ("b", dict(reversed(MADE.items())))))
    assert one == other
    assert one != table.write_table(ROWS, MADE | {"seed": 2}, tmp_path / "c").read_bytes()


def test_a_writer_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "table.parquet"
    path.write_text("old", encoding="utf-8")

    def fail(temporary):
        assert temporary != path
        temporary.write_text("half of the n", encoding="utf-8")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_whole(path, fail)
    assert {file.name: file.read_text(encoding="utf-8") for file in tmp_path.iterdir()} == {"table.parquet": "old"}


def test_readers_see_the_old_file_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "table.parquet"
    path.write_text("old", encoding="utf-8")

    def write(temporary):
        temporary.write_text("new", encoding="utf-8")
        assert path.read_text(encoding="utf-8") == "old"

    assert write_whole(path, write) == path
    assert path.read_text(encoding="utf-8") == "new"


def test_files_that_no_study_wrote_are_refused(tmp_path):
    foreign, text, pipe = (tmp_path / f"{name}.parquet" for name in ("foreign", "text", "pipe"))
    os.mkfifo(pipe)
    ROWS.to_parquet(foreign)
    text.write_text("no Parquet at all", encoding="utf-8")
    for path in (tmp_path / "missing.parquet", tmp_path, foreign, text, pipe):
        with pytest.raises(InvalidArgumentError) as refused:
            table.read_table(path)
        assert str(refused.value) == f"table = {str(path)!r} is not accepted: a Parquet table written by `provable-ptq run`"


@pytest.fixture
def copied_rooms(root, tmp_path, monkeypatch):
    """The sources that the code version reads, copied to a folder that a test may change."""
    for room in environment.ROOMS:
        shutil.copytree(root / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))

    def found(name):
        return SimpleNamespace(origin=str(tmp_path / name.rpartition(".")[2] / "__init__.py"))

    monkeypatch.setattr(environment, "find_spec", found)
    return tmp_path


ROWS_OF_A_CELL = [
    {"claim": "optq-l2", "ratio": 0.1 + 0.2, "draws": 2**62 + 1, "flag": True, "only": None},
    {"claim": "", "ratio": float("inf"), "draws": -1, "flag": False},
    {"claim": None, "ratio": -0.0, "text": "λ — ‖X‖\n\x00"},
    {"claim": "5e-324", "ratio": 5e-324, "draws": 0, "text": "nan"},
]
INPUTS = {"digits": "1" * 64}


def test_a_shard_keeps_every_value_as_it_is():
    rows, inputs, spec, kernel, own = store.decode(store.encode(ROWS_OF_A_CELL, INPUTS, {"damping": 0.1}))
    columns = ["claim", "ratio", "draws", "flag", "only", "text"]
    assert [list(row) for row in rows] == [columns] * 4
    for row, given in zip(rows, ROWS_OF_A_CELL, strict=True):
        assert [repr(row[name]) for name in columns] == [repr(given.get(name)) for name in columns]
        assert [type(row[name]) for name in columns] == [type(given.get(name)) for name in columns]
    assert (inputs, spec, kernel, own) == (INPUTS, {"damping": 0.1}, environment.kernel(), {})


def test_not_a_number_is_not_the_same_as_missing():
    rows = store.decode(store.encode([{"a": float("nan")}, {"a": None}], {}, {})).rows
    assert rows[0]["a"] != rows[0]["a"]
    assert rows[1]["a"] is None


SPEC = {"damping": 0.1, "sweep": "a"}


def kept_cell(folder, rows=ROWS_OF_A_CELL, spec=SPEC):
    """A store with one finished cell, its key, and its file."""
    kept = store.Store(folder)
    key = kept.key(spec)
    kept.write(key, store.encode(rows, INPUTS, spec))
    return kept, key, folder / f"{key}.parquet"


@pytest.mark.parametrize("rows", [[], [{}], [{"a": None}]])
def test_a_cell_without_rows_or_values_is_a_finished_cell(tmp_path, rows):
    assert store.Store(tmp_path).read("key") is None
    kept, key, _ = kept_cell(tmp_path, rows)
    found = kept.read(key)
    assert [row for row in found.rows if any(value is not None for value in row.values())] == []
    assert (found.inputs, found.spec) == (INPUTS, SPEC)


def test_text_and_numbers_in_one_column_are_refused():
    with pytest.raises(pa.ArrowException):
        store.encode([{"a": 1}, {"a": "x"}], {}, {})


def test_a_shard_cut_anywhere_counts_as_absent(tmp_path):
    kept, key, file = kept_cell(tmp_path)
    whole = file.read_bytes()
    for length in range(0, len(whole), 37):
        file.write_bytes(whole[:length])
        assert kept.read(key) is None
    file.write_bytes(whole)
    assert kept.read(key) is not None


def test_any_flipped_bit_counts_as_absent(tmp_path):
    """Parquet's own checksums leave out the footer: one flip in 25 there gave other names of columns, and no error."""
    kept, key, file = kept_cell(tmp_path, [{"claim": "optq-l2", "ratio": 0.1}])
    whole = file.read_bytes()
    believed = []
    for place in range(len(whole)):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << place % 8)]) + whole[place + 1 :])
        believed += [place] if kept.read(key) is not None else []
    assert believed == []


def test_a_shard_of_another_cell_counts_as_absent(tmp_path):
    kept, key, file = kept_cell(tmp_path)
    _, other_key, other = kept_cell(tmp_path, spec=SPEC | {"damping": 0.2})
    assert kept.read(key).spec != kept.read(other_key).spec
    shutil.copy(other, file)
    assert (kept.read(key), kept.holds(key)) == (None, True)
    kept.write(key, other.read_bytes())  # sealed for this name all the same: what it says of itself is compared
    assert kept.read(key) is None


def test_a_shard_of_other_code_counts_as_absent_under_the_new_name(tmp_path, monkeypatch):
    _, _, old = kept_cell(tmp_path)
    there = environment.environment() | {"code": "0" * 64}
    monkeypatch.setattr(store, "environment", lambda: there)
    kept = store.Store(tmp_path)
    shutil.copy(old, tmp_path / f"{kept.key(SPEC)}.parquet")
    assert kept.read(kept.key(SPEC)) is None


def test_a_pipe_in_the_place_of_a_shard_counts_as_absent_and_is_replaced(tmp_path):
    kept = store.Store(tmp_path)
    key = kept.key(SPEC)
    os.mkfifo(tmp_path / f"{key}.parquet")
    assert (kept.read(key), kept.holds(key)) == (None, False)
    kept.refuse_obstacles([key])
    kept.write(key, store.encode(ROWS_OF_A_CELL, INPUTS, SPEC))
    assert kept.read(key).spec == SPEC


def test_a_folder_in_the_place_of_a_shard_is_refused(tmp_path):
    kept, key, file = kept_cell(tmp_path)
    file.unlink()
    file.mkdir()
    assert kept.read(key) is None
    with pytest.raises(InvalidArgumentError, match=f"a folder of shards; remove the folder {key}.parquet in it$"):
        kept.refuse_obstacles([key])


def test_a_shard_describes_the_users_own_claims_and_no_others(write_claims, own_claims):
    load_claims(write_claims(1.0))
    own = store.decode(store.encode([{"claim": "my-claim"}, {"claim": "optq-l2"}, {"claim": ""}, {}], {}, {})).own_claims
    assert own == {"my-claim": {"statement": "$x$", "origin": "ours", "kind": "upper bound", "source": "a test",
                                "unit": "squared output error"}}
    (told,) = (claim for claim in claims_of({"own_claims": own}) if claim.id == "my-claim")
    assert (told.statement, told.origin, told.kind) == ("$x$", Origin.OURS, Kind.UPPER)


def test_the_kernel_is_that_of_the_linear_algebra(tmp_path):
    """Where OpenBLAS can be told which kernel to take, it is the one that is named."""
    if not environment.kernel().startswith("openblas "):
        pytest.skip(f"only OpenBLAS can be told which kernel to take, and numpy runs on {environment.kernel()} here")
    program = "from provable_ptq.experiments.environment import kernel; print(kernel())"
    told = os.environ | {"OPENBLAS_CORETYPE": "Nehalem"}
    done = subprocess.run([sys.executable, "-c", program], env=told, capture_output=True, text=True)
    assert done.stdout == "openblas Nehalem\n", done.stderr


def test_a_key_depends_on_the_spec_and_not_on_the_order_of_its_names(tmp_path):
    kept = store.Store(tmp_path)
    keys = {kept.key(spec) for spec in ({"a": 1, "b": 2}, {"a": 1, "b": 3}, {"a": 1}, {"a": 1, "b": "2"}, {"a": 1.5, "b": 2})}
    assert len(keys) == 5
    assert kept.key({"b": 2, "a": 1}) == kept.key({"a": 1, "b": 2})


def test_a_key_depends_on_code_libraries_and_the_users_claims(tmp_path, monkeypatch):
    mine = tmp_path / "mine.py"
    mine.write_text("x = 1\n", encoding="utf-8")
    keys = [store.Store(tmp_path).key({}), store.Store(tmp_path, [str(mine)]).key({})]
    there = environment.environment()
    for changed in ({"code": "0" * 64}, {"versions": there["versions"] | {"numpy": "0.1"}}):
        monkeypatch.setattr(store, "environment", lambda changed=changed: there | changed)
        keys.append(store.Store(tmp_path).key({}))
    assert len(set(keys)) == 4


def test_a_store_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InvalidArgumentError, match=r"^store = .*file/store' is not accepted: a folder that can be made and written$"):
        store.Store(tmp_path / "file" / "store")


def test_what_a_killed_run_left_half_written_is_removed_later(tmp_path):
    old, new, other = tmp_path / ".a.parquet.1.ff", tmp_path / ".b.parquet.2.ff", tmp_path / ".hidden"
    old_input, new_input, kept_input = (tmp_path / "inputs" / name for name in ("a.1.tmp", "b.2.tmp", "a.npz"))
    new_input.parent.mkdir()
    for file in (old, new, other, old_input, new_input, kept_input):
        file.touch()
    for file in (old, other, old_input, kept_input):
        os.utime(file, (0, 0))
    store.Store(tmp_path)
    assert {file.name for file in tmp_path.rglob("*") if file.is_file()} == {file.name for file in (new, other, new_input, kept_input)}


def test_parts_are_remembered_by_study(tmp_path):
    kept = store.Store(tmp_path)
    for study, number, parts in (("a", 1, 4), ("a", 4, 4), ("a", 2, 16), ("a-1-of-5", 1, 3)):
        kept.note_part(study, number, parts)
    assert kept.parts("a") == {4, 16}
    assert kept.parts("b") == set()


def test_code_version_is_of_the_sources_and_not_of_their_place(root, monkeypatch, copied_rooms):
    of_the_copy = environment.code_version()
    monkeypatch.undo()
    assert of_the_copy == environment.code_version()
    assert len(of_the_copy) == 64
    assert of_the_copy != sha256(b"").hexdigest()


@pytest.mark.parametrize("file", [
    "algorithms/optq.py", "bounds/deterministic/optq_l2.py", "experiments/networks/digits.py",
    "experiments/networks/digits_weights.npz", "experiments/studies/attacks/full/optq-l2.npz",
])
def test_code_version_changes_with_a_byte_of_any_source_or_shipped_data(copied_rooms, file):
    before = environment.code_version()
    source = copied_rooms / file
    content = source.read_bytes()
    source.write_bytes(content + b"\n")
    assert environment.code_version() != before
    source.write_bytes(content)
    assert environment.code_version() == before


def test_code_version_changes_when_a_source_comes_goes_or_moves(copied_rooms):
    versions = [environment.code_version()]
    new = copied_rooms / "bounds" / "new.py"
    new.write_text("x = 1\n", encoding="utf-8")
    versions.append(environment.code_version())
    for name in ("new_name.py", "stochastic/new.py"):  # the first keeps its place between the other files
        new = new.rename(copied_rooms / "bounds" / name)
        versions.append(environment.code_version())
    assert len(set(versions)) == 4
    new.unlink()
    assert environment.code_version() == versions[0]


def test_code_version_leaves_out_what_is_no_source(copied_rooms):
    before = environment.code_version()
    (copied_rooms / "bounds" / "__pycache__").mkdir()
    for name in ("bounds/__pycache__/optq.pyc", "bounds/notes.txt"):
        (copied_rooms / name).write_bytes(b"x")
    assert environment.code_version() == before


def test_provenance_names_study_code_versions_and_inputs(write_study):
    path = write_study()
    shards = [store.Shard([], {name: digest * 64}, {}, kernel, {}) for name, digest, kernel in (
        ("z", "2", "openblas Zen"), ("a", "1", "openblas Haswell"), ("z", "2", "openblas Zen"))]
    made = table.provenance(read_study(path), shards)
    libraries = made["versions"]
    assert made == {"study": "tiny", "title": "A small study", "seed": 7, "cells": 4, **environment.environment(),
                    "study_sha256": sha256(path.read_bytes()).hexdigest(), "claims_files": {}, "inputs": {"a": "1" * 64, "z": "2" * 64},
                    "kernels": ["openblas Haswell", "openblas Zen"], "own_claims": {}}
    assert list(made["inputs"]) == ["a", "z"]
    assert libraries == {name: version(name) for name in libraries}
    assert {"numpy", "scipy", "pandas", "pyarrow", "python-flint"} <= set(libraries) <= set(environment.LIBRARIES)


def test_provenance_names_no_place_and_no_time(write_study):
    made = table.provenance(read_study(write_study()), [])
    assert made == table.provenance(read_study(write_study()), [])
    assert str(Path.cwd()) not in str(made)
    assert str(Path.home()) not in str(made)
