"""A run may end at any moment, in any way: what was finished is kept, and the same command gives the same bytes."""

import errno
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from provable_ptq.algorithms import InvalidArgumentError
from provable_ptq.experiments import store as store_module
from provable_ptq.experiments.progress import StoppedError
from provable_ptq.experiments.runner import run_study
from provable_ptq.experiments.table import read_table

CELLS = 24


@pytest.fixture(scope="module")
def undisturbed(toys, tmp_path_factory):
    """The bytes of the table of a run that nothing disturbed, with one process."""
    folder = tmp_path_factory.mktemp("undisturbed")
    return run_study(toys.toy(folder), folder / "table.parquet", 1, progress=False).table.read_bytes()


@pytest.fixture
def finish(toys, tmp_path):
    """Run the study to its end; returns the bytes of its table and what the run did."""

    def run(workers=1):
        done = run_study(toys.toy(tmp_path), tmp_path / "table.parquet", workers, progress=False, store=tmp_path / "store")
        return done.table.read_bytes(), done

    return run


def shards(folder):
    return sorted(folder.glob("*.parquet")) if folder.is_dir() else []


def wait_for_shards(folder, process, least):
    while len(shards(folder)) < least and process.poll() is None:
        time.sleep(0.005)


def kill(process):
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_kill_9_at_many_moments_and_running_again_gives_the_same_bytes(start, finish, undisturbed, tmp_path):
    """One chain of killed runs; each resumes what the one before left, and the last one is left alone."""
    store, kept = tmp_path / "store", []
    for workers, least in ((1, 0), (1, 1), (2, 9), (1, 17)):
        process = start(tmp_path / "table.parquet", store, workers, 0.1)
        wait_for_shards(store, process, least)
        kill(process)
        kept.append(len(shards(store)))
        assert kept[-1] >= least
        assert not (tmp_path / "table.parquet").exists()
    assert kept == sorted(kept)
    table, done = finish()
    assert table == undisturbed
    assert (done.cells, done.found, done.computed, done.failures) == (CELLS, kept[-1], CELLS - kept[-1], ())


def test_a_finished_cell_never_runs_again(finish, ran, undisturbed):
    first, second = finish(), finish()
    assert first[0] == second[0] == undisturbed
    assert (first[1].found, first[1].computed, second[1].found, second[1].computed) == (0, CELLS, CELLS, 0)
    assert set(ran().values()) == {1}
    assert len(ran()) == CELLS


def test_workers_end_soon_after_a_killed_parent(start, tmp_path):
    process = start(tmp_path / "table.parquet", tmp_path / "store", 2, 0.3)
    wait_for_shards(tmp_path / "store", process, 1)
    workers = {int(line.split()[1]) for line in (tmp_path / "ran").read_text(encoding="utf-8").splitlines()}
    assert process.pid not in workers
    assert all(alive(worker) for worker in workers)
    os.kill(process.pid, signal.SIGKILL)
    patience = time.monotonic() + 30
    while any(alive(worker) for worker in workers):
        assert time.monotonic() < patience, "workers outlive their parent"
        time.sleep(0.05)


def alive(process):
    try:
        return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    except OSError:
        return False


@pytest.mark.parametrize(("workers", "number"), [(1, signal.SIGINT), (2, signal.SIGINT), (1, signal.SIGTERM), (2, signal.SIGTERM)])
def test_an_interrupt_or_a_termination_ends_with_one_sentence(start, finish, undisturbed, tmp_path, workers, number):
    process = start(tmp_path / "table.parquet", tmp_path / "store", workers, 0.2)
    wait_for_shards(tmp_path / "store", process, 1)
    os.killpg(process.pid, number)
    _, err = process.communicate(timeout=60)
    (sentence,) = (line for line in err.replace("\r", "\n").splitlines() if line.strip() and not line.startswith("run toy:"))
    kept = len(shards(tmp_path / "store"))
    assert sentence == (f"stopped: interrupted; {kept} of {CELLS} cells are finished and kept in {tmp_path / 'store'}, "
                        "the same command resumes")
    assert process.returncode == 3
    assert 0 < kept < CELLS
    table, done = finish()
    assert (table, done.found) == (undisturbed, kept)


def test_a_worker_that_the_system_kills_ends_the_run_with_one_sentence(toys, finish, undisturbed, tmp_path):
    (tmp_path / "die-sweep-1-0.5-3").touch()  # in the last group
    with pytest.raises(StoppedError, match=r"^the system killed a worker, .*; \d+ of 24 cells are finished and kept in .*resumes$"):
        finish(workers=2)
    table, done = finish(workers=2)
    assert table == undisturbed
    assert done.found + done.computed == CELLS


def test_a_worker_that_ends_as_if_all_were_well_ends_the_run_with_one_sentence(finish, undisturbed, tmp_path):
    """Status 0 of a worker is no result: past Python, and in it."""
    (tmp_path / "vanish-sweep-1-0.5-3").touch()
    with pytest.raises(StoppedError, match=r"^the system killed a worker, .*; \d+ of 24 cells are finished and kept in .*resumes$"):
        finish(workers=2)
    assert not (tmp_path / "table.parquet").exists()
    (tmp_path / "vanish-sweep-1-0.5-3").unlink()
    for workers in (1, 2):
        (tmp_path / "exit-sweep-1-0.5-3").touch()
        _, done = finish(workers)
        assert [(failure.cell, failure.error) for failure in done.failures] == [
            ("sweep sweep-1, damping 0.5, seed 3", "EndedError: it called os._exit(0)")]
    (tmp_path / "exit-sweep-1-0.5-3").unlink()
    assert finish()[0] == undisturbed


