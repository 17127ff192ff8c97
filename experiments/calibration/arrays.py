"""One array of a user's file, found by "FILE" or "FILE:ARRAY": .npy, .npz and .safetensors, without reading more than is asked for.

Headers are read alone, and .npy and .safetensors are mapped into memory, so an array may be larger than the machine's memory.
What is said of an array comes from its format's own library, which holds header, offsets and length of the file against each other.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...algorithms.arguments import as_path, reject
from ..names import did_you_mean

FORMATS = (".npy", ".npz", ".safetensors")
REAL = ("f", "i", "u", "b")  # kinds of numpy's numbers
SAFETENSORS_REAL = ("F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "U64", "U32", "U16", "U8", "BOOL")
EXTRA = 'pip install "provable-ptq[calibration]"'

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
    """An array in a file.

    Attributes:
        shape, dtype: as its file has them; `real`: whether it holds real numbers.
        rows: reads rows start..stop as float64.
    """

    shape: tuple[int, ...]
    dtype: str
    real: bool
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
        InvalidArgumentError: no such file or array, several arrays and no name, a file that is not of its format, or an array of anything
            but real numbers; the argument is called `name`.
    """
    file = reference.file
    if not as_path(name, str(file), "a file that exists").is_file():
        raise reject(name, str(file), "a file that exists")
    try:
        there = _ARRAYS[file.suffix.lower()](file)
    except ModuleNotFoundError as error:
        raise reject(name, str(file), f"a file of a format whose library is installed ({error.name} is not: {EXTRA})") from None
    except Exception as error:  # a damaged file can fail anywhere in its reader
        raise reject(name, str(file), f"a sound {file.suffix} file ({error})") from None
    if reference.array is None and len(there) == 1:
        return _real(name, *there.values())
    if reference.array not in there:
        shown = ", ".join(there) if len(there) <= 12 else ", ".join([*list(there)[:12], f"... ({len(there)} in all)"])
        known = f"FILE:ARRAY with one of the arrays in this file: {shown or '(none)'}"
        raise reject(name, str(reference), known + did_you_mean(reference.array, there))
    return _real(name, there[reference.array])


def _real(name: str, stored: Stored) -> Stored:
    if not stored.real:
        raise reject(name, stored.dtype, "an array of real numbers")
    return stored


def _of_numpy(shape: tuple[int, ...], dtype: np.dtype, rows: Callable[[int, int], np.ndarray]) -> Stored:
    return Stored(shape, str(dtype), dtype.kind in REAL, lambda start, stop: np.array(rows(start, stop), dtype=np.float64))


def _npy(file: Path) -> dict[str, Stored]:
    mapped = np.lib.format.open_memmap(file, mode="r")
    return {file.stem: _of_numpy(mapped.shape, mapped.dtype, lambda start, stop: mapped[start:stop])}


def _npz(file: Path) -> dict[str, Stored]:
    with zipfile.ZipFile(file) as archive:
        names = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
        return {name: _of_numpy(*_npz_header(archive, name), _npz_rows(file, name)) for name in names}


def _npz_header(archive: zipfile.ZipFile, name: str) -> tuple[tuple[int, ...], np.dtype]:
    with archive.open(f"{name}.npy") as member:
        major, _ = np.lib.format.read_magic(member)
        read = np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(member)
        return shape, dtype


def _npz_rows(file: Path, name: str) -> Callable[[int, int], np.ndarray]:
    """An archive cannot be mapped: its array is read whole, once."""
    read: list[np.ndarray] = []

    def rows(start: int, stop: int) -> np.ndarray:
        if not read:
            with file.open("rb") as opened, np.load(opened, allow_pickle=False) as archive:
                read.append(archive[name])
        return read[0][start:stop]

    return rows


def _safetensors(file: Path) -> dict[str, Stored]:
    from safetensors import safe_open

    with safe_open(file, "numpy") as opened:
        return {name: _safetensor(file, name, opened.get_slice(name)) for name in opened.keys()}  # noqa: SIM118  (no mapping)


def _safetensor(file: Path, name: str, header) -> Stored:
    dtype = header.get_dtype()

    def rows(start: int, stop: int) -> np.ndarray:
        from safetensors import safe_open

        with safe_open(file, "pt" if dtype == "BF16" else "numpy") as opened:  # numpy has no bfloat16
            block = opened.get_slice(name)[start:stop]
        return block.double().numpy() if dtype == "BF16" else np.array(block, dtype=np.float64)

    return Stored(tuple(header.get_shape()), dtype, dtype in SAFETENSORS_REAL, rows)


_ARRAYS = {".npy": _npy, ".npz": _npz, ".safetensors": _safetensors}
