"""The backstop vault: how much it takes over, whom it leaves to ADL, and how it sells."""

from __future__ import annotations

import pytest

from exchange_sim.messages.reasons import LiquidationOutcome
from exchange_sim.model.account import CROSS
from exchange_sim.model.enums import BUY, FLAG_LIQUIDATION, SELL
from exchange_sim.risk.profile import TakeoverRule
from exchange_sim.risk.profiles import HYPERLIQUID
from exchange_sim.units import NANOS_PER_MINUTE
from exchange_sim.world import backstop
from tests.world.factory import PERP, SECOND, Street, of, reported, under

End = LiquidationOutcome


def vault_street(fund, **rule):
    """A street on a venue with a vault and ``fund`` of capital."""
    street = Street(venue=under(HYPERLIQUID, takeover=rule))
    street.do(30, 0, fund)
    return street, street.w.venues[0].takeover


def fallen(street, count=1, lots=100):
    """So many longs with 6 of 9.72 a lot left: due for the vault."""
    made = [street.victim(CROSS, lots, usdt=34 * lots) for _ in range(count)]
    street.pair(street.partner, street.house, PERP, 1_000, 10)
    street.move(972)
    return made


def ends(events):
    """Account and outcome of every liquidation that ended."""
    return {e[1]: End(e[2]) for e in of(events, 33)}


def offers(events, keeper):
    """Side, price and lots of what the vault offered."""
    return [(e[5], e[8], e[9]) for e in of(events, 1) if e[2] == keeper]


def test_what_the_capital_does_not_carry_is_deleveraged_in_the_same_slot():
    """Three accounts of 97,200 each and room for 200,000: the third closes against winners."""
    street, keeper = vault_street(100_000, slot_ppm=1_000_000)
    made = fallen(street, 3)
    events = street.tick()
    found = ends(events)
    (third,) = [account for account in made if found[account] == End.DELEVERAGED]

    assert sorted(found.values()) == [End.DELEVERAGED, End.BACKSTOP, End.BACKSTOP]
    assert street.position(keeper)[0] == 200
    assert {e[4] for e in of(events, 35)} == {third}
    assert street.position(third)[0] == 0
    assert street.posted(third) > 0


def test_a_slot_uses_a_share_of_the_room_but_always_takes_one_account():
    """A tenth of 2,000,000 carries two; the first one may be larger than that."""
    street, keeper = vault_street(1_000_000, slot_ppm=100_000)
    made = fallen(street, 4)
    first = ends(street.tick())
    assert [first[a] for a in made].count(End.BACKSTOP) == 2
    assert street.position(keeper)[0] == 200

    street, keeper = vault_street(1_000_000, slot_ppm=1)
    made = fallen(street, 2)
    first = ends(street.tick())
    assert sorted(first[a] for a in made) == [End.DELEVERAGED, End.BACKSTOP]


def test_the_capital_is_the_fund_and_what_the_inventory_is_worth():
    """Taking over brings the margin; a lower mark takes it away again, and the room with it."""
    street, _ = vault_street(100_000, slot_ppm=1_000_000)
    fallen(street)
    street.tick()
    venue = street.w.venues[0]
    assert backstop.capital(street.w, venue) == 100_600
    assert backstop.whole_room(street.w, venue) == 2 * 100_600 - 97_200
    street.w.marks[PERP] = 462 * 1_000_000
    assert backstop.capital(street.w, venue) == 49_600
    assert backstop.whole_room(street.w, venue) == 2 * 49_600 - 46_200
    street.w.marks[PERP] = 1_000_000
    assert backstop.whole_room(street.w, venue) == 2 * 3_500 - 100


def test_without_capital_nothing_is_taken_over():
    """Everybody goes to ADL."""
    street, keeper = vault_street(1)
    (account,) = fallen(street)
    events = street.tick()

    assert ends(events)[account] == End.DELEVERAGED
    assert street.position(keeper) == (0, 0)


def test_who_finds_no_room_is_not_sold_below_the_mark_first():
    """Bids 2 % down would make a deficit of what 600 of margin still cover: they stay untouched."""
    street, keeper = vault_street(1)
    account = street.victim(CROSS, 100, usdt=3_400)
    street.pair(street.partner, street.house, PERP, 1_000, 10)
    street.move(972, bids=100, asks=100, gap=19)
    events = street.tick()

    assert of(events, 6) == []
    assert ends(events)[account] == End.DELEVERAGED
    assert street.posted(account) == 600
    assert street.posted(keeper) == 0


