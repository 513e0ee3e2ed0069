"""Withdrawal policies: thresholds, hysteresis, staged return, composition, notes."""

from __future__ import annotations

import pytest

from exchange_sim.messages.reasons import NoteKind, WithdrawalCause
from exchange_sim.rng import Streams
from exchange_sim.units import NANOS_PER_S
from strategies.withdrawal import (
    Conditions,
    DrawdownParams,
    DrawdownPolicy,
    FactorParams,
    FactorPolicy,
    HedgeLossPolicy,
    InfrastructureParams,
    InfrastructurePolicy,
    InventoryPolicy,
    MarginParams,
    MarginPolicy,
    Policy,
    PolicySet,
    StagedReturn,
    ToxicityParams,
    ToxicityPolicy,
    VolatilityParams,
    VolatilityPolicy,
    WithdrawalParams,
    make_policies,
)

STREAM = Streams(1)


class Pair:
    """The part of a maker's pair that policies see."""

    def __init__(self, index: int = 0, *, is_major: bool = False) -> None:
        self.index = index
        self.is_major = is_major
        self.venue = "leading"
        self.group = ""
        self.own_vol = 1.0
        self.inventory = 0.0
        self.toxicity = 0.0


def at(seconds: float, **values: float) -> Conditions:
    """Conditions at a time."""
    conditions = Conditions()
    conditions.now_ns = int(seconds * NANOS_PER_S)
    for name, value in values.items():
        setattr(conditions, name, value)
    return conditions


def scale(policy: Policy, pair: Pair, conditions: Conditions) -> tuple[float, float]:
    """Bid and ask scale after an update."""
    policy.update(conditions)
    return policy.bid(pair), policy.ask(pair)


def volatility(k: float = 10.0, own: float = 0.2) -> VolatilityPolicy:
    """A policy with a known threshold."""
    params = VolatilityParams(limit_median=k, limit_log_sd=0.0, own_book_weight=own)
    return VolatilityPolicy(params, STREAM.stream("vol"))


@pytest.mark.parametrize(("vol", "expected"), [(0.0, 1.0), (10.0, 0.5), (30.0, 0.1)])
def test_volatility_halves_the_size_at_its_threshold(vol: float, expected: float) -> None:
    """1 / (1 + (s/k)^2), with market and own book alike."""
    pair = Pair()
    pair.own_vol = vol

    assert scale(volatility(), pair, at(1, market_vol=vol)) == pytest.approx((expected, expected))


def test_volatility_signal_is_a_geometric_mean() -> None:
    """A wild own book alone moves the signal by its weight only."""
    pair = Pair()
    pair.own_vol = 100.0
    wild = 100.0**0.2 / 10.0

    assert scale(volatility(), pair, at(1, market_vol=1.0))[0] == pytest.approx(1 / (1 + wild**2))


def test_volatility_falls_at_once_and_returns_in_stages() -> None:
    """Half of the way back takes one half-life, after the band is cleared."""
    policy, pair = volatility(own=0.0), Pair()
    low = scale(policy, pair, at(1, market_vol=30.0))[0]
    waiting = scale(policy, pair, at(100, market_vol=29.0))[0]
    back = scale(policy, pair, at(460, market_vol=0.0))[0]

    assert low == pytest.approx(0.1)
    assert waiting == low
    assert back == pytest.approx(0.1 + 0.9 / 2)


def test_makers_have_their_own_thresholds() -> None:
    """Drawn log-normally, so that makers leave one by one; the draw depends on the stream only."""
    params = VolatilityParams()
    limits = [VolatilityPolicy(params, STREAM.stream(f"mm-{k}")).limit for k in range(200)]
    again = [VolatilityPolicy(params, STREAM.stream(f"mm-{k}")).limit for k in range(200)]

    assert limits == again
    assert sorted(limits)[100] == pytest.approx(params.limit_median, rel=0.1)
    assert sorted(limits)[168] / sorted(limits)[32] == pytest.approx(2.718**0.8, rel=0.2)


def test_inventory_limit_cancels_one_side_with_hysteresis() -> None:
    """Bids go at +1 and come back under 0.8; asks likewise when short."""
    policy, pair = InventoryPolicy(), Pair()
    seen = []
    for inventory in (0.9, 1.0, 0.9, 0.79, -1.2, -0.9, -0.5):
        pair.inventory = inventory
        seen.append(scale(policy, pair, at(1)))

    assert seen == [(1, 1), (0, 1), (0, 1), (1, 1), (1, 0), (1, 0), (1, 1)]


def test_margin_halves_then_cancels_bids_then_returns_slowly() -> None:
    """uniMMR 1.5 and 1.2, each left only 0.1 above, with a half-life of five minutes."""
    policy, pair = MarginPolicy(MarginParams()), Pair()
    steps = [(0, 1.51), (1, 1.49), (2, 1.19), (3, 1.25), (303, 1.31), (604, 1.55), (904, 1.61)]
    seen = [scale(policy, pair, at(now, uni_mmr=ratio)) for now, ratio in steps]

    assert seen[:4] == [(1, 1), (0.5, 0.5), (0, 0.5), (0, 0.5)]
    assert seen[4][0] == pytest.approx(0.25)
    assert 0.25 < seen[5][0] < 0.5
    assert seen[5][1] == pytest.approx(0.5)
    assert seen[6][1] == pytest.approx(0.75)


