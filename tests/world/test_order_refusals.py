"""Every reason for which an order command is refused, and which of two reasons wins."""

from __future__ import annotations

import pytest

from exchange_sim.matching.filters import Filters
from exchange_sim.messages.reasons import RejectReason as R
from exchange_sim.model.account import CASH, CROSS, PORTFOLIO
from exchange_sim.model.enums import (
    BUY,
    FLAG_LIQUIDATION,
    FLAG_REDUCE_ONLY,
    FOK,
    GTC,
    GTD,
    GTX,
    IOC,
    LIMIT,
    MARKET,
    SELL,
    STOP,
    STOP_MARKET,
    TRAILING_STOP_MARKET,
)
from exchange_sim.risk.brackets import BracketTable
from tests.world.factory import ETH_PERP, PERP, PERP_2, SPOT, SPOT_2, START, Desk, kinds, reason

SMALL = Filters(
    price_max=5_000, price_step=5, qty_min=2, qty_max=50, qty_step=2, market_qty_max=40,
    notional_min=4_000, notional_max=60_000, bid_up_ppm=1_500_000, ask_down_ppm=500_000,
    orders_max=3, algo_orders_max=1, iceberg_parts_max=4,
)  # fmt: skip


def desk_with_account(**tables):
    """A desk, a cash account with both assets, and a cross-margin account."""
    desk = Desk(**tables)
    cash = desk.account(CASH, usdt=100_000, btc=100_000)
    cross = desk.account(CROSS, usdt=20_000)
    return desk, cash, cross


GATEWAY = [
    ({"account": 0}, R.UNKNOWN_ACCOUNT),
    ({"account": -1}, R.UNKNOWN_ACCOUNT),
    ({"account": 10**18}, R.UNKNOWN_ACCOUNT),
    ({"inst": 99}, R.UNKNOWN_INSTRUMENT),
    ({"inst": -1}, R.UNKNOWN_INSTRUMENT),
    ({"id": 0}, R.MALFORMED),
    ({"id": -5}, R.MALFORMED),
    ({"side": 2}, R.MALFORMED),
    ({"kind": 7}, R.MALFORMED),
    ({"kind": -1}, R.MALFORMED),
    ({"tif": 5}, R.MALFORMED),
    ({"stp": 6}, R.MALFORMED),
    ({"stp": 5}, R.STP_MODE_NOT_OFFERED),
    ({"flags": FLAG_LIQUIDATION}, R.MALFORMED),
    ({"flags": 1 << 40}, R.MALFORMED),
    ({"inst": SPOT_2}, R.WRONG_VENUE),
]
FILTERS = [
    ({"price": 0}, R.BAD_PRICE),
    ({"price": -5}, R.BAD_PRICE),
    ({"qty": 0}, R.BAD_QTY),
    ({"qty": -(2**62)}, R.BAD_QTY),
    ({"price": 5_005}, R.PRICE_ABOVE_MAX),
    ({"price": 1_001}, R.BAD_TICK_STEP),
    ({"qty": 1}, R.QTY_BELOW_MIN),
    ({"qty": 52}, R.QTY_ABOVE_MAX),
    ({"qty": 2**62}, R.QTY_ABOVE_MAX),
    ({"qty": 7}, R.BAD_LOT_STEP),
    ({"price": 500, "qty": 6}, R.NOTIONAL_TOO_SMALL),
    ({"price": 1_500, "qty": 42}, R.NOTIONAL_TOO_LARGE),
    ({"price": 1_505}, R.PERCENT_PRICE_ABOVE),
    ({"price": 495, "qty": 20, "side": SELL}, R.PERCENT_PRICE_BELOW),
    ({"display": -1}, R.BAD_ICEBERG),
    ({"display": 1}, R.BAD_ICEBERG),
    ({"display": 4, "tif": IOC}, R.BAD_ICEBERG),
    ({"trigger": 900}, R.BAD_TRIGGER),
    ({"kind": STOP_MARKET, "price": 0}, R.BAD_TRIGGER),
    ({"kind": TRAILING_STOP_MARKET, "price": 0}, R.BAD_TRIGGER),
    ({"kind": MARKET, "price": 0, "tif": GTX}, R.INVALID_COMBINATION),
    ({"tif": GTD, "expire": START}, R.BAD_EXPIRY),
    ({"flags": FLAG_REDUCE_ONLY}, R.INVALID_COMBINATION),
]


