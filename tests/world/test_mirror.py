"""The vector screening misses nobody whom the exact margin liquidates or moves to another band."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange_sim.model.account import CROSS, PORTFOLIO, Position
from exchange_sim.risk.brackets import BracketTable
from exchange_sim.risk.collateral import CollateralTable
from exchange_sim.risk.mirror import MANY, Mirror
from exchange_sim.risk.unified import margin_band, uni_mmr_ppm
from exchange_sim.world import World
from exchange_sim.world.margin import liquidatable, requirements
from exchange_sim.world.venue import limits_of, refresh_mirror
from tests.world.factory import ETH_PERP, PERP, evolve_venue, make_config

BIG = 10**15
AMOUNTS = st.one_of(st.just(0), st.integers(0, 5_000), st.integers(0, BIG))
TIERS = CollateralTable(((10**4, 950_000), (10**9, 700_000), (10**12, 100_000)))
DEEP = BracketTable(
    floors=(0, 10**5, 10**8, 10**11, 10**13),
    mmr_ppm=(4_000, 6_500, 10_000, 50_000, 250_000),
    leverage=(125, 100, 50, 10, 2),
)
ACCOUNT = st.fixed_dictionaries(
    {
        "mode": st.sampled_from([PORTFOLIO, CROSS]),
        "wallet": st.tuples(AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS),
        "loans": st.dictionaries(st.integers(0, 2), st.integers(1, 10**12), max_size=2),
        "lots": st.tuples(st.integers(-(10**10), 10**10), st.integers(-100, 100)),
        "entry": st.tuples(st.integers(1, 3_000), st.integers(1, 3_000)),
        "band": st.integers(0, 2),
        "nudge": st.integers(-300, 300),
    }
)


def make_world(marks, prices) -> World:
    """A venue with tiers and deep brackets at the given marks and asset prices."""
    config = evolve_venue(make_config(perp={"brackets": DEEP}))
    tiers = dict.fromkeys((1, 2), TIERS)
    config = evolve_venue(config, collateral={**config.venues[0].collateral, **tiers})
    w = World(config)
    w.marks[PERP], w.marks[ETH_PERP] = marks
    w.venues[0].asset_prices[1:] = prices
    return w


def put(w: World, parts: dict[str, Any]) -> int:
    """An account with those holdings, brought close to its threshold by its cash."""
    account_id = w.add_account(0, 1, parts["mode"], 0)
    account = w.accounts[account_id]
    w.ledger.posted[account_id][:] = parts["wallet"]
    account.loans.update(parts["loans"])
    for instrument, lots, price in zip(
        (PERP, ETH_PERP), parts["lots"], parts["entry"], strict=True
    ):
        if lots:
            position = account.positions[instrument] = Position()
            position.qty, position.entry_notional = lots, lots * price
    equity, _, maintenance = requirements(w, account)
    edge = 1_050_000 if parts["mode"] == PORTFOLIO else 1_000_000
    gap = equity - maintenance * edge // 10**6
    cash = w.ledger.posted[account_id]
    cash[0] = max(0, cash[0] - gap + parts["nudge"])
    account.band = parts["band"] if parts["mode"] == PORTFOLIO else 0
    w.dirty[account_id] = True
    return account_id


@settings(max_examples=300, deadline=None)
@given(
    accounts=st.lists(ACCOUNT, min_size=1, max_size=6),
    marks=st.tuples(st.integers(1, 10**10), st.integers(1, 10**10)),
    prices=st.tuples(*[st.integers(0, 10**16)] * 3),
)
def test_nobody_is_missed(accounts, marks, prices):
    """Whoever is liquidatable, or not in its band, is named, however close to the threshold."""
    w = make_world(marks, prices)
    made = [put(w, parts) for parts in accounts]
    venue = w.venues[0]
    refresh_mirror(w, venue)
    mirror_marks = [w.marks[instrument] for instrument in venue.mirror.instruments]
    named = venue.mirror.at_risk(venue.asset_prices, w.price_scales, mirror_marks)

    for account_id in made:
        account = w.accounts[account_id]
        equity, _, maintenance = requirements(w, account)
        band = margin_band(uni_mmr_ppm(equity, maintenance), venue.spec.bands)
        moved = account.mode == PORTFOLIO and band != account.band
        if moved or liquidatable(w, account, equity, maintenance):
            assert account_id in named


def test_accounts_that_stay_in_their_band_cost_nothing():
    """A healthy account far from every edge is not looked at exactly."""
    w = make_world((10**9, 10**9), (10**12, 10**12, 10**12))
    calm = {
        "mode": PORTFOLIO, "wallet": (10**6, 0, 0, 0), "loans": {}, "lots": (10, 0),
        "entry": (1_000, 1), "band": 0, "nudge": 0,
    }  # fmt: skip
    account_id = put(w, calm)
    w.ledger.posted[account_id][0] = 10**6
    venue = w.venues[0]
    refresh_mirror(w, venue)
    marks = [w.marks[instrument] for instrument in venue.mirror.instruments]

    assert venue.mirror.at_risk(venue.asset_prices, w.price_scales, marks) == []
    assert attrs.asdict(w.margin_of(account_id))["band"] == 0


WALK = st.lists(
    st.tuples(*[st.floats(-0.3, 0.3).map(lambda move: round(move, 6))] * 5), min_size=1, max_size=12
)


@settings(max_examples=120, deadline=None)
@given(
    accounts=st.lists(ACCOUNT, min_size=1, max_size=40),
    slack=st.integers(1, 20),
    walk=WALK,
    calm=st.sampled_from([1, 30, 1_000]),
)
def test_nobody_is_missed_while_prices_walk(accounts, slack, walk, calm):
    """The list of accounts that are due names everybody whom the plain calculation finds.

    Prices move in steps of any size, all at once; accounts stand at any distance from their limits.
    """
    start = (10**9, 10**9, 10**12, 10**12, 10**12)
    w = make_world(start[:2], start[2:])
    made = [put(w, {**parts, "nudge": slack * k * abs(parts["nudge"]) * 10**k})
            for k, parts in enumerate(accounts[:12])]  # fmt: skip
    made += [put(w, parts) for parts in accounts[12:]]
    venue = w.venues[0]
    refresh_mirror(w, venue)
    prices = list(start)
    for moves in walk:
        prices = [max(1, int(p * (1 + m / calm))) for p, m in zip(prices, moves, strict=True)]
        w.marks[PERP], w.marks[ETH_PERP] = prices[:2]
        venue.asset_prices[1:] = prices[2:]
        marks = [w.marks[instrument] for instrument in venue.mirror.instruments]
        named = venue.watch.at_risk(venue.asset_prices, w.price_scales, marks)
        plain = venue.mirror.at_risk(venue.asset_prices, w.price_scales, marks)
        assert set(named) == set(plain)
        for account_id in made:
            account = w.accounts[account_id]
            equity, _, maintenance = requirements(w, account)
            if liquidatable(w, account, equity, maintenance):
                assert account_id in named


HOLDER = st.fixed_dictionaries(
    {
        "mode": st.sampled_from([PORTFOLIO, CROSS]),
        "wallet": st.tuples(st.just(0), *[st.integers(10**3, 10**13)] * 3),
        "loans": st.dictionaries(st.integers(0, 2), st.integers(1, 10**12), max_size=2),
        "lots": st.tuples(st.integers(-(10**10), 10**10), st.integers(-100, 100)),
        "entry": st.tuples(st.integers(1, 3_000), st.integers(1, 3_000)),
        "band": st.integers(0, 2),
        "nudge": st.integers(-300, 10**13),
    }
)


@settings(max_examples=100, deadline=None)
@given(
    accounts=st.lists(HOLDER, min_size=2, max_size=30),
    walk=WALK,
    calm=st.sampled_from([1, 30, 1_000, 10**6]),
    touched=st.integers(0, 29),
)
def test_nobody_is_missed_by_the_panel(accounts, walk, calm, touched):
    """Accounts that hold something of everything: tiers and brackets change under way.

    In the middle of the walk one loses its cash, and one is moved to another band.
    """
    start = (10**9, 10**9, 10**12, 10**12, 10**12)
    w = make_world(start[:2], start[2:])
    made = [put(w, parts) for parts in accounts]
    venue, prices = w.venues[0], list(start)
    for step, moves in enumerate(walk):
        if step == len(walk) // 2:
            poor, other = made[touched % len(made)], w.accounts[made[-1]]
            w.ledger.posted[poor][0] = 0
            w.dirty[poor] = True
            other.band = (other.band + 1) % 3
            venue.mirror.limit(other.id, limits_of(other, venue.spec.bands))
        refresh_mirror(w, venue)
        prices = [max(1, int(p * (1 + m / calm))) for p, m in zip(prices, moves, strict=True)]
        w.marks[PERP], w.marks[ETH_PERP] = prices[:2]
        venue.asset_prices[1:] = prices[2:]
        marks = [w.marks[instrument] for instrument in venue.mirror.instruments]
        named = venue.watch.at_risk(venue.asset_prices, w.price_scales, marks)
        plain = venue.mirror.at_risk(venue.asset_prices, w.price_scales, marks)
        assert set(named) == set(plain)


def test_whoever_is_inside_is_seen_by_the_panel_alone(monkeypatch):
    """Once the lines are known, a move that makes accounts due adds up nobody's rows."""
    w = make_world((10**9, 10**9), (10**12, 10**12, 10**12))
    parts = {
        "mode": PORTFOLIO, "wallet": (0, 5_000, 5_000, 5_000), "loans": {0: 10**6},
        "lots": (1_000, 50), "entry": (1_000, 1_000), "band": 0, "nudge": 10**6,
    }  # fmt: skip
    for k in range(40):
        put(w, {**parts, "nudge": 10**6 + 1_000 * k})
    venue, looks = w.venues[0], []
    by_rows = venue.watch._by_rows

    def counted(rows, *more):
        looks.append(len(rows))
        return by_rows(rows, *more)

    monkeypatch.setattr(venue.watch, "_by_rows", counted)
    for down in range(25):
        refresh_mirror(w, venue)
        w.marks[PERP] = w.marks[ETH_PERP] = 10**9 - 10**7 * down
        venue.asset_prices[1:] = [10**12 - 10**10 * down] * 3
        marks = [w.marks[instrument] for instrument in venue.mirror.instruments]
        venue.watch.at_risk(venue.asset_prices, w.price_scales, marks)

    assert looks == [40, 40], "copied, then due for the first time"


