"""Orders against a book, entry filters and execution-time protection."""

from __future__ import annotations

from fractions import Fraction

from exchange_sim.analysis.rules.common import InputError, Inputs, Results, ppm, rule
from exchange_sim.analysis.rules.market import (
    MAKER_ACCOUNT,
    Grid,
    Market,
    book_rows,
    status,
)
from exchange_sim.matching.filters import Filters
from exchange_sim.matching.outcomes import TRADE, Outcome
from exchange_sim.messages.reasons import CancelReason
from exchange_sim.model.enums import (
    BUY,
    FLAG_MARK_TRIGGER,
    FLAG_PRICE_PROTECT,
    GTX,
    LIMIT,
    MARKET,
    SELL,
    STOP_MARKET,
    TAKE_PROFIT_MARKET,
    OrderType,
    TimeInForce,
)
from exchange_sim.risk import reference_price

_FILTER_FAILED = -1013
_FOK_CODE, _GTX_CODE, _SPOT_REJECT = -5021, -5022, -2010
_UM_ABOVE, _UM_BELOW, _UM_NOTIONAL = -4016, -4024, -4164
_WOULD_MATCH = "Order would immediately match and take."
_RANGE_EXCEEDED = "EXECUTION_RULE_PRICE_RANGE_EXCEEDED"
_BUY_SIDE = 1


def _side(given: Inputs, default: int | None = None) -> int:
    return BUY if given.side("side", default=default) == _BUY_SIDE else SELL


def _order_type(given: Inputs) -> tuple[int, int]:
    """Type and time in force; LIMIT_MAKER is spot's name of a post-only limit order."""
    name = given.text("type", default="LIMIT" if given.has("price") else "MARKET").upper()
    tif = given.text("tif", "timeInForce", default="GTC").upper()
    if name == "LIMIT_MAKER":
        return LIMIT, GTX
    if name not in OrderType.__members__ or tif not in TimeInForce.__members__:
        raise InputError(f"{given.path}: unknown type {name} or time in force {tif}")
    return int(OrderType[name]), int(TimeInForce[tif])


def _request(given: Inputs) -> tuple[int, int, int, Fraction, Fraction]:
    """Side, type, time in force, price (0 without) and quantity of the order to enter."""
    for key, side in (("market_sell_qty", SELL), ("market_buy_qty", BUY)):
        if given.has(key):
            return side, MARKET, 0, Fraction(0), given.num(key)
    order = given.sub("order", "taker")
    kind, tif = _order_type(order)
    price = Fraction(0) if kind == MARKET else order.num("price")
    return _side(order), kind, tif, price, order.num("qty", "quantity")


def _market(given: Inputs, *prices: Fraction) -> tuple[Market, list[Outcome], Results]:
    """Enter the order of the inputs into their book; ``prices`` bound what it trades at."""
    side, kind, tif, price, qty = _request(given)
    rows = book_rows(given)
    bound = prices[side] if prices else Fraction(0)
    market = Market([price, bound, *(row[1] for row in rows)], [qty, *(row[2] for row in rows)])
    for row in rows:
        market.rest(*row)
    order = market.order(side, price, qty, order_type=kind, tif=tif)
    out: list[Outcome] = []
    market.engine.submit(order, out, market.ticks.whole(bound))
    fills = market.fills(out)
    executed = sum((q for _, q in fills), Fraction(0))
    cost = sum((p * q for p, q in fills), Fraction(0))
    state = status(order, out)
    found: Results = {
        "fills": fills,
        "executed": executed,
        "avg_price": cost / executed if executed else None,
        "last_price": fills[-1][0] if fills else None,
        "status": state,
        "remaining_cancelled": market.removed(order, out),
        "expired": market.removed(order, out),
        "resting_qty": market.lots.back(order.leaves),
    }
    return market, out, found


@rule("book")
def order_against_book(given: Inputs) -> Results:
    """Any order against a book."""
    _, _, found = _market(given)
    _, kind, tif, _, _ = _request(given)
    found["um_futures_code"] = None
    if found["status"] == "EXPIRED" and tif == int(TimeInForce.FOK):
        found["um_futures_code"] = _FOK_CODE
    if found["status"] == "REJECTED" and kind == LIMIT:
        found["um_futures_code"] = _GTX_CODE
    return found