def test_taking_the_other_side_needs_no_room():
    """The vault is full with 100 lots: another long finds none, a short closes what it holds."""
    street, _ = vault_street(49_000, slot_ppm=1_000_000)
    fallen(street)
    street.tick()
    long, short = street.victim(CROSS, 100, usdt=9_000), street.victim(CROSS, -100, usdt=9_000)
    w, venue = street.w, street.w.venues[0]

    assert not backstop.has_room(w, venue, w.accounts[long])
    assert backstop.has_room(w, venue, w.accounts[short])


def test_it_offers_a_share_of_its_position_per_minute_beyond_the_mark():
    """5 % a minute of 100 lots: one lot after three seconds, five after a minute, never a taker."""
    street, keeper = vault_street(100_000, slot_ppm=1_000_000, edge_ppm=10_000)
    fallen(street)
    street.tick()
    street.now += 3 * SECOND
    soon = street.tick()
    street.now += NANOS_PER_MINUTE
    later = street.tick()
    street.now += 60 * NANOS_PER_MINUTE
    much_later = street.tick()

    assert offers(soon, keeper) == [(SELL, 982, 1)]
    assert offers(later, keeper) == [(SELL, 982, 5)]
    assert offers(much_later, keeper) == [(SELL, 982, 5)]
    assert len(street.w.accounts[keeper].orders) == 1
    assert [e for e in street.events if e[0] == 6 and e[9] == keeper] == []


def test_it_joins_the_touch_when_that_is_better_and_sells_to_who_comes():
    """The ask stands at 990; a buyer takes it and the vault's lots behind it."""
    street, keeper = vault_street(100_000, slot_ppm=1_000_000)
    fallen(street)
    street.tick()
    street.limit(street.house, PERP, SELL, 990, 3)
    street.now += NANOS_PER_MINUTE
    events = street.tick()
    assert offers(events, keeper) == [(SELL, 990, 5)]
    street.limit(street.partner, PERP, BUY, 990, 8)

    assert street.position(keeper)[0] == 95
    assert street.posted(keeper) == 600 + 5 * 18


def test_a_short_is_bought_back_below_the_mark():
    """The mirror image."""
    street, keeper = vault_street(100_000, slot_ppm=1_000_000, edge_ppm=10_000)
    street.victim(CROSS, -100, usdt=3_400)
    street.move(1_028)
    street.tick()
    street.now += NANOS_PER_MINUTE

    assert offers(street.tick(), keeper) == [(BUY, 1_017, 5)]


def test_once_flat_its_result_is_the_funds():
    """100 lots at 972 with 600 of margin, sold at 980."""
    street, keeper = vault_street(100_000, slot_ppm=1_000_000, offer_ppm=1_000_000)
    fallen(street)
    street.tick()
    street.now += NANOS_PER_MINUTE
    street.tick()
    street.limit(street.partner, PERP, BUY, 990, 200)
    events = street.tick()

    sold = [e for e in street.events if e[0] == 6 and e[8] == keeper]
    gain = sum((e[3] - 972) * e[4] for e in sold)
    assert sum(e[4] for e in sold) == 100
    assert gain > 0
    assert of(events, 34)[-1][3:] == (600 + gain, 100_600 + gain)
    assert not street.w.liquidation_pending(0)


@pytest.mark.parametrize("mark", [900, 972, 1_100])
def test_offers_never_cross_the_spread_for_speed(mark):
    """Whatever the market does, the price is at or beyond the mark."""
    street, keeper = vault_street(1_000_000)
    fallen(street)
    street.tick()
    street.move(mark, bids=50, asks=50)
    street.now += NANOS_PER_MINUTE
    (found,) = offers(street.tick(), keeper)

    assert found[1] * 1_000_000 >= street.w.marks[PERP]


def test_offers_that_are_not_withdrawn_are_noticed(monkeypatch):
    """A planted bug: old offers stay while the position is taken over by the other side."""
    found = reported(monkeypatch)
    monkeypatch.setattr(backstop, "withdraw", lambda *_: None)
    monkeypatch.setattr(backstop, "FLAGS", FLAG_LIQUIDATION)
    street, keeper = vault_street(100_000, slot_ppm=1_000_000, offer_ppm=1_000_000)
    fallen(street)
    for _ in range(3):
        street.now += NANOS_PER_MINUTE
        street.tick()
    street.limit(street.partner, PERP, BUY, 990, 300)

    assert "LIQ-2" in found
    assert street.position(keeper)[0] < 0


def test_a_rule_says_what_is_wrong_with_it():
    """All at once."""
    with pytest.raises(ValueError, match=r"offer_ppm 0 is outside.*pace 'slow' is none of at_once"):
        TakeoverRule(kind="insolvent", pace="slow", offer_ppm=0)
