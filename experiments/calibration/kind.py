"""What every kind of calibration table has in common: keys with defaults, tags, and a layer to load."""

from __future__ import annotations

import fnmatch
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np

from ...algorithms.arguments import reject
from ..names import did_you_mean
from ..seeds import seed_of
from .layer import LayerData
from .mismatch import QuantizedLayers

REQUIRED = None  # the default of a key that must be given
LARGEST_COUNT = 10**9


@dataclass(frozen=True)
class Option:
    """One key of a calibration table: which values it takes, in code and in words, and its default."""

    test: Callable[[object], bool]
    accepted: str
    default: object = REQUIRED


@dataclass(frozen=True)
class Request:
    """A layer that a cell of a study asks for.

    Attributes:
        table: the name of the calibration table.
        parameters: what stands in it, with one layer where the kind has several.
        study_seed, seed: the study's seed and the number of the repetition.
        mismatch: the layers before this one quantized, or None.
        cache: a folder for what takes long to make, or None.
    """

    table: str
    parameters: Mapping[str, Any]
    study_seed: int
    seed: int
    mismatch: QuantizedLayers | None = None
    cache: Path | None = None

    def rng(self, **more: object) -> np.random.Generator:
        """Draws that belong to this table, seed and repetition, and to what `more` names."""
        return np.random.default_rng(seed_of(study=self.study_seed, calibration=self.table, seed=self.seed, **more))


class Kind(ABC):
    """One kind of calibration table; `KINDS` in `load` holds all of them by name.

    Attributes:
        name: what `kind = ...` calls it.
        description: one line.
        tags: what the data are like.
        options: the keys that a table of this kind may have beside `kind`.
        layers: the layers of the network that the data come from, in the order in which they are applied; () where there is none.
        prepared: whether several layers come out of one computation that `prepare` puts into the cache.
    """

    name: str
    description: str
    tags: tuple[str, ...]
    options: Mapping[str, Option]
    layers: tuple[str, ...] = ()
    prepared: bool = False

    def check(self, where: str, parameters: Mapping[str, Any]) -> None:
        """Refuse a table, called `where` in the message, before anything runs."""
        allowed = ("kind", *self.options)
        for key, value in parameters.items():
            if key not in allowed:
                raise reject(f"{where}.{key}", value, "only the keys " + ", ".join(allowed) + did_you_mean(key, allowed))
        for key, option in self.options.items():
            value = parameters.get(key, option.default)
            if not option.test(value):
                raise reject(f"{where}.{key}", value, option.accepted + did_you_mean_layer(value, self.layers))

    def with_defaults(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """The table with every key that was left out."""
        return {key: parameters.get(key, option.default) for key, option in self.options.items()}

    def layer_names(self, parameters: Mapping[str, Any]) -> tuple[str, ...]:
        """The layers that the table asks for, in the order of the network; ("",) for a kind without layers."""
        return select_layers(self.with_defaults(parameters)["layer"], self.layers) if self.layers else ("",)

    def resolve(self, where: str, parameters: Mapping[str, Any], folder: Path) -> dict[str, Any]:
        """The table with its files found and hashed; `where` is what messages call it."""
        return dict(parameters)

    def files(self) -> dict[str, str]:
        """SHA-256 of the files that the data come from whatever the table says, by name."""
        return {}

    def identity(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """The table as it is the same on every machine, and the files behind it, where the packages that hold them are there."""
        try:
            return dict(parameters) | {f"{name}_sha256": digest for name, digest in self.files().items()}
        except ModuleNotFoundError:
            return dict(parameters)

    def prepare(self, parameters: Mapping[str, Any], mismatch: QuantizedLayers | None, layers: Iterable[str], cache: Path) -> None:
        """Put what these layers need into the cache; asked only of kinds that are `prepared`."""
        raise NotImplementedError(f"{self.name} needs no preparation")

    def preparation_cost(self, parameters: Mapping[str, Any], mismatch: QuantizedLayers | None, layers: Iterable[str]) -> float:
        """Rough seconds that `prepare` takes on one core."""
        return 0.0

    @abstractmethod
    def load(self, request: Request) -> LayerData:
        """The layer that was asked for."""

    @abstractmethod
    def shape(self, parameters: Mapping[str, Any]) -> tuple[int, int, int]:
        """(m, N, K), without loading the data."""


def select_layers(pattern: object, layers: tuple[str, ...]) -> tuple[str, ...]:
    """The layers that a name, a list, a pattern with * or "all" means, in the order of the network; () if it is none of these.

    >>> select_layers(["*.query", "0.out"], ("0.query", "0.out", "1.query", "1.out"))
    ('0.query', '0.out', '1.query')
    """
    given: Sequence[Any] = pattern if isinstance(pattern, (list, tuple)) else [pattern]
    if not all(isinstance(one, str) for one in given):
        return ()
    found = [{layer for layer in layers if one == "all" or fnmatch.fnmatchcase(layer, one)} for one in given]
    return tuple(layer for layer in layers if layer in set().union(*found)) if all(found) else ()


def did_you_mean_layer(value: object, layers: tuple[str, ...]) -> str:
    """A hint at the layers nearest to what was given in place of one."""
    given = value if isinstance(value, (list, tuple)) else [value]
    unknown = [one for one in given if not select_layers(one, layers)]
    return did_you_mean(unknown[0], layers) if layers and unknown else ""


def layer_option(layers: tuple[str, ...], default: str) -> Option:
    """The key `layer` of a network with these layers."""
    shown = ", ".join(layers if len(layers) <= 6 else (*layers[:6], "..."))
    return Option(lambda value: bool(select_layers(value, layers)), f"one of {shown}, a list of them, a pattern with * or all", default)


def count(least: int = 1, default: int | None = REQUIRED, most: int = LARGEST_COUNT) -> Option:
    """A key that takes an integer."""
    return Option(lambda value: is_count(value) and least <= value <= most, f"an integer from {least} to {most:,}", default)


def is_count(value: object) -> TypeGuard[int]:
    """Whether a value of a TOML file is an integer >= 0."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
