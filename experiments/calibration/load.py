"""From one [calibration.NAME] table of a study to the layer it describes: every kind by name, and what a study asks of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...algorithms.arguments import reject
from ...bounds.problems.zoo import ZOO
from ..names import did_you_mean
from .digits import Digits
from .files import Files
from .kind import Kind, Request
from .layer import LayerData
from .minilm import MiniLM
from .mismatch import MISMATCHES, Deployed, Mismatch, Noise, QuantizedLayers, parse_mismatch, with_noise
from .photographs import Photographs
from .synthetic import Synthetic

KINDS: dict[str, Kind] = {kind.name: kind for kind in (*map(Synthetic, ZOO), Digits(), Photographs(), MiniLM(), Files())}


def load_layer(name: str, parameters: Mapping[str, Any], study_seed: int, seed: int, mismatch: str = "none",
               cache: Path | str | None = None) -> LayerData:
    """The layer of a calibration table.

    Arguments:
        name: the table's name; synthetic data depend on it.
        parameters: `kind`, and what that kind takes (see `check_parameters`), with one layer where the kind has several.
        study_seed, seed: the study's seed and the number of the repetition; whatever is drawn depends on both.
        mismatch: one of `MISMATCHES`; other than "none", the layer has `X_quantized`.
        cache: a folder in which what takes long is kept from one call to the next; None: nothing is kept.

    Synthetic weights are standard normal, and held-out inputs come from the same law as the calibration inputs.

    Raises:
        InvalidArgumentError: what `check_parameters` and `check_mismatch` refuse, or several layers.
        ModuleNotFoundError: the kind needs an extra that is not installed.

    >>> table = {"kind": "gaussian", "samples": 8, "features": 3, "neurons": 2}
    >>> layer = load_layer("toy", table, study_seed=0, seed=0, mismatch="noise:0.1")
    >>> layer.X.shape, layer.X_quantized.shape, layer.W.shape
    ((8, 3), (8, 3), (3, 2))
    """
    if not isinstance(name, str):
        raise reject("name", name, "the name of a calibration table")
    check_parameters(f"calibration.{name}", parameters)
    check_mismatch("mismatch", mismatch, parameters["kind"])
    if len(layer_names(parameters)) != 1:
        raise reject(f"calibration.{name}.layer", parameters.get("layer"), "one layer")
    asked = parse_mismatch("mismatch", mismatch)
    if not isinstance(asked, Deployed):
        parameters = {key: value for key, value in parameters.items() if not key.startswith("deployed")}
    quantized = asked if isinstance(asked, QuantizedLayers) else None
    request = Request(name, parameters, study_seed, seed, quantized, None if cache is None else Path(cache))
    layer = KINDS[parameters["kind"]].load(request)
    if isinstance(asked, Deployed) and layer.X_quantized is None:
        raise reject("mismatch", mismatch, f"a calibration table that names its deployed inputs ({name} does not)")
    return with_noise(layer, asked.size, request.rng(mismatch="noise")) if isinstance(asked, Noise) else layer


def check_parameters(name: str, parameters: Mapping[str, Any]) -> None:
    """Refuse a calibration table before anything runs.

    Raises:
        InvalidArgumentError: an unknown kind, key or layer, a missing or wrong value, an option that makes no finite matrix.
    """
    if not isinstance(parameters, Mapping):
        raise reject(name, parameters, "a table")
    kind = parameters.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise reject(f"{name}.kind", kind, "one of " + ", ".join(KINDS) + did_you_mean(kind, KINDS))
    KINDS[kind].check(name, parameters)


def check_mismatch(name: str, value: object, kind: str) -> None:
    """Refuse a mismatch that this kind of calibration does not have.

    Raises:
        InvalidArgumentError: none of `MISMATCHES`, or quantized layers where the data do not come from a network.
    """
    if isinstance(parse_mismatch(name, value), QuantizedLayers) and not KINDS[kind].layers:
        networks = " or ".join(other.name for other in KINDS.values() if other.layers)
        accepted = f"{MISMATCHES[0]} or {MISMATCHES[1]}, since {kind} has no layers before it (kind {networks} has)"
        raise reject(name, value, accepted)


def resolve_files(name: str, parameters: Mapping[str, Any], folder: Path | str) -> dict[str, Any]:
    """The table with the files that it names found: paths relative to `folder` made absolute, their SHA-256 added.

    Raises:
        InvalidArgumentError: no such file or array, arrays that do not fit together, a file that is not the one whose SHA-256 is given.
    """
    return KINDS[parameters["kind"]].resolve(name, parameters, Path(folder))


def identity(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The table as it is the same on every machine: file names without their folders."""
    return KINDS[parameters["kind"]].identity(parameters)