def entered(desk, account, changes):
    """An otherwise good order with some fields changed."""
    fields = {"inst": SPOT, "side": BUY, "kind": LIMIT, "price": 1_000, "qty": 10} | changes
    return desk.order(fields.pop("account", account), **fields)


@pytest.mark.parametrize(("changes", "why"), GATEWAY + FILTERS)
def test_bad_fields_are_refused_with_their_reason(changes, why):
    """One wrong field, one reason; nothing else happens."""
    desk, cash, _ = desk_with_account(spot={"filters": SMALL})

    assert reason(entered(desk, cash, changes)) == why
    assert not desk.w.accounts[cash].orders


@pytest.mark.parametrize("position", range(len(GATEWAY) - 1))
def test_gateway_reasons_come_before_filters(position):
    """An order that is wrong at the gateway and in its price is refused by the gateway."""
    changes, why = GATEWAY[position]
    desk, cash, _ = desk_with_account(spot={"filters": SMALL})

    assert reason(entered(desk, cash, {"qty": -1, **changes})) == why


def test_the_good_order_passes():
    """The tables above change exactly what is wrong."""
    desk, cash, _ = desk_with_account(spot={"filters": SMALL})

    assert kinds(entered(desk, cash, {})) == ["OrderAccepted"]


def test_order_limits_count_one_instrument():
    """MAX_NUM_ORDERS is per instrument; trigger orders have a limit of their own."""
    desk, cash, _ = desk_with_account(spot={"filters": SMALL})
    stop = {"kind": STOP_MARKET, "price": 0, "trigger": 1_200}
    for _ in range(3):
        desk.limit(cash, 1, BUY, 1_000, 10)

    assert kinds(entered(desk, cash, stop)) == ["OrderAccepted"]
    assert reason(entered(desk, cash, stop)) == R.MAX_NUM_ALGO_ORDERS
    entered(desk, cash, {})
    entered(desk, cash, {})
    assert reason(entered(desk, cash, {})) == R.MAX_NUM_ORDERS


STATUS = [
    (1, {}, R.INSTRUMENT_HALTED),
    (3, {}, R.CANCEL_ONLY),
    (2, {"kind": MARKET, "price": 0}, R.AUCTION_LIMIT_ONLY),
    (2, {"tif": IOC}, R.AUCTION_LIMIT_ONLY),
    (2, {"tif": FOK}, R.AUCTION_LIMIT_ONLY),
]


@pytest.mark.parametrize(("status", "changes", "why"), STATUS)
def test_status_refuses_before_filters(status, changes, why):
    """The status of the instrument is looked at before price and quantity."""
    desk, cash, _ = desk_with_account()
    desk.do(15, SPOT, status)

    assert reason(entered(desk, cash, changes)) == why
    assert reason(entered(desk, cash, {**changes, "qty": -1})) == why


def test_spot_orders_need_their_asset():
    """The exact cost is enough, one unit less is not."""
    desk = Desk()
    account = desk.account(usdt=9_999, btc=9_999)

    assert reason(desk.limit(account, SPOT, BUY, 1_000, 10)) == R.INSUFFICIENT_BALANCE
    assert reason(desk.limit(account, SPOT, SELL, 1_000, 10)) == R.INSUFFICIENT_BALANCE
    desk.do(21, account, 0, 1)
    desk.do(21, account, 1, 1)
    assert kinds(desk.limit(account, SPOT, BUY, 900, 10)) == ["OrderAccepted"]
    assert kinds(desk.limit(account, SPOT, SELL, 1_000, 10)) == ["OrderAccepted"]


