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

LONGEST = 30.0  # seconds: what is slower is called once, and that call is its only repetition


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


def interleaved(tasks: Mapping[Name, Task], rounds: int, shortest: float = 0.0) -> dict[Name, list[Repetition]]:
    """`rounds` repetitions of every task, one of each in turn, after calls that are not counted: those load and compile.

    A repetition lasts at least about `shortest` seconds of processor time: what is faster is called several times in it.
    """
    first = {name: repetition(task, 1) for name, task in tasks.items()}
    slow = {name for name, once in first.items() if once.cpu > LONGEST}
    times = {name: [first[name]] if name in slow else [] for name in tasks}
    calls = {name: calls_that_last(task, first[name], shortest) for name, task in tasks.items() if name not in slow}
    for _ in range(rounds):
        for name, count in calls.items():
            times[name].append(repetition(tasks[name], count))
    return times


def calls_that_last(task: Task, first: Repetition, shortest: float) -> int:
    """How many calls fill the shortest repetition."""
    return 1 if first.cpu > shortest else ceil(shortest / max(repetition(task, 1).cpu, 1e-6))


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
