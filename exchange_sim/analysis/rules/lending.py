"""Centralised loans and on-chain lending pools."""

from __future__ import annotations

from fractions import Fraction

from exchange_sim.analysis.rules.common import SCALE, Inputs, Results, plain, ppm, rule, units
from exchange_sim.credit import loans
from exchange_sim.defi import aave, euler, morpho, oracles
from exchange_sim.defi.reserves import utilisation

HOURS_PER_YEAR = 365 * 24
_DEBT = ("debt", "debt_*", "liability*", "loan*")


def _ltv(given: Inputs) -> tuple[Fraction, Fraction]:
    loan = given.num("loan", "loan_*", "debt*") + given.num("interest", default=0)
    values = ("collateral", "collateral_usd*", "collateral_value*")
    if given.has(*values):
        return loan, given.num(*values)
    return loan, given.num("*_qty", "qty") * given.num("*_price_now", "*_price", "price")


@rule("binance.ltv", "loan.ltv", "nexo.ltv")
def ltv(given: Inputs) -> Results:
    """Loan to value."""
    loan, collateral = _ltv(given)
    return {"ltv": loans.loan_to_value(loan, collateral)}


@rule("binance.loan.thresholds", "binance.loan.state", "loan.thresholds", "loan.state")
def thresholds(given: Inputs) -> Results:
    """Present LTV, and collateral values at the call and at liquidation."""
    loan, collateral = _ltv(given)
    base = loans.LOAN_PRODUCTS[given.text("product")] if given.has("product") else None
    call = given.num("margin_call_ltv", "call_ltv", default=base.call if base else None)
    last = given.num("liquidation_ltv", default=base.liquidation if base else None)
    ratio = loans.loan_to_value(loan, collateral)
    found: Results = {
        "initial_ltv": ratio,
        "ltv": ratio,
        "collateral_at_call": loans.collateral_at(loan, call),
        "collateral_at_liq": loans.collateral_at(loan, last),
    }
    qty = given.opt("*_qty", "qty")
    if qty:
        found["price_at_call"] = found["collateral_at_call"] / qty
        found["price_at_liq"] = found["collateral_at_liq"] / qty
    terms = loans.LoanTerms(call, call, last)
    found["state"] = loans.loan_state(units(loan), units(collateral), terms)
    return found


@rule("binance.vip_loan.loop", "binance.loan.loop", "loan.loop")
def loan_loop(given: Inputs) -> Results:
    """Endless loop at a loan's initial LTV."""
    vip = loans.LOAN_PRODUCTS["vip"]
    first = given.num("initial_ltv", default=vip.initial)
    call = given.num("margin_call_ltv", "call_ltv", default=vip.call)
    last = given.num("liquidation_ltv", default=vip.liquidation)
    leverage = loans.loop_leverage(first)
    equity = given.num("equity", default=1)
    return {
        "max_leverage": leverage,
        "assets": leverage * equity,
        "debt": (leverage - 1) * equity,
        "price_drop_to_margin_call": loans.drop_to(first, call),
        "price_drop_to_liquidation": loans.drop_to(first, last),
        "price_drop_to_insolvency": loans.drop_to(first, Fraction(1)),
    }


@rule("nexo.auto_repayment", "nexo.notices", "nexo.warnings")
def auto_repayment(given: Inputs) -> Results:
    """Whether a loan repays itself, and the notice levels."""
    ratio = loans.loan_to_value(*_ltv(given))
    due = ratio is None or ratio >= loans.AUTO_REPAYMENT_LEVEL
    passed = loans.notices(Fraction(1) if ratio is None else ratio)
    return {
        "ltv": ratio,
        "auto_repayment": due,
        "warnings_at": list(loans.NOTICE_LEVELS),
        "warnings_passed": list(passed),
    }


@rule("nexo.partial_sale_to_target", "nexo.partial_sale", "loan.sale_to_target")
def partial_sale(given: Inputs) -> Results:
    """Sale that brings the LTV down to a target."""
    loan, collateral = _ltv(given)
    sold = loans.sale_to_target(loan, collateral, given.num("target_ltv", "target"))
    after = loans.loan_to_value(loan - sold, collateral - sold)
    return {
        "sell_usd": sold,
        "ltv_after": after,
        "loan_after": loan - sold,
        "collateral_after": collateral - sold,
    }


@rule("binance.collateral.liquidation_fee", "binance.loan.liquidation_fee", "loan.liquidation_fee")
def loan_fee(given: Inputs) -> Results:
    """Fee of a liquidated loan."""
    rate = ppm(given.num("fee_rate", "fee", "rate"))
    fee = loans.liquidation_fee(units(given.num("loan", "loan_*", "debt*")), rate)
    return {"fee": plain(fee)}