@rule("book.post_only")
def post_only(given: Inputs) -> Results:
    """A post-only order, with the answers of both products if it would trade."""
    rows, order = book_rows(given), given.sub("order")
    price, qty = order.num("price"), order.num("qty", "quantity", default=1)
    market = Market([price, *(row[1] for row in rows)], [qty, *(row[2] for row in rows)])
    for row in rows:
        market.rest(*row)
    entered = market.order(_side(order), price, qty, tif=GTX)
    out: list[Outcome] = []
    market.engine.submit(entered, out)
    state = status(entered, out)
    found: Results = {"status": state, "resting_qty": market.lots.back(entered.leaves)}
    refused = state == "REJECTED"
    found["spot_LIMIT_MAKER"] = {
        "code": _SPOT_REJECT if refused else None,
        "msg": _WOULD_MATCH if refused else None,
        "status": state,
    }
    found["um_GTX_code"] = _GTX_CODE if refused else None
    if refused:
        found["resting_qty"] = Fraction(0)
    return found


@rule("binance.um.market_take_bound")
def market_take_bound(given: Inputs) -> Results:
    """A market order that may not trade further than a share from the mark."""
    mark = given.num("mark", "mark_price")
    bound = given.num("marketTakeBound", "market_take_bound")
    floor, cap = mark * (1 - bound), mark * (1 + bound)
    _, _, found = _market(given, cap, floor)
    return found | {"floor": floor, "cap": cap}


@rule("binance.um.price_protect")
def price_protect(given: Inputs) -> Results:
    """Whether a trigger order fires, with and without price protection."""
    trigger = given.num("stop_trigger", "trigger", "stopPrice")
    last, mark = given.num("last", "last_price", "contract_price"), given.num("mark", "mark_price")
    market = Market([trigger, last, mark], [Fraction(1)])
    flags = FLAG_PRICE_PROTECT if given.flag("priceProtect", "price_protect", default=True) else 0
    if given.text("trigger_by", "workingType", default="CONTRACT_PRICE").upper() == "MARK_PRICE":
        flags |= FLAG_MARK_TRIGGER
    # A stop sells into a fall unless the inputs say otherwise.
    kind = given.text("type", default="STOP_MARKET").upper()
    order = market.order(
        _side(given, default=-1),
        Fraction(0),
        Fraction(1),
        order_type=TAKE_PROFIT_MARKET if kind.startswith("TAKE_PROFIT") else STOP_MARKET,
        flags=flags,
        trigger=trigger,
    )
    market.engine.protect_ppm = ppm(given.num("triggerProtect", "trigger_protect"))
    market.rest(BUY, last, Fraction(1))
    market.engine.submit(market.order(SELL, last, Fraction(1)), [])
    market.engine.set_mark(market.ticks.whole(mark))
    market.engine.submit(order, [])
    return {
        "triggered": market.engine.next_triggered() is order,
        "gap": abs(last - mark) / mark,
    }


def _verdict(reason: int, name: str) -> Results:
    if not reason:
        return {"pass": True, "code": None, "msg": None}
    return {"pass": False, "code": _FILTER_FAILED, "msg": f"Filter failure: {name}"}


def _bounds(given: Inputs, low: str, high: str, step: str) -> tuple[Grid, int, int, int]:
    values = [given.num(low, default=0), given.num(high, default=0), given.num(step, default=0)]
    grid = Grid([*values, given.num("price", "qty", "quantity", default=0)])
    low_steps, high_steps, step_steps = (grid.whole(value) for value in values)
    return grid, low_steps, high_steps, step_steps


@rule("binance.spot.PRICE_FILTER", "binance.um.PRICE_FILTER")
def price_filter(given: Inputs) -> Results:
    """Price bounds and tick."""
    grid, low, high, step = _bounds(given, "minPrice", "maxPrice", "tickSize")
    rules = Filters(price_min=low, price_max=high, price_step=step)
    reason = rules.check_values(BUY, grid.whole(given.num("price")), 1, 0)
    return _verdict(reason, "PRICE_FILTER")


