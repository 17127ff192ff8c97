"""The memory of a job in a process of its own: what NumPy allocates, and by how much the process grows, BLAS and PyTorch included."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from .clock import peak_bytes
from .jobs import JOBS
from .layer import Layer

WARM_UP = 64  # features of a layer on which the job runs first, so that libraries and their buffers are loaded


def bytes_in_own_process(name: str, layer: Layer) -> dict[str, int]:
    """The most that a job holds at once beyond its inputs: `bytes` allocated by NumPy (not for PyTorch's jobs), and `resident`."""
    words = [sys.executable, "-m", "benchmarks.resident", name, *map(str, (layer.N, layer.K, layer.m)), layer.precision]
    done = subprocess.run(words, cwd=Path(__file__).resolve().parents[1], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def growth(name: str, layer: Layer) -> dict[str, int]:
    """The same, in this process, of one call."""
    JOBS[name].prepare(Layer(WARM_UP, WARM_UP, 2 * WARM_UP, layer.precision))()
    task = JOBS[name].prepare(layer)
    forget_peak()
    before = peak()
    allocated = peak_bytes(task)
    return {"resident": peak() - before} | ({"bytes": allocated} if JOBS[name].ours else {})


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
    print(json.dumps(growth(name, Layer(*map(int, numbers), precision))))
