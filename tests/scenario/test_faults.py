"""Outages, halts, connections and fault policies as scenarios write them, down to what they do."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from exchange_sim import load, run
from exchange_sim.errors import ScenarioError, StrategyFault
from exchange_sim.eventlog.schema import table_name
from exchange_sim.messages.events import AuctionUncrossed, InstrumentStatusChanged
from exchange_sim.messages.gateway import CommandRefused
from exchange_sim.messages.reasons import RejectReason
from exchange_sim.scenario.build import build_run
from exchange_sim.sim.links import Latency
from tests.e2e.harness import events, here, run_into

HERE = Path(__file__).parent

FILE = """
extends = "first_trade"

[latency.home]
order = {{ base = "4ms", jitter = "2ms", distribution = "uniform" }}
ack = {{ base = "4ms", jitter = "2ms", distribution = "lognormal", sigma = 0.25 }}
market_data = {{ base = "4ms", jitter = "2ms", distribution = "constant" }}
conflation = "500ms"
disconnect_every = "2s"
disconnect_for = "200ms"
cancel_on_disconnect = true

[[participants]]
name = "bot"
class = "{folder}/bot.py:Bot"
venue = "demo"
capital = {{ USDT = 100000 }}
latency = "home"
orders_per_s = 50
{extra}
"""

BOT = """
from exchange_sim import Strategy

class Bot(Strategy):
    def on_start(self):
        self.seen, self.heard, self.why = set(), [], []
        self.subscribe_book("demo:BTCUSDT", depth=5, interval=None)
        self.set_timer("look", 0.05)
    def on_timer(self, name):
        self.seen.add(self.book("demo:BTCUSDT").time_ns)
        order = self.buy("demo:BTCUSDT", 0.001, 90_000)
    def on_book(self, book):
        self.heard.append(self.now_ns)
    def on_disconnect(self, venue, reason):
        self.why.append((self.now_ns, reason))
    def on_reconnect(self, venue):
        self.why.append((self.now_ns, "back"))
        {reconnected}
"""


def written(folder: Path, extra: str = "", reconnected: str = "pass") -> Path:
    """A scenario with one bot."""
    (folder / "bot.py").write_text(BOT.replace("{reconnected}", reconnected))
    path = folder / "it.toml"
    path.write_text(FILE.format(folder=folder, extra=extra))
    return path


def problems(path: Path) -> list[str]:
    """Every mistake of a file."""
    with pytest.raises(ScenarioError) as caught:
        load(path)
    return [flat(str(problem)) for problem in caught.value.problems]


def flat(text: str) -> str:
    """A message with its hint, in one line."""
    return text.replace("\n    hint: ", "; ").replace("error: ", "")


def test_connection_profile_reaches_the_shell(tmp_path: Path) -> None:
    """Distributions per direction, conflated views, sessions lost at random, orders cancelled."""
    built = build_run(load(written(tmp_path)))
    plain = build_run(load(written(tmp_path), ["latency.home.conflation=0s"]))
    agent = next(agent for agent in built.run.host.agents if agent.name == "bot")
    (session,) = agent.sessions
    assert session.entry.latency == Latency(4_000_000, 2_000_000, "uniform", 0.5)
    assert session.replies.latency == Latency(4_000_000, 2_000_000, "lognormal", 0.25)
    assert agent.readers[0].link.latency == Latency(4_000_000, 2_000_000, "constant", 0.5)
    assert session.cancel_on_disconnect
    assert session.rate_interval_ns == 20_000_000
    assert agent.policy == "stop"

    built.execute()
    plain.execute()
    bot = vars(agent.strategy)
    often = vars(next(a.strategy for a in plain.run.host.agents if a.name == "bot"))
    assert 5 < 2 * len(bot["seen"]) < len(often["seen"])
    assert min(b - a for a, b in pairwise(bot["heard"])) >= 490_000_000
    assert min(b - a for a, b in pairwise(often["heard"])) < 10_000_000
    why = bot["why"]
    assert [text for _, text in why[:2]] == ["connection lost", "back"]
    assert len(why) >= 4


def test_random_disconnects_depend_on_the_seed_only(tmp_path: Path) -> None:
    """Twice the same run, and another one with another seed."""
    path = written(tmp_path)
    first, again, other = (run(path, seed=seed).digest for seed in (1, 1, 2))

    assert first == again != other


@pytest.mark.parametrize(
    ("outage", "reason"),
    [
        ('kind = "api"\nshare = 1.0', RejectReason.VENUE_DOWN),
        ('kind = "venue"', RejectReason.VENUE_DOWN),
        ('kind = "disconnect"\nstrategies = "bot"', RejectReason.VENUE_DOWN),
    ],
)
def test_outages_refuse_and_the_log_says_so(
    outage: str, reason: RejectReason, tmp_path: Path
) -> None:
    """Kinds that refuse: events of the bot during the outage, none before it."""
    text = f'[[outages]]\nname = "o"\nvenue = "demo"\nstart = "4s"\nend = "6s"\n{outage}\n'
    path = written(tmp_path, text)
    path.write_text(path.read_text().replace('disconnect_every = "2s"', 'disconnect_every = "9h"'))
    directory = run_into(tmp_path / "runs", scenario=path)
    refused = events(directory, table_name(CommandRefused)).to_pylist()
    start = load(path).start_ns

    assert len(refused) > 30
    assert {row["reason"] for row in refused} == {reason}
    assert all(4 <= (row["time_ns"] - start) / 1e9 <= 6.1 for row in refused)
    assert here("verify", directory).code == 0


@pytest.mark.parametrize(
    "outage",
    [
        'kind = "slow"\nfactor = 1000',
        'kind = "latency"\ndelay = "1s"',
        'kind = "stall"',
        'kind = "feed_delayed"\ndelay = "2s"',
    ],
)
def test_other_kinds_change_the_run(outage: str, tmp_path: Path) -> None:
    """They reach the engine, the links or the feed: what happens is not what happened."""
    text = f'[[outages]]\nname = "o"\nvenue = "demo"\nstart = "2s"\nend = "8s"\n{outage}\n'
    plain = run(written(tmp_path), overrides=["venues.demo.service_time=1ms"]).digest
    digest = run(written(tmp_path, text), overrides=["venues.demo.service_time=1ms"]).digest

    assert digest != plain


def test_halt_ends_with_an_auction(tmp_path: Path) -> None:
    """Halted, collected, uncrossed at one price: in the log at the announced times."""
    text = '[[halts]]\nname = "pause"\nvenue = "demo"\nstart = "3s"\nend = "6s"\nauction = "1s"\n'
    path = written(tmp_path, text)
    directory = run_into(tmp_path / "runs", scenario=path)
    start = load(path).start_ns
    statuses = events(directory, table_name(InstrumentStatusChanged)).to_pylist()
    uncrossed = events(directory, table_name(AuctionUncrossed)).to_pylist()
    traded = events(directory, "traded").column("time_ns").to_pylist()

    assert [(r["time_ns"] - start, r["status"]) for r in statuses] == [
        (3_000_000_000, 1), (5_000_000_000, 2), (6_000_000_000, 0),
    ]  # fmt: skip
    assert [row["time_ns"] - start for row in uncrossed] == [6_000_000_000]
    assert not [t for t in traded if 3_000_000_000 < t - start < 6_000_000_000]


def test_fault_policy_of_a_scenario(tmp_path: Path) -> None:
    """``stop`` ends the run, ``cancel_and_disable`` and ``continue`` do not."""
    codes = {}
    for policy in ("stop", "cancel_and_disable", "continue"):
        path = written(tmp_path, f'on_fault = "{policy}"', reconnected="1 / 0")
        if policy == "stop":
            with pytest.raises(StrategyFault, match=r"bot\.py:\d+: .*on_reconnect"):
                run(path)
            continue
        codes[policy] = run(path).result.fault_count

    assert codes["cancel_and_disable"] == 1
    assert codes["continue"] > 1


def test_mistakes_are_located(tmp_path: Path) -> None:
    """Every one, each at its line, with what would be right."""
    text = """on_fault = "explode"
