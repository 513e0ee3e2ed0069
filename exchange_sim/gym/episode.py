"""One episode: a scenario with seats in it, stepped from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

import attrs

from exchange_sim.errors import UsageError
from exchange_sim.gym.seat import Floats, Seat, SeatParams
from exchange_sim.scenario.build import BuiltRun, FinishedRun, build_run
from exchange_sim.scenario.load import load
from exchange_sim.scenario.participants import LatencyDef, LinkDef, ParticipantDef
from exchange_sim.scenario.scenario import Scenario
from exchange_sim.strategy.load import build_params, nearest
from exchange_sim.units import NANOS_PER_MS, NANOS_PER_S, parse_duration
from exchange_sim.world.margin import net_worth

SEAT: Final = "learner"
"""Name of the participant; several are ``learner-1``, ``learner-2`` ..."""

_LINK: Final = LinkDef(base_ns=5 * NANOS_PER_MS, jitter_ns=NANOS_PER_MS)


@attrs.frozen(kw_only=True)
class Setting:
    """What all episodes of an environment share; ``MakerEnv`` tells the meaning of the fields."""

    scenario: Scenario
    symbol: str
    step_ns: int
    episode_ns: int
    warmup_ns: int = 0
    seats: int = 1
    capital: Mapping[str, Decimal]
    params: Mapping[str, Any] = attrs.field(factory=dict)

    @classmethod
    def of(
        cls,
        scenario: str | Path | Scenario,
        symbol: str | None,
        step: str,
        episode: str | None,
        warmup: str,
        capital: Mapping[str, float | str] | None,
        seats: int,
        overrides: Sequence[str],
        without: Sequence[str],
        params: Mapping[str, Any],
    ) -> Setting:
        """Check and join.  Raises ``UsageError`` and ``ScenarioError``."""
        loaded = scenario if isinstance(scenario, Scenario) else load(scenario, overrides, without)
        names = [item.name for item in loaded.instruments]
        if symbol is None:
            perpetuals = [item.name for item in loaded.instruments if item.kind != "SPOT"]
            symbol = (perpetuals or names)[0]
        if symbol not in names:
            raise UsageError(f"there is no instrument {symbol!r}; {nearest(symbol, names)}")
        step_ns = _duration("step", step)
        warmup_ns, whole = _duration("warmup", warmup, least=0), loaded.about.duration_ns
        length = whole - warmup_ns if episode is None else _duration("episode", episode)
        if not step_ns <= length <= whole - warmup_ns:
            raise UsageError(
                f"{loaded.name} lasts {whole / NANOS_PER_S:g} s: too short for a warm-up of"
                f" {warmup!r}, an episode of {episode!r} and steps of {step!r}"
            )
        venue = next(item.venue for item in loaded.instruments if item.name == symbol)
        numeraire = loaded.venues[venue].numeraire
        wanted = capital or {numeraire: "1000000"}
        for asset in wanted:
            if asset not in loaded.assets:
                raise UsageError(
                    f"there is no asset {asset!r}; {nearest(asset, list(loaded.assets))}"
                )
        made = cls(
            scenario=loaded,
            symbol=symbol,
            step_ns=step_ns,
            episode_ns=length,
            warmup_ns=warmup_ns,
            seats=seats,
            capital={asset: _amount(asset, amount) for asset, amount in sorted(wanted.items())},
            params=dict(params),
        )
        lot = next(item.lot_size for item in loaded.instruments if item.name == symbol)
        if Decimal(made.seat_params.qty_max) < lot:
            raise UsageError(
                f"qty_max={made.seat_params.qty_max} is less than the smallest quantity of"
                f" {symbol}, {lot}: nothing could be quoted"
            )
        return made

    @property
    def seat_params(self) -> SeatParams:
        """The parameters of a seat.  Raises ``StrategyLoadError`` for unsuitable ones."""
        made: SeatParams = build_params(Seat, {"symbol": self.symbol, **self.params})
        return made

    def with_seats(self, seed: int) -> Scenario:
        """The scenario with the learners among its participants, and its seed."""
        if any(item.name == SEAT for item in self.scenario.participants):
            raise UsageError(f"the scenario has a participant {SEAT!r} of its own")
        venue = self.symbol.partition(":")[0]
        item = ParticipantDef(
            name=SEAT,
            class_ref="exchange_sim.gym.seat:Seat",
            count=self.seats,
            venues=(venue,),
            capital=dict(self.capital),
            latency=LatencyDef(order=_LINK, ack=_LINK, market_data=_LINK),
            params={"symbol": self.symbol, **self.params},
        )
        participants = sorted((*self.scenario.participants, item), key=lambda one: one.name)
        about = attrs.evolve(self.scenario.about, seed=seed)
        return attrs.evolve(self.scenario, participants=tuple(participants), about=about)


def _amount(asset: str, amount: float | str) -> Decimal:
    try:
        value = Decimal(str(amount))
    except InvalidOperation:
        value = Decimal(-1)
    if not value.is_finite() or value < 0:
        raise UsageError(f"capital of {asset}: {amount!r} is no amount of at least 0")
    return value


def _duration(what: str, text: str, least: int = 1) -> int:
    try:
        value = parse_duration(text)
    except ValueError as bad:
        raise UsageError(f"{what}={text!r} is no duration such as '100ms' or '5m'") from bad
    if value < least:
        raise UsageError(f"{what}={text!r} is {'not above' if least else 'below'} zero")
    return value


class Episode:
    """A run with its seats; ``advance`` moves the whole market by one step."""

    def __init__(self, setting: Setting, seed: int, out: Path | None = None) -> None:
        self.setting = setting
        self.built: BuiltRun = build_run(setting.with_seats(seed), out)
        self._run = self.built.run
        start_ns = self._run.kernel.now_ns + setting.warmup_ns
        self._end_ns = start_ns + setting.episode_ns
        agents = [a for a in self._run.host.agents if isinstance(a.strategy, Seat)]
        self._agents = agents
        self.seats: list[Seat] = [a.strategy for a in agents if isinstance(a.strategy, Seat)]
        self.accounts = [agent.sessions[0].account for agent in agents]
        self._run.start()
        self._run.kernel.run(start_ns)
        self._scale = self._numeraire_scale()
        self.opening = [self.worth(seat) for seat in range(len(agents))]

    def _numeraire_scale(self) -> int:
        world = self.built.world
        venue = world.accounts[self.accounts[0]].venue
        return world.config.assets[world.config.venues[venue].numeraire].asset.scale

    @property
    def now_ns(self) -> int:
        """Simulated time."""
        return self._run.kernel.now_ns

    @property
    def over(self) -> bool:
        """Whether the episode has reached its end."""
        return self.now_ns >= self._end_ns

    def quote(self, seat: int, action: Floats) -> None:
        """Let a seat send what the action says; the orders travel over its link."""
        self._agents[seat].prompt(self.seats[seat].requote, action)

    def advance(self) -> None:
        """Run the market for one step."""
        self._run.kernel.run(min(self.now_ns + self.setting.step_ns, self._end_ns))

    def look(self, seat: int) -> dict[str, Floats]:
        """What a seat sees now."""
        agent = self._agents[seat]
        agent.take_in()
        return self.seats[seat].look()

    def worth(self, seat: int) -> float:
        """Net worth at the venue's prices in the numeraire: the truth, not the delayed view."""
        world = self.built.world
        account = world.accounts[self.accounts[seat]]
        return net_worth(world, account) / self._scale

    def ruined(self, seat: int) -> bool:
        """Whether the venue has begun to liquidate the account, or nothing is left of it."""
        account = self.built.world.accounts[self.accounts[seat]]
        return bool(account.liquidating) or self.seats[seat].liquidated or self.worth(seat) <= 0

    def close(self) -> FinishedRun:
        """End the run here and close its files."""
        self.built.until_ns = self.now_ns
        return self.built.execute()
