"""The toy study, for this process, its workers and other processes."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.append(str(HERE))  # worker processes import toy_study by name


@pytest.fixture(scope="session")
def toys():
    """The module of the toy study."""
    return importlib.import_module("toy_study")


@pytest.fixture
def ran(tmp_path):
    """How often each toy cell in this test's folder ran, by name."""

    def count():
        noted = tmp_path / "ran"
        return Counter(line.split()[0] for line in noted.read_text(encoding="utf-8").splitlines()) if noted.exists() else Counter()

    return count


@pytest.fixture
def start(tmp_path):
    """Start the toy study as a process group of its own, to be killed; whatever is left of it is killed at the end."""
    started = []

    def run(table, store, workers, seconds, scheduler=""):
        words = [sys.executable, HERE / "toy_study.py", tmp_path, table, store, workers, seconds, scheduler]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])}
        started.append(subprocess.Popen(list(map(str, words)), env=environment, start_new_session=True, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield run
    for process in started:
        kill_group(process)
        process.communicate()


def kill_group(process):
    """Kill a process and all that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
