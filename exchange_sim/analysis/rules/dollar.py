"""Loops, two-layer leverage and the figures of the synthetic dollar."""

from __future__ import annotations

from fractions import Fraction

from exchange_sim.analysis.rules.common import SCALE, Inputs, Results, plain, ppm, rule, units
from exchange_sim.issuer import conversion, loops, synthetic_dollar
from exchange_sim.risk import leverage


def _loop(loop: loops.Loop) -> Results:
    return {
        "deposits": list(loop.deposits),
        "total_collateral": loop.collateral,
        "total_debt": loop.debt,
        "leverage": loop.leverage,
        "rounds": len(loop.deposits) - 1,
        "equity_wipe": loops.equity_wipe(loop.collateral, loop.debt),
    }


@rule("loop.rounds", "loop.limit", "usde.loop", "dollar.loop")
def rounds(given: Inputs) -> Results:
    """A loop after some rounds, or without an end."""
    equity, ltv = given.num("initial", "equity", "deposit"), given.num("ltv")
    if given.has("rounds"):
        return _loop(loops.loop(equity, ltv, given.integer("rounds")))
    return _loop(loops.loop_limit(equity, ltv))


@rule("loop.equity_wipe", "usde.equity_wipe", "dollar.equity_wipe")
def equity_wipe(given: Inputs) -> Results:
    """Fall that takes the whole equity."""
    drop = loops.equity_wipe(given.num("collateral"), given.num("debt"))
    return {"price_drop_wiping_equity": drop, "price": 1 - drop}


@rule("loop.liquidation_price", "usde.liquidation_price", "dollar.liquidation_price")
def liquidation_price(given: Inputs) -> Results:
    """Asset price at the liquidation threshold."""
    price = loops.liquidation_price(
        given.num("collateral"),
        given.num("debt"),
        given.num("liq_threshold", "lt", "liquidation_threshold"),
        given.num("price_now", "entry_price", default=1),
    )
    return {"price": price, "drop": 1 - price / given.num("price_now", "entry_price", default=1)}


@rule("loop.net_yield", "usde.net_yield", "dollar.net_yield")
def net_yield(given: Inputs) -> Results:
    """Yearly yield on equity."""
    paid = loops.net_yield(given.num("leverage"), given.num("asset_apy"), given.num("borrow_ap*"))
    return {"net_yield": paid}


@rule("binance.margin.usde_loop_5x", "binance.margin.usde_loop", "binance.margin.loop")
def margin_loop(given: Inputs) -> Results:
    """Loop on cross margin at a leverage."""
    equity, times = given.num("equity"), given.num("leverage")
    assets, debt = equity * times, equity * (times - 1)
    level = given.num("liq_margin_level", default=Fraction(11, 10))
    last = loops.margin_loop_price(level, assets, debt)
    names = ("usde_price_at_liquidation", "price_at_liquidation")
    return {
        "assets": assets,
        "debt": debt,
        "initial_ml": assets / debt if debt else None,
        **dict.fromkeys(names, last),
        "usde_price_at_insolvency": loops.margin_loop_price(1, assets, debt),
        "price_at_insolvency": loops.margin_loop_price(1, assets, debt),
        "equity_left_at_liq_before_fees": assets * last - debt,
    }


@rule("two_layer_leverage")
def two_layers(given: Inputs) -> Results:
    """Altcoin loan that funds a loop."""
    done = loops.two_layers(
        given.num("alt_collateral", "equity"),
        given.num("layer1_ltv"),
        given.num("layer2_ltv"),
        given.integer("layer2_rounds", "rounds"),
    )
    return {
        "stable_borrowed_l1": done.borrowed,
        "usde_position": done.position,
        "total_debt": done.debt,
        "gross_exposure_over_equity": done.gross_over_equity,
    }


@rule("binance.usde_reward", "usde.reward", "dollar.reward")
def reward(given: Inputs) -> Results:
    """Reward of a day, and of more if their number is given."""
    daily = synthetic_dollar.daily_reward(given.num("min_snapshot"), given.num("apr"))
    return {"daily": daily, "total": daily * given.num("days", default=1)}


@rule("ethena.backstop_size", "usde.backstop_size", "dollar.backstop_size")
def backstop_size(given: Inputs) -> Results:
    """Backing implied by a share of it."""
    backing = synthetic_dollar.implied_backing(
        given.num("amount_usd", "amount"), given.num("backing_share", "share")
    )
    return {"implied_backing": backing}


