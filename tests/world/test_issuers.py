"""The synthetic dollar, wrappers and transfers: par, rates, limits, delays, to the unit."""

from __future__ import annotations

import pytest

from exchange_sim.messages.reasons import RejectReason
from tests.world.factory import of, reason
from tests.world.issuer_factory import (
    ETH,
    MINT,
    REDEEM,
    SECOND,
    SUSDE,
    TO_VENUE,
    USDE,
    USDT,
    WETH,
    WETH_SPOT,
    YIELD,
    Mint,
    issuer_config,
    issuer_soup,
)

R = RejectReason
HOUR = 3_600 * SECOND


def test_mint_and_redeem_at_par():
    """Backing goes to the issuer's wallet and comes back less the fee."""
    desk = Mint()
    desk.act(desk.member, (MINT, 0, 30_000))
    assert desk.posted(desk.member, USDE) == 130_000
    assert desk.posted(desk.issuer) == 130_000

    events = desk.act(desk.member, (REDEEM, 0, 10_000))

    assert of(events, 81) == [(81, 0, desk.member, 10_000, 9_990, 120_010)]
    assert desk.posted(desk.member) == 70_000 + 9_990
    assert desk.w.issuers[0].minted - desk.w.issuers[0].redeemed == 20_000


@pytest.mark.parametrize(
    ("who", "action", "why"),
    [
        ("outsider", (REDEEM, 0, 1), R.NOT_WHITELISTED),
        ("member", (REDEEM, 1, 1), R.UNKNOWN_ISSUER),
        ("member", (REDEEM, 0, 40_001), R.REDEEM_LIMIT),
        ("member", (MINT, 0, 60_001), R.MINT_LIMIT),
        ("member", (MINT, 0, 0), R.BAD_AMOUNT),
        ("issuer", (MINT, 0, 5), R.BAD_ACTION),
        ("member", (YIELD, 0, SUSDE, 5), R.NOT_WHITELISTED),
        ("issuer", (YIELD, 0, WETH, 5), R.NOT_WRAPPABLE),
        ("outsider", (TO_VENUE, USDT, 5, 0), R.UNKNOWN_ACCOUNT),
        ("outsider", (TO_VENUE, USDT, 50_001, 99), R.UNKNOWN_ACCOUNT),
    ],
)
def test_what_an_issuer_refuses(who, action, why):
    """The transaction fails with its reason and pays gas."""
    desk = Mint()

    assert desk.fails(getattr(desk, who), action) == why


def test_limits_are_per_block():
    """What one block did not take, the next one does."""
    desk = Mint()
    desk.submit(desk.member, (REDEEM, 0, 30_000))
    desk.submit(desk.member, (REDEEM, 0, 20_000))
    first = desk.block()

    assert len(of(first, 81)) == 1
    assert R(of(first, 102)[0][8]) == R.REDEEM_LIMIT
    assert len(of(desk.act(desk.member, (REDEEM, 0, 20_000)), 81)) == 1


def test_redemption_needs_the_liquid_buffer():
    """Backing in coins and perpetuals does not help: the wallet must have the money."""
    desk = Mint(issuer_config(redeem_limit=0))
    desk.act(desk.issuer, (TO_VENUE, USDT, 80_000, desk.holder))

    assert desk.fails(desk.member, (REDEEM, 0, 50_000)) == R.BUFFER_EMPTY
    assert len(of(desk.act(desk.member, (REDEEM, 0, 20_000)), 81)) == 1


@pytest.mark.parametrize(("minting", "redeeming", "action"), [(0, 1, MINT), (1, 0, REDEEM)])
def test_an_issuer_can_close(minting, redeeming, action):
    """One side at a time."""
    desk = Mint()
    desk.do(74, 0, minting, redeeming)

    assert desk.fails(desk.member, (action, 0, 10)) == R.ISSUER_CLOSED


def test_a_failed_transaction_takes_its_mint_back():
    """All or nothing, the counters of the block too."""
    desk = Mint()
    desk.submit(desk.member, (MINT, 0, 50_000), (REDEEM, 0, 40_001))
    desk.block()

    assert desk.w.issuers[0].minted == 0
    assert desk.posted(desk.member) == 100_000
    assert desk.w.issuers[0].used_mint == 0


def test_income_is_passed_on_through_the_staked_token():
    """New dollars in the vault raise the rate of every unit."""
    desk = Mint()
    before = desk.w.wrappers[SUSDE].rate_ppb
    events = desk.act(desk.issuer, (YIELD, 0, SUSDE, 1_000))

    assert before == 1_100_000_000
    assert desk.w.wrappers[SUSDE].rate_ppb == 1_200_000_000
    assert of(events, 78) == [(78, SUSDE, 1_200_000_000, 1_000)]


