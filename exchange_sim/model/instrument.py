"""Assets, venues and instruments: frozen configuration of a world, with integer scales worked
out.
"""

from __future__ import annotations

from decimal import Decimal

import attrs

from exchange_sim.model.enums import InstrumentKind
from exchange_sim.units import scale_exact


@attrs.frozen
class Asset:
    """Something that is held.  One whole asset is ``10**decimals`` units."""

    id: int
    name: str
    decimals: int

    @property
    def scale(self) -> int:
        """Units per whole asset."""
        return int(10**self.decimals)


@attrs.frozen
class Instrument:
    """Something that is traded on one venue, in ticks of ``tick_size`` quote per base and lots of
    base.

    ``unit_value`` is the number of quote units in one tick times one lot, and ``lot_units`` the
    number of base units in one lot: both are whole numbers, so ``price * qty * unit_value`` is
    exact money.  ``perpetual`` follows from ``kind``: an attribute because the hot path asks often.
    """

    id: int
    symbol: str
    venue: int
    kind: InstrumentKind
    base: int
    quote: int
    tick_size: Decimal
    lot_size: Decimal
    lot_units: int
    unit_value: int
    perpetual: bool = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "perpetual", self.kind == InstrumentKind.PERPETUAL)

    @classmethod
    def make(
        cls,
        id: int,
        symbol: str,
        venue: int,
        kind: InstrumentKind,
        base: Asset,
        quote: Asset,
        tick_size: Decimal,
        lot_size: Decimal,
    ) -> Instrument:
        """Work out the integer scales.

        Raises ``ValueError`` when a lot is not a whole number of base units or when a tick times a
        lot is not a whole number of quote units: prices and fills could not be settled exactly.
        """
        if tick_size <= 0 or lot_size <= 0:
            raise ValueError(f"{symbol}: tick_size and lot_size must be above zero")
        try:
            lot_units = scale_exact(lot_size, Decimal(1).scaleb(-base.decimals))
        except ValueError:
            raise ValueError(
                f"{symbol}: lot_size {lot_size} is finer than the {base.decimals} decimals"
                f" of {base.name}"
            ) from None
        try:
            unit_value = scale_exact(tick_size * lot_size, Decimal(1).scaleb(-quote.decimals))
        except ValueError:
            raise ValueError(
                f"{symbol}: tick_size {tick_size} x lot_size {lot_size} = {tick_size * lot_size}"
                f" is finer than the {quote.decimals} decimals of {quote.name}"
            ) from None
        return cls(
            id, symbol, venue, kind, base.id, quote.id, tick_size, lot_size, lot_units, unit_value
        )