@pytest.mark.parametrize("number", range(3))
def test_a_shard_that_is_another_cells_is_made_again(finish, undisturbed, tmp_path, number):
    finish()
    all_of_them = shards(tmp_path / "store")
    shutil.copy(all_of_them[number], all_of_them[-1])
    table, done = finish()
    assert (table, done.found, done.computed) == (undisturbed, CELLS - 1, 1)


def test_a_pipe_in_the_place_of_a_shard_is_replaced_and_a_folder_refused(finish, undisturbed, tmp_path):
    finish()
    first, second, *_ = shards(tmp_path / "store")
    first.unlink()
    os.mkfifo(first)
    table, done = finish()
    assert (table, done.computed) == (undisturbed, 1)
    second.unlink()
    second.mkdir()
    with pytest.raises(InvalidArgumentError, match=f"remove the folder {second.name} in it$"):
        finish()
    second.rmdir()
    assert finish()[0] == undisturbed


def test_two_runs_at_once_on_one_store_do_no_harm(start, undisturbed, tmp_path):
    both = [start(tmp_path / f"table-{n}.parquet", tmp_path / "store", 1, 0.02) for n in range(2)]
    errors = [process.communicate(timeout=120)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], errors
    assert [(tmp_path / f"table-{n}.parquet").read_bytes() for n in range(2)] == [undisturbed, undisturbed]
    assert len(shards(tmp_path / "store")) == CELLS
    assert [file.name for file in (tmp_path / "store").iterdir() if file.name.startswith(".")] == []


def test_a_shard_that_was_cut_short_is_made_again(finish, undisturbed, ran, tmp_path):
    finish()
    broken = shards(tmp_path / "store")[::5]
    whole = [shard.read_bytes() for shard in broken]
    for share, shard in zip((0, 0.1, 0.5, 0.9, 0.999), broken, strict=True):
        shard.write_bytes(shard.read_bytes()[: int(share * shard.stat().st_size)])
    table, done = finish()
    assert table == undisturbed
    assert (done.found, done.computed) == (CELLS - 5, 5)
    assert sorted(ran().values()) == [1] * (CELLS - 5) + [2] * 5
    assert [shard.read_bytes() for shard in broken] == whole


def test_a_full_disk_is_a_clear_error_and_loses_no_finished_cell(finish, undisturbed, monkeypatch, tmp_path):
    real, room = os.fsync, [7]

    def fsync(descriptor):
        if not room[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        room[0] -= 1
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(StoppedError) as stopped:
        finish()
    assert str(stopped.value) == (f"cannot write: [Errno 28] No space left on device; 7 of {CELLS} cells are finished and kept in "
                                  f"{tmp_path / 'store'}, the same command resumes")
    assert len(list((tmp_path / "store").iterdir())) == 7, "no temporary files"
    monkeypatch.undo()
    table, done = finish()
    assert (table, done.found) == (undisturbed, 7)


def test_a_disk_that_is_really_full(toys, undisturbed, tmp_path):
    """A file system of 60 kB, where this machine lets us make one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=60k", "tmpfs", disk]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs the right to mount a file system")
    try:
        with pytest.raises(StoppedError, match="No space left on device") as stopped:
            run_study(toys.toy(tmp_path), tmp_path / "table.parquet", 1, progress=False, store=disk)
        kept = int(re.search(r"(\d+) of 24 cells are finished", str(stopped.value))[1])
        assert 0 < kept == len(list(disk.iterdir())) < CELLS
        subprocess.run(["mount", "-o", "remount,size=10m", disk], check=True)
        done = run_study(toys.toy(tmp_path), tmp_path / "table.parquet", 1, progress=False, store=disk)
        assert (done.found, done.table.read_bytes()) == (kept, undisturbed)
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_disk_too_full_for_the_table_loses_nothing(finish, undisturbed, monkeypatch, tmp_path):
    """All cells are kept, and the old table stands until the new one is whole."""
    (tmp_path / "table.parquet").write_bytes(b"old")
    real = store_module.pq.write_table

    def write_table(table, where, **options):
        if isinstance(where, Path):
            where.write_bytes(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(table, where, **options)

    monkeypatch.setattr(store_module.pq, "write_table", write_table)
    with pytest.raises(StoppedError, match=rf"No space left on device; {CELLS} of {CELLS} cells are finished"):
        finish()
    assert (tmp_path / "table.parquet").read_bytes() == b"old"
    monkeypatch.undo()
    table, done = finish()
    assert (table, done.computed) == (undisturbed, 0)


def test_a_store_of_other_code_or_libraries_is_not_used(finish, undisturbed, monkeypatch, tmp_path):
    finish()
    for changed in ({"code": "0" * 64}, {"versions": {"numpy": "0.1"}}):
        there = store_module.environment() | changed
        monkeypatch.setattr(store_module, "environment", lambda there=there: there)
        for module in ("runner", "dispatch", "table"):
            monkeypatch.setattr(f"provable_ptq.experiments.{module}.environment", lambda there=there: there)
        _, done = finish()
        assert (done.found, done.computed) == (0, CELLS)
        monkeypatch.undo()
    assert finish()[0] == undisturbed


def test_a_change_of_the_users_claims_runs_the_cells_again(toys, tmp_path):
    claims = tmp_path / "mine.py"
    found = []
    for text in ("x = 1\n", "x = 2\n", "x = 1\n"):
        claims.write_text(text, encoding="utf-8")
        study = toys.ToyStudy(toys.toy(tmp_path).cells, claims_files=(str(claims),))
        done = run_study(study, tmp_path / "table.parquet", 1, progress=False)
        found.append(done.found)
    assert found == [0, 0, CELLS]
    made = read_table(done.table)[1]
    assert made["claims_files"] == {"mine.py": store_module.claims_sha256(claims)}
