"""The same study on a Dask cluster: a scheduler and two workers, processes of this machine, one of which is killed."""

import importlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from provable_ptq.algorithms import InvalidArgumentError
from provable_ptq.experiments import pools
from provable_ptq.experiments.runner import run_study

pytest.importorskip("distributed")
# Dask's own: a worker that is gone, versions that differ in no way that matters here
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:distributed")

PATIENCE = 60.0


@pytest.fixture
def cluster(tmp_path):
    """Start a scheduler with workers, each with its own changes to the environment; returns its address."""
    started = []

    def spawn(*words, **changes):
        path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
        environment = os.environ | {"PYTHONPATH": path, "DASK_DISTRIBUTED__WORKER__MEMORY__SPILL": "false"} | changes
        log = (tmp_path / f"dask-{len(started)}.log").open("wb")
        with log:
            started.append(subprocess.Popen([sys.executable, "-m", "dask", *words], env=environment, cwd=tmp_path, stdout=log, stderr=log))

    def start(*workers):
        file = tmp_path / "scheduler.json"
        spawn("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file))
        for changes in workers:
            spawn("worker", "--nthreads", "1", "--no-nanny", "--no-dashboard", "--scheduler-file", str(file), **changes)
        address = wait_for(lambda: file.is_file() and json.loads(file.read_text(encoding="utf-8"))["address"])
        if workers:
            with importlib.import_module("distributed").Client(address) as client:
                client.wait_for_workers(len(workers), timeout=PATIENCE)
        return address

    start.scheduler = lambda: started[0]
    yield start
    for process in started:
        process.kill()
        process.wait()


def wait_for(ready):
    patience = time.monotonic() + PATIENCE
    while not (value := ready()):
        assert time.monotonic() < patience
        time.sleep(0.05)
    return value


def wait_for_shards(store):
    wait_for(lambda: any(store.glob("*.parquet")))


def test_a_cluster_gives_the_same_bytes_though_a_worker_is_killed(cluster, toys, ran, tmp_path):
    study = toys.toy(tmp_path, prepared=(toys.ToyPreparation("input", folder=str(tmp_path)),))
    alone = run_study(study, tmp_path / "alone" / "table.parquet", 1, progress=False).table.read_bytes()
    assert set(ran().values()) == {1}
    (tmp_path / "ran").unlink()
    address = cluster({}, {})
    (tmp_path / "die-sweep-0-0.25-2").touch()  # the worker that runs this cell kills itself
    done = run_study(study, tmp_path / "shared" / "table.parquet", progress=False, scheduler=address)
    assert done.table.read_bytes() == alone
    assert not (tmp_path / "die-sweep-0-0.25-2").exists(), "no worker was killed"
    assert ran()["sweep-0-0.25-2"] == 2, "another worker took over"
    assert (done.found, done.computed, done.failures) == (0, 24, ())
    processes = {line.split()[1] for line in (tmp_path / "ran").read_text(encoding="utf-8").splitlines()}
    assert len(processes) == 2
    assert str(os.getpid()) not in processes
    again = run_study(study, tmp_path / "shared" / "again.parquet", progress=False, scheduler=address)
    assert (again.table.read_bytes(), again.found) == (alone, 24)


def test_workers_with_other_code_are_refused_before_any_cell_runs(cluster, toys, ran, tmp_path, root):
    theirs = tmp_path / "theirs" / "provable_ptq"
    for room in ("algorithms", "bounds", "experiments"):
        shutil.copytree(root / room, theirs / room, ignore=shutil.ignore_patterns("__pycache__", "results"))
    (theirs / "__init__.py").touch()
    with (theirs / "bounds" / "checking" / "law.py").open("a", encoding="utf-8") as source:
        source.write("\n")
    address = cluster({"PYTHONPATH": os.pathsep.join([str(theirs.parent), str(Path(__file__).parent)])})
    with pytest.raises(InvalidArgumentError, match=r"workers with the code and libraries of this process; \S+ has other code$"):
        run_study(toys.toy(tmp_path), tmp_path / "table.parquet", progress=False, scheduler=address)
    assert not ran()


def test_a_scheduler_without_workers_is_refused(cluster, toys, tmp_path, monkeypatch):
    monkeypatch.setattr(pools, "CONNECT_SECONDS", 0.2)
    address = cluster()
    with pytest.raises(InvalidArgumentError, match=r"at least one worker; none came within 0\.2 s"):
        run_study(toys.toy(tmp_path), tmp_path / "table.parquet", progress=False, scheduler=address)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nowhere", "ftp://127.0.0.1:8786"])
def test_an_address_that_does_not_answer_is_refused(toys, ran, tmp_path, monkeypatch, address):
    monkeypatch.setattr(pools, "CONNECT_SECONDS", 0.5)
    refused = f"scheduler = '{address}' is not accepted: the address of a Dask scheduler that answers"
    with pytest.raises(InvalidArgumentError, match=re.escape(refused)):
        run_study(toys.toy(tmp_path), tmp_path / "table.parquet", progress=False, scheduler=address)
    assert not ran()


def test_the_extra_is_named_where_it_is_missing(toys, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InvalidArgumentError, match=r"pip install provable-ptq\[cluster\]"):
        run_study(toys.toy(tmp_path), tmp_path / "table.parquet", progress=False, scheduler="tcp://127.0.0.1:8786")


def test_an_interrupt_ends_a_run_on_a_cluster_with_one_sentence(cluster, start, tmp_path):
    address = cluster({})
    process = start(tmp_path / "table.parquet", tmp_path / "store", 1, 0.1, address)
    wait_for_shards(tmp_path / "store")
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 3, err
    assert "stopped: interrupted; " in err
    assert "Traceback" not in err
    processes = {line.split()[1] for line in (tmp_path / "ran").read_text(encoding="utf-8").splitlines()}
    assert str(process.pid) not in processes, "one worker only, and still it does the work"


def test_a_lost_scheduler_ends_the_run_with_one_sentence(cluster, start, tmp_path):
    address = cluster({})
    process = start(tmp_path / "table.parquet", tmp_path / "store", 1, 0.1, address)
    wait_for_shards(tmp_path / "store")
    cluster.scheduler().kill()
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 3, err
    assert "stopped: the connection to the scheduler is lost; " in err
