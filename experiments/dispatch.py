"""From cells to finished shards: which go together to one process, in which order, and what that process does."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from threadpoolctl import threadpool_limits

from ..bounds.checking.containment import contained
from .cells import StudyCell
from .environment import environment
from .store import encode

LONGEST_TASK = 20.0  # expected seconds: what a killed process loses at most, and what one process may still do when others are done
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS")


class OtherEnvironmentError(RuntimeError):
    """A worker process runs other code or other libraries than the process that sends it work."""


@dataclass(frozen=True)
class Done:
    """One piece of work: the shard of a cell, or the error that it ended with, and how long it took."""

    index: int
    shard: bytes | None
    error: str | None
    seconds: float


def groups(cells: Sequence[StudyCell]) -> list[list[int]]:
    """Places of the cells of each group, groups by descending cost: what takes longest starts first."""
    found: dict[object, list[int]] = {}
    for index, cell in enumerate(cells):
        found.setdefault(cell.group(), []).append(index)
    return sorted(found.values(), key=lambda places: -sum(cells[index].cost() for index in places))


def tasks(cells: Sequence[StudyCell], unfinished: set[int]) -> list[list[int]]:
    """Groups of the unfinished cells, those above `LONGEST_TASK` in parts, by descending cost."""
    parts = []
    for group in groups(cells):
        part, cost = [], 0.0
        for index in (index for index in group if index in unfinished):
            if part and cost + cells[index].cost() > LONGEST_TASK:
                parts.append(part)
                part, cost = [], 0.0
            part.append(index)
            cost += cells[index].cost()
        parts += [part] if part else []
    return sorted(parts, key=lambda places: -sum(cells[index].cost() for index in places))


def part_of(cells: Sequence[StudyCell], number: int, parts: int) -> list[int]:
    """Places of the cells of one part of a study: whole groups, the next always to the part with least to do.

    Arguments:
        number, parts: the first of four parts is `1, 4`.
    """
    loads = [0.0] * parts
    mine = []
    for group in groups(cells):
        least = loads.index(min(loads))
        loads[least] += sum(cells[index].cost() for index in group)
        mine += group if least == number - 1 else []
    return sorted(mine)


def run_task(numbered: list[tuple[int, StudyCell]], cache: Path, expected: dict, fail_fast: bool) -> list[Done]:
    """Run cells one after the other; an error ends its cell only, unless `fail_fast`.

    Raises:
        OtherEnvironmentError: this process runs other code or libraries than `expected`.
    """
    _refuse_other(expected)
    done = []
    for index, cell in numbered:
        done.append(_run(index, lambda cell=cell: encode(*cell.rows(cache), cell.spec())))
        if fail_fast and done[-1].error:
            break
    return done


def run_preparation(index: int, preparation, cache: Path, expected: dict) -> list[Done]:
    """Make ready what several cells read from the cache."""
    _refuse_other(expected)

    def run() -> None:
        preparation.run(cache)

    return [_run(index, run)]


def _run(index: int, work: Callable[[], bytes | None]) -> Done:
    start, shard, error = time.perf_counter(), None, None
    _limit_threads(len(sys.modules))
    try:
        with contained():
            shard = work()
    except KeyboardInterrupt:
        raise
    except BaseException as raised:  # whatever a cell does, it ends as a shard or as an error
        error = f"{type(raised).__name__}: {raised}"
    return Done(index, shard, error, time.perf_counter() - start)


def _refuse_other(expected: dict) -> None:
    if other := differences(environment(), expected):
        raise OtherEnvironmentError(f"a worker has {other} than this process: install the same there")


def differences(theirs: dict, ours: dict) -> str:
    return " and ".join(f"other {name}" for name in ours if theirs[name] != ours[name])


@lru_cache(maxsize=1)
def _limit_threads(modules: int) -> None:
    """One thread for every numerical library loaded so far; looked at again when more modules are loaded."""
    threadpool_limits(limits=1)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


@contextmanager
def one_thread():
    """One thread for numerical libraries in this process, those loaded inside included; as before at the end."""
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    torch_threads = sys.modules["torch"].get_num_threads() if "torch" in sys.modules else None
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    _limit_threads.cache_clear()
    try:
        with threadpool_limits(limits=1):
            yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        if torch_threads:
            sys.modules["torch"].set_num_threads(torch_threads)