@rule("ethena.buyback_gain", "ethena.buyback", "usde.buyback", "dollar.buyback")
def buyback_gain(given: Inputs) -> Results:
    """Backing ratio after tokens are bought below par and burned."""
    price, spent = given.num("avg_price", "price"), given.num("usdt_spent", "spent")
    burned, ratio = synthetic_dollar.buyback(
        spent, price, given.num("supply_before", "supply"), given.num("backing_before", "backing")
    )
    return {
        "usde_burned": burned,
        "backing_after_over_supply": ratio,
        "gain_usd": burned - spent,
        "bid_allowed": synthetic_dollar.backstop_bids(price),
    }


@rule("ethena.reserve_ratio", "usde.reserve_ratio", "dollar.reserve_ratio")
def reserve_ratio(given: Inputs) -> Results:
    """Reserve fund over supply."""
    reserve, supply = given.num("reserve_usd", "reserve"), given.num("supply_usd", "supply")
    return {"ratio": synthetic_dollar.reserve_ratio(reserve, supply)}


@rule("ethena.short_pnl", "usde.short_pnl", "dollar.short_pnl")
def short_pnl(given: Inputs) -> Results:
    """Gain of the hedge and what funding costs it."""
    qty, mark = given.num("eth_short", "*_short", "qty"), given.num("mark")
    gain = synthetic_dollar.short_gain(qty, given.num("entry"), mark)
    found: Results = {"unrealised_gain": gain}
    if given.has("funding_8h", "funding*"):
        rate = given.num("funding_8h", "funding*")
        found["funding_paid_8h"] = synthetic_dollar.short_funding_paid(qty, mark, rate)
        found["funding_received_8h"] = -synthetic_dollar.short_funding_paid(qty, mark, rate)
    if given.has("spot_qty", "*_long", "coins"):
        coins = given.num("spot_qty", "*_long", "coins")
        found["net_pnl"] = gain + coins * (mark - given.num("entry"))
        found["delta"] = coins - qty
    return found


@rule("ethena.mint", "usde.mint", "dollar.mint")
def mint(given: Inputs) -> Results:
    """Dollars for backing at par, and what a block's limit says."""
    paid = units(given.num("paid", "usdt", "collateral", "amount*"))
    made = conversion.minted(paid, SCALE, SCALE)
    used = units(given.num("used_in_block", "used", default=0))
    limit = units(given.num("mint_limit*", "limit*", "max_mint*", default=0))
    return {"minted": plain(made), "allowed": conversion.within_limit(used, made, limit)}


@rule("ethena.redeem", "usde.redeem", "dollar.redeem")
def redeem(given: Inputs) -> Results:
    """Backing for dollars at par less the fee, within limit and buffer."""
    burned = units(given.num("usde", "burned", "amount*"))
    fee = ppm(given.num("fee_rate", "fee", default=0), "fee")
    paid = conversion.redeemed(burned, SCALE, SCALE, fee)
    used = units(given.num("used_in_block", "used", default=0))
    limit = units(given.num("redeem_limit*", "limit*", "max_redeem*", default=0))
    allowed = conversion.within_limit(used, burned, limit)
    if given.has("buffer*", "liquid*"):
        allowed = allowed and paid <= units(given.num("buffer*", "liquid*"))
    return {"paid": plain(paid), "allowed": allowed}


@rule("wrapper.wrap", "binance.wbeth.wrap", "binance.bnsol.wrap")
def wrap(given: Inputs) -> Results:
    """Units of a wrapper for its underlying, and back."""
    rate = int(given.num("rate", "conversion_rate", "ratio") * conversion.PPB)
    if given.has("units", "wrapper*", "wbeth", "bnsol"):
        held = units(given.num("units", "wrapper*", "wbeth", "bnsol"))
        return {"underlying": plain(conversion.unwrapped(held, rate))}
    given_in = units(given.num("underlying", "eth", "sol", "amount"))
    return {"units": plain(conversion.wrapped(given_in, rate))}


@rule("seed.passive_leverage")
def passive_leverage(given: Inputs) -> Results:
    """Leverage that rises because collateral fell."""
    position, equity = given.num("position_notional"), given.num("equity_before", "equity")
    share = given.num("share_of_equity_in_collateral", default=1)
    after = leverage.passive_leverage(position, equity, given.num("collateral_drop"), share)
    return {"leverage_before": position / equity, "leverage_after": after}


@rule("spiral.multiplier")
def spiral(given: Inputs) -> Results:
    """Feedback of sellers who keep their leverage."""
    shock, assets, times = given.num("shock"), given.num("assets"), given.num("leverage")
    many = leverage.spiral_multiplier(given.num("impact_per_usd", "impact*"), assets, times)
    return {
        "first_sale": leverage.first_sale(shock, assets, times),
        "multiplier": many,
        "total_move": None if many is None else shock * many,
        "diverges": many is None,
    }