def test_a_change_of_an_account_is_noticed_without_a_move():
    """A withdrawal makes an account due, whatever prices do."""
    w = make_world((10**9, 10**9), (10**12, 10**12, 10**12))
    calm = {
        "mode": CROSS, "wallet": (10**6, 0, 0, 0), "loans": {}, "lots": (1_000, 0),
        "entry": (1_000, 1), "band": 0, "nudge": 10**9,
    }  # fmt: skip
    account_id = put(w, calm)
    venue = w.venues[0]
    marks = [w.marks[instrument] for instrument in venue.mirror.instruments]
    refresh_mirror(w, venue)
    assert venue.watch.at_risk(venue.asset_prices, w.price_scales, marks) == []
    assert not venue.watch.is_due(account_id)
    w.ledger.posted[account_id][0] = 0
    w.dirty[account_id] = True
    refresh_mirror(w, venue)

    assert venue.watch.at_risk(venue.asset_prices, w.price_scales, marks) == [account_id]


NET = st.lists(st.sampled_from([0, 1, 5, 7, -3, 10**9]), min_size=4, max_size=4)
LOANS = st.dictionaries(st.integers(0, 3), st.just(7))
NOTHING_OWED: dict[int, int] = {}
OWED = st.one_of(st.just(NOTHING_OWED), st.just(NOTHING_OWED), LOANS)
FEW, LOTS = 4, MANY + 4
"""Assets of small accounts, and of those that are compared with what they held."""


