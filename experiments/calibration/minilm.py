"""A real transformer: all 36 linear layers of MiniLM on English text, offline.

The network runs in float64: sequential quantization turns last bits into codes, and in float32 a fifth of the codes of its 4-bit,
8-bit-activation form differ from one processor to another; in float64 none of the 10.6 million does. Activations are folded as they come,
so memory does not grow with the number of tokens (but for a mismatch: all calibration tokens go through the network at once while it
is quantized). Every token is a row, [CLS] and [SEP] included. Query, key and value of a block are given the same input, which is
captured once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from threadpoolctl import threadpool_limits

from ...algorithms.arguments import reject
from ..networks.capture import one_torch_thread
from ..networks.deployed import deploy
from ..networks.minilm import (
    LONGEST_SEQUENCE,
    MINILM_LAYERS,
    input_of,
    layer_shape,
    minilm_files,
    minilm_network,
    minilm_tokens,
    minilm_weights,
)
from .cache import InputCache, code_and_versions
from .folded import BLOCK_ROWS, fold_layer_inputs
from .kind import Kind, Request, count, layer_option
from .layer import LayerData
from .mismatch import QuantizedLayers

if TYPE_CHECKING:
    import torch

    from ..networks.bert import Bert

PAIRS_AT_ONCE = 4  # inputs folded beside their deployed ones in one pass through both networks: bounds memory
SECONDS_PER_TOKEN = 1e-3  # one pass through the network
SECONDS_PER_SQUARE = 1.7e-10  # one row folded, over its length squared

Arrays = dict[str, Any]  # arrays, and numbers and text that become such in a file


class MiniLM(Kind):
    """One layer of MiniLM; `samples` and `held_out` are numbers of tokens, in sequences of `sequence` tokens."""

    name = "minilm"
    description = "Any of the 36 linear layers of MiniLM, a sentence transformer, on English text; folded."
    tags = ("real", "network", "correlated", "outlier features", "ill conditioned")
    layers = MINILM_LAYERS
    prepared = True

    def __init__(self):
        self.options = {
            "layer": layer_option(MINILM_LAYERS, "all"),
            "samples": count(default=8192),
            "held_out": count(default=4096),
            "sequence": count(least=3, default=128),
        }

    def check(self, where: str, parameters: Mapping[str, Any]) -> None:
        super().check(where, parameters)
        given = self.with_defaults(parameters)
        if given["sequence"] > LONGEST_SEQUENCE:
            raise reject(f"{where}.sequence", given["sequence"], f"at most {LONGEST_SEQUENCE} tokens, the longest that MiniLM reads")
        for split in ("samples", "held_out"):
            if given[split] % given["sequence"]:
                raise reject(f"{where}.{split}", given[split], f"a multiple of sequence = {given['sequence']}")

    def load(self, request: Request) -> LayerData:
        (layer,) = self.layer_names(request.parameters)
        inputs = MiniLMCapture(self.with_defaults(request.parameters), request.mismatch).read(input_of(layer), request.cache)
        kept = {"samples": int(inputs.pop("samples")), "deployed_codes": str(inputs.pop("deployed_codes"))}
        return LayerData(layer, W=minilm_weights(layer), files=self.files(), **inputs, **kept)

    def prepare(self, parameters: Mapping[str, Any], mismatch: QuantizedLayers | None, layers: Iterable[str], cache: Path) -> None:
        MiniLMCapture(self.with_defaults(parameters), mismatch).fill([input_of(layer) for layer in layers], cache)

    def preparation_cost(self, parameters: Mapping[str, Any], mismatch: QuantizedLayers | None, layers: Iterable[str]) -> float:
        given = self.with_defaults(parameters)
        return capture_cost(given["samples"], given["held_out"], {input_of(layer) for layer in layers}, mismatch is not None)

    def files(self) -> dict[str, str]:
        return minilm_files()

    def shape(self, parameters: Mapping[str, Any]) -> tuple[int, int, int]:
        (layer,) = self.layer_names(parameters)
        return (self.with_defaults(parameters)["samples"], *layer_shape(layer))


class MiniLMCapture:
    """The folded inputs of MiniLM's layers for one choice of tokens and one mismatch.

    Arguments:
        given: `samples`, `held_out` and `sequence`.
        mismatch: what the deployed network is, or None.
    """

    def __init__(self, given: Mapping[str, int], mismatch: QuantizedLayers | None):
        self.sizes = {key: given[key] for key in ("samples", "held_out", "sequence")}
        self.mismatch = mismatch

    def read(self, name: str, folder: Path | None) -> Arrays:
        """The folded inputs called `name`: from the cache, or made now (and kept there, where there is one)."""
        if folder is None:
            return dict(self.make([name]))[name]
        found = self.cache(folder).read(name)
        if found is None:
            self.fill([name], folder)
            found = self.cache(folder).read(name)
        if found is None:
            raise OSError(f"the cache does not keep what is written to it: {self.cache(folder).path(name)}")
        return found

    def fill(self, names: Iterable[str], folder: Path) -> None:
        """Make what the cache does not hold of these inputs; a process that does the same waits and then finds it done."""
        cache = self.cache(folder)
        with cache.locked():
            missing = [name for name in dict.fromkeys(names) if cache.read(name) is None]
            for name, arrays in self.make(missing):
                cache.write(name, arrays)

    def cache(self, folder: Path) -> InputCache:
        made_from = {"kind": MiniLM.name, "mismatch": repr(self.mismatch)}
        return InputCache(folder, made_from | self.sizes | minilm_files() | code_and_versions())

    def make(self, names: Sequence[str]) -> Iterator[tuple[str, Arrays]]:
        """Run the network and fold the inputs of these names; on one thread, so that bytes do not depend on their number."""
        import torch

        if not names:
            return
        with ExitStack() as limits:
            limits.enter_context(one_torch_thread())
            limits.enter_context(threadpool_limits(1))
            tokens, held_out = map(torch.from_numpy, minilm_tokens(**self.sizes))
            network, (deployed, codes) = minilm_network(), self.deployed(tokens, names)
            at_once = len(names) if deployed is None else PAIRS_AT_ONCE
            for start in range(0, len(names), at_once):
                some = names[start : start + at_once]
                rows = BLOCK_ROWS if deployed is None else BLOCK_ROWS // 2
                foldings = fold_layer_inputs(network, self.batches(tokens, rows), some, tokens.numel(), deployed)
                validation = fold_layer_inputs(network, self.batches(held_out, BLOCK_ROWS), some, held_out.numel())
                for name in some:
                    kept = {"X_validation": validation.pop(name).triangle, "deployed_codes": np.array(codes[name])}
                    yield name, foldings.pop(name).fields() | kept

    def deployed(self, tokens: torch.Tensor, names: Sequence[str]) -> tuple[Bert | None, dict[str, str]]:
        """The network with all that lies before these inputs quantized, and a hash of those codes by name; None without a mismatch."""
        if self.mismatch is None:
            return None, dict.fromkeys(names, "")
        network = minilm_network()
        codes = deploy(network, tokens, MINILM_LAYERS, names, self.mismatch.bits, self.mismatch.activation_bits, input_of)
        return network, codes

    def batches(self, tokens: torch.Tensor, rows: int) -> Sequence[torch.Tensor]:
        """Whole sequences, about so many tokens at a time."""
        return tokens.split(max(1, rows // self.sizes["sequence"]))


def capture_cost(samples: int, held_out: int, names: Iterable[str], mismatch: bool) -> float:
    """Rough seconds on one core to capture these inputs: tokens through the network, and rows through QR factorizations."""
    names = list(names)
    folded = sum((samples * (4 if mismatch else 1) + held_out) * layer_shape(name)[0] ** 2 for name in names)
    passes = 1
    if mismatch:
        before = MINILM_LAYERS[: max(map(MINILM_LAYERS.index, names))]
        folded += 0.4 * sum(samples * layer_shape(layer)[0] ** 2 for layer in dict.fromkeys(map(input_of, before)))
        passes += 2 * math.ceil(len(names) / PAIRS_AT_ONCE)
    return SECONDS_PER_TOKEN * (samples + held_out) * passes + SECONDS_PER_SQUARE * folded
