"""On-chain perpetual venue: tiers, liquidation, ADL, oracle, mark and funding."""

from __future__ import annotations

from fractions import Fraction
from math import inf

from exchange_sim.analysis.rules.common import (
    LONG,
    SCALE,
    SHORT,
    InputError,
    Inputs,
    Results,
    plain,
    rule,
    units,
)
from exchange_sim.risk import hyperliquid as venue
from exchange_sim.risk.funding import premium_index
from exchange_sim.risk.marks import weighted_median

Tiers = list[tuple[Fraction, Fraction]]


def _tiers(given: Inputs) -> Tiers:
    """``(floor, maximum leverage)`` rows; one row if only the leverage is given."""
    rows = given.items("tiers*") if given.has("tiers*") else []
    if rows and all(isinstance(row, dict) for row in rows):
        return [
            (row.num("floor", "from", "lower", "above", default=0), row.num("*leverage", "ratio"))
            for row in given.subs("tiers*")
        ]
    if rows:
        return [(floor or Fraction(0), times) for floor, times in given.tiers("tiers*")]
    return [(Fraction(0), given.num("max_leverage"))]


@rule("hyperliquid.liq_price", "hyperliquid.liquidation_price")
def liquidation_price(given: Inputs) -> Results:
    """Liquidation price, isolated or cross."""
    price = given.num("mark", "price", "entry", "mark_price")
    side, size = given.side(default=LONG), abs(given.num("size", "qty"))
    equity = given.num("isolated_margin", "account_value", "margin", "equity")
    equity -= given.num("other_maintenance", "other_maint_margin", default=0)
    tiers = _tiers(given)
    margin, _, tier = venue.maintenance(size * price, tiers)
    found: Results = {
        "maintenance_rate": venue.maintenance_rate(tiers[tier][1]),
        "margin_available": equity - margin,
        "maint_margin": margin,
    }
    found["liq_price"] = venue.liquidation_price_by_tier(price, side, size, equity, tiers)
    return found


@rule("hyperliquid.backstop")
def backstop(given: Inputs) -> Results:
    """How an account is liquidated."""
    margin = given.num("maintenance_margin", "maint_margin", "mm*")
    value = given.num("account_value", "equity")
    return {
        "state": venue.liquidation_state(value, margin),
        "threshold": venue.BACKSTOP_SHARE * margin,
    }


@rule("hyperliquid.partial")
def partial(given: Inputs) -> Results:
    """Size of the first liquidation order, and what follows within the cooldown."""
    notional = given.notional("mark", "price")
    first = venue.liquidation_order(notional, given.opt("seconds_since_last_partial"))
    again = venue.liquidation_order(notional, 0)
    return {
        "first_order_notional": first,
        "order_notional": first,
        "fraction": first / notional if notional else Fraction(0),
        "next_order_within_30s_fraction": again / notional if notional else Fraction(0),
    }


@rule("hyperliquid.margin_tier", "hyperliquid.maint_margin", "hyperliquid.maintenance_margin")
def margin_tier(given: Inputs) -> Results:
    """Maintenance margin under leverage tiers."""
    tiers = _tiers(given)
    margin, deduction, tier = venue.maintenance(abs(given.notional()), tiers)
    return {
        "deduction": deduction,
        "maint_margin": margin,
        "maintenance_margin": margin,
        "maintenance_rate": venue.maintenance_rate(tiers[tier][1]),
        "max_leverage": tiers[tier][1],
    }


@rule("hyperliquid.maintenance_rate")
def maintenance_rate(given: Inputs) -> Results:
    """Half of the initial margin at maximum leverage."""
    return {"maintenance_rate": venue.maintenance_rate(given.num("max_leverage", "leverage"))}


