"""What a run keeps: finished cells, one Parquet shard each."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from ..algorithms.arguments import reject
from .environment import claims_sha256, environment, kernel
from .own_claims import describe
from .places import write_whole

ABANDONED = 3600.0  # seconds after which a temporary file belongs to a run that was killed
SEAL, UNSEALED = b"sha256 of this shard: ", b"0" * 64  # what a shard holds before it gets its name


class Shard(NamedTuple):
    """A finished cell as it is kept.

    Attributes:
        rows: its rows.
        inputs: SHA-256 of each input file, by name.
        spec: what the cell is.
        kernel: what computed it, see `kernel`.
        own_claims: the user's own claims among its rows, described, by id.
    """

    rows: list[dict]
    inputs: dict[str, str]
    spec: dict[str, Any]
    kernel: str
    own_claims: dict[str, dict[str, str]]


def encode(rows: list[dict], inputs: dict[str, str], spec: dict[str, Any]) -> bytes:
    """The rows of a cell as one Parquet file, values unchanged; its input files, its spec and what computed it beside them.

    Arguments:
        rows: of numbers, strings and None; any of them may lack a column.
        inputs: SHA-256 of each input file, by name.
        spec: what the cell is.

    Raises:
        pyarrow.ArrowException: a column holds both text and numbers.

    >>> decode(encode([{"claim": "optq-l2", "ratio": 0.1}, {"claim": None}], {}, {})).rows
    [{'claim': 'optq-l2', 'ratio': 0.1}, {'claim': None, 'ratio': None}]
    """
    columns = dict.fromkeys(column for row in rows for column in row)
    table = pa.table({column: [row.get(column) for row in rows] for column in columns})
    noted = {"inputs": inputs, "spec": spec, "kernel": kernel(), "own_claims": describe({row["claim"] for row in rows if row.get("claim")})}
    texts = {name: json.dumps(value, sort_keys=True) for name, value in noted.items()}
    sink = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata(texts | {"seal": SEAL + UNSEALED}), sink, compression="none", use_dictionary=False,
                   write_statistics=False, write_page_checksum=True)
    return sink.getvalue().to_pybytes()


def decode(content: bytes) -> Shard:
    """What `encode` made into bytes."""
    with pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True) as file:
        table = file.read(use_threads=False)
    return Shard(table.to_pylist(), *(json.loads(table.schema.metadata[name.encode()]) for name in Shard._fields[1:]))


def sealed(content: bytes, key: str) -> bytes:
    """A shard with the SHA-256 of its name and of all else that it holds in the place for it.

    Raises:
        ValueError: there is no such place.
    """
    start = content.rindex(SEAL) + len(SEAL)
    before, after = content[:start], content[start + len(UNSEALED) :]
    return before + hashlib.sha256(key.encode() + before + after).hexdigest().encode() + after


class Store:
    """A folder of finished cells, one Parquet shard each, named by a hash of all that its rows depend on.

    Any number of processes may read and write one folder at the same time.

    Arguments:
        folder: made when it is missing.
        claims_files: the user's own claims, on whose content the rows depend too.

    Raises:
        InvalidArgumentError: a folder that cannot be made, a claims file that cannot be read.
    """

    def __init__(self, folder: str | Path, claims_files: Iterable[str] = ()):
        self.folder = Path(folder)
        self._made_with = {**environment(), "claims": [claims_sha256(file) for file in claims_files]}
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            raise reject("store", str(folder), "a folder that can be made and written") from None
        self._sweep()

    @property
    def cache(self) -> Path:
        """Where cells keep costly inputs between processes."""
        return self.folder.resolve() / "inputs"

    def key(self, spec: dict[str, Any]) -> str:
        """The name of a cell: the SHA-256 of its spec, the code, the libraries and the user's claims."""
        return hashlib.sha256(json.dumps({"spec": spec} | self._made_with, sort_keys=True).encode()).hexdigest()

    def holds(self, key: str) -> bool:
        """Whether there is a shard of this name."""
        return self._path(key).is_file()

    def read(self, key: str) -> Shard | None:
        """A finished cell; None where there is no shard, or none that was written under this name and is whole.

        Nothing of a file is read as Parquet before its SHA-256 is seen to be right, since Parquet's own checksums leave out the names
        of columns.
        """
        try:
            content = self._path(key).read_bytes() if self.holds(key) else b""
            shard = decode(content) if content == sealed(content, key) else None
        except Exception:  # a damaged file can fail anywhere in the reader
            return None
        return shard if shard is not None and self.key(shard.spec) == key else None

    def write(self, key: str, content: bytes) -> None:
        """Keep a finished cell, as `encode` returns it; whatever stood in its place is replaced."""
        write_whole(self._path(key), lambda temporary: temporary.write_bytes(sealed(content, key)))

    def refuse_obstacles(self, keys: Iterable[str]) -> None:
        """Refuse a store in which a folder has the name of a cell: it could be neither read nor replaced.

        Raises:
            InvalidArgumentError: there is one.
        """
        for key in keys:
            if self._path(key).is_dir():
                raise reject("store", str(self.folder), f"a folder of shards; remove the folder {self._path(key).name} in it")

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.parquet"

    def note_part(self, study: str, number: int, parts: int) -> None:
        """Leave a note that this store holds one part of a study, for `parts`."""
        (self.folder / f"{study}-{number}-of-{parts}.part").touch()

    def parts(self, study: str) -> set[int]:
        """In how many parts the study was run here; several numbers where it was run in several ways."""
        notes = (re.fullmatch(rf"{re.escape(study)}-\d+-of-(\d+)\.part", file.name) for file in self.folder.glob("*.part"))
        return {int(note[1]) for note in notes if note}

    def _sweep(self) -> None:
        for left in (*self.folder.glob(".*.parquet.*"), *self.cache.glob("*.tmp")):
            with suppress(OSError):  # another run may sweep too
                if left.stat().st_mtime < time.time() - ABANDONED:
                    left.unlink()