def layer_names(parameters: Mapping[str, Any]) -> tuple[str, ...]:
    """The layers that a table asks for by a name, a list, a pattern with * or "all"; ("",) where its kind has none.

    >>> layer_names({"kind": "digits", "layer": "hidden*"})
    ('hidden1', 'hidden2')
    """
    return KINDS[parameters["kind"]].layer_names(parameters)


def shape(parameters: Mapping[str, Any]) -> tuple[int, int, int]:
    """Samples m, features N and neurons K of a table with one layer, without loading its data.

    >>> shape({"kind": "minilm", "layer": "encoder.layer.0.output.dense"})
    (8192, 1536, 384)
    """
    return KINDS[parameters["kind"]].shape(parameters)


@dataclass(frozen=True)
class Preparation:
    """What several layers need to be made once before they are loaded; `run` puts it into the cache that `load_layer` reads.

    Attributes:
        table: the calibration table without its layer, as sorted pairs.
        mismatch: the layers before quantized, or None.
        layers: the layers that will be asked for, in the order of the network.
    """

    table: tuple[tuple[str, Any], ...]
    mismatch: QuantizedLayers | None
    layers: tuple[str, ...]

    @property
    def kind(self) -> Kind:
        return KINDS[dict(self.table)["kind"]]

    def cost(self) -> float:
        """Rough seconds on one core."""
        return self.kind.preparation_cost(dict(self.table), self.mismatch, self.layers)

    def run(self, cache: Path | str) -> None:
        """Make what is missing; what another process is making meanwhile is waited for."""
        self.kind.prepare(dict(self.table), self.mismatch, self.layers, Path(cache))


def preparations(pairs: Iterable[tuple[Mapping[str, Any], str]]) -> list[Preparation]:
    """The distinct preparations of tables, each with one layer, and mismatches; none for what is quickly loaded.

    >>> table = {"kind": "minilm", "samples": 512}
    >>> layers = ("encoder.layer.0.output.dense", "encoder.layer.0.intermediate.dense")
    >>> (made,) = preparations([(table | {"layer": layer}, mismatch) for layer in layers for mismatch in ("none", "noise:0.1")])
    >>> made.layers
    ('encoder.layer.0.intermediate.dense', 'encoder.layer.0.output.dense')
    """
    wanted: dict[tuple, set[str]] = {}
    for parameters, mismatch in pairs:
        kind = KINDS[parameters["kind"]]
        if kind.prepared:
            table = tuple(sorted((key, value) for key, value in parameters.items() if key != "layer"))
            wanted.setdefault((table, _layers_before(mismatch)), set()).update(kind.layer_names(parameters))
    return [
        Preparation(table, mismatch, tuple(layer for layer in KINDS[dict(table)["kind"]].layers if layer in layers))
        for (table, mismatch), layers in wanted.items()
    ]


def _layers_before(mismatch: str) -> QuantizedLayers | None:
    asked: Mismatch | None = parse_mismatch("mismatch", mismatch)
    return asked if isinstance(asked, QuantizedLayers) else None


def _offers(kind: Kind, mismatch: str) -> bool:
    """Whether tables of a kind may be swept over this form of mismatch."""
    return {"layers": bool(kind.layers), "deployed": "deployed" in kind.options}.get(mismatch.partition(":")[0], True)


def describe_kinds() -> list[dict[str, Any]]:
    """Every kind with its tags and keys, as JSON values: what `provable-ptq calibrations` shows.

    >>> described = {kind["kind"]: kind for kind in describe_kinds()}
    >>> described["ar1"]["tags"], described["ar1"]["keys"]["correlation"]
    (['correlated', 'ill conditioned'], {'accepted': 'a finite number', 'default': 0.95})
    """
    return [
        {
            "kind": kind.name, "description": kind.description, "tags": list(kind.tags), "layers": list(kind.layers),
            "mismatches": [mismatch for mismatch in MISMATCHES if _offers(kind, mismatch)],
            "keys": {key: {"accepted": option.accepted, "default": option.default} for key, option in kind.options.items()},
        }
        for kind in KINDS.values()
    ]
