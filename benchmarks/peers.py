"""Other programs on the same layer, in one process with the published loop and with this toolkit: `make benchmark-peers`.

Each is called as its documentation has it, from calibration rows to codes, in float32; then the toolkit is called with that program's
grid and damping, and the integers are compared. What cannot be imported is left out with a sentence.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from math import ceil, sqrt
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import torch
from provable_ptq.algorithms import Grid, Result, optq, qronos
from torch import Tensor

from .clock import Task, interleaved, threads
from .jobs import JOBS, whole
from .layer import BITS, DAMPING, FRACTION, KIND, PRECISIONS, Layer
from .machine import machine
from .measure import described, rows_of
from .published_loop import BLOCK, Levels, gram_matrix, published_loop
from .ratios import Seconds, Spread
from .report import markdown, numbers, percentage

HERE = Path(__file__).resolve().parent
SIZES, ROUNDS = (512, 1024, 2048), 3
QUICK_SIZES, QUICK_ROUNDS = (32, 64), 1
SPECTRAL = 1e-6  # Qronos' own damping: a share of the largest eigenvalue


class Prepared(NamedTuple):
    """A peer's task, which returns codes (K, N); the toolkit's in its place; and the one whose integers are compared, if another."""

    theirs: Task
    ours: Callable[[], Result]
    same: Callable[[], Result] | None = None


@dataclass(frozen=True)
class Peer:
    """Another program.

    Attributes:
        label: its name.
        package: what it is installed as; empty for what is written here.
        prepare: from a layer to its task and the toolkit's, on the same grid with the same damping.
        precisions: those it can compute in.
    """

    label: str
    package: str
    prepare: Callable[[Layer], Prepared]
    precisions: tuple[str, ...] = PRECISIONS

    @property
    def missing(self) -> str:
        """Why it cannot be run here; empty where it can."""
        try:
            if self.package:
                import_module(self.package)
        except ImportError as error:
            return f"{self.label} is left out: {' '.join(str(error).split())}."
        return ""

    @property
    def name(self) -> str:
        """Its name with its version."""
        return f"{self.label} {version(self.package)}" if self.package else self.label


def ist_style(layer: Layer) -> Prepared:
    """The conventions of the GPTQ authors' code around the published loop: rows scaled as they are added up, step 2 max|w| / (2^b - 1)."""
    X, W = torch.from_numpy(layer.X), layer.W_rows
    step = 2 * W.abs().amax(dim=1) / (2**BITS - 1)
    levels = Levels(step, -(2 ** (BITS - 1)), 2 ** (BITS - 1) - 1)

    def run() -> Tensor:
        H = torch.zeros((layer.N, layer.N), dtype=X.dtype)
        scaled = sqrt(2) * X.T
        H += scaled @ scaled.T
        return published_loop(H, W, levels, FRACTION)

    return Prepared(run, toolkit_optq(layer, grid_of(*levels)))


def llm_compressor(layer: Layer) -> Prepared:
    """llm-compressor's Hessian, and its function for one weight matrix."""
    from compressed_tensors.quantization import QuantizationArgs, QuantizationStrategy
    from llmcompressor.modifiers.gptq.gptq_quantize import quantize_weight
    from llmcompressor.modifiers.gptq.helpers import accumulate_hessian

    X, W = torch.from_numpy(layer.X), layer.W_rows
    module = torch.nn.Linear(layer.N, layer.K, bias=False)
    settings = QuantizationArgs(num_bits=BITS, symmetric=True, strategy=QuantizationStrategy.CHANNEL)
    scale = 2 * W.abs().amax(dim=1, keepdim=True) / (2**BITS - 1)

    def run() -> Tensor:
        H, count = accumulate_hessian(X, module, torch.zeros((layer.N, layer.N)), torch.zeros(()))
        zero = torch.zeros((1, *scale.shape), dtype=torch.int8)
        quantized, _, fallback = quantize_weight(W[None].clone(), (H / count)[None], scale[None], zero, None, settings, BLOCK, FRACTION)
        if fallback.any():
            raise RuntimeError("llm-compressor fell back to round-to-nearest")
        return torch.round(quantized[0] / scale)

    return Prepared(run, toolkit_optq(layer, grid_of(scale, -(2 ** (BITS - 1)), 2 ** (BITS - 1) - 1)))


