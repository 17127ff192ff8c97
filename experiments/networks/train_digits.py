"""Train the digits network and write its weights: `python -m provable_ptq.experiments.networks.train_digits --output FILE`.

One machine and environment gives the same weights every time; another may not, so the trained weights are shipped
beside this script as `digits_weights.npz`, and it never replaces them unless told to.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .capture import one_torch_thread
from .digits import CALIBRATION_IMAGES, DIGITS_LAYERS, DIGITS_SPLITS, all_images, digits_accuracy, untrained_network

if TYPE_CHECKING:
    import torch

SEED = 0
EPOCHS = 60
BATCH = 32
LEARNING_RATE = 1e-3


def split_indices(images: int, calibration: int = CALIBRATION_IMAGES, seed: int = SEED) -> dict[str, np.ndarray]:
    """A random part of `calibration` image indices and the rest, by the names in `DIGITS_SPLITS`; each sorted.

    >>> {split: len(indices) for split, indices in split_indices(1797).items()}
    {'calibration': 1200, 'held-out': 597}
    """
    shuffled = np.random.default_rng(seed).permutation(images)
    return dict(zip(DIGITS_SPLITS, (np.sort(shuffled[:calibration]), np.sort(shuffled[calibration:])), strict=True))


def train(images: np.ndarray, labels: np.ndarray, epochs: int = EPOCHS, seed: int = SEED) -> torch.nn.Sequential:
    """The digits network after `epochs` passes of Adam over images (n, 64) in 0..1 and labels (n,); torch's own seed is left alone."""
    import torch

    with one_torch_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = untrained_network()
        optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
        inputs, targets = torch.from_numpy(images).float(), torch.from_numpy(labels)
        for _ in range(epochs):
            for batch in torch.randperm(len(inputs)).split(BATCH):
                optimizer.zero_grad()
                torch.nn.functional.cross_entropy(network(inputs[batch]), targets[batch]).backward()
                optimizer.step()
    return network


def save(network: torch.nn.Sequential, indices: dict[str, np.ndarray], output: Path | str) -> None:
    """Write the layer names, the float32 parameters and the splits as an uncompressed .npz file without pickles."""
    parameters = {name: values.numpy() for name, values in network.state_dict().items()}
    splits = {split: chosen.astype(np.int16) for split, chosen in indices.items()}
    with Path(output).open("wb") as file:
        np.savez(file, layers=np.array(DIGITS_LAYERS), **parameters, **splits)  # pyright: ignore[reportArgumentType]  (numpy's flag is no layer)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, save, and print the accuracy on both splits."""
    parser = argparse.ArgumentParser(description="Train the digits network and write its weights.")
    parser.add_argument("--output", type=Path, default=Path("digits_weights.npz"), help="where to write the weights (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="passes over the training images (default: %(default)s)")
    options = parser.parse_args(arguments)
    images, labels = all_images()
    indices = split_indices(len(images))
    chosen = indices["calibration"]
    save(train(images[chosen], labels[chosen], options.epochs), indices, options.output)
    for split in DIGITS_SPLITS:
        print(f"accuracy on the {split} images: {digits_accuracy(split, options.output):.4f}")
    print(f"weights written to {options.output}")


if __name__ == "__main__":
    main()
