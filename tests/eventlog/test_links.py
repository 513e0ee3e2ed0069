"""Links of the causal chain: which events make a line, with which size, and how often."""

from __future__ import annotations

import attrs
import pytest

from exchange_sim.eventlog.line import Line
from exchange_sim.eventlog.links import LINKS, SIDE_LINKS, Links, MarketFacts
from exchange_sim.eventlog.names import Names
from exchange_sim.eventlog.sentences import narrate
from exchange_sim.messages.reasons import LoanNoticeKind, MarginBand, NoteKind
from exchange_sim.units import NANOS_PER_MINUTE, PPM

USDT, BTC, ALT, USDE, WBETH, ETH = range(6)
UNIT = 10**6
PRICE = {BTC: 100_000, ALT: 10, USDE: 1, WBETH: 1_080, ETH: 1_000}
NAMES = Names(
    assets=["USDT", "BTC", "ALT", "USDE", "WBETH", "ETH"],
    decimals=[6] * 6,
    venues=["leading"],
    numeraires=[USDT],
    instruments=["BTC-PERP", "USDEUSDT", "ALTUSDT"],
    ticks=["1"] * 3,
    accounts=["mm-1", "whale"],
    account_venues=[0, 0],
    shocks=["tariff"],
)


def micro(price: float) -> int:
    """A price as collateral events carry it."""
    return round(price * UNIT * PPM)


def make() -> Links:
    """One venue with a perpetual of BTC and two spot books; account 0 is a maker of 50,000."""
    facts = MarketFacts(
        books=((0, BTC, True, 10), (0, USDE, False, 1), (0, ALT, False, 1)),
        kinds=("quote", "major", "alt", "pegged", "wrapper", "major"),
        redemption=((-1, 0), (-1, 0), (-1, 0), (USDT, PPM), (ETH, 1_080_000), (-1, 0)),
        prices={(0, USDT): micro(1), **{(0, a): micro(p) for a, p in PRICE.items()}},
        marks=(100_000 * PPM, 0, 0),
        makers={0: 50_000.0},
    )
    return Links(facts, NAMES)


def tell(links: Links, *event: int, at: int = 0) -> list[Line]:
    """Lines of one event."""
    return list(links.observe(at, event))


def price(links: Links, asset: int, value: float) -> list[Line]:
    """Lines of a new collateral price."""
    return tell(links, 21, 0, asset, micro(value))


def test_news_is_told_with_the_open_interest_that_it_hits():
    """1,000 lots of 100,000 ticks at ten units: a thousand dollars."""
    links = make()
    tell(links, 20, 0, 100_000 * PPM, 0, 0, 0, 1_000)
    (line,) = tell(links, 40, -1, int(NoteKind.SHOCK), 0, 0)

    assert line.fields == {"link": "macro_shock", "usd": 1_000, "name": "tariff"}


def test_risk_aversion_is_told_at_its_steps_with_what_longs_lost():
    """Both majors fall by 4 %: one line, sized by marks and open interest."""
    links = make()
    tell(links, 20, 0, 96_000 * PPM, 0, 0, 0, 1_000)
    assert price(links, BTC, 99_500) == []
    lines = [*price(links, BTC, 96_000), *price(links, ETH, 960)]

    assert [line.fields["link"] for line in lines] == ["risk_aversion", "risk_aversion"]
    assert lines[-1].fields["usd"] == 40
    assert price(links, BTC, 99_000) == price(links, BTC, 96_000) == []


def test_depeg_is_told_with_what_was_sold_in_two_minutes():
    """Sells count, buys do not, old ones do not."""
    links = make()
    sells = [(0, 900.0), (2 * NANOS_PER_MINUTE, 50.0), (3 * NANOS_PER_MINUTE, 70.0)]
    for at, usd in sells:
        for side in (0, 1):
            trade = (6, 1, 1, 1, 1, side, 1, 2, 0, 1, 0, round(usd * UNIT), *[0] * 9)
            tell(links, *trade, at=at)
    assert price(links, USDE, 0.985) == []
    (line,) = price(links, USDE, 0.94)

    assert line.fields["link"] == "depeg"
    assert line.fields["usd"] == 120
    assert line.fields["discount"] == "0.060"


