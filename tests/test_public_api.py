"""What users import is what is announced."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import exchange_sim

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", exchange_sim.__all__)
def test_public_name_is_importable(name: str) -> None:
    """Everything in ``__all__`` exists, although it is loaded on first use."""
    assert getattr(exchange_sim, name) is not None
    assert name in dir(exchange_sim)


def test_unknown_name_is_an_attribute_error() -> None:
    """A typo fails as it does in any module."""
    with pytest.raises(AttributeError, match="no attribute 'Exchnage'"):
        exchange_sim.Exchnage  # noqa: B018 the access is the test


def test_import_is_cheap() -> None:
    """Importing the package loads no engine, no NumPy, no SimPy."""
    code = (
        "import sys, exchange_sim;"
        "print([name for name in ('numpy', 'simpy', 'attrs') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )

    assert done.stdout.strip() == "[]"