def brevitas_layer(layer: Layer) -> torch.nn.Module:
    """A quantized linear layer with these weights; its scale is a parameter, so that it stays what it is while weights change."""
    from brevitas.inject.enum import ScalingImplType
    from brevitas.nn import QuantLinear
    from brevitas.quant import Int8WeightPerChannelFloat

    class FixedScale(Int8WeightPerChannelFloat):
        scaling_impl_type = ScalingImplType.PARAMETER_FROM_STATS
        bit_width = BITS

    module = QuantLinear(layer.N, layer.K, bias=False, weight_quant=FixedScale, dtype=layer.W_rows.dtype).eval()
    with torch.no_grad():
        module.weight.copy_(layer.W_rows)
        module(torch.from_numpy(layer.X[:1]))  # takes the scale from the weights
    return module


def brevitas_grid(module: torch.nn.Module) -> Grid:
    """The grid of a layer before it was changed."""
    top = 2 ** (BITS - 1) - 1
    return grid_of(module.quant_weight().scale.detach(), -top, top)


def brevitas_gptq(layer: Layer) -> Prepared:
    """Brevitas' GPTQ, in blocks as large as the others'."""
    from brevitas.graph.gptq import GPTQ

    X = torch.from_numpy(layer.X)
    grid = brevitas_grid(brevitas_layer(layer))

    def run() -> Tensor:
        module = brevitas_layer(layer)
        program = GPTQ(module, "layer", False, 1, True, num_blocks=ceil(layer.N / BLOCK), dtype=X.dtype)
        fed(program, module, X)
        return finished(program, module)

    return Prepared(run, toolkit_optq(layer, grid))


def brevitas_qronos(layer: Layer) -> Prepared:
    """Brevitas' Qronos: alternating, with a damping of its own, whose eigenvalue 30 power iterations do not always settle."""
    from brevitas.graph.qronos import Qronos
    from brevitas.graph.utils import power_iteration

    X, X_quantized = torch.from_numpy(layer.X), torch.from_numpy(layer.X_quantized)
    grid = brevitas_grid(brevitas_layer(layer))

    def run() -> Tensor:
        module = brevitas_layer(layer)
        program = Qronos(module, "layer", False, 1, True, num_blocks=ceil(layer.N / BLOCK), alpha=SPECTRAL, dtype=X.dtype)
        fed(program, module, X_quantized)
        module.weight_quant.disable_quant = True
        fed(program, module, X)
        module.weight_quant.disable_quant = False
        return finished(program, module)

    def toolkit(damping: float | str) -> Callable[[], Result]:
        return lambda: whole(qronos(layer.X, layer.X_quantized, layer.W, grid, damping, dtype=layer.precision))

    theirs = SPECTRAL * layer.m * float(power_iteration(gram_matrix(X_quantized) / layer.m, 30))
    return Prepared(run, toolkit(f"spectral:{SPECTRAL}"), toolkit(theirs))


def fed(program: object, module: torch.nn.Module, X: Tensor) -> None:
    """Hand rows to one of Brevitas' programs, as its hook does."""
    from brevitas.graph.gpxq import LayerHandler
    from brevitas.utils.torch_utils import StopFwdException

    try:
        with torch.no_grad():
            program.update_batch(module, (X,), LayerHandler())
    except StopFwdException:
        pass


def finished(program: object, module: torch.nn.Module) -> Tensor:
    """The codes (K, N) that one of Brevitas' programs leaves in its layer."""
    with torch.no_grad():
        program.single_layer_update()
        return module.quant_weight().int()


def grid_of(step: Tensor, low: int, high: int) -> Grid:
    """A peer's grid as the toolkit's: one step for each neuron."""
    return Grid(step.detach().numpy().reshape(1, -1), low, high)


def toolkit_optq(layer: Layer, grid: Grid) -> Callable[[], Result]:
    """OPTQ from the same rows on the same grid."""
    return lambda: whole(optq(layer.X, layer.W, grid, DAMPING, dtype=layer.precision))


DOCUMENT = "PEERS" + ".md"  # not in the repository: it says what was installed on one machine
PEERS = {
    "ist": Peer("GPTQ authors' conventions, IST-DASLab style", "", ist_style),
    "llm-compressor": Peer("llm-compressor", "llmcompressor", llm_compressor, ("float32",)),
    "brevitas-gptq": Peer("Brevitas GPTQ", "brevitas", brevitas_gptq),
    "brevitas-qronos": Peer("Brevitas Qronos", "brevitas", brevitas_qronos),
}