[[outages]]
name = "a"
kind = "slow"
venue = "demo"
start = "1s"
end = "2s"
share = 0.5
[[outages]]
name = "b"
kind = "disconnect"
venue = "demo"
start = "1s"
end = "2s"
strategies = ["bott"]
[[halts]]
name = "h"
start = "1s"
end = "3s"
auction = "5s"
[[halts]]
name = "i"
venue = "demo"
start = "2s"
end = "4s"
[[halts]]
name = "j"
instruments = "demo:BTCUSDT"
start = "3s"
end = "5s"
"""
    found = problems(written(tmp_path, text))

    for told in (
        'participants.bot.on_fault must be one of "stop", "cancel_and_disable", "continue"',
        "outages.a: an outage of kind 'slow' has no 'share'; kinds: api",
        "there is no participant 'bott'; did you mean 'bot'?",
        "halts.h concerns nothing; give instruments or venue",
        "halts.h: the auction is as long as the halt",
        "halts.j: demo:BTCUSDT is halted by halts.i at the same time",
    ):
        assert any(told in line for line in found), (told, found)
    assert len(found) == 6


def test_options_of_an_added_strategy(tmp_path: Path) -> None:
    """``--name``, ``--latency`` and ``--on-fault``, checked like the keys of a file."""
    written(tmp_path)
    bot = ("--strategy", f"{tmp_path / 'bot.py'}:Bot", "--venue", "demo", "--capital", "USDT=1000")
    base = ("run", tmp_path / "it.toml", "--no-log", "--until", "1s", *bot)

    assert here(*base, "--name", "mine", "--latency", "home", "--on-fault", "continue").code == 0
    done = here(*base, "--name", "bot", "--latency", "hom", "--on-fault", "explode")
    wrong = flat(done.err)
    assert done.code == 2
    assert "--latency hom: there is no latency profile 'hom'; did you mean 'home'?" in wrong
    assert '--on-fault explode: participants.bot.on_fault must be one of "stop"' in wrong
    assert "participants: 'bot' exists twice" in wrong
    alone = here("run", "first_trade", "--no-log", "--name", "mine")
    assert "--name describes an added strategy" in alone.err
