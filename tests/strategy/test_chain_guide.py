"""The example of the guide works; what a strategy sees and says on the chain is what it asked."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from exchange_sim.errors import UsageError
from exchange_sim.messages.reasons import ActionKind as A
from exchange_sim.scenario.build import BuiltRun, build_run
from exchange_sim.scenario.load import load
from exchange_sim.strategy.chain_requests import ALL, PREVIOUS

ROOT = Path(__file__).parents[2]
SCENARIO = """
extends = "loop_table"

[scenario]
duration = "40s"
checks = "full"

[[participants]]
name = "looper"
enabled = false

[[participants]]
name = "guide"
class = "guide.py:{name}"
venues = ["ethereum", "demo"]
account = "cash"
capital_at = {{ ethereum = {{ USDE = 1000, ETH = 1 }} }}
"""

PROBE = '''
from exchange_sim.errors import UsageError
from exchange_sim.strategy import Strategy


class Probe(Strategy):
    """Keeps what it sees."""

    seen: list = []

    def on_start(self):
        self.seen.append(("start", self.chain_view()))
        self.set_timer("look", 0.5)

    def on_timer(self, name):
        self.seen.append(("timer", self.now_ns, self.chain_view()))

    def on_block(self, chain):
        self.seen.append(("block", self.now_ns, chain, self.chain_view(), self.wallet()))
        try:
            self.supply_action("kore", "USDE", 1)
        except UsageError as error:
            self.seen.append(("error", str(error)))
        if chain.number == 1:
            bad = self.borrow_action("core", "USDT", 999)
            self.number = self.transact(bad, tip_gwei=2)

    def on_transaction(self, transaction):
        self.seen.append(("receipt", transaction))
'''


def run(tmp_path: Path, code: str, name: str) -> BuiltRun:
    """Run a strategy of this text on the chain of ``loop_table``."""
    (tmp_path / "guide.py").write_text(code, encoding="utf-8")
    path = tmp_path / "mine.toml"
    path.write_text(SCENARIO.format(name=name), encoding="utf-8")
    built = build_run(load(path), None)
    built.execute()
    return built


def test_the_guide_tells_the_truth(tmp_path: Path) -> None:
    """Two rounds at the pool's limit of 82 %: 1,000 become 2,492.40 against 1,492.40."""
    text = (ROOT / "docs" / "guides" / "strategies.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?class TwoRounds.*?)```", text, re.DOTALL)
    built = run(tmp_path, code, "TwoRounds")
    chain, wallet = built.world.chain, built.accounts.of["guide", "ethereum"]
    assert chain is not None
    (held,) = chain.pools[0].positions[wallet].supply.values()
    (owed,) = chain.pools[0].positions[wallet].debt.values()
    assert held / 10**6 == pytest.approx(1_000 * (1 + 0.82 + 0.82**2), abs=0.01)
    assert owed / 10**6 == pytest.approx(1_000 * (0.82 + 0.82**2), abs=0.01)


def test_views_come_late_and_receipts_tell_why(tmp_path: Path) -> None:
    """Nothing is seen before its link has delivered it; a failure has its reason and its gas."""
    seen: list[tuple[Any, ...]] = []
    built = run(tmp_path, PROBE, "Probe")
    agent = next(a for a in built.run.host.agents if a.name == "guide")
    seen = agent.strategy.seen  # type: ignore[attr-defined]  # The probe's own attribute.
    assert seen[0] == ("start", None)
    timer = next(item for item in seen if item[0] == "timer")
    assert timer[2].number == 0
    blocks = [item for item in seen if item[0] == "block"]
    assert [item[2].number for item in blocks] == [0, 1, 2, 3]
    for _, now, view, read, wallet in blocks:
        assert 0 < now - view.time_ns < 10**9
        assert read.number == view.number
        assert wallet == built.accounts.of["guide", "ethereum"]
    assert "did you mean 'core'" in next(item[1] for item in seen if item[0] == "error")
    receipts = [item[1] for item in seen if item[0] == "receipt"]
    assert [r.status for r in receipts] == ["waiting", "failed"]
    assert receipts[1].reason.name == "COLLATERAL_TOO_LOW"
    assert receipts[1].gas_fee > 0


def test_actions_in_words(tmp_path: Path) -> None:
    """Every helper becomes the numbers that the handlers read; unknown names are told."""
    built = run(tmp_path, PROBE, "Probe")
    s = next(a for a in built.run.host.agents if a.name == "guide").strategy
    usde, usdt = s.asset_id("USDE"), s.asset_id("USDT")
    assert s.supply_action("core", "USDE", 1.5) == (A.SUPPLY, 0, usde, 1_500_000)
    assert s.withdraw_action("core", "USDE", ALL) == (A.WITHDRAW, 0, usde, ALL)
    assert s.repay_action("core", "USDT", PREVIOUS) == (A.REPAY, 0, usdt, PREVIOUS)
    assert s.flash_action("core", "USDT", 2) == (A.FLASH_LOAN, 0, usdt, 2_000_000)
    assert s.category_action("core", "") == (A.SET_CATEGORY, 0, 0)
    assert s.liquidate_action("core", 9, "USDT", "USDE", 3, as_deposit=True) == (
        A.LIQUIDATE, 0, 9, usdt, usde, 3_000_000, 1,
    )  # fmt: skip
    assert s.swap_action("curve", "USDE", 1, "USDT", 0.9) == (
        A.SWAP, 0, usde, usdt, 1_000_000, 900_000,
    )  # fmt: skip
    assert s.add_liquidity_action("curve", {"USDT": 1}, ("USDE", "USDT"), 5) == (
        A.ADD_LIQUIDITY, 0, 0, 1_000_000, 0, 0, 5,
    )  # fmt: skip
    assert s.remove_liquidity_action("curve") == (A.REMOVE_LIQUIDITY, 0, ALL)
    assert s.remove_one_coin_action("curve", "USDE", 7, 1) == (
        A.REMOVE_ONE_COIN, 0, 7, usde, 1_000_000,
    )  # fmt: skip
    assert s.send_action("USDE", 1, 4) == (A.SEND, usde, 1_000_000, 4)
    assert s.tick(1.0, ("USDE", "USDT")) == 0
    assert s.tick(1.02, ("USDE", "USDT")) == 198
    for wrong in (
        lambda: s.category_action("core", "gold"),
        lambda: s.swap_action("kurve", "USDE", 1, "USDT"),
        lambda: s.market_liquidate_action("blue", 1, "USDT"),
    ):
        with pytest.raises(UsageError, match=r"^no "):
            wrong()