@rule("hyperliquid.adl_index")
def adl_index(given: Inputs) -> Results:
    """ADL index of accounts on one side, and their order."""
    groups = [("longs", LONG), ("shorts", SHORT), ("accounts", given.side(default=LONG))]
    accounts = [
        (name, account, side)
        for group, side in groups
        if given.has(group)
        for name, account in given.named(group).items()
    ]
    found: dict[str, Fraction | float] = {}
    for name, account, side in accounts:
        mark = account.num("mark", "mark_price")
        notional = account.opt("notional", "position_value")
        if notional is None:
            notional = account.num("size", "qty") * mark
        index = venue.adl_index(
            account.side(default=side),
            mark,
            account.num("entry", "entry_price"),
            notional,
            account.num("account_value", "equity"),
        )
        found[name] = inf if index is None else index
    return {"index": found, "order": sorted(found, key=lambda name: -found[name])}


@rule("hyperliquid.event_totals")
def event_totals(given: Inputs) -> Results:
    """Sum and ADL share of an event."""
    liquidated, deleveraged = given.num("liquidations_usd"), given.num("adl_usd")
    total = liquidated + deleveraged
    return {
        "total_usd": total,
        "adl_share": deleveraged / total if total else Fraction(0),
        "adl_over_liquidations": deleveraged / liquidated if liquidated else None,
    }


@rule("hyperliquid.oracle")
def oracle(given: Inputs) -> Results:
    """Weighted median of spot prices."""
    return {"oracle": _weighted_median(given, "prices", "weights")}


def _weighted_median(given: Inputs, prices: str, weights: str) -> Fraction:
    """Of the sources that have a price."""
    found = [units(price) for price in given.nums(prices, null=Fraction(0))]
    sizes = [units(weight) for weight in given.nums(weights)]
    if len(found) != len(sizes):
        raise InputError(f"inputs: {prices} and {weights} differ in length")
    live = [size if price > 0 else 0 for price, size in zip(found, sizes, strict=True)]
    return plain(weighted_median(found, live))


@rule("hyperliquid.mark")
def mark(given: Inputs) -> Results:
    """Median of oracle basis, own book and other venues."""
    external = given.opt("external_perp_median")
    if external is None and given.has("external_prices"):
        external = _weighted_median(given, "external_prices", "external_weights")
    inputs = venue.mark_inputs(
        given.num("oracle"),
        given.opt("ema_mid_minus_oracle", "ema_basis"),
        given.opt("best_bid", "bid"),
        given.opt("best_ask", "ask"),
        given.opt("last"),
        external,
    )
    price = venue.mark_price(inputs, given.opt("*30s*", "*ema30*", "ema_own_book", "ema_c2"))
    return {"c1": inputs[0], "c2": inputs[1], "c3": inputs[2], "mark": price}


@rule("hyperliquid.ema")
def ema(given: Inputs) -> Results:
    """One update of the moving average."""
    top, bottom, value = venue.ema_update(
        given.flt("numerator", default=0.0),
        given.flt("denominator", default=0.0),
        given.flt("sample"),
        given.flt("t_seconds", "t", "dt*"),
        given.flt("tau_seconds", "tau", default=150.0),
    )
    return {"numerator": top, "denominator": bottom, "ema": value}


@rule("hyperliquid.funding")
def funding(given: Inputs) -> Results:
    """Premium, eight-hour and hourly rate, and the payment on oracle notional."""
    price = given.num("oracle", "index")
    if given.has("premium", "avg_premium"):
        premium = given.num("premium", "avg_premium")
    else:
        bid, ask = given.num("impact_bid", default=0), given.num("impact_ask", default=0)
        premium = plain(premium_index(units(bid), units(ask), units(price), SCALE))
    eight, hour = venue.funding(premium, given.num("interest_8h", default=Fraction(1, 10_000)))
    size = given.num("size", "qty", default=10)
    return {
        "premium": premium,
        "f8h": eight,
        "f1h": hour,
        "payment_10btc_usd": 10 * price * hour,
        "payment_usd": size * price * hour,
    }