@rule("loan.interest", "binance.loan.interest", "binance.flexible_loan.interest")
def loan_interest(given: Inputs) -> Results:
    """Simple interest on the principal, at a rate per hour, day or year."""
    hours = given.num("minutes", default=0) / 60 + given.num("hours", default=0)
    hours += 24 * given.num("days", default=0)
    yearly = given.num("apr", "yearly_rate", "rate_year", default=0)
    hourly = given.num("hourly_rate", "rate_hour", default=0)
    hourly += given.num("daily_rate", "rate_day", default=0) / 24 + yearly / HOURS_PER_YEAR
    principal = given.num("principal", "loan", "loan_*")
    paid = principal * hourly * hours
    return {"interest": paid, "debt": principal + paid}


def _health(collateral: Fraction, threshold: Fraction, debt: Fraction) -> Fraction:
    pair = (units(collateral), ppm(threshold, "lt"))
    return plain(aave.health_factor([pair], units(debt), SCALE))


@rule("aave.hf", "aave.health_factor")
def health_factor(given: Inputs) -> Results:
    """Health factor of one collateral, or of several with their own thresholds."""
    debt = given.num("debt*")
    if given.has("collaterals"):
        rows = [
            (units(row.notional()), ppm(row.num("lt", "threshold"), "lt"))
            for row in given.subs("collaterals")
        ]
        return {"hf": plain(aave.health_factor(rows, units(debt), SCALE))}
    qty, lt = given.num("usde", "qty", "collateral*"), given.num("lt", "liquidation_threshold")
    price = given.num("*_price", "price", default=1)
    return {
        "hf": _health(qty * price, lt, debt),
        "usde_price_at_hf1": debt / (qty * lt),
        "price_at_hf1": debt / (qty * lt),
    }


@rule("aave.hf.oracle_pin")
def oracle_pin(given: Inputs) -> Results:
    """Health factor under a capped stable feed, and what the market price would give."""
    qty, debt, lt = given.num("usde", "qty", "collateral*"), given.num("debt*"), given.num("lt")
    feed, cap = (
        units(given.num("usdt_usd", "feed")),
        units(given.num("cap", default=Fraction(104, 100))),
    )
    price, market = plain(oracles.capped_stable(feed, cap)), given.num("market_price")
    bonus = given.num("bonus", default=Fraction(102, 100))
    bonus = bonus + 1 if bonus < 1 else bonus
    return {
        "oracle_price": price,
        "hf": _health(qty * price, lt, debt),
        "hf_if_market_priced": _health(qty * market, lt, debt),
        "bad_debt_if_market_priced": max(Fraction(0), debt - qty * market / bonus),
    }


@rule("aave.close_factor")
def close_factor(given: Inputs) -> Results:
    """Debt that may be repaid at once, in one reserve."""
    threshold = units(given.num("threshold_usd", "threshold", default=aave.MIN_BASE_USD))
    hf, collateral = units(given.num("hf")), units(given.num("collateral*", default=10**12))
    if given.has("debts_usd", "debts"):
        debts = given.values("debts_usd", "debts")
    else:
        debts = {"": given.num("reserve_debt_usd", "debt_usd", "debt*")}
    total = units(given.num("total_debt_usd", "total_debt", default=sum(debts.values())))
    most = {
        name: plain(aave.max_repay(hf, collateral, units(debt), total, threshold, SCALE))
        for name, debt in debts.items()
    }
    largest = max(most.values())
    return {
        "max_liquidatable": largest,
        "max_liquidatable_one_reserve": largest,
        "by_reserve": most,
    }


@rule("aave.dust_rule")
def dust_rule(given: Inputs) -> Results:
    """Which seizures of one collateral leave no dust."""
    collateral = given.num("collateral_B", "collateral*")
    leftover = units(given.num("min_leftover", default=aave.MIN_LEFTOVER_USD))
    threshold = units(given.num("threshold", default=aave.MIN_BASE_USD))
    whole, hf = units(collateral), units(given.num("hf", default=0))
    allowed = aave.max_repay(hf, whole, whole, whole, threshold, SCALE)
    part = plain(aave.largest_partial(whole, allowed, leftover))
    exactly = f"exactly {float(collateral):g}"
    if allowed < whole:
        text = f"up to {float(part):g}" if part else "nothing"
    else:
        text = f"up to {float(part):g} or {exactly}" if part else exactly
    found: Results = {"allowed_collateral_liquidation": text, "largest_partial": part}
    if given.has("amount", "seized"):
        left = whole - units(given.num("amount", "seized"))
        found["allowed"] = not aave.leaves_dust(left, max(left, 1), leftover)
    return found


@rule("aave.liquidation_amounts", "aave.liquidation", "aave.deficit")
def liquidation_amounts(given: Inputs) -> Results:
    """Collateral for a repaid debt, protocol fee, and the deficit if nothing else is left."""
    key = given.key("*_collateral") or "asset_collateral"
    coin = key.removesuffix("_collateral")
    price = units(given.num(f"{coin}_price", "collateral_price", "price"))
    debt_price = units(given.num("debt_price", default=1))
    bonus = given.num("bonus")
    bonus = bonus + 1 if bonus < 1 else bonus
    cover = units(given.num("debt_to_cover*", "debt*"))
    collateral = units(given.num("*_collateral", "collateral*"))
    fee = given.num("protocol_fee", "protocol_fee*", default=0)
    done = aave.liquidate(cover, debt_price, collateral, price, ppm(bonus), ppm(fee))
    left = collateral - done.seized
    return {
        f"to_liquidator_{coin}": plain(done.to_liquidator),
        f"protocol_fee_{coin}": plain(done.protocol_fee),
        "to_liquidator": plain(done.to_liquidator),
        "protocol_fee": plain(done.protocol_fee),
        "debt_repaid": plain(done.repaid),
        "collateral_seized": plain(done.seized),
        "deficit_if_only_collateral": plain(aave.deficit(cover, done.repaid, left)),
    }


