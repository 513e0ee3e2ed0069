"""Bybit unified account and OKX multi-currency and portfolio margin."""

from __future__ import annotations

from fractions import Fraction

from exchange_sim.analysis.rules.common import (
    InputError,
    Inputs,
    Results,
    collateral_table,
    plain,
    ppm,
    rule,
    units,
)
from exchange_sim.risk import bybit, okx
from exchange_sim.risk.collateral import tax_by_tier
from exchange_sim.risk.marks import usd_index


@rule("bybit.uta.collateral_value")
def collateral_value(given: Inputs) -> Results:
    """USD value of coins under tiers by quantity or by value; a debt counts in full."""
    total = Fraction(0)
    for coin in given.subs("coins") or [given]:
        price = coin.num("usd_index", "index_price", "price*", default=1)
        table = collateral_table(coin.tiers("tiers*")) if coin.has("tiers*") else None
        if table is None:
            ratio = coin.num("collateral_ratio", "ratio", "collateral_value_ratio", default=1)
            table = collateral_table([(None, ratio)])
        if coin.has("tiers_usd") or not coin.has("qty", "quantity", "equity"):
            total += plain(table.value(units(coin.notional())))
        else:
            total += plain(table.value(units(coin.num("qty", "quantity", "equity")))) * price
    return {"collateral_usd": total, "collateral_value": total}


@rule("bybit.uta.usd_index")
def coin_usd_index(given: Inputs) -> Results:
    """USD index of a coin from its USDT index."""
    btc_usd, btc_usdt = given.num("btcusd_index", "btcusd"), given.num("btcusdt_index", "btcusdt")
    coins = [key for key in given.data if "usdt" in key and not key.startswith("btcusdt")]
    key = coins[0] if coins else "btcusdt_index"
    coin = key.partition("usdt")[0].rstrip("_") or "coin"
    price = given.num(key) if coins else btc_usdt
    index = plain(usd_index(units(price), units(btc_usd), units(btc_usdt)))
    return {f"{coin}_usd_index": index, "usd_index": index}


@rule("bybit.uta.mm_rate", "bybit.uta.im_rate")
def margin_rate(given: Inputs) -> Results:
    """Account margin rates and whether the account is liquidated."""
    balance = given.opt("margin_balance")
    if balance is None:
        balance = given.num("wallet_balance") + given.num("upl", "perp_upl", default=0)
    haircut = given.num("haircut_loss", default=0)
    loss = given.num("order_loss", default=0)
    found: Results = {}
    if given.has("total_mm"):
        rate = bybit.account_rate(given.num("total_mm"), balance, haircut, loss)
        found |= {"account_mm_rate": rate, "liquidation": bybit.is_liquidated(rate)}
    if given.has("total_im"):
        rate = bybit.account_rate(given.num("total_im"), balance, haircut, loss)
        found["account_im_rate"] = rate
    if not found:
        raise InputError("inputs: missing total_mm or total_im")
    return found


@rule("bybit.uta.auto_borrow")
def auto_borrow(given: Inputs) -> Results:
    """What an account borrows by itself in one coin."""
    equity = given.num("equity", "*_equity", "*_wallet", "wallet*", default=0)
    equity += given.num("upl", "upnl", "unrealised_pnl", default=0)
    equity -= given.num("spot_margin_buy", "spot_buy", "spend", default=0)
    equity -= given.num("accrued_interest", "interest", "fee", default=0)
    loan = bybit.borrowed(
        equity,
        given.num("frozen", "frozen_balance", default=0),
        given.num("buy_option_im", "option_im", "buy_option_initial_margin", default=0),
        given.num("positive_option_value", "option_value", default=0),
    )
    return {"borrowed": loan, "equity": equity}


@rule("bybit.uta.penalty_interest", "bybit.uta.hourly_interest")
def penalty_interest(given: Inputs) -> Results:
    """One hour's interest, penal beyond the limit."""
    loan, limit = given.num("borrowed", "borrow", "loan"), given.num("limit", "*limit")
    interest = bybit.hourly_interest(loan, limit, given.num("hourly_rate", "rate"))
    hours = given.num("hours", default=1)
    return {"interest": interest * hours, "utilisation": loan / limit}


