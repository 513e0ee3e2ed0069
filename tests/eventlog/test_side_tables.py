"""Side tables, manifest and summary: complete, atomic, and the same for equal runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from exchange_sim.errors import InvariantViolation, StorageError
from exchange_sim.eventlog import (
    Manifest,
    write_assets,
    write_balances,
    write_instruments,
    write_manifest,
    write_summary,
)
from exchange_sim.eventlog.manifest import run_digest
from tests.doubles.storage import START_NS, FaultyDisk


def manifest(**changes: Any) -> Manifest:
    """The manifest of a small run."""
    facts: dict[str, Any] = {
        "scenario": "tiny",
        "seed": 7,
        "package_version": "0.1.0",
        "python_version": "3.11.7",
        "start_ns": START_NS,
        "end_ns": START_NS + 5,
        "commands": 3,
        "state_digest": "aa",
        "event_digest": "bb",
        "journal_digest": "cc",
        "counts": {"traded": 2},
        "complete": True,
    }
    return Manifest(**{**facts, **changes})


def test_side_table_keeps_required_and_additional_columns(tmp_path: Path) -> None:
    write_assets(tmp_path, [{"asset": 0, "symbol": "USDT", "decimals": 6, "peg": "dollar"}])
    table = pq.read_table(tmp_path / "events" / "_assets.parquet")

    assert table.to_pylist() == [{"asset": 0, "symbol": "USDT", "decimals": 6, "peg": "dollar"}]
    assert table.schema.metadata[b"exchange_sim.kind"] == b"_assets"


def test_side_table_with_a_missing_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="row 0 of _instruments has no instrument"):
        write_instruments(tmp_path, [{"symbol": "x"}])


def test_balances(tmp_path: Path) -> None:
    write_balances(tmp_path, [(0, 1, -(2**63), 0), (4, 2, 2**63 - 1, 7)])
    columns = pq.read_table(tmp_path / "events" / "_balances.parquet").to_pydict()

    assert list(columns.values()) == [[0, 4], [1, 2], [-(2**63), 2**63 - 1], [0, 7]]


def test_manifest_is_canonical(tmp_path: Path) -> None:
    """Sorted keys, exact integers, digests at the top, digests of every data file."""
    write_balances(tmp_path, [(0, 0, 1, 0)])
    write_manifest(tmp_path, manifest())
    text = (tmp_path / "manifest.json").read_text()
    content = json.loads(text)

    assert list(content) == sorted(content)
    assert content["digest"] == run_digest("aa", "bb")
    assert (content["state_digest"], content["event_digest"]) == ("aa", "bb")
    assert list(content["files"]) == ["events/_balances.parquet"]
    assert content["counts"] == {"traded": 2}
    write_manifest(tmp_path, manifest())
    assert (tmp_path / "manifest.json").read_text() == text


@pytest.mark.parametrize("path", ["/home/me/x.toml", "C:\\runs\\x.toml", "\\\\server\\x"])
def test_manifest_refuses_absolute_paths(tmp_path: Path, path: str) -> None:
    """Nothing in a run depends on where it was made."""
    with pytest.raises(InvariantViolation, match="absolute path"):
        write_manifest(tmp_path, manifest(inputs={path: "00"}))
    assert not (tmp_path / "manifest.json").exists()


def test_summary(tmp_path: Path) -> None:
    write_summary(tmp_path, {"b": [1, 2.5], "a": "x"})

    assert json.loads((tmp_path / "summary.json").read_text()) == {"a": "x", "b": [1, 2.5]}
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_summary(tmp_path, {"a": float("nan")})


def test_manifest_on_a_full_disk(tmp_path: Path) -> None:
    """F10: no manifest rather than half a manifest."""
    with pytest.raises(StorageError, match=r"cannot write manifest\.json"):
        write_manifest(tmp_path, manifest(), FaultyDisk((2).__eq__).open)

    assert list(tmp_path.iterdir()) == []