@pytest.mark.parametrize(("loss", "expected"), [(0.05, 1.0), (0.1, 1.0), (0.2, 0.5), (0.4, 0.0)])
def test_drawdown_shrinks_sizes_linearly(loss: float, expected: float) -> None:
    """Full size to -10 %, nothing beyond -30 % of capital."""
    policy = DrawdownPolicy(DrawdownParams())

    assert scale(policy, Pair(), at(1, drawdown=loss))[0] == pytest.approx(expected)


def test_infrastructure_withdrawal_is_staggered_and_ends_after_the_outage() -> None:
    """Each maker leaves at its own time within the maximum delay; majors keep more than alts."""
    exits, alts, majors = [], [], []
    for k in range(40):
        policy = InfrastructurePolicy(InfrastructureParams(), STREAM.stream(f"infra-{k}"))
        alt, major = Pair(0), Pair(1, is_major=True)
        left = 0
        for second in range(0, 400, 2):
            policy.update(at(second + 1, outage=True))
            if policy.bid(alt) < 1.0 and not left:
                left = second
        exits.append(left)
        alts.append(policy.bid(alt))
        majors.append(policy.bid(major))
        for second in range(400, 4000, 2):
            policy.update(at(second, outage=False))
        assert policy.bid(alt) > 0.95
    early, late = sorted(exits)[4], sorted(exits)[-4]

    assert early < 60
    assert 180 < late <= 244
    assert all(0.02 <= value <= 0.1 for value in alts)
    assert all(0.25 <= value <= 0.6 for value in majors)


def test_nobody_leaves_before_the_least_delay() -> None:
    """It takes some minutes to see that a transfer will not arrive."""
    params = InfrastructureParams(delay_min_s=100.0, delay_max_s=120.0)
    policy, alt = InfrastructurePolicy(params, STREAM.stream("late")), Pair(0)
    scales = {}
    for second in range(0, 140, 2):
        policy.update(at(second + 1, outage=True))
        scales[second] = policy.bid(alt)

    assert scales[98] == 1.0
    assert scales[124] < 0.2


def test_trouble_of_one_venue_hits_its_own_pairs_most() -> None:
    """Pairs on another venue are cut less: only the inventory is stuck."""
    params = InfrastructureParams(delay_max_s=0.0, venues=("leading",))
    policy = InfrastructurePolicy(params, STREAM.stream("x"))
    here, there = Pair(0), Pair(1)
    there.venue = "second"
    for second in (1, 2, 3):
        policy.update(at(second, outage=True))

    assert policy.bid(here) <= 0.1
    assert 0.25 <= policy.bid(there) <= 0.6


def test_slow_acknowledgements_count_as_broken_infrastructure() -> None:
    """An ack older than 500 ms starts the same clock."""
    policy = InfrastructurePolicy(InfrastructureParams(delay_max_s=0.0), STREAM.stream("x"))
    for second in (1, 2, 3):
        policy.update(at(second, ack_ns=600_000_000))

    assert policy.bid(Pair()) <= 0.1


def test_hedge_loss_stops_quoting_for_a_while() -> None:
    """After auto-deleveraging nothing is quoted, then the size comes back slowly."""
    policy, pair = HedgeLossPolicy(pause_s=100.0, return_half_life_s=60.0), Pair()
    loss = 5 * NANOS_PER_S

    assert scale(policy, pair, at(10, hedge_lost_ns=loss)) == (0.0, 0.0)
    assert scale(policy, pair, at(104, hedge_lost_ns=loss)) == (0.0, 0.0)
    assert scale(policy, pair, at(164, hedge_lost_ns=loss))[0] == pytest.approx(0.5)


def test_toxic_flow_empties_one_pair_only() -> None:
    """The cool-off concerns the pair on which the flow is one-sided."""
    policy, bad, good = ToxicityPolicy(ToxicityParams()), Pair(0), Pair(1)
    bad.toxicity = 0.95
    policy.update(at(1))

    assert (policy.bid(bad), policy.bid(good)) == (0.0, 1.0)
    bad.toxicity = 0.1
    policy.update(at(100))
    assert policy.bid(bad) == 0.0
    policy.update(at(2000))
    assert policy.bid(bad) > 0.9


