"""A tradable market as its users see it: names, grid and fees, with exact conversions.

The core counts prices in ticks and quantities in lots.  Users may write floats or ``Decimal``;
floats come back.  Conversions to the grid always round to the side that is passive or smaller: a
buy price down, a sell price up, a quantity down.  A float that is within a billionth of a grid
point is that grid point, because ``0.1 + 0.2`` is meant to be ``0.3``.
"""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from numbers import Integral, Real

from exchange_sim.model.enums import BUY, InstrumentKind
from exchange_sim.units import PPM

Number = float | int | Decimal
"""What users may pass as a price or a quantity."""

_SNAP = 1e-9


class Market:
    """One instrument on one venue.  Immutable by convention; shared by everybody.

    ``symbol`` is ``"venue:NAME"``; ``name`` is the part after the colon.  ``tick`` and ``lot`` are
    floats of the exact ``tick_size`` and ``lot_size``.  Fees are fractions of the notional
    (``0.0005`` is 5 bp).  Quantities are in base; those of an inverse perpetual are in quote, whole
    contracts, while its fees and profit are in base (``settle_id`` names the asset).
    ``lot_units`` is one lot in smallest units of the base asset (0 when it is
    no whole number).  ``brackets`` of a perpetual are ``(notional floor in quote, highest leverage,
    maintenance rate)``; ``liquidation_line`` is the uniMMR at which the venue liquidates.
    """

    __slots__ = (
        "base",
        "base_id",
        "brackets",
        "id",
        "kind",
        "liquidation_line",
        "lot",
        "lot_den",
        "lot_num",
        "lot_size",
        "lot_units",
        "maker_fee",
        "min_notional",
        "name",
        "price_decimals",
        "qty_decimals",
        "quote",
        "quote_decimals",
        "quote_id",
        "settle_decimals",
        "settle_id",
        "symbol",
        "taker_fee",
        "tick",
        "tick_den",
        "tick_num",
        "tick_size",
        "venue",
        "venue_id",
    )

    def __init__(
        self,
        *,
        instrument_id: int,
        name: str,
        venue: str,
        venue_id: int,
        kind: int,
        base: str,
        quote: str,
        base_id: int,
        quote_id: int,
        tick_size: Decimal,
        lot_size: Decimal,
        base_decimals: int = 8,
        quote_decimals: int = 8,
        maker_fee_ppm: int = 0,
        taker_fee_ppm: int = 0,
        min_notional: float = 0.0,
        brackets: tuple[tuple[float, int, float], ...] = (),
        liquidation_line: float = 1.05,
    ) -> None:
        self.id = instrument_id
        self.name = name
        self.venue = venue
        self.venue_id = venue_id
        self.symbol = f"{venue}:{name}"
        self.kind = InstrumentKind(kind)
        self.base, self.quote = base, quote
        self.base_id, self.quote_id = base_id, quote_id
        self.quote_decimals = quote_decimals
        self.settle_id = base_id if self.is_inverse else quote_id
        self.settle_decimals = base_decimals if self.is_inverse else quote_decimals
        self.tick_size, self.lot_size = tick_size, lot_size
        self.tick, self.lot = float(tick_size), float(lot_size)
        self.tick_num, self.tick_den = Fraction(tick_size).as_integer_ratio()
        self.lot_num, self.lot_den = Fraction(lot_size).as_integer_ratio()
        units = Fraction(lot_size) * 10**base_decimals
        self.lot_units = units.numerator if units.denominator == 1 else 0
        self.price_decimals = _decimals(tick_size)
        self.qty_decimals = _decimals(lot_size)
        self.maker_fee, self.taker_fee = maker_fee_ppm / PPM, taker_fee_ppm / PPM
        self.min_notional = min_notional
        self.brackets = brackets
        self.liquidation_line = liquidation_line

    def __repr__(self) -> str:
        return f"Market({self.symbol!r}, id={self.id})"

    @property
    def is_perpetual(self) -> bool:
        """True for a perpetual contract, false for spot."""
        return self.kind != InstrumentKind.SPOT

    @property
    def is_inverse(self) -> bool:
        """True for contracts of fixed quote value that are settled in the base asset."""
        return self.kind == InstrumentKind.INVERSE_PERPETUAL

    def lot_value(self, ticks: float) -> float:
        """Quote value of one lot at a price in ticks, whole or not."""
        return self.lot if self.is_inverse else ticks * self.tick * self.lot

    def maintenance_rate(self, notional: float) -> float:
        """Maintenance margin rate at the margin of a position of this size; 0.0 for spot."""
        rate = 0.0
        for floor, _, mmr in self.brackets:
            if notional >= floor:
                rate = mmr
        return rate

    def maintenance(self, notional: float) -> float:
        """Maintenance margin of a position of this size: each slice at its own bracket's rate."""
        total = before = 0.0
        for floor, _, mmr in self.brackets:
            total += max(0.0, notional - floor) * (mmr - before)
            before = mmr
        return total

    def price(self, ticks: float) -> float:
        """The price of so many ticks, correctly rounded for whole ticks."""
        return ticks * self.tick_num / self.tick_den

    def qty(self, lots: int) -> float:
        """The quantity of so many lots, correctly rounded."""
        return lots * self.lot_num / self.lot_den

    def to_ticks(self, price: Number, side: int) -> int:
        """The grid price nearest to ``price`` on the passive side: buys round down, sells up.

        Raises ``TypeError`` for something that is not a number, ``ValueError`` for NaN and
        infinities.
        """
        if side == BUY:
            return floor_grid(price, self.tick_num, self.tick_den)
        return -floor_grid(-price, self.tick_num, self.tick_den)

    def to_lots(self, qty: Number) -> int:
        """Whole lots in ``qty``, rounded down; raises as ``to_ticks``."""
        return floor_grid(qty, self.lot_num, self.lot_den)

    def notional(self, ticks: int, lots: int) -> float:
        """Quote value of ``lots`` at ``ticks``."""
        return self.qty(lots) if self.is_inverse else self.price(ticks) * self.qty(lots)


def _decimals(step: Decimal) -> int:
    exponent = step.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _plain(value: object) -> int | float:
    """A number of another library (NumPy's integers are no ``int``) as one of Python's."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"expected a number, got {type(value).__name__} {value!r}")
    return int(value) if isinstance(value, Integral) else float(value)


def floor_grid(value: Number, num: int, den: int) -> int:
    """Whole steps of num/den not above ``value``; floats snap to near grid points."""
    if isinstance(value, bool) or not isinstance(value, (float, int, Decimal)):
        value = _plain(value)
    if isinstance(value, int):
        return value * den // num
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError(f"not a finite number: {value}")
        return math.floor(Fraction(value) * den / num)
    if not math.isfinite(value):
        raise ValueError(f"not a finite number: {value}")
    steps = value * den / num
    nearest = round(steps)
    if abs(steps - nearest) <= _SNAP * max(1.0, abs(steps)):
        return nearest
    return math.floor(steps)
