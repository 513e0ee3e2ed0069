"""``[[recorded]]``: a file of recorded market data as a participant."""

from __future__ import annotations

from decimal import Decimal

import attrs

from exchange_sim.recorded.columns import FORMATS
from exchange_sim.scenario.kinds import (
    ASSET,
    MONEY,
    NAME_TEXT,
    POSITIVE,
    Flag,
    Ref,
    Table,
    Text,
    entry,
)
from exchange_sim.scenario.mechanisms import MECHANISM
from exchange_sim.scenario.times import Instant


@attrs.frozen(kw_only=True)
class RecordedDef:
    """``[[recorded]]``: recorded orders and trades, played into one book beside everybody else."""

    name: str = entry(NAME_TEXT, doc="Names its two accounts: what rests, and who takes.")
    file: str = entry(Text(), doc="CSV file, also .gz or .zip, relative to the scenario.")
    format: str = entry(
        Text(("", *FORMATS)), default="", doc="What the file is; none: as its name tells."
    )
    instrument: str = entry(Ref("instruments", "instrument"), doc="The book it is played into.")
    at_ns: int | None = entry(
        Instant(), key="at", default=None, unit="ns", doc="When its first row happens; none: then."
    )
    trades: str = entry(
        Text(("market", "limit")),
        default="limit",
        doc="Trades take whatever there is, or only up to their recorded price.",
    )
    bad_rows: str = entry(
        Text(("stop", "skip")), default="stop", doc="Whether a file with bad rows is played."
    )
    price_scale: Decimal = entry(
        POSITIVE, default=Decimal(1), doc="Price in the file per price in quote (LOBSTER: 10000)."
    )
    qty_scale: Decimal = entry(
        POSITIVE, default=Decimal(1), doc="Quantity in the file per unit of base."
    )
    capital: dict[str, Decimal] = entry(
        Table(MONEY, ASSET), doc="What each of its two accounts has; enough for what it rests."
    )
    enabled_by: str = entry(
        MECHANISM, default="", doc="Mechanism that switches it; none: always on."
    )
    enabled: bool = entry(Flag(), default=True, doc="False drops one that a base file has.")