@rule("aave.capo.stable")
def capped_stable(given: Inputs) -> Results:
    """Capped stable feed."""
    cap = given.num("cap", default=Fraction(oracles.STABLE_CAP_PPM, 10**6))
    return {"price": plain(oracles.capped_stable(units(given.num("feed", "price")), units(cap)))}


@rule("aave.capo.ratio")
def capped_ratio(given: Inputs) -> Results:
    """Capped exchange-rate feed."""
    snapshot = units(given.num("snapshot_ratio"))
    growth = ppm(given.num("max_yearly_growth", "growth*"), "max_yearly_growth")
    seconds = given.opt("seconds_since_snapshot")
    if seconds is None:
        seconds = given.num("days_since_snapshot", "days") * 86_400
    current = units(given.num("current_ratio", "ratio"))
    most = oracles.max_ratio(snapshot, growth, int(seconds))
    used = oracles.capped_ratio(current, snapshot, growth, int(seconds))
    base = given.num("base_usd", "base_price", default=1)
    return {"max_ratio": plain(most), "ratio": plain(used), "price": plain(used) * base}


@rule("aave.loop.max")
def loop_max(given: Inputs) -> Results:
    """Endless loop at the maximum LTV."""
    at, threshold = given.num("ltv"), given.num("lt", "liquidation_threshold")
    leverage = aave.loop_max_leverage(at)
    return {
        "max_leverage": leverage,
        "collateral": leverage * given.num("equity", default=1),
        "drop_to_liquidation": aave.loop_drop_to_liquidation(at, threshold),
    }


@rule("aave.borrow_rate", "aave.interest_rate", "aave.utilisation")
def borrow_rate(given: Inputs) -> Results:
    """Yearly rates on the two-slope curve, of lenders as well when the reserve factor is known."""
    share = given.opt("utilisation", "utilization")
    if share is None:
        debt, cash = given.num("debt*"), given.num("cash", "liquidity", "available*")
        used = utilisation(units(debt), units(cash))
    else:
        used = ppm(share, "utilisation")
    rate = aave.utilisation_rate(
        used,
        ppm(given.num("optimal*", "kink", default=Fraction(9, 10))),
        ppm(given.num("base*", default=0)),
        ppm(given.num("slope1", "slope_1")),
        ppm(given.num("slope2", "slope_2")),
    )
    yearly, part = Fraction(rate, 10**6), Fraction(used, 10**6)
    kept = 1 - given.num("reserve_factor", default=0)
    return {"utilisation": part, "borrow_rate": yearly, "supply_rate": yearly * part * kept}


@rule("morpho.lif", "morpho.liquidation_incentive")
def incentive_factor(given: Inputs) -> Results:
    """Liquidation incentive factor."""
    factor = plain(morpho.incentive_factor(units(given.num("lltv"))))
    return {"liquidation_incentive_factor": factor, "lif": factor}


@rule("morpho.seize", "morpho.liquidation", "morpho.bad_debt", "morpho.health")
def seize(given: Inputs) -> Results:
    """Health and liquidation of a position."""
    lltv, price = units(given.num("lltv")), units(given.num("price", "*_price"))
    held, debt = units(given.num("collateral", "collateral_*")), units(given.num("debt", "debt_*"))
    repay = units(given.num("repay", "repaid", default=plain(debt)))
    healthy = morpho.is_healthy(debt, held, price, lltv)
    done = morpho.liquidate(debt, held, price, lltv, 0 if healthy else repay)
    return {
        "healthy": healthy,
        "max_borrow": plain(morpho.max_borrow(held, price, lltv)),
        "repaid": plain(done.repaid),
        "seized": plain(done.seized),
        "collateral_left": plain(done.collateral_left),
        "debt_left": plain(done.debt_left),
        "bad_debt": plain(done.bad_debt),
    }


@rule("euler.dutch_discount", "euler.capped", "euler.liquidation", "euler")
def dutch_discount(given: Inputs) -> Results:
    """Discount and size of a liquidation."""
    offer = euler.liquidation_offer(
        units(given.num("collateral_adjusted")),
        units(given.num("liability", "debt")),
        units(given.num("collateral_value", "collateral")),
        units(given.num("max_discount", default=Fraction(15, 100))),
        SCALE,
    )
    return {
        "discount": plain(offer.discount),
        "repay": plain(offer.repay),
        "yield_value": plain(offer.yield_value),
        "bad_debt": plain(offer.bad_debt),
    }
