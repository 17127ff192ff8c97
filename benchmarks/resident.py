"""The memory of a job as the system sees it, buffers of BLAS and of PyTorch included: the growth of the peak of a process of its own."""

from __future__ import annotations

import resource
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from .jobs import JOBS
from .layer import Layer

WARM_UP = 64  # features of a layer on which the job runs first, so that libraries and buffers are loaded


def resident_bytes(name: str, layer: Layer) -> int:
    """By how much the peak grows while the job runs once; its inputs are there before."""
    words = [sys.executable, "-m", "benchmarks.resident", name, *map(str, (layer.N, layer.K, layer.m)), layer.precision]
    done = subprocess.run(words, cwd=Path(__file__).resolve().parents[1], capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1])


def growth(name: str, layer: Layer) -> int:
    """The same, in this process."""
    JOBS[name].prepare(Layer(WARM_UP, WARM_UP, 2 * WARM_UP, layer.precision))()
    task = JOBS[name].prepare(layer)
    forget_peak()
    before = peak()
    task()
    return peak() - before


def forget_peak() -> None:
    """The peak is what is held now, where the system allows that (Linux)."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak() -> int:
    """The most bytes this process has held."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    name, *numbers, precision = sys.argv[1:]
    print(growth(name, Layer(*map(int, numbers), precision)))
