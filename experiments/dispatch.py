"""From cells to finished shards: which go together to one process, in which order, and the processes that run them."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import joblib
from joblib.parallel import ParallelBackendBase
from threadpoolctl import threadpool_limits

from ..algorithms.arguments import as_workers, reject
from ..bounds.checking.containment import contained
from .cells import StudyCell
from .store import encode, environment

LONGEST_TASK = 20.0  # expected seconds: what a killed process loses at most, and what one process may still do when others are done
CONNECT_SECONDS = 10.0
KILLED = "the system killed a worker, for want of memory perhaps (fewer workers need less)"
LOST = {  # what loky and Dask call the loss of workers
    "TerminatedWorkerError": KILLED, "BrokenProcessPool": KILLED, "KilledWorker": KILLED,
    "FutureCancelledError": "the connection to the scheduler is lost",
}
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS")


class WorkersLostError(RuntimeError):
    """The system killed a worker process, or a cluster is out of reach."""


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
    if other := _other(environment(), expected):
        raise OtherEnvironmentError(f"a worker has {other} than this process: install the same there")


def _other(theirs: dict, ours: dict) -> str:
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


@dataclass(frozen=True)
class Pool:
    """Processes that take work: `workers` of them."""

    parallel: joblib.Parallel
    workers: int

    def stream(self, calls: Iterable) -> Iterator[Done]:
        """What the calls return, piece by piece, as soon as each call is finished.

        Arguments:
            calls: of `run_task` or `run_preparation`, as `joblib.delayed` makes them.

        Raises:
            WorkersLostError: the system killed a process, or a cluster is out of reach.
        """
        results = self.parallel(calls)
        try:
            for done in results:
                yield from done
        except Exception as error:
            if type(error).__name__ in LOST:
                raise WorkersLostError(LOST[type(error).__name__]) from None
            if isinstance(error, OSError):
                raise WorkersLostError(f"the workers cannot be reached: {error}") from error
            raise
        finally:
            with warnings.catch_warnings(action="ignore", category=UserWarning):  # joblib's, about work that an early end leaves undone
                results.close()


@contextmanager
def processes(workers: int) -> Iterator[Pool]:
    """Processes of this machine, one thread each; with one worker, this process.

    Raises:
        InvalidArgumentError: no number of processes, or more than this machine can be meant to run.

    loky replaces a process whose memory has grown, between two tasks, and warns that it did: nothing is lost.
    """
    workers = as_workers("workers", workers)
    with (
        one_thread(), warnings.catch_warnings(),
        joblib.parallel_config("loky", inner_max_num_threads=1, initializer=_follow, initargs=(os.getpid(),)),
    ):  # fmt: skip
        warnings.filterwarnings("ignore", message="A worker stopped while some jobs were given")
        yield Pool(_parallel(workers), joblib.effective_n_jobs(workers))


@contextmanager
def cluster(address: str) -> Iterator[Pool]:
    """The workers of a Dask scheduler. It runs a task again whose worker dies, and waits for workers when none is left.

    Raises:
        InvalidArgumentError: `distributed` is not installed, nobody answers, no worker is there, or one cannot run this study.
    """
    try:
        from distributed import Client
        from distributed.comm import get_address_host_port
    except ImportError:
        raise reject("scheduler", address, "an address where `pip install provable-ptq[cluster]` was done") from None
    try:
        socket.create_connection(get_address_host_port(address), CONNECT_SECONDS).close()  # a client that fails to start leaves threads
        client = Client(address, timeout=CONNECT_SECONDS)
    except (OSError, ValueError) as error:
        raise reject("scheduler", address, f"the address of a Dask scheduler that answers, like tcp://host:8786 ({error})") from None
    with client:
        _check_workers(client, address)
        with joblib.parallel_config(_backend(client)):
            yield Pool(_parallel(-1), sum(client.ncores().values()))


def _backend(client) -> ParallelBackendBase:
    """Joblib's backend for Dask, which would leave the cluster idle and work in this process where there is one worker only."""
    from joblib._dask import DaskDistributedBackend

    class Cluster(DaskDistributedBackend):
        def effective_n_jobs(self, n_jobs: int) -> int:
            return max(2, super().effective_n_jobs(n_jobs))

    return Cluster(client=client)


def _parallel(workers: int) -> joblib.Parallel:
    return joblib.Parallel(n_jobs=workers, return_as="generator_unordered", batch_size=1, pre_dispatch="2 * n_jobs")


def _follow(parent: int) -> None:
    """A worker process leaves interrupts to its parent, and ends soon after it."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


def _check_workers(client, address: str) -> None:
    try:
        client.wait_for_workers(1, timeout=CONNECT_SECONDS)
        found = client.run(environment)
    except TimeoutError:
        raise reject("scheduler", address, f"a scheduler with at least one worker; none came within {CONNECT_SECONDS:g} s") from None
    except Exception as error:
        raise reject("scheduler", address, f"workers that can import provable_ptq ({type(error).__name__}: {error})") from None
    for worker, theirs in found.items():
        if other := _other(theirs, environment()):
            raise reject("scheduler", address, f"workers with the code and libraries of this process; {worker} has {other}")
