"""One finished run of the small crash, shared by all tests that only look at it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.harness import run_into


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directory of a complete run of ``small.toml``; do not change it."""
    return run_into(tmp_path_factory.mktemp("small"))
