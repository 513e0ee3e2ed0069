"""The causes of a crash that can be switched off one by one."""

from __future__ import annotations

from typing import Any, Final

import attrs

from exchange_sim.scenario.kinds import Flag, Text, entry, fields_of


def _switch(doc: str) -> Any:
    return entry(Flag(), default=True, doc=doc)


@attrs.frozen(kw_only=True)
class Mechanisms:
    """``[mechanisms]``: causes that can be switched off one by one (``--without``)."""

    macro_shock: bool = _switch("The exogenous news and the selling that it causes.")
    mm_withdrawal: bool = _switch("Market makers' withdrawal policies.")
    unified_account: bool = _switch(
        "Unified accounts; off: the same holdings, each position margined alone, no margin loans,"
        " and the crowd's collateral in money."
    )
    collateral_sale: bool = _switch(
        "Liquidations sell collateral through the books; off: only once no position is left."
    )
    adl: bool = _switch("Auto-deleveraging; off: the insurance fund and bad debt take it all.")
    dip_buyers: bool = _switch("Patient capital that buys after a fall.")
    momentum: bool = _switch("Trend followers who sell short after a fall, with leverage.")
    stale_bids: bool = _switch("Old limit orders far below the market.")
    transfer_suspension: bool = _switch("Outages of transfers between venues.")
    cefi_loans: bool = _switch("Loans against pledged coins; off: the coins are simply owned.")
    loop_lending: bool = _switch("Loops: borrowing against an asset to buy more of it.")
    defi_liquidation: bool = _switch("Liquidation of unhealthy positions in lending pools.")
    liquidation_bots: bool = _switch("Bots that liquidate on the chain and sell what they seize.")
    issuer_redemption: bool = _switch("Redemption of the synthetic dollar at its issuer.")
    own_book_collateral_price: bool = _switch(
        "Pegged collateral is valued by the venue's own book, and by markets on the chain; off: by"
        " what it is redeemed for."
    )


MECHANISM: Final = Text(tuple(fields_of(Mechanisms)))
"""The name of a mechanism."""
