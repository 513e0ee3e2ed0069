"""Assets, venues and instruments: frozen configuration of a world, with integer scales worked
out.
"""

from __future__ import annotations

from decimal import Decimal

import attrs

from exchange_sim.model.enums import InstrumentKind
from exchange_sim.units import PPM, scale_exact


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

    A lot of an inverse perpetual is a contract of fixed quote value, ``lot_size``, that is settled
    in the base asset.  It is worth ``contract_units`` of the quote asset at any price, and
    ``coin_value / price`` base units; its ``unit_value`` is 0.  ``settle`` is the asset of profit,
    loss and fees.
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
    contract_units: int = 0
    coin_value: int = 0
    perpetual: bool = attrs.field(init=False)
    inverse: bool = attrs.field(init=False)
    settle: int = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        inverse = self.kind == InstrumentKind.INVERSE_PERPETUAL
        object.__setattr__(self, "perpetual", self.kind != InstrumentKind.SPOT)
        object.__setattr__(self, "inverse", inverse)
        object.__setattr__(self, "settle", self.base if inverse else self.quote)

    def value_at(self, qty: int, micro_ticks: int) -> int:
        """Signed value of a position in units of ``settle``, rounded down.

        It rises with the price, so that profit and loss are its change.  An inverse position of
        ``qty`` contracts is worth ``-qty * coin_value / price``: a long is a debt of coins that
        shrinks when the coin becomes dearer.
        """
        if self.inverse:
            return -qty * self.coin_value * PPM // micro_ticks
        return qty * micro_ticks * self.unit_value // PPM

    def entry_at(self, qty: int, micro_ticks: int) -> int:
        """What a buyer of ``qty`` lots adds to the entry, and a seller takes off: exact opposites.

        Its size is rounded down in both cases.
        """
        if self.inverse:
            return -(qty * self.coin_value * PPM // micro_ticks)
        return qty * micro_ticks * self.unit_value // PPM

    def lot_worth(self, ticks: int) -> int:
        """Quote units that one lot is worth at a price."""
        return self.contract_units or ticks * self.unit_value

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
        """Work out the integer scales.  The lot of an inverse perpetual is one contract, in quote.

        Raises ``ValueError`` when a lot is not a whole number of base units or when a tick times a
        lot is not a whole number of quote units: prices and fills could not be settled exactly.
        """
        if tick_size <= 0 or lot_size <= 0:
            raise ValueError(f"{symbol}: tick_size and lot_size must be above zero")
        if kind == InstrumentKind.INVERSE_PERPETUAL:
            return cls._make_inverse(id, symbol, venue, base, quote, tick_size, lot_size)
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

    @classmethod
    def _make_inverse(
        cls,
        id: int,
        symbol: str,
        venue: int,
        base: Asset,
        quote: Asset,
        tick_size: Decimal,
        contract_size: Decimal,
    ) -> Instrument:
        """Contracts of fixed quote value.  Raises ``ValueError`` as ``make``."""
        try:
            contract_units = scale_exact(contract_size, Decimal(1).scaleb(-quote.decimals))
        except ValueError:
            raise ValueError(
                f"{symbol}: contract_size {contract_size} is finer than the {quote.decimals}"
                f" decimals of {quote.name}"
            ) from None
        try:
            coin_value = scale_exact(contract_size * base.scale, tick_size)
        except ValueError:
            raise ValueError(
                f"{symbol}: contract_size {contract_size} is no multiple of tick_size {tick_size}"
                f" in the {base.decimals} decimals of {base.name}"
            ) from None
        return cls(
            id, symbol, venue, InstrumentKind.INVERSE_PERPETUAL, base.id, quote.id, tick_size,
            contract_size, 0, 0, contract_units, coin_value,
        )  # fmt: skip
