"""Index, mark, funding and collateral prices of the centralised venues."""

from __future__ import annotations

from fractions import Fraction

from exchange_sim.analysis.rules.common import (
    SCALE,
    InputError,
    Inputs,
    Results,
    plain,
    ppm,
    rule,
    units,
)
from exchange_sim.risk import collateral_index, funding, marks
from exchange_sim.units import NANOS_PER_HOUR, NANOS_PER_S, PPM, parse_utc

_TOP_PAIRS = 6
_BASIS = ("ma_basis", "ma*basis", "basis*", "*_basis")
_LAST = ("contract_price", "last", "last_price")


def _mark(given: Inputs, window: int) -> Results:
    """Prices 1 and 2 and the mark, as far as the inputs go."""
    found: Results = {}
    index = units(given.num("index", "index_price"))
    first = second = None
    if given.has("last_funding", "last_funding_rate", "funding_rate"):
        rate = given.num("last_funding", "last_funding_rate", "funding_rate") * marks.PPB
        if rate.denominator != 1:
            raise InputError("inputs.last_funding: finer than parts per billion")
        left = given.num("hours_to_funding", "time_to_funding_hours") * NANOS_PER_HOUR
        interval = given.num("interval_hours", "funding_interval_hours", default=8)
        first = marks.price_1(index, int(rate), int(left), int(interval * NANOS_PER_HOUR))
        found["price1"] = plain(first)
    if given.has("*basis_samples*"):
        samples = marks.BasisWindow(given.integer("window_samples", default=window))
        for sample in given.nums("*basis_samples*"):
            samples.add(units(sample))
        basis = samples.mean()
    elif given.has("mid_samples", "mids"):
        samples = marks.BasisWindow(given.integer("window_samples", default=window))
        for sample in given.nums("mid_samples", "mids"):
            samples.add(units(sample) - index)
        basis = samples.mean()
    elif given.has("bid1", "best_bid") and given.has("ask1", "best_ask"):
        middle = (given.num("bid1", "best_bid") + given.num("ask1", "best_ask")) / 2
        basis = units(middle) - index
    else:
        basis = units(given.num(*_BASIS))
    second = index + basis
    found |= {"ma_basis": plain(basis), "price2": plain(second)}
    if first is not None and given.has(*_LAST):
        found["mark"] = plain(marks.mark_price(first, second, units(given.num(*_LAST))))
    return found


@rule("binance.mark_price")
def binance_mark(given: Inputs) -> Results:
    """Binance: thirty one-second samples of the basis."""
    return _mark(given, marks.BASIS_SAMPLES)


@rule("bybit.mark_price")
def bybit_mark(given: Inputs) -> Results:
    """Bybit: five minutes of one-second samples."""
    return _mark(given, 300)


@rule("binance.index")
def binance_index(given: Inputs) -> Results:
    """Weighted index with the protections of the venue."""
    prices = [units(price) for price in given.nums("prices", null=Fraction(0))]
    if given.has("weights"):
        weights = [units(weight) for weight in given.nums("weights")]
    else:
        weights = [1] * len(prices)
    ages = None
    if given.has("seconds_since_trade", "seconds_since_update", "age*"):
        never = Fraction(10**6)
        found = given.nums("seconds_since_trade", "seconds_since_update", "age*", null=never)
        ages = [int(age * NANOS_PER_S) for age in found]
    if len(weights) != len(prices) or (ages is not None and len(ages) != len(prices)):
        raise InputError("inputs: prices, weights and ages differ in length")
    index = marks.index_price(prices, weights, ages)
    return {"index": None if index is None else plain(index)}


@rule("bybit.index")
def bybit_index(given: Inputs) -> Results:
    """Mean of the six largest pairs, weighted by volume."""
    volumes = given.nums("volumes", "weights")
    prices = given.nums("prices")
    if len(volumes) != len(prices):
        raise InputError("inputs: prices and volumes differ in length")
    rows = sorted(zip(volumes, prices, strict=True), key=lambda row: -row[0])[:_TOP_PAIRS]
    index = marks.weighted_mean([units(p) for _, p in rows], [units(v) for v, _ in rows])
    return {"index": plain(index)}


@rule("bybit.index.cross_pair")
def cross_pair(given: Inputs) -> Results:
    """A price in BTC converted to USDT."""
    key = given.key("*btc") or "ethbtc"
    coin = key.removesuffix("btc").rstrip("_")
    price = given.num(key) * given.num("btcusdt", "btcusdt_*", "btc_usdt*")
    return {f"{coin}_usdt_equiv": price, "usdt_equiv": price}


@rule("binance.premium_index")
def premium(given: Inputs) -> Results:
    """Premium of the impact prices over the index."""
    value = funding.premium_index(
        units(given.num("impact_bid", default=0)),
        units(given.num("impact_ask", default=0)),
        units(given.num("index", "index_price", "price_index")),
        SCALE,
    )
    return {"premium": plain(value)}