def test_smallest_scale_wins_and_names_the_cause() -> None:
    """Composition by minimum, the floor, and the note of the change."""
    drawdown, vol = DrawdownPolicy(DrawdownParams()), volatility()
    together, pair = PolicySet([drawdown, vol], floor=0.02), Pair()
    together.update(at(1, drawdown=0.2, market_vol=1.0))

    assert together.scales(pair)[0] == pytest.approx(0.5)
    assert together.change() == (NoteKind.QUOTES_REDUCED, WithdrawalCause.DRAWDOWN, 500_000)
    together.update(at(2, drawdown=0.27, market_vol=1.0))
    assert together.scales(pair)[0] == pytest.approx(0.15)
    assert together.change() == (NoteKind.QUOTES_REDUCED, WithdrawalCause.DRAWDOWN, 150_000)
    pair.own_vol = 1e4
    together.update(at(3, drawdown=0.0, market_vol=1e4))
    assert together.scales(pair) == (0.02, 0.02)
    kind, cause, _ = together.change() or (None, None, None)
    assert (kind, cause) == (NoteKind.QUOTES_WITHDRAWN, WithdrawalCause.VOLATILITY)


def test_return_is_noted_once_per_stage() -> None:
    """A maker that hovers around a stage does not fill the log."""
    drawdown = DrawdownPolicy(DrawdownParams(return_half_life_s=1.0))
    together, pair = PolicySet([drawdown]), Pair()
    kinds = []
    for second, loss in enumerate([0.0, 0.25, 0.25, 0.2, 0.21, 0.2, 0.21, 0.0, 0.0, 0.0, 0.0]):
        together.update(at(second * 10 + 1, drawdown=loss))
        together.scales(pair)
        change = together.change()
        if change:
            kinds.append(change[0])

    assert kinds == [NoteKind.QUOTES_REDUCED, NoteKind.QUOTES_RESTORED]


def test_no_policies_means_no_withdrawal() -> None:
    """With the mechanism switched off every scale stays 1 and nothing is noted."""
    nothing = PolicySet(())
    nothing.update(at(1, market_vol=1e6, drawdown=1.0, uni_mmr=0.5))

    assert nothing.scales(Pair()) == (1.0, 1.0)
    assert nothing.change() is None


def test_policies_are_chosen_by_parameters() -> None:
    """``None`` leaves a policy out; thresholds come from the stream."""
    everything = make_policies(WithdrawalParams(toxicity=ToxicityParams()), STREAM.stream("mm"))
    little = make_policies(
        WithdrawalParams(volatility=None, infrastructure=None, margin=None, drawdown=None),
        STREAM.stream("mm"),
    )

    assert [policy.cause for policy in little] == [
        WithdrawalCause.INVENTORY,
        WithdrawalCause.HEDGE_LOSS,
    ]
    assert len(everything) == 7


def test_staged_return_never_overshoots() -> None:
    """However long the step, the scale stays at or under its target."""
    state = StagedReturn()
    state.step(0.0, 0, 60.0 * NANOS_PER_S)
    values = [state.step(0.8, k * 10 * NANOS_PER_S, 60.0 * NANOS_PER_S) for k in range(1, 200)]

    assert values == sorted(values)
    assert values[5] == pytest.approx(0.4)
    assert values[-1] == pytest.approx(0.8)


def test_a_falling_lead_takes_all_bids_at_once_and_lets_them_back_late() -> None:
    """Out at the own limit, back once less than half of it is left, asks only shrink."""
    params = FactorParams(limit_median=0.01, limit_log_sd=0.0, return_half_life_s=60.0)
    policy, pair = FactorPolicy(params, STREAM.stream("mm")), Pair()
    assert policy.limit == pytest.approx(0.01)

    assert scale(policy, pair, at(1, lead_fall=0.0099)) == (1.0, 1.0)
    assert scale(policy, pair, at(2, lead_fall=0.0101)) == (0.0, 0.5)
    assert scale(policy, pair, at(3, lead_fall=0.006)) == (0.0, 0.5)
    assert scale(policy, pair, at(63, lead_fall=0.0049)) == (0.5, 0.75)
    assert scale(policy, pair, at(64, lead_fall=-0.02))[0] > 0.5


def test_limits_of_the_factor_differ_by_maker() -> None:
    """Each draws its own, around the median."""
    params = FactorParams(limit_median=0.01, limit_log_sd=0.25)
    limits = [FactorPolicy(params, STREAM.stream(f"mm-{k}")).limit for k in range(200)]

    assert len(set(limits)) == 200
    assert sorted(limits)[100] == pytest.approx(0.01, rel=0.1)
    assert make_policies(WithdrawalParams(only=("factor",)), STREAM.stream("mm"))[0].pulls


def test_bids_are_pulled_once_per_withdrawal() -> None:
    """The wake-up in which the last bid has to go is told; the notes know of all pairs."""
    policies = make_policies(WithdrawalParams(only=("factor",)), STREAM.stream("mm"))
    together, told = PolicySet(policies), []
    for second, fall in enumerate([0.0, 0.5, 0.5, 0.0, 0.5]):
        together.update(at(second * 100 + 1, lead_fall=fall))
        told.append(together.pulls())
    assert told == [False, True, False, False, True]

    together.withdrawn(Pair(7))
    assert together.change() == (NoteKind.QUOTES_WITHDRAWN, WithdrawalCause.FACTOR, 0)