@rule("binance.spot.LOT_SIZE", "binance.um.LOT_SIZE")
def lot_size(given: Inputs) -> Results:
    """Quantity bounds and step."""
    grid, low, high, step = _bounds(given, "minQty", "maxQty", "stepSize")
    rules = Filters(qty_min=low, qty_max=high, qty_step=step)
    reason = rules.check_values(BUY, 1, grid.whole(given.num("qty", "quantity")), 0)
    return _verdict(reason, "LOT_SIZE")


@rule("binance.spot.MARKET_LOT_SIZE", "binance.um.MARKET_LOT_SIZE")
def market_lot_size(given: Inputs) -> Results:
    """Quantity bounds and step of market orders."""
    grid, low, high, step = _bounds(given, "minQty", "maxQty", "stepSize")
    rules = Filters(market_qty_min=low, market_qty_max=high, market_qty_step=step)
    reason = rules.check_values(BUY, 0, grid.whole(given.num("qty", "quantity")), 0)
    return _verdict(reason, "MARKET_LOT_SIZE")


@rule("binance.um.MIN_NOTIONAL")
def futures_notional(given: Inputs) -> Results:
    """Smallest value of a USD-M order; market orders count at the mark price."""
    found = notional(given)
    if not found["pass"]:
        least = given.num("minNotional", "min_notional", "notional")
        found["code"] = _UM_NOTIONAL
        found["msg"] = f"Order's notional must be no smaller than {_decimal(least)}"
        found["msg"] += " (unless you choose reduce only)."
    return found


