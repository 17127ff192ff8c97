"""Times that can be compared: one repetition of each task in turn, so that what disturbs the machine disturbs all of them alike."""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from math import ceil
from typing import NamedTuple, TypeVar

import torch
from threadpoolctl import ThreadpoolController

Task = Callable[[], object]
Name = TypeVar("Name", bound=Hashable)



class Repetition(NamedTuple):
    """Seconds of one call: of processor time, all threads together, and on the wall."""

    cpu: float
    wall: float


@lru_cache
def libraries() -> ThreadpoolController:
    """The libraries with threads of their own; looking for them takes milliseconds."""
    return ThreadpoolController()


@contextmanager
def threads(count: int) -> Iterator[None]:
    """NumPy, SciPy and PyTorch on this many threads."""
    before = torch.get_num_threads()
    with libraries().limit(limits=count):
        torch.set_num_threads(count)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def interleaved(tasks: Mapping[Name, Task], rounds: Callable[[Name], int], shortest: float | None) -> dict[Name, list[Repetition]]:
    """Repetitions of every task, one of each in turn: in the n-th round of those that have so many rounds.

    Arguments:
        tasks: by name.
        rounds: of each name.
        shortest: seconds of processor time that a repetition lasts at least; what is faster is called several times in it. To
            find out, every task is called once or twice before, which is not counted and loads and compiles what it needs.
            None: no calls before, one call a repetition.
    """
    calls = {name: 1 if shortest is None else calls_that_last(task, shortest) for name, task in tasks.items()}
    times = {name: [] for name in tasks}
    for current in range(max(map(rounds, tasks))):
        for name in (name for name in tasks if current < rounds(name)):
            times[name].append(repetition(tasks[name], calls[name]))
    return times


def calls_that_last(task: Task, shortest: float) -> int:
    """How many calls fill the shortest repetition; the first one does not tell."""
    if repetition(task, 1).cpu > 2 * shortest:
        return 1
    return ceil(shortest / max(repetition(task, 1).cpu, 1e-6)) or 1


def repetition(task: Task, calls: int) -> Repetition:
    """Seconds per call of a task that is called so many times; the collector of cycles rests meanwhile."""
    gc.disable()
    try:
        cpu, wall = time.process_time(), time.perf_counter()
        for _ in range(calls):
            task()
        return Repetition((time.process_time() - cpu) / calls, (time.perf_counter() - wall) / calls)
    finally:
        gc.enable()


def peak_bytes(task: Task) -> int:
    """The most bytes that a call holds at once beyond its inputs, what it returns included; arrays of NumPy only."""
    tracemalloc.start()
    try:
        held = tracemalloc.get_traced_memory()[0]
        kept = task()
        del kept
        return tracemalloc.get_traced_memory()[1] - held
    finally:
        tracemalloc.stop()
