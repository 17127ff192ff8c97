"""A small network that reads scikit-learn's bundled handwritten digits, and the images themselves.

It is a plain perceptron, 64 -> 128 -> 96 -> 10 with ReLU, trained by `train_digits` on 1200 of the 1797 images
of 8x8 pixels; its float32 weights and the indices of both splits are in `digits_weights.npz`. The forward pass is in
float64. Its layer inputs have dead features as real ones do: 3 pixels that are always empty, and on the calibration
images 7 and 13 neurons of the hidden layers that never fire.
"""

from __future__ import annotations

import hashlib
import io
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...algorithms.arguments import choose
from .capture import one_torch_thread

if TYPE_CHECKING:
    import torch

DIGITS_LAYERS = ("hidden1", "hidden2", "output")
DIGITS_SPLITS = ("calibration", "held-out")
SHIPPED_WEIGHTS = Path(__file__).with_name("digits_weights.npz")

CALIBRATION_IMAGES = 1200

WIDTHS = (64, 128, 96, 10)
_BRIGHTEST = 16.0


@dataclass(frozen=True, eq=False)
class TrainedDigits:
    """A weights file: parameters by name ("hidden1.weight", ...), the image indices of each split, the file's SHA-256."""

    parameters: dict[str, np.ndarray]
    indices: dict[str, np.ndarray]
    sha256: str


def digits_accuracy(split: str = "held-out", weights: Path | str = SHIPPED_WEIGHTS) -> float:
    """The fraction of the images of one split that the network names correctly, in 0..1.

    Arguments:
        split: one of `DIGITS_SPLITS`.
        weights: a file written by `train_digits`; the shipped one by default.

    Raises:
        InvalidArgumentError: an unknown split.
        ModuleNotFoundError: torch or scikit-learn (the extra `calibration`) is not installed.

    >>> digits_accuracy("held-out") > 0.95
    True
    """
    import torch

    trained = read_trained(weights)
    images, labels = digits_images(trained, split)
    with one_torch_thread(), torch.no_grad():
        scores = digits_network(trained)(torch.from_numpy(images)).numpy()
    return float((scores.argmax(axis=1) == labels).mean())


def read_trained(weights: Path | str = SHIPPED_WEIGHTS) -> TrainedDigits:
    """The parameters and splits in a weights file, and the SHA-256 of its bytes."""
    content = Path(weights).read_bytes()
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        parameters = {f"{layer}.{part}": file[f"{layer}.{part}"] for layer in file["layers"] for part in ("weight", "bias")}
        indices = {split: file[split] for split in DIGITS_SPLITS}
    return TrainedDigits(parameters, indices, hashlib.sha256(content).hexdigest())


def digits_network(trained: TrainedDigits) -> torch.nn.Sequential:
    """The trained network in float64 and evaluation mode; it takes images (n, 64) and gives scores (n, 10)."""
    import torch

    with torch.device("meta"):  # no random initial weights are drawn, so torch's random state stays as it was
        network = untrained_network()
    network.load_state_dict({name: torch.from_numpy(values) for name, values in trained.parameters.items()}, assign=True)
    return network.double().eval()


def untrained_network() -> torch.nn.Sequential:
    """The architecture, float32, with torch's random initial weights."""
    import torch

    parts: OrderedDict[str, torch.nn.Module] = OrderedDict()
    for layer, features, neurons in zip(DIGITS_LAYERS, WIDTHS[:-1], WIDTHS[1:], strict=True):
        parts[layer] = torch.nn.Linear(features, neurons)
        parts[f"relu_{layer}"] = torch.nn.ReLU()
    parts.popitem()
    return torch.nn.Sequential(parts)


def digits_images(trained: TrainedDigits, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, 64) with brightness in 0..1 and labels (n,) of one of `DIGITS_SPLITS`."""
    choose("split", split, DIGITS_SPLITS)
    images, labels = all_images()
    chosen = trained.indices[split]
    return images[chosen], labels[chosen]


def all_images() -> tuple[np.ndarray, np.ndarray]:
    """All 1797 images (1797, 64) with brightness in 0..1, and their labels (1797,)."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    return np.asarray(images) / _BRIGHTEST, np.asarray(labels)
