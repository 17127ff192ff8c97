"""The file of a study, and the sentences with which what stands in it is refused."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...algorithms.arguments import InvalidArgumentError, reject
from ..calibration.load import layer_names, shape
from ..names import did_you_mean
from .keys import Key


@dataclass(frozen=True)
class Source:
    """What refusals call the file, and the folder that paths in it are relative to."""

    file: str
    folder: Path

    def refuse(self, key: str, value: object, accepted: str) -> InvalidArgumentError:
        """The error that one of the file's keys has a value which is not accepted."""
        return reject(f"{self.file}: {key}", value, accepted)

    def refuse_as(self, error: InvalidArgumentError) -> InvalidArgumentError:
        """An error about a part of the file, with the file named."""
        return InvalidArgumentError(f"{self.file}: {error}")

    def known(self, key: str, value: object, names: Collection[str]) -> None:
        """Refuse what is none of these names, with the nearest of them."""
        if value not in names:
            raise self.refuse(key, value, "one of " + ", ".join(names) + did_you_mean(value, names))

    def values(self, where: str, key: str, given: object, rule: Key) -> tuple:
        """The values of one key: as given, or its default."""
        if given is None:
            if rule.required:
                raise self.refuse(f"{where}: {key}", given, rule.accepted)
            given = rule.default
        values = tuple(given) if isinstance(given, (list, tuple)) and not rule.single else (given,)
        if not values:
            raise self.refuse(f"{where}: {key}", given, f"at least one value: {rule.accepted}")
        for value in values:
            if not rule.test(value):
                raise self.refuse(f"{where}: {key}", value, rule.accepted + did_you_mean(value, rule.names))
        if len(set(values)) < len(values):
            raise self.refuse(f"{where}: {key}", given, "every value once")
        return values


@dataclass(frozen=True)
class Header:
    """What all cells of a study share: its name, its seed, its calibration tables, the files of its own claims."""

    name: str
    seed: int
    tables: Mapping[str, dict]
    claims_files: tuple[str, ...]


def shapes(parameters: Mapping[str, Any]) -> list[tuple[int, int, int]]:
    """(m, N, K) of each layer that a calibration table asks for."""
    return [shape({**parameters, "layer": layer} if layer else parameters) for layer in layer_names(parameters)]


def widest(parameters: Mapping[str, Any]) -> int:
    """The features of a calibration table; of its widest layer where it has several."""
    return max(N for _, N, _ in shapes(parameters))
