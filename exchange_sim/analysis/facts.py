"""The constants of a run as arrays: sizes, scales and names by id.

Every array has one element more than there are ids, so that -1 (none) finds the last one.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import numpy.typing as npt

from exchange_sim.model.enums import InstrumentKind

if TYPE_CHECKING:
    from exchange_sim.analysis.run_dir import RunData

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def ratio_of(step: str) -> tuple[int, int]:
    """A decimal as a fraction: ``0.25`` is (25, 100).

    Dividing by the power of ten rounds once, so that 3 ticks of 0.1 are 0.3.
    """
    _, digits, exponent = Decimal(step).normalize().as_tuple()
    assert isinstance(exponent, int)
    number = int("".join(map(str, digits)))
    return (number * 10**exponent, 1) if exponent >= 0 else (number, 10**-exponent)


@attrs.frozen(eq=False)
class Facts:
    """By instrument: tick and lot as fractions, base, quote, settled in, venue.  By asset: scale.

    ``numeraires`` are asset ids by venue, ``account_venue`` venue ids by account.  ``names`` maps
    ``account``, ``instrument``, ``asset`` and ``venue`` to arrays of names.
    """

    tick_up: Ints
    tick_down: Ints
    lot_up: Ints
    lot_down: Ints
    base: Ints
    quote: Ints
    settle: Ints
    instrument_venue: Ints
    scale: Floats
    numeraires: Ints
    account_venue: Ints
    names: dict[str, npt.NDArray[Any]]

    def prices(self, ticks: Any, instruments: Any) -> Floats:
        """Ticks as prices in quote per base; NaN where there is no instrument."""
        up = np.asarray(ticks, np.float64) * self.tick_up[instruments]
        return _divided(up, self.tick_down[instruments])

    def quantities(self, lots: Any, instruments: Any) -> Floats:
        """Lots as quantities in base; NaN where there is no instrument."""
        up = np.asarray(lots, np.float64) * self.lot_up[instruments]
        return _divided(up, self.lot_down[instruments])

    def amounts(self, units: Any, assets: Any) -> Floats:
        """Smallest units as whole assets; NaN where there is no asset."""
        return _divided(np.asarray(units, np.float64), self.scale[assets])

    def asset_of(self, ids: Any, of: str) -> Ints:
        """The asset of amounts: see ``columns.Meaning.of``."""
        if of == "asset":
            found: Ints = np.asarray(ids, np.int64)
        elif of == "venue":
            found = self.numeraires[ids]
        elif of == "account":
            found = self.numeraires[self.account_venue[ids]]
        else:
            found = {"base": self.base, "quote": self.quote, "settle": self.settle}[of][ids]
        return found


def _divided(up: Floats, down: Any) -> Floats:
    """``up / down``, NaN where ``down`` is 0, which stands for none."""
    safe = np.where(down == 0, np.nan, down)
    found: Floats = up / safe
    return found


def facts_of(run: RunData) -> Facts:
    """Read the constants of a run from its side tables.

    A venue's numeraire is what its perpetuals, else its spot books are quoted in.
    """
    rows, assets = run.instruments, run.assets
    names = ("venue", "venue_name", "owner")
    places, place_names, owners = (run.account_table.column(name).to_pylist() for name in names)
    ticks = [ratio_of(row["tick_size"]) for row in rows]
    lots = [ratio_of(row["lot_size"]) for row in rows]
    venue_count = 1 + max([*(row["venue"] for row in rows), *places], default=-1)
    venue_names, numeraires = [""] * venue_count, [-1] * venue_count
    for venue, name in dict(zip(places, place_names, strict=True)).items():
        if venue >= 0:
            venue_names[venue] = name
    for row in sorted(rows, key=lambda row: row["kind"]):
        venue_names[row["venue"]] = row["venue_name"]
        numeraires[row["venue"]] = row["quote_asset"]
    return Facts(
        tick_up=_ints((up for up, _ in ticks), 0),
        tick_down=_ints((down for _, down in ticks), 0),
        lot_up=_ints((up for up, _ in lots), 0),
        lot_down=_ints((down for _, down in lots), 0),
        base=_ints((row["base_asset"] for row in rows), -1),
        quote=_ints((row["quote_asset"] for row in rows), -1),
        settle=_ints((settlement_asset(row) for row in rows), -1),
        instrument_venue=_ints((row["venue"] for row in rows), -1),
        scale=_ints((10 ** row["decimals"] for row in assets), 0).astype(np.float64),
        numeraires=_ints(numeraires, -1),
        account_venue=_ints(places, -1),
        names={
            "account": _texts(owners),
            "instrument": _texts(row["symbol"] for row in rows),
            "asset": _texts(row["symbol"] for row in assets),
            "venue": _texts(venue_names),
        },
    )


def settlement_asset(row: Mapping[str, Any]) -> int:
    """The asset of fees, profit and funding: the coin itself of an inverse contract, else quote."""
    inverse = row["kind"] == InstrumentKind.INVERSE_PERPETUAL
    return int(row["base_asset"] if inverse else row["quote_asset"])


def _ints(values: Any, none: int) -> Ints:
    return np.array([*values, none], np.int64)


def _texts(values: Any) -> npt.NDArray[Any]:
    return np.array([*values, None], object)
