"""Binance: cross margin, portfolio margin and multi-assets mode."""

from __future__ import annotations

from fractions import Fraction

from exchange_sim.analysis.rules.common import (
    SCALE,
    InputError,
    Inputs,
    Results,
    collateral_table,
    plain,
    ppm,
    rule,
    units,
)
from exchange_sim.messages.reasons import MarginBand
from exchange_sim.risk import cross_margin, unified
from exchange_sim.risk.brackets import maintenance_up
from exchange_sim.risk.collateral import CollateralTable, tax_by_tier
from exchange_sim.risk.collateral_index import collateral_after_shock
from exchange_sim.units import PPM

_BANDS = tuple(edge * (SCALE // PPM) for edge in unified.DEFAULT_BANDS)


def _uni_mmr(equity: Fraction, maintenance: Fraction) -> Results:
    """Ratio and band; without maintenance margin there is no ratio, and free is who is solvent."""
    if maintenance <= 0:
        band = MarginBand.FREE if equity >= 0 else MarginBand.LIQUIDATION_AND_CLAIM
        return {"unimmr": None, "status": band.name}
    ratio = unified.uni_mmr_ppm(units(equity), units(maintenance), SCALE)
    return {"unimmr": plain(ratio), "status": unified.margin_band(ratio, _BANDS).name}


@rule("binance.cross.tiered_collateral", "binance.cross.altcoin_tiers")
def tiered_collateral(given: Inputs) -> Results:
    """Value of a holding under a tier table."""
    notional = given.notional()
    value = plain(collateral_table(given.tiers("tiers*")).value(units(notional)))
    ratio = value / notional if notional else Fraction(0)
    return {
        "notional": notional,
        "collateral_value": value,
        "average_ratio": ratio,
        "effective_ratio": ratio,
        "haircut_loss": notional - value,
    }


@rule("binance.cross.altcoin_tiers.shock")
def tiered_collateral_shock(given: Inputs) -> Results:
    """The same before and after a fall of the price."""
    table = collateral_table(given.tiers("tiers*"))
    before = units(given.num("notional_before*", "notional*"))
    if given.has("price_drop", "drop"):
        after = collateral_after_shock(before, ppm(given.num("price_drop", "drop"), "price_drop"))
    else:
        after = units(given.num("notional_after*"))
    held, left = plain(table.value(before)), plain(table.value(after))
    return {
        "notional_after": plain(after),
        "collateral_before": held,
        "collateral_after": left,
        "collateral_drop": 1 - left / held if held else Fraction(0),
    }


@rule("binance.pm.collateral_rate")
def wallets_at_rate(given: Inputs) -> Results:
    """Several wallets of one coin at one rate."""
    key = given.key("balances*") or "balances"
    coin = key.removeprefix("balances").lstrip("_") or "asset"
    total = sum(given.values("balances*", "balance*").values(), Fraction(0))
    rate = CollateralTable.of_ratio(ppm(given.num("collateral_rate"), "collateral_rate"))
    value = plain(rate.value(units(total)))
    price = given.opt("index_price", "price")
    found: Results = {f"margin_value_{coin}": value, "margin_value": value, "total": total}
    if price is not None:
        found["margin_value_usd"] = value * price
    return found


@rule("binance.pm.negative_asset_min")
def asset_contribution(given: Inputs) -> Results:
    """``min(v * c, v)`` of one asset."""
    value = given.num("net_qty", "qty", "net*") * given.num("index_price", "price")
    rate = CollateralTable.of_ratio(ppm(given.num("collateral_rate"), "collateral_rate"))
    return {"equity_contribution": plain(rate.value(units(value))), "value": value}


@rule("binance.pm.unimmr")
def portfolio_margin(given: Inputs) -> Results:
    """A whole portfolio margin account: margin wallets and loans, linear and inverse positions."""
    prices, rates = given.values("asset_index_price"), given.values("collateral_rate")
    net: dict[str, Fraction] = {}
    found: Results = {}
    maintenance = Fraction(0)
    loan_rate = _loan_rate(given)
    for asset, wallet in (given.named("margin") if given.has("margin") else {}).items():
        loan = wallet.num("loan", default=0)
        net[asset] = wallet.num("asset", default=0) - loan
        margin = plain(-(-units(loan) * loan_rate // PPM))
        found[f"margin_mm_{asset.lower()}"] = margin
        maintenance += margin * _price(prices, asset)
    for kind in ("um", "cm"):
        for key in given.data:
            if key.startswith(f"{kind}_wallet_"):
                coin = key.removeprefix(f"{kind}_wallet_").upper()
                net[coin] = net.get(coin, Fraction(0)) + given.num(key)
    for position in given.subs("um"):
        maintenance += _linear(position, net, found)
    for position in given.subs("cm"):
        maintenance += _inverse(position, net, found, prices)
    equity = Fraction(0)
    for asset, qty in net.items():
        found[f"net_{asset.lower()}"] = qty
        table = CollateralTable.of_ratio(ppm(rates.get(asset, Fraction(1)), "collateral_rate"))
        equity += plain(table.value(units(qty * _price(prices, asset))))
    adjusted = equity - given.num("open_loss*", "open_order_loss*", default=0)
    found |= {"equity_usd": equity, "adjusted_equity_usd": adjusted, "mm_usd": maintenance}
    return found | _uni_mmr(adjusted, maintenance)


def _loan_rate(given: Inputs) -> int:
    if given.has("loan_leverage", "leverage"):
        return unified.LOAN_MMR_PPM[given.integer("loan_leverage", "leverage")]
    return ppm(given.num("loan_mmr", default=0), "loan_mmr")


def _price(prices: dict[str, Fraction], asset: str) -> Fraction:
    if asset not in prices:
        raise InputError(f"inputs.asset_index_price: no price of {asset}")
    return prices[asset]


def _linear(position: Inputs, net: dict[str, Fraction], found: Results) -> Fraction:
    """Book the profit of a linear position; returns its maintenance margin in quote."""
    side, qty, mark = position.side(), position.num("qty", "size"), position.num("mark")
    quote = position.text("quote", default="USDT")
    profit = side * qty * (mark - position.num("entry"))
    net[quote] = net.get(quote, Fraction(0)) + profit
    name = f"upnl_um_{'long' if side > 0 else 'short'}_{quote.lower()}"
    found[name] = found.get(name, Fraction(0)) + profit
    cum = position.num("cum", default=0)
    return plain(maintenance_up(units(qty * mark), ppm(position.num("mmr")), units(cum) * PPM))


def _inverse(
    position: Inputs, net: dict[str, Fraction], found: Results, prices: dict[str, Fraction]
) -> Fraction:
    """Book the profit of a coin-margined position; returns its maintenance margin in USD."""
    side, entry, mark = position.side(), position.num("entry"), position.num("mark")
    symbol = position.text("coin", "symbol")
    coin = symbol.split("USD", maxsplit=1)[0].rstrip("_-").upper()
    value = position.opt("usd_notional", "notional*")
    if value is None:
        value = position.num("contracts", "qty") * position.num("multiplier", "contract_size")
    profit = side * value * (1 / entry - 1 / mark)
    net[coin] = net.get(coin, Fraction(0)) + profit
    found["upnl_cm_" + coin.lower()] = found.get("upnl_cm_" + coin.lower(), Fraction(0)) + profit
    cum, rate = position.num("cum", default=0), ppm(position.num("mmr"), "mmr")
    return plain(maintenance_up(units(value / mark), rate, units(cum) * PPM)) * _price(prices, coin)


@rule("binance.pmpro.status", "binance.pm.status")
def status(given: Inputs) -> Results:
    """Band of a uniMMR."""
    ratio = given.num("unimmr", "uni_mmr")
    return {"status": unified.margin_band(units(ratio), _BANDS).name}


@rule("binance.pm.adjusted_equity")
def adjusted_equity(given: Inputs) -> Results:
    """Ratio after the loss that open orders would realise."""
    equity = given.num("equity*") - given.num("open_loss*", "open_order_loss*", default=0)
    return {"adjusted_equity": equity} | _uni_mmr(equity, given.num("mm*", "maintenance*"))


@rule("binance.pm.usde_shock")
def collateral_shock(given: Inputs) -> Results:
    """Ratio along a path of the price of one collateral asset."""
    key = given.key("*_qty", "qty") or "qty"
    rate = CollateralTable.of_ratio(ppm(given.num("*collateral_rate"), "collateral_rate"))
    others, margin = given.num("other_equity*", default=0), given.num("mm*", "maintenance*")
    path = given.nums("*price_path") if given.has("*price_path") else [given.num("*price")]
    states = []
    for price in path:
        value = plain(rate.value(units(given.num(key) * price)))
        states.append(_uni_mmr(value + others, margin))
    return {name: [state[name] for state in states] for name in ("unimmr", "status")}


@rule("binance.pm.negative_balance_interest")
def negative_balance_interest(given: Inputs) -> Results:
    """A day's interest on a debit beyond the free allowance."""
    charged, interest = unified.negative_balance_interest(
        units(given.num("balance")),
        units(given.num("free_threshold", "threshold", default=0)),
        ppm(given.num("daily_rate", "rate"), "daily_rate"),
    )
    return {"charged_balance": plain(charged), "interest": plain(interest)}


@rule("binance.multi_asset.auto_exchange")
def auto_exchange(given: Inputs) -> Results:
    """Collateral sold to cover a debit."""
    amount = cross_margin.auto_exchange_amount(
        abs(given.num("deficit", "negative_balance")),
        given.num("auto_exchange_haircut", "haircut"),
    )
    found: Results = {"collateral_usd_sold": amount, "collateral_sold_usd": amount}
    if given.has("collateral_price", "price", "*_price"):
        sold = amount / given.num("collateral_price", "price", "*_price")
        coin = given.text("collateral_asset", default="collateral").lower()
        found |= {"collateral_qty_sold": sold, f"{coin}_sold": sold, f"{coin}_qty_sold": sold}
    if given.has("collateral_assets", "assets"):
        assets = given.values("collateral_assets", "assets")
        found["sold"] = cross_margin.auto_exchange_shares(amount, assets)
    return found


@rule("binance.multi_asset.trigger")
def auto_exchange_trigger(given: Inputs) -> Results:
    """Whether a debit is exchanged now."""
    tier = given.text("user_tier", default="regular").upper().replace(" ", "")
    small = tier in {"REGULAR", "VIP0", "VIP1"}
    stable = cross_margin.AUTO_EXCHANGE_FLOORS["small" if small else "large"]
    flat, ltv = not given.flag("open_positions", default=True), given.opt("ltv")
    due = False
    wallets = [key for key in given.data if key.endswith("_wallet") or key == "wallet"]
    for key in wallets or ["usdt_wallet"]:
        is_btc = key.startswith("btc") or given.text("asset", default="").upper() == "BTC"
        floor = cross_margin.AUTO_EXCHANGE_FLOOR_BTC if is_btc else Fraction(stable)
        if given.has("threshold") and (len(wallets) == 1 or not is_btc):
            floor = given.num("threshold")
        wallet = given.num(key, default=0)
        due = due or cross_margin.auto_exchange_due(wallet, floor, flat=flat, ltv=ltv)
    return {"auto_exchange": due}


@rule("binance.crosspro.initial_margin", "binance.crosspro.maintenance_margin")
def margin_of_liabilities(given: Inputs) -> Results:
    """Margin of liabilities by coin, each on its own tiers."""
    totals = {"im": Fraction(0), "mm": Fraction(0)}
    for loan in given.subs("liabilities"):
        value = units(loan.notional())
        for kind in totals:
            if loan.has(f"{kind}_tiers", "tiers"):
                tiers = loan.tiers(f"{kind}_tiers", "tiers")
                bounds = tuple(
                    (None if upto is None else units(upto), ppm(rate)) for upto, rate in tiers
                )
                totals[kind] += plain(tax_by_tier(value, bounds, bounds[-1][1] if bounds else 0))
    return {
        "initial_margin_usdt": totals["im"],
        "initial_margin": totals["im"],
        "maintenance_margin_usdt": totals["mm"],
        "maintenance_margin": totals["mm"],
    }


@rule("binance.crosspro.margin_level")
def pro_level(given: Inputs) -> Results:
    """Margin level of the Pro mode."""
    debt = given.num("liability*", "liabilities*", "loan*", default=0)
    if not given.has("*_plus_interest"):
        debt += given.num("interest*", default=0)
    level = cross_margin.pro_level(
        given.num("collateral*", "net_collateral*"),
        debt,
        given.num("open_order_loss*", "open_loss*", default=0),
        given.num("maintenance_margin", "mm*", "maintenance*"),
    )
    limits = cross_margin.LEVEL_RULES["pro"]
    return {
        "margin_level": level,
        "liquidation": level is not None and level < limits.liquidate_below,
    }


@rule("binance.cross_classic.margin_level")
def classic_level(given: Inputs) -> Results:
    """Margin level of the classic mode, and the coin price at 1.1."""
    qty, price = given.num("*_qty", "qty"), given.num("*_price", "price")
    loan = given.num("*_loan", "loan", "*liabilities") + given.num("interest", default=0)
    others = given.num("other_assets*", default=0)
    level = cross_margin.classic_level(qty * price + others, loan)
    mode = f"classic_{given.integer('leverage', default=5)}x"
    limits = cross_margin.LEVEL_RULES.get(mode, cross_margin.LEVEL_RULES["classic_5x"])
    bar = limits.liquidate_below
    coin = (given.key("*_qty") or "").removesuffix("_qty")
    name = f"{coin}_price_at_ml_1_1" if coin else "price_at_ml_1_1"
    return {
        "margin_level": level,
        name: cross_margin.price_at_level(bar, loan, qty, others),
        "liquidation": level is not None and level < bar,
    }
