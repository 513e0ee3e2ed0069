"""Instruments by name; needs nothing of the emulator, because looking into a run begins with it."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from exchange_sim.errors import UsageError


def instrument_of(symbols: Sequence[str], name: str) -> int:
    """Position of a symbol, given with its venue or, where it is unique, without.

    Raises ``UsageError``.
    """
    if name in symbols:
        return symbols.index(name)
    bare = [symbol for symbol in symbols if symbol.rpartition(":")[2] == name]
    if len(bare) == 1:
        return symbols.index(bare[0])
    near = bare or get_close_matches(name, symbols, 3) or symbols
    what = "several instruments are" if bare else "no instrument is"
    raise UsageError(f"{what} called {name!r}; there are {', '.join(near[:12])}")
