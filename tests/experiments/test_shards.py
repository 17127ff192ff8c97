"""A study in parts, for any batch scheduler: together they are the study, and `merge` says what is missing."""

import pytest
from provable_ptq.algorithms import InvalidArgumentError
from provable_ptq.experiments.runner import merge, run_shard, run_study
from provable_ptq.experiments.table import read_table

PARTS = 3


@pytest.fixture
def study(toys, tmp_path):
    return toys.toy(tmp_path, prepared=(toys.ToyPreparation("input", folder=str(tmp_path)),))


@pytest.fixture
def whole(study, tmp_path):
    """The bytes of the table of the study, run in one part."""
    table = run_study(study, tmp_path / "whole" / "table.parquet", 1, progress=False).table.read_bytes()
    (tmp_path / "ran").unlink()
    return table


@pytest.mark.parametrize("shared", [True, False])
def test_parts_merge_to_the_same_bytes(study, whole, ran, tmp_path, shared):
    stores = [tmp_path / "parts" / ("all" if shared else str(number)) for number in range(1, PARTS + 1)]
    done = [run_shard(study, (number, PARTS), store, 1, progress=False) for number, store in enumerate(stores, 1)]
    assert sum(part.cells for part in done) == sum(part.computed for part in done) == len(study.cells)
    assert all(part.table is None and part.found == 0 for part in done)
    noted = ran()
    assert noted.pop("prepared-input") == PARTS, "each part prepares what it needs"
    assert set(noted.values()) == {1}
    merged = merge(study, tmp_path / "merged.parquet", sorted(set(stores)))
    assert merged.table.read_bytes() == whole
    assert (merged.cells, merged.found, merged.computed) == (24, 24, 0)


def test_a_part_resumes(study, ran, tmp_path):
    first, second = (run_shard(study, (2, PARTS), tmp_path / "store", 1, progress=False) for _ in range(2))
    assert (first.computed, second.found, second.computed) == (first.cells, first.cells, 0)
    assert set(ran().values()) == {1}


def test_an_order_of_parts_or_workers_changes_nothing(study, whole, tmp_path):
    for number in (3, 1, 2):
        run_shard(study, (number, PARTS), tmp_path / "store", 2, progress=False)
    assert merge(study, tmp_path / "merged.parquet", [tmp_path / "store"]).table.read_bytes() == whole


def test_missing_cells_are_refused_by_the_part_that_holds_them(study, tmp_path):
    store = tmp_path / "store"
    cells = [run_shard(study, (number, PARTS), store, 1, progress=False).cells for number in (1, 3)]
    lost = next(iter(sorted(store.glob("*.parquet"))))
    with pytest.raises(InvalidArgumentError) as refused:
        merge(study, tmp_path / "merged.parquet", [store])
    missing = 24 - sum(cells)
    assert f"all 24 cells of toy; {missing} are missing ({missing} of --shard 2/3), the first: sweep sweep-" in str(refused.value)
    lost.unlink()
    with pytest.raises(InvalidArgumentError, match=rf"{missing + 1} are missing \(.*1 of --shard [13]/3.*\)"):
        merge(study, tmp_path / "merged.parquet", [store])
    assert not (tmp_path / "merged.parquet").exists()


def test_missing_cells_are_refused_where_nobody_knows_of_parts(study, whole, tmp_path):
    store = tmp_path / "whole" / "store"
    next(store.glob("*.parquet")).unlink()
    with pytest.raises(InvalidArgumentError, match="; 1 are missing, the first: sweep sweep-"):
        merge(study, tmp_path / "merged.parquet", [store])


def test_a_store_that_is_not_there_is_refused_and_not_made(study, tmp_path):
    with pytest.raises(InvalidArgumentError, match="a folder that `provable-ptq run` wrote"):
        merge(study, tmp_path / "merged.parquet", [tmp_path / "nowhere"])
    assert not (tmp_path / "nowhere").exists()


def test_a_cell_that_fails_in_a_part_is_missing_in_the_merge(study, tmp_path):
    (tmp_path / "fail-sweep-1-0.5-0").touch()
    done = [run_shard(study, (number, PARTS), tmp_path / "store", 1, progress=False) for number in range(1, PARTS + 1)]
    assert [failure.cell for part in done for failure in part.failures] == ["sweep sweep-1, damping 0.5, seed 0"]
    with pytest.raises(InvalidArgumentError, match=r"1 are missing \(1 of --shard \d/3\), the first: sweep sweep-1, damping 0\.5, seed 0"):
        merge(study, tmp_path / "merged.parquet", [tmp_path / "store"])


def test_the_table_of_parts_says_what_made_it(study, whole, tmp_path):
    made = read_table(tmp_path / "whole" / "table.parquet")[1]
    assert (made["study"], made["study_sha256"], made["cells"]) == ("toy", "f" * 64, 24)
    assert made["inputs"] == {f"file-{seed}": "0" * 64 for seed in range(4)}
