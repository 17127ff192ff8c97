"""How large and how often: the full measurement, and a quick one that only shows that everything runs."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Sizes:
    """Sizes of what is timed.

    Attributes:
        layers: N = K of the layers, m = 2 N, the largest last.
        repetitions: how many rounds from which N on.
        once: from which N on only the main jobs have more than one round.
        warm: up to which N everything is called before it counts; beyond, libraries are loaded and a call fills a repetition.
        threaded: N of the layers that are timed on both threads.
        axes: (axis, fixed sizes, values) of the scaling.
        scaling_rounds: repetitions along the axes.
        streamed: N and m of the rows that are streamed.
        held: precisions, and N, in which the memory of whole jobs is measured.
        draws: Monte-Carlo draws.
        cells: one of how many parts of the shipped damping sweep is run.
        shortest_repetition: seconds of processor time, at least.
    """

    layers: tuple[int, ...]
    repetitions: MappingProxyType[int, int]
    once: int
    warm: int
    threaded: tuple[int, ...]
    axes: tuple[tuple[str, dict[str, int], tuple[int, ...]], ...]
    scaling_rounds: int
    streamed: tuple[int, int]
    held: tuple[tuple[str, int], ...]
    draws: int
    cells: int
    shortest_repetition: float

    def shortest(self, N: int) -> float | None:
        """Seconds of the shortest repetition at a size; None where a single call is long enough."""
        return self.shortest_repetition if self.warm >= N else None

    def rounds(self, N: int) -> int:
        """Rounds at a size."""
        return next(count for least, count in sorted(self.repetitions.items(), reverse=True) if least <= N)


FULL = Sizes(
    layers=(256, 512, 1024, 2048, 4096),
    repetitions=MappingProxyType({0: 5, 1024: 3, 2048: 3, 4096: 1}),
    once=4096,
    warm=1024,
    threaded=(512, 1024),
    axes=(
        ("N", {"K": 512, "m": 4096}, (256, 512, 1024, 2048)),
        ("K", {"N": 1024, "m": 2048}, (256, 512, 1024, 2048, 4096)),
        ("m", {"N": 512, "K": 512}, (1024, 2048, 4096, 8192, 16384)),
    ),
    scaling_rounds=2,
    streamed=(1024, 100_000),
    held=(("float64", 4096), ("float32", 2048)),
    draws=100_000,
    cells=8,
    shortest_repetition=0.05,
)
QUICK = Sizes(
    layers=(32, 64),
    repetitions=MappingProxyType({0: 2}),
    once=64,
    warm=64,
    threaded=(64,),
    axes=(("N", {"K": 16, "m": 128}, (32, 64)), ("K", {"N": 32, "m": 64}, (16, 32)), ("m", {"N": 32, "K": 16}, (64, 128))),
    scaling_rounds=2,
    streamed=(32, 320),
    held=(("float64", 64),),
    draws=64,
    cells=100,
    shortest_repetition=0.0,
)
