"""Other crashes on the same engine: each shows the signature that its record has."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from exchange_sim import open_run, run
from exchange_sim.analysis.score.report import open_view
from exchange_sim.analysis.score.roles import Instrument
from exchange_sim.analysis.score.view import View
from exchange_sim.messages.events import AdlExecuted, InsuranceChanged


def episode(name: str, out: Path, **options: object) -> View:
    """Run a scenario and look at it as ``score`` does."""
    finished = run(name, out=out, **options)  # type: ignore[arg-type] # options of `run`
    assert finished.directory is not None
    return open_view(open_run(finished.directory))


def book(view: View, name: str) -> Instrument:
    """An instrument by ``venue:SYMBOL``."""
    return next(item for item in view.roles.instruments if item.name == name)


def fall(view: View, name: str) -> float:
    """Largest fall since the news, in percent."""
    prices = view.prices(book(view, name))
    low = float(prices.between(view.news_ns, view.roles.end_ns).p.min())
    return 100.0 * (1.0 - low / float(prices.p[0]))


def test_flash_2010_is_made_by_one_seller_and_an_empty_book(tmp_path: Path) -> None:
    """-5 to -9 %, bids under 1 % of before, half of it back in ten minutes; without the seller:
    nothing.
    """
    view = episode("flash_2010", tmp_path / "with", until="24m")
    item = book(view, "globex:ESM0")
    bids = view.book(item)
    calm = np.median(bids.depth("bid", 100)[bids.t < view.news_ns])
    low_ns, low = view.prices(item).low()
    later = view.prices(item).at(low_ns + 600 * 10**9)

    assert 4.0 < fall(view, item.name) < 10.0
    assert bids.within(view.news_ns, low_ns).depth("bid", 100).min() < 0.01 * calm
    assert (later - low) / (1132.0 - low) > 0.25
    calm_day = episode(
        "flash_2010",
        tmp_path / "without",
        until="24m",
        overrides=["participants.fund.enabled=false"],
    )
    assert fall(calm_day, item.name) < 1.5


def test_ust_2022_prints_coins_until_neither_is_worth_anything(tmp_path: Path) -> None:
    """The dollar loses half, the coin nearly everything; without the mint the coin stands."""
    view = episode("ust_2022", tmp_path / "with", until="20m")
    assert fall(view, "leading:USTUSDT") > 50.0
    assert fall(view, "leading:LUNAUSDT") > 95.0
    other = episode(
        "ust_2022",
        tmp_path / "without",
        until="20m",
        overrides=["participants.protocol.enabled=false"],
    )
    assert fall(other, "leading:LUNAUSDT") < 10.0


def test_btc_2020_03_exhausts_the_fund_and_ends_with_the_outage(tmp_path: Path) -> None:
    """The perpetual falls further than spot, the fund is gone, and the price returns afterwards."""
    view = episode("btc_2020_03", tmp_path, until="62m")
    perpetual, spot = book(view, "mex:XBTUSD"), book(view, "spot:BTCUSD")
    low_ns, low = view.prices(perpetual).low()
    funds = view.columns(InsuranceChanged)["balance"]

    assert 30.0 < fall(view, perpetual.name) < 75.0
    assert low < 0.95 * view.prices(spot).at(low_ns)
    assert funds.min() < 0.05 * funds.max()
    assert len(view.columns(AdlExecuted)["seq"]) > 50
    assert view.prices(perpetual).at(view.roles.end_ns) > 1.3 * low