def test_wrap_and_unwrap_at_the_rate():
    """Wrapping is immediate, redeeming waits; rounding favours the vault."""
    desk = Mint()
    (wrapped,) = of(desk.do(67, desk.holder, WETH, 10_801), 75)
    assert wrapped[3:] == (10_801, 10_000, 1_080_000_000)

    (started,) = of(desk.do(68, desk.holder, WETH, 9_999), 76)
    held = desk.posted(desk.holder, ETH)
    assert started[5] == 10_798
    desk.do(69, started[1])

    assert desk.posted(desk.holder, ETH) == held + 10_798
    assert reason(desk.do(69, started[1])) == R.UNKNOWN_UNWRAP


def test_where_wrapping_is_refused():
    """At other venues, for other assets, and while transfers are suspended."""
    desk = Mint()
    other = desk.account(venue=1, eth=1_000)

    assert reason(desk.do(67, other, WETH, 100)) == R.NOT_WRAPPABLE
    assert reason(desk.do(67, desk.holder, USDE, 100)) == R.NOT_WRAPPABLE
    assert reason(desk.do(67, desk.holder, WETH, 10**9)) == R.INSUFFICIENT_BALANCE
    desk.do(28, 0, 0)
    assert reason(desk.do(68, desk.holder, WETH, 100)) == R.TRANSFER_SUSPENDED


def test_rewards_raise_the_rate_and_the_collateral_price():
    """Redemption value follows the rate where collateral is valued by it."""
    desk = Mint()
    desk.now += HOUR // 2
    (changed,) = of(desk.do(70, WETH), 78)

    assert changed == (78, WETH, 1_620_000_000, 27_000)
    assert desk.posted(desk.w.wrappers[WETH].vault, ETH) == 81_000


@pytest.mark.parametrize("own_book", [True, False])
def test_redemption_value_feeds_the_collateral_source(own_book):
    """A wick in the wrapper's own book counts only where the own book is the source."""
    config = issuer_config()
    first = config.venues[0].__class__
    venue = first(**{**_fields(config.venues[0]), "own_book_collateral": own_book})
    desk = Mint(_with_venue(config, venue))
    maker = desk.account(usdt=10**6)
    desk.trade_at(WETH_SPOT, 430, maker, desk.holder)
    desk.marks()

    price = desk.w.venues[0].asset_prices[WETH] / desk.w.venues[0].asset_prices[ETH]
    assert price == pytest.approx(0.43 if own_book else 1.08)


def _fields(thing):
    return {field.name: getattr(thing, field.name) for field in thing.__attrs_attrs__}


def _with_venue(config, venue):
    return config.__class__(**{**_fields(config), "venues": (venue, *config.venues[1:])})


def test_a_wallet_sends_to_a_venue():
    """In a transaction; it arrives with its transfer, not before."""
    desk = Mint()
    events = desk.act(desk.outsider, (TO_VENUE, USDT, -1, desk.holder))
    (started,) = of(events, 13)
    held = desk.posted(desk.holder)

    assert started[2:] == (desk.outsider, desk.holder, USDT, 50_000, 0)
    assert desk.posted(1) == 50_000
    desk.do(27, started[1])
    assert desk.posted(desk.holder) == held + 50_000


def test_transfers_out_have_limits():
    """One transfer at most 50,000, an hour at most 80,000; the next hour is another one."""
    desk = Mint()
    desk.now += HOUR - desk.now % HOUR

    assert reason(desk.do(26, desk.holder, desk.member, USDT, 50_001)) == R.TRANSFER_LIMIT
    assert of(desk.do(26, desk.holder, desk.member, USDT, 50_000), 13) != []
    assert reason(desk.do(26, desk.holder, desk.member, USDT, 30_001)) == R.TRANSFER_LIMIT
    assert of(desk.do(26, desk.holder, desk.member, USDT, 30_000), 13) != []
    desk.now += HOUR
    assert of(desk.do(26, desk.holder, desk.member, USDT, 30_001), 13) != []


@pytest.mark.parametrize("seed", range(4))
def test_random_people(seed):
    """Every command of a random day leaves every rule intact, and something happens."""
    desk = issuer_soup(seed)
    seen = {event[0] for event in desk.events}

    assert {13, 14, 75, 76, 77, 78, 80, 81} <= seen
    for asset in range(desk.w.ledger.asset_count):
        assert desk.w.ledger.total(asset) == 0