def test_a_wrapper_breaks_against_its_redemption_value_not_against_its_start():
    """With ETH at 900 a wrapper at 972 is where it belongs."""
    links = make()
    price(links, ETH, 900)

    assert price(links, WBETH, 972) == []
    assert [x.fields["link"] for x in price(links, WBETH, 430)] == ["wrapper_break"]


@pytest.mark.parametrize(
    ("event", "link", "usd"),
    [
        ((72, 1, 1, int(LoanNoticeKind.CALL), 800_000, 5_000 * UNIT, 1, 0), "loan_call", 5_000),
        ((73, 1, 1, 2, 7, 900 * UNIT, 1), "forced_sale", 900),
        ((40, 1, int(NoteKind.LOOP_UNWINDING), 400_000, 1), "loop_unwinding", 400_000),
        ((81, 0, 1, 300 * UNIT, 300 * UNIT, 0), "redemption", 300),
        ((112, 0, 1, 2, USDT, USDE, 70 * UNIT, 80, 0, 0, 0), "onchain_liquidation", 70),
        ((118, 0, 1, 2, 60 * UNIT, 70, 0, 0), "onchain_liquidation", 60),
        ((30, 0, int(MarginBand.REMINDER), 1_400_000, 9 * UNIT, UNIT), "maker_collateral", 9),
        ((31, 0, 8 * UNIT, UNIT, 1, -1, -1), "maker_liquidation", 8),
        ((40, 0, int(NoteKind.QUOTES_WITHDRAWN), 1, 200_000), "withdrawal", 40_000),
    ],
)
def test_what_people_and_systems_do(event, link, usd):
    """Told when it is new and when it has grown fourfold."""
    links = make()
    told = [line.fields for _ in range(8) for line in tell(links, *event)]

    assert [fields["link"] for fields in told] == [link, link]
    assert [fields["usd"] for fields in told] == [usd, 4 * usd]


@pytest.mark.parametrize(
    "event",
    [
        (72, 1, 1, int(LoanNoticeKind.CURED), 800_000, 5_000 * UNIT, 1, 0),
        (73, 1, 1, 2, 7, 900 * UNIT, 0),
        (30, 1, int(MarginBand.REDUCE_ONLY), 1_400_000, 9 * UNIT, UNIT),
        (30, 0, int(MarginBand.FREE), 1_900_000, 9 * UNIT, UNIT),
        (31, 1, 8 * UNIT, UNIT, 1, -1, -1),
        (40, 0, int(NoteKind.QUOTES_RESTORED), 1, 1_000_000),
    ],
)
def test_what_is_no_link(event):
    """Cures, own sales, other people's accounts."""
    assert tell(make(), *event) == []


def test_alts_collapse_by_their_median():
    """Steps of the fall, each once."""
    links = make()
    told = [x.fields for p in (9, 7.5, 7.4, 3, 5, 1) for x in price(links, ALT, p)]

    assert [fields["median_fall"] for fields in told] == ["0.250", "0.700", "0.900"]
    assert all(fields["venue"] == "leading" for fields in told)


def test_every_link_has_a_sentence():
    """The names are the machine's, the sentences are for people."""
    links = make()

    for link in (*LINKS, *SIDE_LINKS):
        line = links._line(link, 1.0)
        assert line.message
        assert attrs.asdict(line)["fields"]["link"] == link


@pytest.mark.parametrize(
    ("kind", "numbers", "fields"),
    [
        (NoteKind.LOOP_UNWINDING, (400, 1), {"usd": 400, "cause": "loan call"}),
        (NoteKind.REDEEMED, (90, 0), {"usd": 90}),
        (NoteKind.HEDGE_LOST, (70, 0), {"usd": 70}),
        (NoteKind.BUFFER_REFILL, (10, 80), {"usd": 10, "target": 80}),
    ],
)
def test_remarks_of_borrowers_and_issuers_are_words(kind, numbers, fields):
    """The numbers of a remark have names."""
    line = narrate((40, 1, int(kind), *numbers), NAMES)

    assert line is not None
    assert line.fields == {"account": "whale", **fields}
