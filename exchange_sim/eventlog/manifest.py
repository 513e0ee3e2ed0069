"""``manifest.json`` and ``summary.json``: what a run was, and the digests that identify it.

Both are canonical JSON (sorted keys, exact integers) and appear atomically.  Neither holds a wall
clock time or an absolute path, so that equal runs have equal files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Final

import attrs

from exchange_sim.errors import InvariantViolation
from exchange_sim.eventlog.schema import FORMAT_VERSION
from exchange_sim.journal.storage import OpenFile, OsFile, storage_error, write_atomic

MANIFEST: Final = "manifest.json"
SUMMARY: Final = "summary.json"


def run_digest(state_digest: str, event_digest: str) -> str:
    """The one digest that identifies what a run did."""
    return blake2b(f"{state_digest}/{event_digest}".encode(), digest_size=16).hexdigest()


@attrs.frozen
class Manifest:
    """Inputs, versions, digests and counts of a run.

    ``inputs`` maps file names (relative to the project) to digests of their contents, ``overrides``
    are the ``--set`` and ``--without`` options, ``strategies`` maps class references to digests of
    their sources, ``counts`` events to numbers by table.
    """

    scenario: str
    seed: int
    package_version: str
    python_version: str
    start_ns: int
    end_ns: int
    commands: int
    state_digest: str
    event_digest: str
    journal_digest: str
    counts: dict[str, int]
    complete: bool
    inputs: dict[str, str] = attrs.field(factory=dict)
    overrides: list[str] = attrs.field(factory=list)
    strategies: dict[str, str] = attrs.field(factory=dict)
    libraries: dict[str, str] = attrs.field(factory=dict)
    format_version: int = FORMAT_VERSION

    @property
    def digest(self) -> str:
        """Digest of what the run did."""
        return run_digest(self.state_digest, self.event_digest)


def file_digests(directory: Path) -> dict[str, str]:
    """Digest of every data file of a run, by name relative to ``directory``.

    A change of a single bit in a table is found by it.  What was made from the run later (exports)
    is no part of it.  Raises ``StorageError``.
    """
    found = {}
    tables = [*directory.glob("*.parquet"), *directory.glob("events/*.parquet")]
    for path in sorted([*directory.glob("*.bin"), *tables]):
        try:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, lambda: blake2b(digest_size=16))
        except OSError as cause:
            raise storage_error(path, "read", cause) from cause
        found[path.relative_to(directory).as_posix()] = digest.hexdigest()
    return found


def write_manifest(directory: Path, manifest: Manifest, open_file: OpenFile = OsFile) -> None:
    """Write ``manifest.json``, with the digests of all tables; write it last.

    Raises ``StorageError``; ``InvariantViolation`` when it names an absolute path.
    """
    content = {
        **attrs.asdict(manifest),
        "digest": manifest.digest,
        "files": file_digests(directory),
    }
    _write(directory / MANIFEST, content, open_file)


def write_summary(
    directory: Path, summary: Mapping[str, Any], open_file: OpenFile = OsFile
) -> None:
    """Write ``summary.json``.  Raises as ``write_manifest``, and ``ValueError`` for NaN."""
    _write(directory / SUMMARY, summary, open_file)


def _write(path: Path, content: Mapping[str, Any], open_file: OpenFile) -> None:
    for text in _texts(content):
        if PurePosixPath(text).is_absolute() or PureWindowsPath(text).is_absolute():
            raise InvariantViolation(f"{path.name} would hold an absolute path: {text}", "DET-2")
    text = json.dumps(content, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False)
    write_atomic(path, text.encode() + b"\n", open_file)


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for pair in value.items() for part in pair for text in _texts(part)]
    if isinstance(value, list | tuple):
        return [text for part in value for text in _texts(part)]
    return []