def _cap(given: Inputs) -> Fraction | None:
    if given.has("cap"):
        return given.num("cap")
    leverage = given.opt("max_leverage")
    if leverage is not None and leverage <= funding.HIGH_CAP_LEVERAGE:
        return Fraction(funding.HIGH_CAP_PPB, marks.PPB)
    if not given.has("mmr*", "maint*"):
        return None
    multiplier = Fraction(funding.CAP_MULTIPLIER_PPM, PPM)
    return Fraction(
        funding.funding_cap(
            ppm(given.num("mmr*", "maint*"), "mmr"),
            ppm(given.num("multiplier", "k", default=multiplier), "multiplier"),
        ),
        marks.PPB,
    )


@rule("binance.funding_rate")
def funding_rate(given: Inputs) -> Results:
    """Rate of one funding interval."""
    cap = _cap(given)
    rate = funding.funding_rate(
        units(given.num("avg_premium_index", "avg_premium", "average_premium", "premium*")),
        units(given.num("interest_8h", "interest*", default=Fraction(1, 10_000))),
        interval_hours=given.integer("interval_hours", "interval", "N", default=8),
        clamp_to=units(given.num("clamp", "clamp_*", default=Fraction(5, 10_000))),
        cap=None if cap is None else units(cap),
    )
    found: Results = {"funding_rate": plain(rate), "cap": cap}
    if given.has("position_notional", "notional*"):
        found["payment"] = plain(rate) * given.num("position_notional", "notional*")
    return found


@rule("binance.funding_cap")
def funding_cap(given: Inputs) -> Results:
    """Cap of the rate, and the rate after it."""
    cap = _cap(given)
    if cap is None:
        raise InputError("inputs: missing mmr or max_leverage")
    found: Results = {"cap": cap, "floor": -cap}
    if given.has("raw_rate", "rate"):
        raw = units(given.num("raw_rate", "rate"))
        found["rate"] = plain(funding.clamp(raw, -units(cap), units(cap)))
    return found


@rule("binance.avg_premium")
def average_premium(given: Inputs) -> Results:
    """Average of premium samples, later ones weighing more."""
    average = funding.PremiumAverage()
    for sample in given.nums("premium_samples", "samples"):
        average.add(units(sample))
    return {"avg": plain(average.mean()), "count": average.count}


@rule("binance.impact_margin_notional")
def impact_margin(given: Inputs) -> Results:
    """Notional behind the impact prices."""
    leverage = given.opt("max_leverage")
    if leverage is None:
        leverage = 1 / given.num("im_rate_at_max_leverage", "im_rate", "imr")
    margin = given.num("margin_usdt", "margin", default=funding.IMPACT_MARGIN_USDT)
    notional = funding.impact_margin_notional(margin, leverage)
    return {"imn_usdt": notional, "imn": notional}


@rule("binance.wbeth.pre_fix", "binance.bnsol.pre_fix")
def wrapper_before(given: Inputs) -> Results:
    """Discount of a wrapper's print against its underlying."""
    rate = given.num("conversion_rate", default=1)
    fair = given.num("eth_spot", "sol_spot", "*_spot", "*_index") * rate
    printed = given.num("wbeth_print", "bnsol_print", "*_print")
    return {"discount": collateral_index.discount(printed, fair), "margin_price": printed}


@rule("binance.wbeth.post_fix", "binance.bnsol.post_fix")
def wrapper_after(given: Inputs) -> Results:
    """Margin price at the full conversion rate."""
    index = units(given.num("eth_index", "sol_index", "*_index"))
    rate = ppm(given.num("conversion_rate"), "conversion_rate")
    return {"margin_price": plain(collateral_index.wrapper_price(index, rate))}


@rule("binance.usde.index_post_fix")
def blended(given: Inputs) -> Results:
    """Index of a synthetic dollar with its redemption price."""
    weight = ppm(given.num("redemption_weight", "w", "weight"), "redemption_weight")
    index = collateral_index.blended_index(
        units(given.num("spot", "spot_price")),
        units(given.num("redemption", "redemption_price", default=1)),
        weight,
        units(given.num("floor", default=0)),
    )
    return {"index": plain(index)}


@rule("binance.depeg_compensation")
def compensation(given: Inputs) -> Results:
    """What a liquidation inside the window was repaid."""
    when = given.text("liquidated_at*", "time_utc", "time", default="")
    paid = collateral_index.compensation(
        given.num("qty", "quantity"),
        given.num("liquidation_price"),
        given.num("market_price*", "reference_price"),
        given.num("fee_paid", "fee", "liquidation_fee", default=0),
        parse_utc(when) if when else None,
    )
    return {"compensation": paid}