def test_market_buy_needs_what_the_book_costs():
    """A market order is priced by walking the asks."""
    desk = Desk()
    maker, taker = desk.account(btc=20_000), desk.account(usdt=10_499)
    desk.limit(maker, SPOT, SELL, 1_000, 5)
    desk.limit(maker, SPOT, SELL, 1_100, 5)

    assert reason(desk.market(taker, SPOT, BUY, 10)) == R.INSUFFICIENT_BALANCE
    desk.do(21, taker, 0, 1)
    assert kinds(desk.market(taker, SPOT, BUY, 10)) == ["OrderAccepted", "Traded", "Traded"]


def test_own_orders_that_would_expire_are_no_liquidity():
    """With EXPIRE_MAKER the own asks are passed over, and the deeper price must be affordable."""
    desk = Desk()
    other, account = desk.account(btc=10_000), desk.account(usdt=10_000, btc=10_000)
    desk.limit(account, SPOT, SELL, 1_000, 10)
    desk.limit(other, SPOT, SELL, 1_001, 10)

    assert reason(desk.market(account, SPOT, BUY, 10, stp=2)) == R.INSUFFICIENT_BALANCE


def test_cash_accounts_trade_no_perpetuals():
    """Not even reduce-only: there is nothing to reduce."""
    desk, cash, _ = desk_with_account()

    assert reason(desk.limit(cash, PERP, BUY, 1_000, 1)) == R.INSUFFICIENT_MARGIN
    closing = desk.limit(cash, PERP, SELL, 1_000, 1, flags=FLAG_REDUCE_ONLY)
    assert reason(closing) == R.REDUCE_ONLY_REJECTED


def test_perpetual_orders_need_initial_margin():
    """At leverage 10 an account of 20,000 can hold just under 200,000 of orders."""
    desk, _, cross = desk_with_account()

    assert reason(desk.limit(cross, PERP, BUY, 1_000, 200)) == R.INSUFFICIENT_MARGIN
    assert kinds(desk.limit(cross, PERP, BUY, 1_000, 199)) == ["OrderAccepted"]
    assert reason(desk.limit(cross, PERP, BUY, 1_000, 1)) == R.INSUFFICIENT_MARGIN


def test_larger_positions_need_more_margin():
    """Beyond the second floor the bracket allows leverage 4 only, whatever the account chose."""
    desk, _, _ = desk_with_account()
    whale = desk.account(CROSS, usdt=290_000)

    assert reason(desk.limit(whale, PERP, BUY, 1_000, 1_200)) == R.INSUFFICIENT_MARGIN
    desk.do(21, whale, 0, 10_005)
    assert kinds(desk.limit(whale, PERP, BUY, 1_000, 1_200)) == ["OrderAccepted"]


def test_a_fill_away_from_the_mark_costs_margin():
    """Buying far above the mark loses the difference at once, and the check counts it."""
    desk, _, cross = desk_with_account()
    maker = desk.account(CROSS, usdt=10**6)
    desk.limit(maker, PERP, SELL, 1_500, 40)

    assert reason(desk.limit(cross, PERP, BUY, 1_500, 40)) == R.INSUFFICIENT_MARGIN
    assert reason(desk.market(cross, PERP, BUY, 40)) == R.INSUFFICIENT_MARGIN


def test_a_generous_limit_is_judged_by_the_book():
    """What trades at once trades at the book's prices, so a high limit of an IOC costs nothing."""
    desk, _, cross = desk_with_account()
    maker = desk.account(CROSS, usdt=10**6)
    desk.limit(maker, PERP, SELL, 1_000, 80)

    taken = desk.limit(cross, PERP, BUY, 1_150, 80, tif=IOC)
    assert kinds(taken) == ["OrderAccepted", "Traded"]


