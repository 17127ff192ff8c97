"""A real calibration matrix: the activations of a small network that reads scikit-learn's bundled handwritten digits.

The network is a plain perceptron, 64 -> 128 -> 96 -> 10 with ReLU, trained by `train_digits` on 1200 of the 1797 images
of 8x8 pixels; its float32 weights and the indices of both splits are in `digits_weights.npz`. The forward pass is in
float64. Its layer inputs have dead features as real ones do: 3 pixels that are always empty, and on the calibration
images 7 and 13 neurons of the hidden layers that never fire.
"""

from __future__ import annotations

import hashlib
import io
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...algorithms.arguments import choose
from ..networks.capture import capture_inputs, linear_weights, one_torch_thread
from ..networks.deployed import deploy
from .kind import Kind, Request, layer_option
from .layer import LayerData
from .mismatch import QuantizedLayers

if TYPE_CHECKING:
    import torch

DIGITS_LAYERS = ("hidden1", "hidden2", "output")
DIGITS_SPLITS = ("calibration", "held-out")
SHIPPED_WEIGHTS = Path(__file__).with_name("digits_weights.npz")

CALIBRATION_IMAGES = 1200

_WIDTHS = (64, 128, 96, 10)
_BRIGHTEST = 16.0


@dataclass(frozen=True, eq=False)
class TrainedDigits:
    """A weights file: parameters by name ("hidden1.weight", ...), the image indices of each split, the file's SHA-256."""

    parameters: dict[str, np.ndarray]
    indices: dict[str, np.ndarray]
    sha256: str


class Digits(Kind):
    """One layer of the digits network."""

    name = "digits"
    description = "Any of the 3 layers of a small network that reads scikit-learn's handwritten digits."
    tags = ("real", "network", "dead features")
    layers = DIGITS_LAYERS

    def __init__(self):
        self.options = {"layer": layer_option(DIGITS_LAYERS, "hidden2")}

    def load(self, request: Request) -> LayerData:
        (layer,) = self.layer_names(request.parameters)
        return digits_layer(layer, mismatch=request.mismatch)

    def files(self) -> dict[str, str]:
        return {SHIPPED_WEIGHTS.name: hashlib.sha256(SHIPPED_WEIGHTS.read_bytes()).hexdigest()}

    def shape(self, parameters: Mapping[str, object]) -> tuple[int, int, int]:
        (layer,) = self.layer_names(parameters)
        place = DIGITS_LAYERS.index(layer)
        return CALIBRATION_IMAGES, _WIDTHS[place], _WIDTHS[place + 1]


def digits_layer(name: str = "hidden2", weights: Path | str = SHIPPED_WEIGHTS, mismatch: QuantizedLayers | None = None) -> LayerData:
    """One layer of the digits network with its inputs: `X` on the images it was trained on, `X_validation` on the held-out ones.

    Arguments:
        name: one of `DIGITS_LAYERS`; (N, K) is (64, 128), (128, 96) and (96, 10); m = 1200 and m' = 597.
        weights: a file written by `train_digits`; the shipped one by default.
        mismatch: with it, `X_quantized` is what the layer is given once the layers before it are quantized.

    Raises:
        InvalidArgumentError: an unknown name.
        ModuleNotFoundError: torch or scikit-learn (the extra `calibration`) is not installed.

    >>> layer = digits_layer("hidden2")
    >>> layer.X.shape, layer.X_validation.shape, layer.W.shape
    ((1200, 128), (597, 128), (128, 96))
    """
    choose("name", name, DIGITS_LAYERS)
    trained = read_trained(weights)
    network = digits_network(trained)
    X, X_validation = (_layer_inputs(network, name, digits_images(trained, split)[0]) for split in DIGITS_SPLITS)
    W = linear_weights(network, name)
    deployed = {} if mismatch is None else _deployed_inputs(trained, name, mismatch)
    return LayerData(name, X, X_validation, W, {Path(weights).name: trained.sha256}, **deployed)


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
    for layer, features, neurons in zip(DIGITS_LAYERS, _WIDTHS[:-1], _WIDTHS[1:], strict=True):
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
    return images / _BRIGHTEST, labels


def _deployed_inputs(trained: TrainedDigits, name: str, mismatch: QuantizedLayers) -> dict[str, object]:
    """What a layer is given on the calibration images once the layers before it are quantized on them, and their codes' hash."""
    import torch

    network, images = digits_network(trained), digits_images(trained, "calibration")[0]
    with one_torch_thread():
        hashes = deploy(network, torch.from_numpy(images), DIGITS_LAYERS, [name], mismatch.bits, mismatch.activation_bits)
    return {"X_quantized": _layer_inputs(network, name, images), "deployed_codes": hashes[name]}


def _layer_inputs(network: torch.nn.Module, name: str, images: np.ndarray) -> np.ndarray:
    import torch

    with one_torch_thread():
        return capture_inputs(network, torch.from_numpy(images), [name])[name]
