"""Reading ``manifest.json``: what a run says about itself, believed only when it adds up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs
import cattrs

from exchange_sim.errors import JournalCorrupt
from exchange_sim.eventlog.manifest import Manifest
from exchange_sim.eventlog.schema import FORMAT_VERSION
from exchange_sim.journal.storage import storage_error

MANIFEST_BYTES_MAX = 16 * 1024 * 1024
"""A manifest is a few kilobytes; more is not one."""


@attrs.define(eq=False)
class RunCorrupt(JournalCorrupt):
    """A run directory that cannot be used; ``message`` names the file and what is wrong with it."""

    def __str__(self) -> str:
        return self.message


def read_manifest(path: Path) -> tuple[Manifest, dict[str, str]]:
    """The manifest of a run and the digests of its files.

    Raises ``RunCorrupt`` when it is none of this version or was altered, and ``StorageError``.
    """
    return _parse_manifest(path, _read_manifest(path))


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            data = file.read(MANIFEST_BYTES_MAX + 1)
    except OSError as cause:
        raise storage_error(path, "read", cause) from cause
    try:
        content = json.loads(data[:MANIFEST_BYTES_MAX].decode())
    except (ValueError, RecursionError):
        raise RunCorrupt(f"{path}: is not JSON") from None
    if not isinstance(content, dict):
        raise RunCorrupt(f"{path}: is not a manifest")
    return content


def _parse_manifest(path: Path, content: dict[str, Any]) -> tuple[Manifest, dict[str, str]]:
    version = content.get("format_version")
    if version != FORMAT_VERSION:
        raise RunCorrupt(f"{path}: format {version!r}, this program reads {FORMAT_VERSION}")
    own = {key: value for key, value in content.items() if key not in {"digest", "files"}}
    converter = cattrs.Converter(forbid_extra_keys=True)
    try:
        manifest = converter.structure(own, Manifest)
        files = converter.structure(content.get("files"), dict[str, str])
    except (cattrs.BaseValidationError, AttributeError, TypeError, ValueError):
        raise RunCorrupt(f"{path}: does not have the fields of a manifest") from None
    # cattrs converts where it can; a manifest must already be what it says.
    if attrs.asdict(manifest) != own or files != content.get("files"):
        raise RunCorrupt(f"{path}: does not have the fields of a manifest")
    if content.get("digest") != manifest.digest:
        raise RunCorrupt(f"{path}: was altered (its digest does not belong to its contents)")
    return manifest, files