def test_reduce_only_needs_a_position():
    """Flat, or on the wrong side, or covered by resting orders: refused."""
    desk, _, cross = desk_with_account()
    other = desk.account(CROSS, usdt=10**6)
    only = {"flags": FLAG_REDUCE_ONLY}

    assert reason(desk.limit(cross, PERP, SELL, 1_100, 5, **only)) == R.REDUCE_ONLY_REJECTED
    desk.pair(cross, other, PERP, 1_000, 5)
    assert reason(desk.limit(cross, PERP, BUY, 900, 5, **only)) == R.REDUCE_ONLY_REJECTED
    desk.limit(cross, PERP, SELL, 1_100, 5)
    assert reason(desk.limit(cross, PERP, SELL, 1_100, 1, **only)) == R.REDUCE_ONLY_REJECTED


def test_duplicate_ids_come_after_state_and_before_money():
    """401 hides a missing margin, and is hidden by a bad price."""
    desk, _, cross = desk_with_account()
    desk.limit(cross, PERP, BUY, 1_000, 1, id=5)

    assert reason(desk.limit(cross, PERP, BUY, 1_000, 10**6, id=5)) == R.DUPLICATE_CLIENT_ORDER_ID
    assert reason(desk.limit(cross, PERP, BUY, 0, 1, id=5)) == R.BAD_PRICE


def test_a_client_id_may_be_used_again_after_the_order_has_ended():
    """Uniqueness is among open orders."""
    desk, _, cross = desk_with_account()
    desk.limit(cross, PERP, BUY, 1_000, 1, id=5)
    desk.do(2, cross, 5)

    assert kinds(desk.limit(cross, PERP, BUY, 1_000, 1, id=5)) == ["OrderAccepted"]


def test_post_only_is_refused_before_it_is_accepted():
    """A post-only order that would cross gives one event: its refusal."""
    desk, cash, _ = desk_with_account()
    other = desk.account(btc=10**5)
    desk.limit(other, SPOT, SELL, 1_000, 5)

    assert reason(desk.limit(cash, SPOT, BUY, 1_000, 5, tif=GTX)) == R.POST_ONLY_WOULD_CROSS
    assert desk.w.ledger.reserved[cash] == [0, 0, 0, 0]
    assert kinds(desk.limit(cash, SPOT, BUY, 999, 5, tif=GTX)) == ["OrderAccepted"]


def test_accounts_in_liquidation_enter_nothing():
    """305, whatever else the order is."""
    desk = Desk()
    victim, other = desk.account(PORTFOLIO, usdt=1_000), desk.account(CROSS, usdt=10**6)
    desk.pair(victim, other, PERP, 1_100, 10)
    desk.marks()

    assert desk.w.accounts[victim].liquidating
    refused = desk.limit(victim, PERP, SELL, 1_000, 10, flags=FLAG_REDUCE_ONLY)
    assert reason(refused) == R.ACCOUNT_IN_LIQUIDATION
    assert reason(desk.do(22, victim, 0, 1)) == R.ACCOUNT_IN_LIQUIDATION
    assert reason(desk.do(23, victim, 0, 1)) == R.ACCOUNT_IN_LIQUIDATION


def test_reduce_only_band_takes_only_orders_that_shrink():
    """Closing and selling assets stay possible, also in sum; everything else is refused."""
    desk = Desk()
    account = desk.account(PORTFOLIO, usdt=1_000, btc=20)
    other = desk.account(CROSS, usdt=10**6)
    desk.pair(account, other, PERP, 1_000, 90)
    desk.marks()

    assert desk.w.accounts[account].band == 2
    assert reason(desk.limit(account, PERP, BUY, 900, 1)) == R.ACCOUNT_REDUCE_ONLY
    assert reason(desk.limit(account, ETH_PERP, SELL, 1_000, 1)) == R.ACCOUNT_REDUCE_ONLY
    assert reason(desk.limit(account, SPOT, BUY, 1, 1)) == R.ACCOUNT_REDUCE_ONLY
    assert reason(desk.limit(account, PERP, SELL, 1_000, 91)) == R.ACCOUNT_REDUCE_ONLY
    assert kinds(desk.limit(account, PERP, SELL, 1_000, 50)) == ["OrderAccepted"]
    assert reason(desk.limit(account, PERP, SELL, 1_000, 50)) == R.ACCOUNT_REDUCE_ONLY
    assert reason(desk.do(3, account, desk.last_client_id - 1, 0, 91)) == R.ACCOUNT_REDUCE_ONLY


