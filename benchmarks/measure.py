"""The measurements, as rows of one tidy table: seconds of every repetition, bytes, shares of equal integers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from provable_ptq.algorithms import Factorization, Result

from .clock import Repetition, Task, interleaved, peak_bytes, repetition, threads
from .jobs import JOBS, whole
from .layer import DAMPING, PRECISIONS, Layer
from .resident import bytes_in_own_process
from .sizes import Sizes
from .small import small_rows

GEMM = ("gemm-numpy", "gemm-torch")
LARGEST_GEMM = 2048  # the rate of larger products is the same
BOTH_THREADS = (*GEMM, "gram-loop", "gram-optq", "gram-factorization", "rounding", "gram-qronos-alternating", "rows-loop",
                "rows-optq", "rows-factorization")
MAIN = (*GEMM, "gram-loop", "gram-optq", "rows-loop", "rows-optq")
COMPARED = ("gram-optq", "gram-loop")
HELD = ("gram-loop", "gram-optq", "gram-qronos-alternating", "rows-optq")
SCALED = ("rows-loop", "rows-factorization", "gram-factorization", "rounding", "rows-qronos-alternating")
Row = dict[str, object]


def all_rows(sizes: Sizes) -> pd.DataFrame:
    """The whole table."""
    parts = (layers(sizes), both_threads(sizes), scaling(sizes), memory(sizes), streaming(sizes), small_rows(sizes))
    return pd.DataFrame([row for part in parts for row in part])


def gemm(layer: Layer, library: str) -> Task:
    """A product of two square matrices of the layer's size, in NumPy's or PyTorch's BLAS."""
    n = gemm_size(layer.N)
    A, B = (np.random.default_rng(k).standard_normal((n, n)).astype(layer.precision) for k in range(2))
    if library == "gemm-torch":
        A, B = torch.from_numpy(A), torch.from_numpy(B)
    return lambda: A @ B


def gemm_size(N: int) -> int:
    """The side of that product: 2 n^3 operations."""
    return min(N, LARGEST_GEMM)


def task(name: str, layer: Layer) -> Task:
    """The task of a job, or one of the products."""
    return gemm(layer, name) if name in GEMM else JOBS[name].prepare(layer)


def runs_on(name: str, layer: Layer) -> bool:
    """Whether a job runs in the layer's precision and at its size."""
    return name in GEMM or (layer.precision in JOBS[name].precisions and JOBS[name].largest >= layer.N)


def rows_of(part: str, name: str, layer: Layer, times: Iterable[Repetition], threads: int = 1, **more: object) -> Iterator[Row]:
    """One row for each repetition."""
    for index, once in enumerate(times):
        yield described(part, name, layer) | {"threads": threads, "repetition": index, "cpu": once.cpu, "wall": once.wall} | more


def described(part: str, name: str, layer: Layer) -> Row:
    """What a row is about."""
    return {"part": part, "job": name, "precision": layer.precision, "N": layer.N, "K": layer.K, "m": layer.m}


def layers(sizes: Sizes) -> Iterator[Row]:
    """Every job in both precisions on square layers with m = 2 N, one thread, all of a size in turn; and whose integers are the same."""
    for N in sizes.layers:
        seen = [Layer(N, N, 2 * N, precision) for precision in PRECISIONS]
        tasks = {(name, layer): task(name, layer) for layer in seen for name in (*GEMM, *JOBS) if runs_on(name, layer)}
        kept = {key: Keeping(tasks[key]) for key in tasks if key[0] in COMPARED}

        def rounds(key: tuple[str, Layer], N: int = N) -> int:
            return sizes.rounds(N) if key[0] in MAIN or sizes.once > N else 1

        with threads(1):
            measured = interleaved(tasks | kept, rounds, sizes.shortest(N))
        for (name, layer), times in measured.items():
            yield from rows_of("layers", name, layer, times)
        for layer in seen:
            yield from equal_integers(layer, *(kept[name, layer].last for name in COMPARED))


class Keeping:
    """A task that keeps what it returned last."""

    def __init__(self, run: Task):
        self.run = run
        self.last: object = None

    def __call__(self) -> object:
        self.last = self.run()
        return self.last


def equal_integers(layer: Layer, ours: Result, theirs: torch.Tensor) -> Iterator[Row]:
    """Shares of entries and of neurons in which OPTQ and the published loop returned the same integers."""
    same = ours.codes == theirs.numpy().T
    for what, share in (("entries", same.mean()), ("neurons", same.all(axis=0).mean())):
        yield described("integers", what, layer) | {"share": float(share)}


def both_threads(sizes: Sizes) -> Iterator[Row]:
    """The same tasks on one thread and on two, in turn."""
    for N in sizes.threaded:
        for precision in PRECISIONS:
            layer = Layer(N, N, 2 * N, precision)
            made = {name: task(name, layer) for name in BOTH_THREADS}
            tasks = {(name, count): on_threads(made[name], count) for name in BOTH_THREADS for count in (1, 2)}
            for (name, count), times in interleaved(tasks, lambda key, N=N: sizes.rounds(N), sizes.shortest(N)).items():
                yield from rows_of("threads", name, layer, times, count)


def on_threads(run: Task, count: int) -> Task:
    """The task with its number of threads set first, which takes some microseconds."""

    def limited() -> object:
        with threads(count):
            return run()

    return limited


def scaling(sizes: Sizes) -> Iterator[Row]:
    """Time and memory along N, along K and along m, the other two fixed."""
    for axis, fixed, values in sizes.axes:
        for value in values:
            layer = Layer(**fixed, **{axis: value})
            with threads(1):
                tasks = {name: task(name, layer) for name in ("gemm-numpy", *SCALED)}
                times = interleaved(tasks, lambda name: sizes.scaling_rounds, sizes.shortest(layer.N))
            for name, repetitions in times.items():
                yield from rows_of("scaling", name, layer, repetitions, axis=axis)
            for name in SCALED:
                if JOBS[name].ours:  # PyTorch's arrays leave no trace
                    yield described("scaling", name, layer) | {"axis": axis, "bytes": peak_bytes(tasks[name])}


def memory(sizes: Sizes) -> Iterator[Row]:
    """The most bytes that whole jobs hold beyond their inputs: as NumPy allocates them, and as the system sees it."""
    for precision, N in sizes.held:
        layer = Layer(N, N, 2 * N, precision)
        for name in HELD:
            yield described("memory", name, layer) | bytes_in_own_process(name, layer)


def streaming(sizes: Sizes) -> Iterator[Row]:
    """Rows streamed in blocks of N; the same block each time, so that making it is not timed."""
    N, m = sizes.streamed
    for precision in PRECISIONS:
        layer = Layer(N, N, N, precision)
        streamed = replace(layer, m=m // N * N)
        block = layer.X

        def stream(block=block, blocks=m // N, precision=precision) -> object:
            return whole(Factorization.from_blocks((block for _ in range(blocks)), DAMPING, dtype=precision))

        with threads(1):
            product = gemm(layer, "gemm-numpy")
            times = [(repetition(product, 5), repetition(stream, 1)) for _ in range(sizes.scaling_rounds)]
        for name, column in zip(("gemm-numpy", "streamed"), zip(*times, strict=True), strict=True):
            yield from rows_of("streaming", name, streamed, column)
        yield described("streaming", "streamed", streamed) | {"bytes": peak_bytes(stream)}
