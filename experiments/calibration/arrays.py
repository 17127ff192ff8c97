"""One array of a user's file, found by "FILE" or "FILE:ARRAY": .npy, .npz and .safetensors, without reading more than is asked for.

Headers are read alone, and .npy and .safetensors are mapped into memory, so an array may be larger than the machine's memory.
A .safetensors file is a length, a JSON header and the bytes of all arrays; it is read here rather than by its library, which
knows no bfloat16 without torch.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...algorithms.arguments import reject
from ..names import did_you_mean

FORMATS = (".npy", ".npz", ".safetensors")
SAFETENSORS_TYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1", "U8": "u1",
}

_SPELLED = re.compile(r"(?P<file>.+?(?:" + "|".join(map(re.escape, FORMATS)) + r"))(?::(?P<array>.+))?", re.IGNORECASE)


@dataclass(frozen=True)
class Reference:
    """A file, and which of its arrays: None for the only one."""

    file: Path
    array: str | None

    def __str__(self) -> str:
        return self.spelled(self.file)

    def spelled(self, file: object) -> str:
        """The reference with another path in front."""
        return str(file) if self.array is None else f"{file}:{self.array}"


@dataclass(frozen=True)
class Stored:
    """An array in a file: its shape, and a function that reads rows start..stop of it as float64."""

    shape: tuple[int, ...]
    rows: Callable[[int, int], np.ndarray]


def parse_reference(value: object) -> Reference | None:
    """The file and array that a text names, or None if it names none.

    >>> reference = parse_reference("layers/acts.npz:mlp.0")
    >>> reference.file.name, reference.array
    ('acts.npz', 'mlp.0')
    """
    spelled = _SPELLED.fullmatch(value) if isinstance(value, str) else None
    return None if spelled is None else Reference(Path(spelled["file"]), spelled["array"])


def open_array(name: str, reference: Reference) -> Stored:
    """The array, not read yet.

    Raises:
        InvalidArgumentError: no such file or array, several arrays and no name, or a file that is not of its format; the argument
            is called `name`.
    """
    file = reference.file
    if not file.is_file():
        raise reject(name, str(file), "a file that exists")
    arrays = _ARRAYS[file.suffix.lower()]
    try:
        there = arrays(file)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise reject(name, str(file), f"a sound {file.suffix} file ({error})") from None
    if reference.array is None and len(there) == 1:
        return next(iter(there.values()))
    if reference.array not in there:
        shown = ", ".join(there) if len(there) <= 12 else ", ".join([*list(there)[:12], f"... ({len(there)} in all)"])
        known = f"FILE:ARRAY with one of the arrays in this file: {shown or '(none)'}"
        raise reject(name, str(reference), known + did_you_mean(reference.array, there))
    return there[reference.array]


def _npy(file: Path) -> dict[str, Stored]:
    mapped = np.load(file, mmap_mode="r", allow_pickle=False)
    return {file.stem: Stored(mapped.shape, lambda start, stop: _float64(mapped[start:stop]))}


def _npz(file: Path) -> dict[str, Stored]:
    with zipfile.ZipFile(file) as archive:
        names = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
        return {name: Stored(_npz_shape(archive, name), _npz_rows(file, name)) for name in names}


def _npz_shape(archive: zipfile.ZipFile, name: str) -> tuple[int, ...]:
    with archive.open(f"{name}.npy") as member:
        major, _ = np.lib.format.read_magic(member)
        read = np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0
        return read(member)[0]


def _npz_rows(file: Path, name: str) -> Callable[[int, int], np.ndarray]:
    """An archive cannot be mapped: its array is read whole, once."""
    read: list[np.ndarray] = []

    def rows(start: int, stop: int) -> np.ndarray:
        if not read:
            with np.load(file, allow_pickle=False) as archive:
                read.append(archive[name])
        return _float64(read[0][start:stop])

    return rows


def _safetensors(file: Path) -> dict[str, Stored]:
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        if length > file.stat().st_size:
            raise ValueError("its header is longer than the file")
        header = json.loads(opened.read(length))
    header.pop("__metadata__", None)
    return {name: _safetensor(file, 8 + length, entry) for name, entry in header.items() if entry["dtype"] in SAFETENSORS_TYPES}


def _safetensor(file: Path, start_of_data: int, entry: dict) -> Stored:
    shape, dtype = tuple(entry["shape"]), SAFETENSORS_TYPES[entry["dtype"]]

    def rows(start: int, stop: int) -> np.ndarray:
        mapped = np.memmap(file, dtype, "r", start_of_data + entry["data_offsets"][0], shape)
        block = mapped[start:stop]
        return _bfloat16(block) if entry["dtype"] == "BF16" else _float64(block)

    return Stored(shape, rows)


def _bfloat16(words: np.ndarray) -> np.ndarray:
    """bfloat16 is the upper half of a float32."""
    return (words.astype(np.uint32) << 16).view(np.float32).astype(np.float64)


def _float64(array: np.ndarray) -> np.ndarray:
    """A copy in main memory; anything but numbers stays what it is and is refused where it is used."""
    return np.array(array, dtype=np.float64 if array.dtype.kind in "fiub" else None)


_ARRAYS = {".npy": _npy, ".npz": _npz, ".safetensors": _safetensors}
