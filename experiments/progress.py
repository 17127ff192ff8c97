"""How far a run has come: the time left, from expected costs corrected by what was observed, and how a run ends early."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Hashable, Iterable, Iterator
from contextlib import contextmanager
from time import monotonic

from tqdm import tqdm

BAR = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} cells [{elapsed}{postfix}]"
BETWEEN_LINES = 10.0  # seconds, where there is no terminal to redraw a bar on
OWN_SHARE = 2.0  # expected seconds of a kind that are done when its own speed counts as much as that of all


class StoppedError(RuntimeError):
    """A run ended before its study was finished; what was finished is kept, and the same command resumes."""


@contextmanager
def terminable() -> Iterator[None]:
    """Inside, SIGTERM ends the program as Ctrl-C does: with a KeyboardInterrupt, so with the same sentence."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)


class TimeLeft:
    """Seconds until everything is done.

    Each kind of work has its own speed (seconds taken per second expected), drawn towards the speed of all work while little
    of the kind is done; before anything is done, the expectation counts as it is.

    Arguments:
        work: the kind and the expected seconds of each piece.
        workers: how many pieces run at the same time.

    >>> left = TimeLeft([("small", 1.0), ("small", 1.0), ("large", 8.0)], workers=1)
    >>> left.seconds()
    10.0
    >>> left.finished("small", 1.0, taken=3.0)
    >>> left.seconds()  # all of it seems to take three times as long
    27.0
    """

    def __init__(self, work: Iterable[tuple[Hashable, float]], workers: int):
        self.workers = workers
        self._left: dict[Hashable, float] = {}
        for kind, cost in work:
            self._left[kind] = self._left.get(kind, 0.0) + cost
        self._done = dict.fromkeys(self._left, 0.0)
        self._taken = dict.fromkeys(self._left, 0.0)

    def finished(self, kind: Hashable, cost: float, taken: float) -> None:
        """One piece is done: it was expected to take `cost` seconds and took `taken`."""
        self._left[kind] -= cost
        self._done[kind] += cost
        self._taken[kind] += taken

    def seconds(self) -> float:
        """The estimate."""
        done, taken = sum(self._done.values()), sum(self._taken.values())
        speed = taken / done if done else 1.0
        work = 0.0
        for kind, left in self._left.items():
            own = (self._taken[kind] + OWN_SHARE * speed) / (self._done[kind] + OWN_SHARE)
            work += max(left, 0.0) * own
        return work / self.workers


class Progress:
    """A bar of cells with the time left; where standard error is no terminal, a plain line now and then.

    Arguments:
        name, cells, finished: of the study, how many cells it has, how many were finished before.
        work, workers: as for `TimeLeft`.
        shown: whether anything is shown at all.
    """

    def __init__(self, name: str, cells: int, finished: int, work: Iterable[tuple[Hashable, float]], workers: int, shown: bool):
        self._left = TimeLeft(work, workers)
        self._bar = tqdm(total=cells, initial=finished, desc=f"run {name}", bar_format=BAR, disable=not shown or None)
        self._in_lines = shown and self._bar.disable
        self._name, self._cells, self._finished, self._told = name, cells, finished, monotonic()

    def finished(self, kind: Hashable, cost: float, taken: float, cells: int = 1) -> None:
        """One piece of work is done, as for `TimeLeft`: a cell, or a preparation, which counts as no cell."""
        self._left.finished(kind, cost, taken)
        if not self._bar.disable:
            self._bar.set_postfix_str(f"about {spoken(self._left.seconds())} left", refresh=False)
        self._bar.update(cells)
        self._finished += cells
        if self._in_lines and monotonic() - self._told >= BETWEEN_LINES:
            self._told = monotonic()
            left = spoken(self._left.seconds())
            print(f"run {self._name}: {self._finished} of {self._cells} cells, about {left} left", file=sys.stderr, flush=True)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_) -> None:
        self._bar.set_postfix_str("", refresh=False)
        self._bar.close()


def spoken(seconds: float) -> str:
    """A time left, as exact as it can honestly be.

    >>> spoken(0.4), spoken(47), spoken(200), spoken(8000)
    ('1 s', '47 s', '3 min', '2.2 h')
    """
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
