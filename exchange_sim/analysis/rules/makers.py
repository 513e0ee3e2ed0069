"""Market making, order flow and the shares that describe a cascade."""

from __future__ import annotations

from fractions import Fraction

from exchange_sim.analysis.rules.common import InputError, Inputs, Results, number, rule
from exchange_sim.strategy import formulas


def _variance(given: Inputs) -> float:
    return (
        given.flt("sigma2", "variance")
        if given.has("sigma2", "variance")
        else (given.flt("sigma", "volatility") ** 2)
    )


@rule("avellaneda_stoikov")
def avellaneda_stoikov(given: Inputs) -> Results:
    """Reservation price, spread and both quotes, as far as the inputs go."""
    mid, inventory = given.flt("mid", "s", "price"), given.flt("q", "inventory", default=0.0)
    gamma, variance = given.flt("gamma"), _variance(given)
    horizon = given.flt("horizon", "tau", "T_minus_t", default=1.0)
    centre = formulas.reservation_price(mid, inventory, gamma, variance, horizon)
    found: Results = {"shift": mid - centre, "reservation": centre}
    if given.has("k", "kappa"):
        spread = formulas.optimal_spread(gamma, variance, horizon, given.flt("k", "kappa"))
        found |= {"spread": spread, "bid": centre - spread / 2, "ask": centre + spread / 2}
    return found


@rule("glft.quotes")
def glft(given: Inputs) -> Results:
    """Asymptotic quotes under inventory risk."""
    quotes = formulas.glft_quotes(
        given.flt("A"),
        given.flt("k"),
        given.flt("gamma"),
        given.flt("xi", default=given.flt("gamma")),
        given.flt("sigma"),
        given.flt("delta", "Delta", default=1.0),
        given.flt("q", "inventory", default=0.0),
    )
    found: Results = {
        "c1": quotes.c1,
        "c2": quotes.c2,
        "bid_depth": quotes.bid_depth,
        "ask_depth": quotes.ask_depth,
    }
    if given.has("mid"):
        mid = given.flt("mid")
        found |= {"bid": mid - quotes.bid_depth, "ask": mid + quotes.ask_depth}
    return found


@rule("vpin")
def vpin(given: Inputs) -> Results:
    """Order-flow toxicity over volume buckets."""
    buckets = []
    for k, row in enumerate(given.items("buckets_buy_sell", "buckets")):
        where = f"inputs.buckets[{k}]"
        pair = [row.get("buy"), row.get("sell")] if isinstance(row, dict) else row
        if not isinstance(pair, list) or len(pair) != 2:
            raise InputError(f"{where} must be [buy, sell], is {row!r}")
        buy, sell = (float(number(value, where)) for value in pair)
        buckets.append((buy, sell))
    volume = given.flt("bucket_volume") if given.has("bucket_volume") else None
    return {"vpin": formulas.vpin(buckets, volume)}


@rule("vpin.bulk_classification")
def bulk_classification(given: Inputs) -> Results:
    """Buying and selling volume of a bar."""
    volume = given.flt("volume")
    buy = formulas.bulk_buy_volume(
        volume, given.flt("dP", "price_change"), given.flt("sigma_dP", "sigma")
    )
    return {"buy_volume": buy, "sell_volume": volume - buy}


@rule("hawkes.stationary")
def hawkes_stationary(given: Inputs) -> Results:
    """Branching ratio and mean intensity."""
    ratio = formulas.branching_ratio(given.flt("alpha"), given.flt("beta"))
    return {
        "branching": ratio,
        "mean_intensity": formulas.hawkes_mean(given.flt("mu"), ratio),
        "endogenous_share": ratio,
    }


@rule("hawkes.branching_estimator")
def branching_estimator(given: Inputs) -> Results:
    """Branching ratio from the counts of windows."""
    mean, variance = given.flt("window_mean", "mean"), given.flt("window_variance", "variance")
    return {"n": formulas.branching_estimate(mean, variance)}


@rule("hawkes.kernel")
def hawkes_kernel(given: Inputs) -> Results:
    """Intensity after some events."""
    times = [float(time) for time in given.nums("event_times", "events")]
    intensity = formulas.hawkes_intensity(
        given.flt("mu"), given.flt("alpha"), given.flt("beta"), times, given.flt("t")
    )
    return {"intensity": intensity}


@rule("bp.margin")
def destabilising_margin(given: Inputs) -> Results:
    """Margin of a financier who takes moves for news."""
    per_unit = formulas.value_at_risk_margin(
        given.flt("pi"),
        given.flt("sigma", "sigma_bar"),
        given.flt("theta"),
        given.flt("abs_dp_prev", "dp_prev"),
    )
    return {"margin": per_unit * given.flt("price", default=1.0)}


@rule("depth.withdrawal")
def depth_withdrawal(given: Inputs) -> Results:
    """Share of the depth that went."""
    before, low = given.num("depth_before_usd", "depth_before"), given.num("depth_low*")
    return {"depth_loss": 1 - low / before, "depth_left": low / before}


@rule("cascade.concentration")
def concentration(given: Inputs) -> Results:
    """Shares of the liquidations in the window and on the long side."""
    total = given.num("liq_total")
    found: Results = {}
    for name, key in (("share_40min", "liq_40min"), ("share_longs", "longs")):
        if given.has(key):
            found[name] = given.num(key) / total if total else Fraction(0)
    return found