@settings(max_examples=80, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.integers(0, 1), NET, OWED),
        min_size=1,
        max_size=12,
    ),
    size=st.sampled_from([FEW, LOTS]),
)
def test_copies_of_copies_equal_a_first_copy(steps, size):
    """However accounts change, with and without loans, a mirror holds what a new one would hold."""
    tables = dict.fromkeys(range(1, size), TIERS)
    prices, marks = np.arange(1.0, size + 1.0), np.zeros(0)
    kept, latest = Mirror(0, tables, 100_000, size, ()), {}
    for account, first, loans in steps:
        net = first + [3] * (size - FEW)
        kept.refresh(account, net, loans, {})
        latest[account] = list(net), loans
        fresh = Mirror(0, tables, 100_000, size, ())
        for number in kept.accounts:
            fresh.refresh(number, latest[number][0], latest[number][1], {})
        for one, other in (
            (kept.screen(prices, marks), fresh.screen(prices, marks)),
            (
                kept.screen_some(np.arange(len(kept.accounts)), prices, marks),
                fresh.screen_some(np.arange(len(kept.accounts)), prices, marks),
            ),
        ):
            # rows may stand in another order, and so be added in another order
            assert one.equity == pytest.approx(other.equity, rel=1e-9, abs=1e-6)
            assert one.maintenance == pytest.approx(other.maintenance, rel=1e-9)
            assert one.gross == pytest.approx(other.gross, rel=1e-9)
        net[:] = [11] * size  # the ledger's own list lives on