@rule("bybit.adl.trigger")
def bybit_adl_trigger(given: Inputs) -> Results:
    """Whether the insurance pool's loss starts ADL."""
    if given.has("fund", "position_margin"):
        due = bybit.adl_trigger_2025_09(
            given.num("fund", "fund_balance", "pool_balance"),
            given.num("position_margin", default=0),
            given.num("upnl", "upl", default=0),
        )
        return {"triggered": due}
    balance = given.num("pool_balance", "balance")
    peak = given.num("pool_8h_max", "pool_8h_peak", default=max(balance, Fraction(0)))
    change = given.num("symbol_pnl_change", "symbol_pnl", "pnl_change", default=0)
    stop = given.num("adl_stop_ratio", "insurance_stop_ratio", default=bybit.ADL_STOP)
    result = bybit.adl_trigger(
        balance,
        peak,
        change,
        pnl_ratio=given.opt("pnl_ratio"),
        start=given.num("insurance_pnl_ratio", default=bybit.ADL_START),
        stop=stop,
        running=given.flag("running", "adl_running"),
        active_above=given.opt("adl_trigger_threshold"),
    )
    ratio = result.pnl_ratio
    return {
        "pnl_ratio": ratio,
        "triggered": result.triggered,
        "loss_moved_to_adl": result.loss_to_adl,
        "stopped": balance > 0 and (ratio is None or ratio > stop),
    }


@rule("okx.pm.scaling_factor")
def scaling_factor(given: Inputs) -> Results:
    """Scaled minimum charge of portfolio margin, and the margin it leads to."""
    tiers = given.tiers("tiers*")
    bounds = tuple((None if upto is None else units(upto), ppm(rate)) for upto, rate in tiers)
    raw = units(given.num("mr7_raw", "mr7"))
    adjusted = plain(tax_by_tier(raw, bounds, bounds[-1][1] if bounds else 0))
    return {
        "mr7_adj": adjusted,
        "mmr": okx.portfolio_maintenance(given.num("mr", default=0), adjusted),
    }


@rule("okx.discount_rate")
def discount_rate(given: Inputs) -> Results:
    """Discounted value of a coin under tiers by USD or by quantity, and its effective rate."""
    price = given.num("usd_price", "price", "index_price", default=1)
    usd = given.opt("usd", "usd_value", "notional*", "equity_usd")
    if usd is None:
        usd = given.num("qty", "quantity", "equity") * price
    if given.has("discounted_usd"):
        value = given.num("discounted_usd")
    elif given.has("tiers_qty", "tiers_coin"):
        qty = given.num("qty", "quantity", default=usd / price)
        table = collateral_table(given.tiers("tiers_qty", "tiers_coin"))
        value = plain(table.value(units(qty))) * price
    elif given.has("tiers*"):
        value = plain(collateral_table(given.tiers("tiers*")).value(units(usd)))
    else:
        flat = collateral_table([(None, given.num("discount_rate", "rate"))])
        value = plain(flat.value(units(usd)))
    effective = value / usd if usd else Fraction(0)
    return {"discounted_usd": value, "effective_rate": effective, "usd": usd}


@rule("okx.margin_level")
def margin_level(given: Inputs) -> Results:
    """Margin level of a multi-currency account."""
    level = okx.margin_level(
        given.num("adjusted_equity"),
        given.num("maintenance_margin", "maintenance*", "mm*"),
        given.num("fee*", "closing_fee*", "liquidation_fee*", default=0),
    )
    return {"margin_level": level, "liquidation": level is not None and level <= 1}


@rule("okx.partial_liquidation")
def partial_liquidation(given: Inputs) -> Results:
    """Contracts closed by the first step."""
    contracts = given.integer("contracts", "position", "size")
    if given.has("tier_max", "tiers_max"):
        bounds = [int(bound) for bound in given.nums("tier_max", "tiers_max")]
        closed = okx.contracts_to_close(contracts, bounds)
    else:
        first, third = given.integer("tier1_max"), given.integer("tier3_min")
        closed = okx.contracts_to_close_legacy(contracts, first, third)
    return {"contracts_to_close": closed, "contracts_left": contracts - closed}


@rule("okx.adl.trigger")
def okx_adl_trigger(given: Inputs) -> Results:
    """Whether the fund's fall starts ADL; its fills are at the mark price."""
    peak, now = given.num("fund_peak_8h", "fund_peak", "peak"), given.num("fund_now", "now")
    short = given.flag("insufficient", "fund_insufficient")
    return {
        "drop": okx.fund_drop(peak, now),
        "adl": okx.adl_due(peak, now, insufficient=short),
        "fill_price": "mark_price",
    }
