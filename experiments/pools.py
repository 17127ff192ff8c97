"""The processes that do the work: of this machine, or of a Dask cluster."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
import warnings
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import joblib
from joblib.parallel import ParallelBackendBase

from ..algorithms.arguments import as_workers, reject
from .dispatch import Done, differences, one_thread
from .environment import environment

CONNECT_SECONDS = 10.0
KILLED = "the system killed a worker, for want of memory perhaps (fewer workers need less)"
LOST = {  # what loky and Dask call the loss of workers
    "TerminatedWorkerError": KILLED, "BrokenProcessPool": KILLED, "KilledWorker": KILLED,
    "FutureCancelledError": "the connection to the scheduler is lost",
}


class WorkersLostError(RuntimeError):
    """The system killed a worker process, or a cluster is out of reach."""


@dataclass(frozen=True)
class Pool:
    """Processes that take work: `workers` of them."""

    parallel: joblib.Parallel
    workers: int

    def stream(self, calls: Iterable) -> Generator[Done, None, None]:
        """What the calls return, piece by piece, as soon as each call is finished.

        Arguments:
            calls: of `run_task` or `run_preparation`, as `joblib.delayed` makes them.

        Raises:
            WorkersLostError: the system killed a process, or a cluster is out of reach.
        """
        results: Generator[list[Done], None, None] = self.parallel(calls)  # pyright: ignore[reportAssignmentType]  (by `return_as`)
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
        from distributed.comm.addressing import get_address_host_port
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
            cores: dict[str, int] = client.ncores()  # pyright: ignore[reportAssignmentType]  (no coroutine in a client that waits)
            yield Pool(_parallel(-1), sum(cores.values()))


def _backend(client) -> ParallelBackendBase:
    """Joblib's backend for Dask, which would leave the cluster idle and work in this process where there is one worker only."""
    from joblib._dask import DaskDistributedBackend

    class Cluster(DaskDistributedBackend):
        def effective_n_jobs(self, n_jobs: int) -> int:
            return max(2, super().effective_n_jobs(n_jobs))

    return Cluster(client=client)


def _parallel(workers: int) -> joblib.Parallel:
    options: dict[str, Any] = {"batch_size": 1}  # joblib's types are inferred from its default, "auto"
    return joblib.Parallel(n_jobs=workers, return_as="generator_unordered", pre_dispatch="2 * n_jobs", **options)


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
        if other := differences(theirs, environment()):
            raise reject("scheduler", address, f"workers with the code and libraries of this process; {worker} has {other}")