@rule("binance.spot.NOTIONAL", "binance.spot.MIN_NOTIONAL")
def notional(given: Inputs) -> Results:
    """Bounds of price times quantity; market orders count at the average price."""
    priced = given.has("price") and given.text("type", default="LIMIT").upper() != "MARKET"
    price = given.num("price", default=0) if priced else Fraction(0)
    average = given.num("avg_price", "avgPrice", "mark", "mark_price", default=0)
    qty = given.num("qty", "quantity")
    low, high = given.num("minNotional", "min_notional", "notional", default=0), Fraction(0)
    applies = ("applyMinToMarket", "applyToMarket")
    if not priced and not given.flag("applyMaxToMarket", default=True):
        high = Fraction(0)
    else:
        high = given.num("maxNotional", "max_notional", default=0)
    prices, lots = Grid([price, average]), Grid([qty])
    scale = prices.steps * lots.steps
    rules = Filters(
        notional_min=int(-(-low * scale // 1)),
        notional_max=int(high * scale // 1),
        notional_min_to_market=given.flag(*applies, default=True),
    )
    ticks = [prices.whole(value) for value in (price, average)]
    reason = rules.check_values(BUY, ticks[0], lots.whole(qty), ticks[1])
    name = "NOTIONAL" if given.has("maxNotional") or not given.has("notional") else "MIN_NOTIONAL"
    return _verdict(reason, name)


def _percent_filter(given: Inputs) -> Filters:
    both = [given.num("multiplierUp", default=0), given.num("multiplierDown", default=0)]
    ratios = [
        ppm(given.num(f"{side}{end}", f"{side}Multiplier{end}", default=fallback))
        for side in ("bid", "ask")
        for end, fallback in zip(("Up", "Down"), both, strict=True)
    ]
    return Filters(
        bid_up_ppm=ratios[0], bid_down_ppm=ratios[1], ask_up_ppm=ratios[2], ask_down_ppm=ratios[3]
    )


def _decimal(value: Fraction) -> str:
    return f"{float(value):.12g}"


@rule("binance.um.PERCENT_PRICE")
def futures_percent_price(given: Inputs) -> Results:
    """Distance of a limit price from the mark: down * mark <= price <= up * mark."""
    found = percent_price(given)
    if not found["pass"]:
        mark, above = given.num("mark", "mark_price", "markPrice"), given.num("price")
        high, low = (mark * given.num(f"multiplier{end}", default=0) for end in ("Up", "Down"))
        beyond = above > high > 0
        found["code"] = _UM_ABOVE if beyond else _UM_BELOW
        word, bound = ("higher", high) if beyond else ("lower", low)
        found["msg"] = f"Limit price can't be {word} than {_decimal(bound)}."
    return found


@rule("binance.spot.PERCENT_PRICE_BY_SIDE", "binance.spot.PERCENT_PRICE")
def percent_price(given: Inputs) -> Results:
    """Distance of a limit price from the average price."""
    price = given.num("price")
    names = ("avg_price", "avgPrice", "mark", "mark_price", "markPrice", "last_price")
    average = given.num(*names, default=0)
    grid = Grid([price, average])
    reason = _percent_filter(given).check_values(
        _side(given, default=1), grid.whole(price), 1, grid.whole(average)
    )
    by_side = given.has("bid*", "ask*")
    return _verdict(reason, "PERCENT_PRICE_BY_SIDE" if by_side else "PERCENT_PRICE")


@rule("binance.spot.stale_bid_allowed")
def stale_bid(given: Inputs) -> Results:
    """A bid far below the market: accepted once, still there, and hit by a market sell."""
    price = given.num("resting_bid", "price")
    then, now = given.num("avg_price_when_placed"), given.num("avg_price_now")
    market = Market([price, then, now], [Fraction(1)])
    ticks = [market.ticks.whole(value) for value in (price, then, now)]
    rules = _percent_filter(given)
    accepted = not rules.check_values(BUY, ticks[0], 1, ticks[1])
    found: Results = {
        "accepted_when_placed": accepted,
        "would_be_accepted_now": not rules.check_values(BUY, ticks[0], 1, ticks[2]),
        "still_on_book": False,
        "fill_possible_for_market_sell": False,
    }
    if accepted:
        bid = market.rest(BUY, price, Fraction(1))
        found["still_on_book"] = bid.level is not None
        out: list[Outcome] = []
        seller = market.order(SELL, Fraction(0), Fraction(1), order_type=MARKET)
        market.engine.submit(seller, out)
        found["fill_possible_for_market_sell"] = any(row[0] == TRADE for row in out)
    return found


@rule("binance.spot.price_range_rule")
def price_range(given: Inputs) -> Results:
    """A taker that may only trade inside a range around the reference."""
    side = _side(given)
    prefix, touch = ("bid", "best_ask") if side == BUY else ("ask", "best_bid")
    reference, price = given.num("reference", "reference_price"), given.num(touch)
    qty = given.num("qty", default=1)
    market = Market([reference, price], [qty])
    steps = market.ticks.whole(reference)
    low, high = reference_price.price_range(
        steps, ppm(given.num(f"{prefix}Up")), ppm(given.num(f"{prefix}Down"))
    )
    market.rest(1 - side, price, qty, MAKER_ACCOUNT)
    taker = market.order(side, Fraction(0), qty, order_type=MARKET)
    out: list[Outcome] = []
    at = market.ticks.whole(price)
    inside = low <= at <= high
    # The engine bounds the worse side; a touch beyond the better side may not trade either.
    worst = (high if side == BUY else low) if inside or (at > high) == (side == BUY) else at
    beyond = not inside and worst == at
    if not beyond:
        market.engine.submit(taker, out, worst)
    executed = any(row[0] == TRADE for row in out)
    ranged = beyond or any(
        row[1] is taker and row[3] == int(CancelReason.PRICE_BOUND) for row in out if not executed
    )
    return {
        "executes": executed,
        "status": "EXPIRED" if beyond else status(taker, out),
        "expiryReason": _RANGE_EXCEEDED if ranged else None,
        "low": market.ticks.back(low),
        "high": market.ticks.back(high),
    }


@rule("binance.spot.reference_price_buckets")
def reference_buckets(given: Inputs) -> Results:
    """Reference price of the range rule from buckets of trades."""
    rows = [
        reference_price.Bucket(row.integer("open"), row.integer("count"), row.num("sum"))
        for row in given.subs("buckets")
    ]
    found = reference_price.bucketed_reference(
        rows, given.integer("now_ms"), given.integer("bucketWidthMs"), given.integer("bucketCount")
    )
    return {
        "cutoff_ms": found.cutoff_ms,
        "expired_fraction": found.expired_fraction,
        "reference": found.price,
    }
