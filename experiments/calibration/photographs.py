"""A real calibration matrix: grey patches of the two photographs that come with scikit-learn, `china.jpg` and `flower.jpg`.

Calibration patches and held-out patches share no pixel. Without `shift` both splits see both photographs, cut into strips that
go to calibration and to the held-out inputs in turn (halves would be a shift of their own: one side is brighter); with it the
layer is calibrated on the temple and deployed on the flower.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np

from ...algorithms.arguments import reject
from .kind import Kind, Option, Request, count
from .layer import LayerData

PHOTOGRAPHS = ("china.jpg", "flower.jpg")
HEIGHT, WIDTH = 427, 640
STRIP = 64  # pixels; ten strips make a photograph, and no patch is wider

Region = tuple[int, slice]  # which photograph, and which of its columns


class Photographs(Kind):
    """Patches of patch x patch pixels, brightness 0 to 1, at positions drawn from the seeds; weights are standard normal."""

    name = "photographs"
    description = "Grey patches of two photographs (scikit-learn's); with shift, calibrated on one and held out on the other."
    tags = ("real", "correlated", "ill conditioned")

    def __init__(self):
        self.options = {
            "samples": count(default=4096),
            "held_out": count(default=4096),
            "neurons": count(default=64),
            "patch": count(default=8),
            "shift": Option(lambda value: isinstance(value, bool), "true or false", False),
        }

    def check(self, where: str, parameters: Mapping[str, Any]) -> None:
        super().check(where, parameters)
        given = self.with_defaults(parameters)
        if given["patch"] > STRIP:
            raise reject(f"{where}.patch", given["patch"], f"at most {STRIP} pixels")
        for split, regions in zip(("samples", "held_out"), split_regions(given["shift"]), strict=True):
            there = sum(positions(region, given["patch"]) for region in regions)
            if given[split] > there:
                raise reject(f"{where}.{split}", given[split], f"at most {there}, the number of patches of that size in this split")

    def load(self, request: Request) -> LayerData:
        given = self.with_defaults(request.parameters)
        rng = request.rng()
        splits = zip(split_regions(given["shift"]), (given["samples"], given["held_out"]), strict=True)
        X, X_validation = (draw_patches(regions, samples, given["patch"], rng) for regions, samples in splits)
        W = rng.standard_normal((given["patch"] ** 2, given["neurons"]))
        return LayerData(request.table, X, X_validation, W, self.files())

    def files(self) -> dict[str, str]:
        return photograph_hashes()

    def shape(self, parameters: Mapping[str, Any]) -> tuple[int, int, int]:
        given = self.with_defaults(parameters)
        return given["samples"], given["patch"] ** 2, given["neurons"]


def split_regions(shift: bool) -> tuple[tuple[Region, ...], tuple[Region, ...]]:
    """Where calibration patches and held-out patches come from."""
    if shift:
        return ((0, slice(0, WIDTH)),), ((1, slice(0, WIDTH)),)
    strips = [(photograph, slice(start, start + STRIP)) for photograph in (0, 1) for start in range(0, WIDTH, STRIP)]
    return tuple(strips[::2]), tuple(strips[1::2])


def positions(region: Region, patch: int) -> int:
    """How many patches lie wholly inside a region."""
    _, columns = region
    return (HEIGHT - patch + 1) * (columns.stop - columns.start - patch + 1)


def draw_patches(regions: Iterable[Region], samples: int, patch: int, rng: np.random.Generator) -> np.ndarray:
    """Patches (samples, patch^2) drawn without repetition from all positions in the regions; overlaps are allowed.

    >>> draw_patches(split_regions(False)[0], 5, 8, np.random.default_rng(0)).shape
    (5, 64)
    """
    windows = [
        np.lib.stride_tricks.sliding_window_view(grey_photographs()[photograph][:, columns], (patch, patch))
        for photograph, columns in regions
    ]
    counts = np.cumsum([0, *(view.shape[0] * view.shape[1] for view in windows)])
    chosen = rng.choice(counts[-1], samples, replace=False)
    patches = np.empty((samples, patch, patch))
    for view, start, stop in zip(windows, counts[:-1], counts[1:], strict=True):
        here = (chosen >= start) & (chosen < stop)
        patches[here] = view[np.unravel_index(chosen[here] - start, view.shape[:2])]
    return patches.reshape(samples, patch**2)


@lru_cache(maxsize=1)
def grey_photographs() -> tuple[np.ndarray, ...]:
    """Both photographs (427, 640), the mean of red, green and blue, 0 to 1.

    >>> [photograph.shape for photograph in grey_photographs()]
    [(427, 640), (427, 640)]
    """
    from sklearn.datasets import load_sample_image

    return tuple(load_sample_image(name).mean(axis=2) / 255 for name in PHOTOGRAPHS)


@lru_cache(maxsize=1)
def photograph_hashes() -> dict[str, str]:
    """SHA-256 of both image files, by name."""
    folder = files("sklearn.datasets") / "images"
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in PHOTOGRAPHS}
