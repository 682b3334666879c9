"""Networks as files: written once, mapped by every process that needs them, switched at once.

A file holds one `ArrayNetwork` and never changes. It is written under another name and renamed when
it is whole, so whoever opens a name finds all of it or nothing. Mapping copies nothing: however
many processes attach, the host holds the pages once, and an old version stays readable for whoever
has it mapped even when its file is gone.
"""

from __future__ import annotations

import json
import mmap
import os
import re
import tempfile
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from graph.arrays import ArrayNetwork
from graph.errors import BadParameter, BadSnapshot

_MAGIC = b"TRUSTNET"
_FORMAT = 1
# Arrays start on whole cache lines, so that they can be read where they lie.
_ALIGN = 64
_SUFFIX = ".network"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_CURRENT = "current"


def write_network(network: ArrayNetwork, path: Path) -> int:
    """Write a network to a file, whole or not at all.

    Parameters
    ----------
    network : ArrayNetwork
        Its ids must be numbers or strings.
    path : Path
        An existing file is replaced at once; whoever mapped it keeps the old one.

    Returns
    -------
    int
        Size in bytes.

    Raises
    ------
    BadParameter
        An id is neither a whole number nor a string.
    OSError
        The folder is not there, is full or may not be written to; nothing is left behind.

    Notes
    -----
    O(n + m), one pass at the speed of the disk; durable when it returns.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from graph.arrays import from_edges
    >>> with TemporaryDirectory() as folder:
    ...     size = write_network(from_edges([("a", "b", 3)]), Path(folder, "one.network"))
    ...     attach_network(Path(folder, "one.network")).room("a", "b")
    3
    """
    arrays = network.arrays()
    layout: dict[str, tuple[str, int, int]] = {}
    at = 0
    for name, array in arrays.items():
        layout[name] = (array.dtype.str, at, array.size)
        at += -(-array.nbytes // _ALIGN) * _ALIGN
    header = {"format": _FORMAT, "arrays": layout, "bytes": at}
    if "ids" not in arrays:
        header["names"] = _names(network.ids_of(range(network.n)))
    told = json.dumps(header, separators=(",", ":")).encode()
    begin = -(-(len(_MAGIC) + 8 + len(told)) // _ALIGN) * _ALIGN
    with _whole_file(path) as file:
        file.write(_MAGIC + len(told).to_bytes(8, "little") + told)
        for name, array in arrays.items():
            file.seek(begin + layout[name][1])
            file.write(np.ascontiguousarray(array).data)
        file.truncate(begin + at)
    return begin + at


def attach_network(path: Path) -> ArrayNetwork:
    """Map the network in a file, without reading it.

    Parameters
    ----------
    path : Path

    Returns
    -------
    ArrayNetwork
        Its arrays are views of the file: read-only, paged in when touched, shared with every
        other process that maps it.

    Raises
    ------
    BadSnapshot
        The file is no network of this format, or was cut short.
    FileNotFoundError

    Notes
    -----
    Constant cost, well below a millisecond, where ids are numbers; with names O(n).
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size < len(_MAGIC) + 8:
            raise BadSnapshot(path.name, "it is too short")
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    if mapped[: len(_MAGIC)] != _MAGIC:
        raise BadSnapshot(path.name, "it does not begin as one")
    told = int.from_bytes(mapped[len(_MAGIC) : len(_MAGIC) + 8], "little")
    start = len(_MAGIC) + 8
    if start + told > size:
        raise BadSnapshot(path.name, "it was cut short")
    header = json.loads(mapped[start : start + told])
    if header["format"] != _FORMAT:
        raise BadSnapshot(path.name, f"its format is {header['format']}, not {_FORMAT}")
    begin = -(-(start + told) // _ALIGN) * _ALIGN
    if size != begin + header["bytes"]:
        raise BadSnapshot(path.name, "it was cut short")
    arrays = {
        name: np.frombuffer(mapped, dtype=dtype, count=count, offset=begin + at)
        for name, (dtype, at, count) in header["arrays"].items()
    }
    ids = arrays.pop("ids", None)
    return ArrayNetwork(ids=tuple(header["names"]) if ids is None else ids, **arrays)


class SnapshotStore:
    """A folder of versions of one network, one of them the current one.

    Parameters
    ----------
    folder : Path
        Made when the first version is published.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from graph.arrays import from_edges
    >>> with TemporaryDirectory() as folder:
    ...     store = SnapshotStore(Path(folder))
    ...     store.publish(from_edges([("a", "b", 3)]), "v1")
    ...     store.publish(from_edges([("a", "b", 5)]), "v2")
    ...     store.current_version(), store.attach().room("a", "b"), store.versions()
    ('v2', 5, ('v1', 'v2'))
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def publish(self, network: ArrayNetwork, version: str) -> None:
        """Write a version and make it the current one, in one step for every reader.

        Raises
        ------
        BadParameter
            The name is not of letters, digits, ``.``, ``-`` and ``_``, or is there already: a
            version never changes.
        OSError
            As for `write_network`; the version before stays the current one.
        """
        self.write(network, version)
        with _whole_file(self.folder / _CURRENT) as file:
            file.write(version.encode())

    def write(self, network: ArrayNetwork, version: str) -> None:
        """Write a version without making it the current one: for those who keep the name of the
        current one elsewhere, such as in a database."""
        path = self._path(version)
        if path.exists():
            raise BadParameter(f"there is a version {version!r} already")
        self.folder.mkdir(parents=True, exist_ok=True)
        write_network(network, path)

    def current_version(self) -> str | None:
        """The name of the current version; None before the first."""
        try:
            return (self.folder / _CURRENT).read_text()
        except FileNotFoundError:
            return None

    def attach(self, version: str | None = None) -> ArrayNetwork:
        """Map a version, the current one without a name.

        Raises
        ------
        BadSnapshot
            There is none, or its file is not whole.
        """
        named = self.current_version() if version is None else version
        if named is None:
            raise BadSnapshot(str(self.folder.name), "nothing was published yet")
        try:
            return attach_network(self._path(named))
        except FileNotFoundError:
            raise BadSnapshot(named, "there is no such version") from None

    def versions(self) -> tuple[str, ...]:
        """Names of the versions whose files are there, in the order of their names."""
        if not self.folder.is_dir():
            return ()
        return tuple(sorted(path.name[: -len(_SUFFIX)] for path in self.folder.glob("*" + _SUFFIX)))

    def written_at(self, version: str) -> float:
        """When the file of a version was written, as its file system says: for ordering them."""
        try:
            return self._path(version).stat().st_mtime
        except FileNotFoundError:
            return 0.0

    def prune(self, keep: set[str]) -> tuple[str, ...]:
        """Remove the files of all versions but those to keep and the current one.

        Returns
        -------
        tuple of str
            The names removed. Whoever has one mapped can go on reading it.
        """
        gone = tuple(v for v in self.versions() if v not in keep and v != self.current_version())
        for version in gone:
            self._path(version).unlink(missing_ok=True)
        return gone

    def _path(self, version: str) -> Path:
        # The name becomes a file's name, so it must not lead out of the folder.
        if not _NAME.fullmatch(version):
            raise BadParameter(f"{version!r} cannot name a version")
        return self.folder / (version + _SUFFIX)


def _names(ids: list[Hashable]) -> list[Hashable]:
    for id_ in ids:
        if isinstance(id_, bool) or not isinstance(id_, int | str):
            raise BadParameter(f"id {id_!r} cannot be kept in a file: numbers and strings can")
    return ids


@contextmanager
def _whole_file(path: Path) -> Iterator[IO[bytes]]:
    """A file that appears under its name when it is whole, and lasts through a power cut."""
    handle, unfinished = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except BaseException:
        Path(unfinished).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
