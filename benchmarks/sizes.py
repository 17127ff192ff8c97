"""How large and how often: the full measurement, and a quick one that only shows that everything runs."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Sizes:
    """Sizes of what is timed.

    Attributes:
        layers: N = K of the layers, m = 2 N.
        repetitions: of each N, the last of those that are not above it.
        threaded: N of the layers that are timed on both threads.
        axes: (axis, fixed sizes, values) of the scaling.
        scaling_rounds: repetitions along the axes.
        streamed: N and m of the rows that are streamed.
        held: jobs whose memory is measured at the largest size.
        draws: Monte-Carlo draws.
        cells: one of how many parts of the shipped damping sweep is run.
        shortest: seconds of processor time of one repetition, at least.
    """

    layers: tuple[int, ...]
    repetitions: MappingProxyType[int, int]
    threaded: tuple[int, ...]
    axes: tuple[tuple[str, dict[str, int], tuple[int, ...]], ...]
    scaling_rounds: int
    streamed: tuple[int, int]
    held: tuple[str, ...]
    draws: int
    cells: int
    shortest: float

    def rounds(self, N: int) -> int:
        """Repetitions at a size."""
        return next(count for least, count in sorted(self.repetitions.items(), reverse=True) if least <= N)


FULL = Sizes(
    layers=(256, 512, 1024, 2048, 4096),
    repetitions=MappingProxyType({0: 7, 1024: 5, 4096: 3}),
    threaded=(512, 1024, 2048),
    axes=(
        ("N", {"K": 512, "m": 4096}, (256, 512, 1024, 2048)),
        ("K", {"N": 1024, "m": 2048}, (256, 512, 1024, 2048, 4096)),
        ("m", {"N": 512, "K": 512}, (1024, 2048, 4096, 8192, 16384)),
    ),
    scaling_rounds=3,
    streamed=(1024, 100_000),
    held=("gram-loop", "gram-optq", "rows-optq", "rows-qronos-alternating"),
    draws=100_000,
    cells=4,
    shortest=0.05,
)
QUICK = Sizes(
    layers=(32, 64),
    repetitions=MappingProxyType({0: 2}),
    threaded=(64,),
    axes=(("N", {"K": 16, "m": 128}, (32, 64)), ("K", {"N": 32, "m": 64}, (16, 32)), ("m", {"N": 32, "K": 16}, (64, 128))),
    scaling_rounds=2,
    streamed=(32, 320),
    held=("gram-optq",),
    draws=4096,
    cells=100,
    shortest=0.0,
)
