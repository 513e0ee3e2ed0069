"""Policies by name, the policy of correlated groups, and policies for a bot of one's own."""

from __future__ import annotations

import math

import attrs
import pytest

from exchange_sim.messages.reasons import MarginBand, NoteKind, WithdrawalCause
from exchange_sim.rng import Streams
from exchange_sim.strategy import Margin, Strategy
from exchange_sim.strategy.load import StrategyLoadError, build_params
from exchange_sim.testing import Bench
from strategies.group_limits import GroupParams, GroupPolicy
from strategies.guard import Guard
from strategies.ladder import LadderMaker
from strategies.withdrawal import POLICIES, MarginParams, WithdrawalParams, make_policies
from tests.strategies.test_withdrawal import Pair, at

SYMBOL = "leading:BTCUSDT-PERP"


def names(params: WithdrawalParams) -> list[str]:
    """Classes of the policies in force."""
    return [type(policy).__name__ for policy in make_policies(params, Streams(1).stream("x"))]


@pytest.mark.parametrize("name", POLICIES)
def test_every_policy_is_one_line_in_a_scenario(name: str) -> None:
    """``withdrawal = { only = ["margin"] }`` and the like, through the loader."""
    params = build_params(LadderMaker, {"withdrawal": {"only": [name]}})
    (found,) = names(params.withdrawal)

    assert found.lower().startswith(name.replace("_", ""))


def test_policies_combine_and_unknown_ones_have_a_near_name() -> None:
    """Several names; none: all that have parameters; a typo is located."""
    assert names(WithdrawalParams(only=("margin", "group"))) == ["MarginPolicy", "GroupPolicy"]
    assert len(names(WithdrawalParams())) == 6
    with pytest.raises(StrategyLoadError, match="no policy 'margn'; known: margin"):
        build_params(LadderMaker, {"withdrawal": {"only": ["margn"]}})


def test_group_follows_its_stressed_members_and_returns_late() -> None:
    """Three of ten are enough to leave, fewer than one of ten to come back, with a half-life."""
    policy = GroupPolicy(GroupParams(stress_vol=8, enter=0.3, leave=0.1, return_half_life_s=100))
    pairs = [Pair(index) for index in range(10)]
    lone = Pair(10)
    lone.group = "other"

    def look(seconds: float, stressed: int) -> list[float]:
        for index, pair in enumerate(pairs):
            pair.own_vol = 20.0 if index < stressed else 1.0
        for pair in [*pairs, lone]:
            policy.bid(pair)
        policy.update(at(seconds))
        return [policy.bid(pair) for pair in [*pairs, lone]]

    assert look(0, 2) == [1.0] * 11
    assert look(1, 3) == [0.0] * 10 + [1.0]
    assert [policy.ask(pair) for pair in pairs] == [0.5] * 10
    assert look(2, 1) == [0.0] * 10 + [1.0]
    look(3, 0)
    assert look(103, 0)[0] == pytest.approx(0.5, abs=0.01)


def test_a_group_that_is_not_named_stays() -> None:
    """Coins leave together; the majors of the same maker, stressed as they are, do not."""
    policy = GroupPolicy(GroupParams(stress_vol=8, enter=0.3, groups=("alts",)))
    alt, major = Pair(0), Pair(1)
    alt.group = "alts"
    alt.own_vol = major.own_vol = 20.0

    for pair in (alt, major):
        policy.bid(pair)
    policy.update(at(1))

    assert (policy.bid(alt), policy.ask(alt)) == (0.0, 0.5)
    assert (policy.bid(major), policy.ask(major)) == (1.0, 1.0)


class Guarded(Strategy):
    """Asks its guard every second."""

    @attrs.frozen
    class Params(Strategy.Params):
        withdrawal: WithdrawalParams = attrs.field(factory=WithdrawalParams)

    def on_start(self) -> None:
        self.scales: list[tuple[float, float]] = []
        self.guard = Guard(self, SYMBOL, limit=2.0, withdrawal=self.params.withdrawal)
        self.set_timer("look", 1.0)

    def on_timer(self, name: str) -> None:
        self.scales.append(self.guard.look())


def guarded(*only: str, **changes: object) -> tuple[Bench, Guarded]:
    """A guarded bot with these policies, in a calm book."""
    bench = Bench.single(SYMBOL, auto=True)
    params = WithdrawalParams(only=only, **changes)  # type: ignore[arg-type]  # by name
    bot = bench.run(Guarded(Guarded.Params(params)))
    bench.play(f"0 book {SYMBOL} 99.9x9 | 100.1x9")
    return bench, bot


def margin(bench: Bench, uni_mmr: float, equity: float = 1000.0) -> Margin:
    """A margin state."""
    return Margin("leading", 0, bench.now_ns, equity, 1.0, 1.0, 1.0, uni_mmr, MarginBand.FREE)


def test_margin_stages_with_a_note_of_the_cause() -> None:
    """Full, half, no bids: as the makers do it."""
    bench, bot = guarded("margin", margin=MarginParams(halve_below=20.0, cancel_bids_below=10.0))
    for ratio in (50.0, 15.0, 8.0):
        bench.set_margin(margin(bench, ratio))
        bench.advance(1.0)

    assert bot.scales == [(1.0, 1.0), (0.5, 0.5), (0.0, 0.5)]
    bench.set_position(SYMBOL, -1000)
    bench.advance(1.0)
    assert bot.scales[-1] == (0.5, 0.0)
    assert [note[:2] for note in bench.notes] == [
        (NoteKind.QUOTES_REDUCED, WithdrawalCause.MARGIN),
        (NoteKind.QUOTES_WITHDRAWN, WithdrawalCause.MARGIN),
        (NoteKind.QUOTES_RESTORED, WithdrawalCause.MARGIN),
    ]


def test_drawdown_inventory_and_lost_hedges() -> None:
    """Each by itself."""
    bench, bot = guarded("drawdown")
    for equity in (1000.0, 800.0, 600.0):
        bench.set_margin(margin(bench, 99.0, equity))
        bench.advance(1.0)
    assert bot.scales[0] == (1.0, 1.0)
    assert bot.scales[1][0] == pytest.approx(0.5)
    assert bot.scales[2][0] == pytest.approx(0.0, abs=0.03)

    bench, bot = guarded("inventory")
    bench.set_position(SYMBOL, 2000)
    bench.advance(1.0)
    assert bot.scales == [(0.0, 1.0)]

    bench, bot = guarded("hedge_loss")
    bot.guard.conditions.hedge_lost_ns = bench.now_ns
    bench.advance(1.0)
    assert bot.scales == [(0.0, 0.0)]


def test_volatility_and_flow_are_measured_from_the_book() -> None:
    """A moving mid shrinks the sizes; the estimate is that of its moves."""
    bench, bot = guarded("volatility")
    for second in range(60):
        price = 100.0 * (1.0 + 0.01 * (second % 2))
        bench.play(f"0 book {SYMBOL} {price - 0.1:.1f}x9 | {price + 0.1:.1f}x9")
        bench.advance(5.0)
    move_bp = 10_000 * math.log(1.01)
    expected = math.sqrt(move_bp**2 / 5.0 * 60.0) / 5.0

    assert bot.guard._seen.own_vol == pytest.approx(expected, rel=0.05)
    assert bot.scales[0][0] > 0.9
    assert bot.scales[-1][0] < 0.5