def peer_rows(sizes: tuple[int, ...], rounds: int) -> Iterator[dict[str, object]]:
    """Seconds of the loop, of every peer and of the toolkit in its place, in turn, in float32; and whose integers are the same."""
    present = {name: peer for name, peer in PEERS.items() if not peer.missing}
    for N in sizes:
        layer = Layer(N, N, 2 * N, "float32")
        prepared = {name: peer.prepare(layer) for name, peer in present.items()}
        tasks = {(name, side): getattr(both, side) for name, both in prepared.items() for side in ("theirs", "ours")}
        tasks["loop", "theirs"] = JOBS["rows-loop"].prepare(layer)
        with threads(1):
            for (name, side), times in interleaved(tasks, lambda key: rounds, 0.0).items():
                yield from rows_of("peers", f"{name} {side}", layer, times)
            for name, peer in present.items():
                for precision in peer.precisions:
                    yield from equal_integers(name, peer, Layer(N, N, 2 * N, precision))


def equal_integers(name: str, peer: Peer, layer: Layer) -> Iterator[dict[str, object]]:
    """Shares of entries and of neurons in which a peer and the toolkit return the same integers."""
    prepared = peer.prepare(layer)
    same = (prepared.same or prepared.ours)().codes == prepared.theirs().numpy().T
    for what, share in (("entries", same.mean()), ("neurons", same.all(axis=0).mean())):
        yield described("integers", f"{name} {what}", layer) | {"share": float(share)}


def document(table: pd.DataFrame, left_out: list[str]) -> str:
    """The document."""
    seconds = Seconds(table, "peers")
    loop = ("loop theirs", "float32")
    times = [("published loop, from X, in seconds", *(Spread.of(seconds.of(*loop, N)) for N in seconds.sizes))]
    agreement = []
    for name, peer in ((name, peer) for name, peer in PEERS.items() if not peer.missing):
        for side, words in (("theirs", peer.name), ("ours", "the toolkit in its place")):
            times.append((words, *(seconds.ratio((f"{name} {side}", "float32"), loop, N) for N in seconds.sizes)))
        for precision in peer.precisions:
            shares = table[(table["part"] == "integers") & (table["precision"] == precision)].set_index(["job", "N"])["share"]
            agreement += [(f"{peer.name}, {precision}, {what}", *(percentage(shares[f"{name} {what}", N]) for N in seconds.sizes))
                          for what in ("entries", "neurons")]
    facts = "\n".join(f"- {topic}: {words}" for topic, words in machine().items())
    parts = [f"""# Other programs

Written by `make benchmark-peers`, in an environment of its own; how it is timed says [RESULTS.md](RESULTS.md).

{facts}

Each program goes from 2 N calibration rows to the codes of N = K neurons in float32 on one thread (`{KIND}` features, {BITS} bits
per neuron, damping {100 * FRACTION:g} % of the mean diagonal; Qronos: {SPECTRAL:g} of the largest eigenvalue). The toolkit in its place
has the same rows, grid, damping and precision, and a QR factorization of the rows where the others have a Gram matrix and its inverse.""",
             *left_out, "## Over the published loop from X, in processor time", markdown(("N = K", *numbers(seconds.sizes)), times),
             "## The same integers as the toolkit",
             "Both in one precision (float32 decides near ties differently in two programs), Qronos at the damping that Brevitas\n"
             "arrives at: its power iterations do not settle the eigenvalue.",
             markdown(("N = K", *numbers(seconds.sizes)), agreement)]
    return "\n\n".join(parts) + "\n"


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="tiny sizes: shows that everything runs, measures nothing")
    parser.add_argument("--output", type=Path, default=HERE, help="folder of the document (default: benchmarks/)")
    options = parser.parse_args(words)
    left_out = [peer.missing for peer in PEERS.values() if peer.missing]
    print(*left_out, sep="\n")
    table = pd.DataFrame(peer_rows(*((QUICK_SIZES, QUICK_ROUNDS) if options.quick else (SIZES, ROUNDS))))
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / DOCUMENT).write_text(document(table, left_out), encoding="utf-8")


if __name__ == "__main__":
    main()
