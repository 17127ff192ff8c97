"""Calibration matrices and weights out of the user's own files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ...algorithms.arguments import InvalidArgumentError, reject
from .arrays import FORMATS, Reference, Stored, open_array, parse_reference
from .folded import BLOCK_ROWS, InputFolding
from .kind import Kind, Option, Request
from .layer import LayerData

LAYOUTS = ("features-by-neurons", "out-in")
MATRICES = ("inputs", "weights", "held_out", "deployed")
FOLDED_FROM = 4096  # samples; a matrix with more of them than this and than twice its features is folded


class Files(Kind):
    """A layer from arrays in files, "FILE" or "FILE:ARRAY".

    `inputs` (m, N) and `weights` (N, K), or (K, N) with `layout = "out-in"`, which is torch's; square weights need a `layout`, since
    they fit either way. `held_out` (m', N) and `deployed` (m, N), what the layer is given once the network is quantized, row by row as
    `inputs`. All numbers are read as float64, and seen to be finite and not all zero before anything runs. With more than 4096 samples
    and more than twice as many as features, inputs are folded block by block.
    """

    name = "file"
    description = "Your own inputs and weights, from .npy, .npz or .safetensors files."
    tags = ("your own",)

    def __init__(self):
        spelled = "FILE or FILE:ARRAY, where FILE ends in " + ", ".join(FORMATS)
        required = Option(_is_reference, spelled)
        left_out = Option(lambda value: value is None or _is_reference(value), spelled)
        digest = Option(lambda value: value is None or _is_sha256(value), "64 hexadecimal digits, the SHA-256 of the file")
        self.options = {
            "inputs": required, "weights": required, "held_out": left_out, "deployed": left_out,
            "layout": Option(lambda value: value is None or value in LAYOUTS, "one of " + ", ".join(LAYOUTS)),
        } | {f"{matrix}_sha256": digest for matrix in MATRICES}

    def resolve(self, where: str, parameters: Mapping[str, Any], folder: Path) -> dict[str, Any]:
        resolved = dict(parameters)
        for key, reference in references(parameters).items():
            found = Reference(Path(os.path.abspath(folder / reference.file)), reference.array)  # a link keeps its own name
            open_array(f"{where}.{key}", found)
            digest, pinned = sha256_of(found.file), parameters.get(f"{key}_sha256")
            if pinned not in (None, digest):
                raise reject(f"{where}.{key}_sha256", pinned, f"{digest}, the SHA-256 of {found.file.name} as it is now")
            resolved |= {key: str(found), f"{key}_sha256": digest}
        FileLayer(where, resolved).check_numbers()
        return resolved

    def identity(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        names = {key: reference.spelled(reference.file.name) for key, reference in references(parameters).items()}
        return dict(parameters) | names

    def load(self, request: Request) -> LayerData:
        return FileLayer(f"calibration.{request.table}", request.parameters).load(request.table)

    def shape(self, parameters: Mapping[str, Any]) -> tuple[int, int, int]:
        return FileLayer("calibration", parameters).shape


class FileLayer:
    """The arrays of one table, opened and seen to fit together; read when loaded.

    Raises:
        InvalidArgumentError: no such file or array, or shapes that do not fit, by the key in the table called `where`.
    """

    def __init__(self, where: str, parameters: Mapping[str, Any]):
        self.where = where
        self.references = references(parameters)
        self.transposed = parameters.get("layout") == "out-in"
        self.matrices = {key: self.matrix(key, reference) for key, reference in self.references.items()}
        (m, N), given = self.matrices["inputs"].shape, self.matrices["weights"].shape
        rows, K = reversed(given) if self.transposed else given
        if rows != N:
            accepted = f"{'neurons by ' if self.transposed else ''}{N} features{'' if self.transposed else ' by neurons'}, as inputs have"
            hint = "" if N not in given else f"; with layout = {LAYOUTS[not self.transposed]!r} they fit"
            raise self.refuse("weights", given, accepted + hint)
        if N == K and parameters.get("layout") is None:
            raise self.refuse("layout", None, f"one of {' or '.join(LAYOUTS)}, since {N} by {K} weights fit either way")
        self.shape = (m, N, K)
        self.fits("held_out", columns=N)
        self.fits("deployed", columns=N, rows=m)

    def check_numbers(self) -> None:
        """Read every array once, and refuse one that holds anything but finite numbers, or nothing but zeros."""
        for key, reference in self.references.items():
            largest = max(np.abs(block).max() for block in self.blocks(key))
            if largest == 0:
                raise self.refuse(key, str(reference), "an array that is not all zero")

    def load(self, name: str) -> LayerData:
        """The layer, with its inputs folded where there are many."""
        W = self.read("weights")
        inputs = self.folded() if self.is_large("inputs") else self.whole()
        return LayerData(
            name, W=np.ascontiguousarray(W.T) if self.transposed else W, X_validation=self.held_out(), files=self.hashes(), **inputs
        )

    def whole(self) -> dict[str, Any]:
        deployed = {"X_quantized": self.read("deployed")} if "deployed" in self.matrices else {}
        return {"X": self.read("inputs")} | deployed

    def folded(self) -> dict[str, Any]:
        folding = InputFolding(self.shape[0])
        keys = [key for key in ("inputs", "deployed") if key in self.matrices]
        for blocks in zip(*map(self.blocks, keys), strict=True):
            folding.add(*blocks)
        return folding.fields()

    def held_out(self) -> np.ndarray | None:
        if "held_out" not in self.matrices:
            return None
        if not self.is_large("held_out"):
            return self.read("held_out")
        folding = InputFolding(self.matrices["held_out"].shape[0])
        for block in self.blocks("held_out"):
            folding.add(block)
        return folding.triangle

    def hashes(self) -> dict[str, str]:
        """SHA-256 of the files, by their names."""
        return {reference.file.name: sha256_of(reference.file) for reference in self.references.values()}

    def is_large(self, key: str) -> bool:
        m, N = self.matrices[key].shape
        return m > max(FOLDED_FROM, 2 * N)

    def read(self, key: str) -> np.ndarray:
        return np.concatenate(list(self.blocks(key)))

    def blocks(self, key: str) -> Iterator[np.ndarray]:
        """Rows of a matrix, BLOCK_ROWS at a time, seen to be finite numbers."""
        stored = self.matrices[key]
        for start in range(0, stored.shape[0], BLOCK_ROWS):
            try:
                block = stored.rows(start, min(start + BLOCK_ROWS, stored.shape[0]))
            except Exception as error:  # a damaged file can fail anywhere in its reader
                raise self.refuse(key, str(self.references[key]), f"an array that can be read ({error})") from None
            if not np.isfinite(block).all():
                row, column = np.argwhere(~np.isfinite(block))[0]
                raise reject(f"{self.where}.{key}[{start + row}, {column}]", float(block[row, column]), "finite numbers")
            yield block

    def matrix(self, key: str, reference: Reference) -> Stored:
        stored = open_array(f"{self.where}.{key}", reference)
        if len(stored.shape) != 2 or 0 in stored.shape:
            raise self.refuse(key, stored.shape, "a 2-D array without empty axes" + (", one row per sample" if key != "weights" else ""))
        return stored

    def fits(self, key: str, columns: int, rows: int | None = None) -> None:
        if key in self.matrices:
            given = self.matrices[key].shape
            if given[1] != columns or rows not in (None, given[0]):
                raise self.refuse(key, given, f"{f'{rows} rows and ' if rows else ''}{columns} columns, as inputs have")

    def refuse(self, key: str, value: object, accepted: str) -> InvalidArgumentError:
        name = f"{self.where}.{key}.shape" if isinstance(value, tuple) else f"{self.where}.{key}"
        return reject(name, value, accepted)


def references(parameters: Mapping[str, Any]) -> dict[str, Reference]:
    """The arrays that a table names, by key."""
    found = {key: parse_reference(parameters.get(key)) for key in MATRICES}
    return {key: reference for key, reference in found.items() if reference is not None}


def sha256_of(file: Path) -> str:
    """SHA-256 of a file; computed again when the file has changed."""
    status = file.stat()
    return _sha256(file, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=64)
def _sha256(file: Path, changed: int, size: int) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _is_reference(value: object) -> bool:
    return parse_reference(value) is not None


def _is_sha256(value: object) -> bool:
    return isinstance(value, str) and len(value) == 64 and set(value) <= set("0123456789abcdef")
