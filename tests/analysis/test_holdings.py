"""What holdings are worth: wherever they lie, and never at a price that nobody would pay."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pytest

from exchange_sim.analysis import holdings
from exchange_sim.analysis.compare import gains_by_population
from exchange_sim.analysis.marks_of_run import INDEX_BAND_PERCENT, Marks
from exchange_sim.analysis.run_dir import RunData, open_run
from exchange_sim.analysis.score.report import open_view
from exchange_sim.cli import main
from exchange_sim.eventlog.book_summary import book_schema
from exchange_sim.eventlog.schema import event_schema
from exchange_sim.messages.events import MarkPriceUpdated
from exchange_sim.model.enums import InstrumentKind
from exchange_sim.units import PPM

SPOT, LINEAR, INVERSE = range(3)
USDT, COIN = 0, 1
END = 10**9


def priced(quotes: dict[int, tuple[int, int]], index: int = 100, **more: Any) -> RunData:
    """A run of one second with these touches; ticks and lots of 1, contracts of 10 dollars."""
    kinds = (InstrumentKind.SPOT, InstrumentKind.PERPETUAL, InstrumentKind.INVERSE_PERPETUAL)
    rows = [
        {
            "instrument": at, "symbol": str(at), "kind": int(kind), "venue": 0, "base_asset": COIN,
            "quote_asset": USDT, "tick_size": "1", "lot_size": "10" if at == INVERSE else "1",
        }
        for at, kind in enumerate(kinds)
    ]  # fmt: skip
    touches = [
        {"time_ns": END, "instrument": at, "bid": bid, "ask": ask, "spread": ask - bid,
         "mid": (bid + ask) / 2}
        for at, (bid, ask) in quotes.items()
    ]  # fmt: skip
    marks = [
        {"time_ns": END, "instrument": at, "index": index * PPM, "mark": quotes[at][1] * PPM}
        for at in (LINEAR, INVERSE)
        if index and at in quotes
    ]
    found = {
        "book": _filled(touches, book_schema()),
        "table": lambda _: _filled(marks, event_schema(MarkPriceUpdated)),
        "instruments": rows,
        "assets": [{"asset": USDT, "decimals": 2}, {"asset": COIN, "decimals": 6}],
        "facts": SimpleNamespace(numeraires=np.array([USDT]), account_venue=np.array([0, 0])),
        "manifest": SimpleNamespace(end_ns=END),
    }
    return cast("RunData", SimpleNamespace(**(found | more)))


def _filled(rows: list[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    columns = {name: [row.get(name, 0) for row in rows] for name in schema.names}
    return pa.table(columns, schema=schema)


def contract(run: RunData, instrument: int) -> float:
    """Dollars of one lot."""
    marks = Marks(run)
    pricing = marks.contract(instrument)
    return float(marks.value(pricing, END) * pricing.factor)


@pytest.mark.parametrize(
    ("touch", "worth"),
    [((99, 101), 100), ((109, 111), 110), ((90_000_000, 95_000_000), 120), ((1, 1), 80)],
)
def test_a_perpetual_is_valued_near_its_index(touch: tuple[int, int], worth: int) -> None:
    """Inside the band its own mid counts; a book far away from the index ends at the edge."""
    assert INDEX_BAND_PERCENT == 20
    assert contract(priced({SPOT: (99, 101), LINEAR: touch}), LINEAR) == worth


def test_without_an_index_the_mid_stands() -> None:
    assert contract(priced({SPOT: (99, 101), LINEAR: (500, 502)}, index=0), LINEAR) == 501


def test_the_middle_of_a_wide_book_is_no_price() -> None:
    """A bid, and an offer that somebody forgot: the index stands until a narrow mid was seen."""
    assert contract(priced({SPOT: (99, 101), LINEAR: (95, 78_000_000)}), LINEAR) == 100


def test_a_spot_book_with_one_far_offer_has_no_price_yet() -> None:
    marks = Marks(priced({SPOT: (99, 1_000_000)}))
    assert marks.at(SPOT, END) == 0


@pytest.mark.parametrize("price", [100, 90, 78_000_000])
def test_profit_of_open_contracts_is_in_what_they_settle_in(price: int) -> None:
    """A short of 5 contracts of 10 dollars that was sold at 100 got half a coin for them.

    The band ends at 120: more than a sixth of the size cannot be lost to a price that nobody pays.
    """
    sold = 5 * 10 * 10**6 // 100
    positions = pa.table(
        {
            "account": [1],
            "instrument": [INVERSE],
            "qty": [-5],
            "entry_notional": [sold],
            "mark": [0],
        }
    )
    run = priced({SPOT: (99, 101), INVERSE: (price, price)}, positions=positions)
    accounts, dollars = holdings.unrealised(run, Marks(run))
    kept = min(max(price, 80), 120)
    coins = 5 * 10 / kept - sold / 10**6

    assert accounts.tolist() == [1]
    assert dollars[0] == pytest.approx(coins * 100.0, rel=1e-9)
    assert abs(dollars[0]) <= 50 / 6 + 1e-9


@pytest.fixture(scope="module")
def chain_run(tmp_path_factory: pytest.TempPathFactory) -> RunData:
    """Two minutes of the small chain: a pool, an AMM, pledged coins, transfers."""
    folder = tmp_path_factory.mktemp("chain")
    assert main(["run", "small_chain", "--until", "2m", "--quiet", "--out", str(folder)]) == 0
    return open_run(next(folder.iterdir()))


def test_claims_on_a_pool_are_what_lies_in_it(chain_run: RunData) -> None:
    """Deposits less debts, share by share, against the balance of the pool's own account."""
    (pool,) = [row for row in chain_run.chain if row["kind"] == "pool"]
    ids = {row["symbol"]: row["asset"] for row in chain_run.assets}
    balances = {
        (row["ledger_account"], row["asset"]): row["amount"]
        for row in chain_run.balances.to_pylist()
    }
    claims: dict[int, float] = {}
    for _, asset, units in holdings._pooled(chain_run):
        claims[asset] = claims.get(asset, 0) + units
    assert set(claims) == {ids[name] for name in pool["assets"].split()}
    for asset, claimed in claims.items():
        assert claimed == pytest.approx(balances[pool["account"], asset], rel=1e-3)


def test_lending_out_is_no_loss(chain_run: RunData, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lenders and providers have what they brought; forgetting a place where coins lie is seen."""
    view = open_view(chain_run)
    gains = gains_by_population(view, chain_run)
    assert abs(gains["core/lenders"]) < 0.02 * 8_000_000
    assert abs(gains["curve/providers"]) < 0.1 * 3_000_000

    monkeypatch.setattr(holdings, "_pooled", lambda run: iter(()))
    assert gains_by_population(view, chain_run)["core/lenders"] < -0.9 * 8_000_000


def test_every_part_of_what_is_held_belongs_to_somebody(chain_run: RunData) -> None:
    """All holdings of an asset together are not more than all of its balances together.

    What lies in a pool, a vault or in transit is on a system account, too: it is counted twice
    there and only once among the people.
    """
    held = holdings.holdings_of(chain_run)
    people = [row["population"] != "system" for row in chain_run.accounts]
    mine = np.array(people)[held.account]
    table = chain_run.balances
    amounts, assets = table.column("amount").to_numpy(), table.column("asset").to_numpy()
    for asset in np.unique(assets).tolist():
        owned = held.units[mine & (held.asset == asset)].sum()
        positive = amounts[(assets == asset) & (amounts > 0)].sum()
        assert owned <= positive * (1 + 1e-9)