def test_the_last_bracket_ends_at_leverage_one():
    """A position cannot grow beyond a bracket that allows no leverage."""
    table = BracketTable(floors=(0, 50_000), mmr_ppm=(10_000, 500_000), leverage=(20, 1))
    desk = Desk(perp={"brackets": table})
    account = desk.account(CROSS, usdt=10**7)

    assert reason(desk.limit(account, PERP, BUY, 1_000, 51)) == R.POSITION_LIMIT
    assert kinds(desk.limit(account, PERP, BUY, 1_000, 50)) == ["OrderAccepted"]


OTHERS = [
    (2, (-1, 1), R.UNKNOWN_ACCOUNT),
    (2, (0, 1), R.UNKNOWN_ACCOUNT),
    (2, ("user", 1), R.UNKNOWN_ORDER),
    (3, (99, 1, 0, -1), R.UNKNOWN_ACCOUNT),
    (3, ("user", 1, 0, -1), R.UNKNOWN_ORDER),
    (4, (99, -1, -1), R.UNKNOWN_ACCOUNT),
    (4, ("user", 99, -1), R.UNKNOWN_INSTRUMENT),
    (4, ("user", -2, -1), R.UNKNOWN_INSTRUMENT),
    (4, ("user", -1, 2), R.MALFORMED),
]


@pytest.mark.parametrize(("kind", "fields", "why"), OTHERS)
def test_cancel_replace_and_mass_cancel_refuse_unknown_things(kind, fields, why):
    """One refusal each, with the type of the command."""
    desk, cash, _ = desk_with_account()
    (event,) = desk.do(kind, *(cash if field == "user" else field for field in fields))

    assert (event[0], event[4], event[5]) == (2, why, kind)


@pytest.mark.parametrize("kind", [10, 11, 12, 13, 14, 28, 30])
@pytest.mark.parametrize("venue", [-1, 2, 2**62])
def test_commands_about_unknown_venues_are_refused(kind, venue):
    """The clockwork's commands name a venue; a wrong one changes nothing."""
    desk = Desk()
    before = desk.w.state_digest()
    (event,) = desk.do(kind, venue, *((1,) if kind in (28, 30) else ()))

    assert event[0] == 15
    assert event[3] in (R.UNKNOWN_VENUE, R.BAD_AMOUNT)
    desk.w.seq -= 1
    assert desk.w.state_digest() == before


def test_unknown_commands_are_a_defect_of_the_caller():
    """The registry has no such type."""
    with pytest.raises(KeyError):
        Desk(check=False).do(99, 1)


def test_time_does_not_go_back():
    """Commands arrive in the order of time."""
    desk = Desk(check=False)
    desk.now -= 1
    with pytest.raises(AssertionError):
        desk.do(10, 0)


def test_stop_orders_hold_nothing_until_they_fire():
    """A trigger order is checked for money when it enters the book."""
    desk = Desk()
    poor = desk.account(CROSS, usdt=1)

    accepted = desk.order(poor, PERP, BUY, STOP, 1_100, 10, tif=GTC, trigger=1_100)
    assert kinds(accepted) == ["OrderAccepted"]
    assert kinds(desk.limit(poor, PERP_2, BUY, 1, 1)) == ["OrderRejected"]
