"""The run as a whole: determinism, clockwork, sampling, ending properly."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs
import pytest

from exchange_sim.errors import UsageError
from exchange_sim.eventlog import EventLog
from exchange_sim.journal import JournalHeader, JournalReader, JournalWriter
from exchange_sim.sim import Run, VenueTiming
from exchange_sim.strategy import IOC, LIMIT, NoteKind, Strategy
from tests.doubles.sim_world import MS, PERP, QUIET, SPOT, START_NS, add, fund, make_run, quote

SYMBOL = "leading:BTCUSDT"
SECOND = 1_000 * MS


class Noise(Strategy):
    """Random orders around the touch, on its own stream."""

    def on_start(self) -> None:
        self.subscribe_book(SYMBOL, 5)
        self.set_timer("go", 0.02, jitter=0.02)

    def on_timer(self, name: str) -> None:
        book = self.book(SYMBOL)
        price = (book.last_ticks or 1_000_000) + self.rng.randrange(-3, 4)
        tif = IOC if self.rng.random() < 0.3 else 0
        side, lots = self.rng.randrange(2), self.rng.randrange(1, 20)
        self.submit(self.market(SYMBOL), side, lots, price, LIMIT, tif)


class Silent(Strategy):
    """Looks at everything, sends nothing."""

    def on_start(self) -> None:
        self.subscribe_book(SYMBOL, 100, None)
        self.subscribe_trades(SYMBOL)
        self.set_timer("look", 0.005, jitter=0.001)

    def on_book(self, book: Any) -> None:
        self.rng.random()

    def on_trade(self, trade: Any) -> None:
        self.last_trades(SYMBOL, 10)

    def on_timer(self, name: str) -> None:
        self.margin("leading")
        self.position(SYMBOL)


def noisy(names: list[str], seconds: float = 3, silent: bool = False, **options: Any) -> Run:
    run = make_run(timings=[VenueTiming(), VenueTiming()], **options)
    quote(run, SPOT)
    accounts = [fund(run, "leading") for _ in range(4)]
    if silent:
        run.add_strategy("aaa-silent", Silent(), {"leading": accounts[3]})
    for name, account in zip(names, accounts, strict=False):
        run.add_strategy(name, Noise(), {"leading": account})
    run.result = run.execute(START_NS + round(seconds * SECOND))  # type: ignore[attr-defined]  # for the test
    return run


def tape(run: Run) -> list[tuple[int, ...]]:
    return [event[1:8] for _, _, event in run.feed._tapes[SPOT].trades]


def test_same_seed_twice_in_one_process_gives_the_same_state():
    """DET-1."""
    first, second = noisy(["a", "b"]), noisy(["a", "b"])

    assert first.result == second.result  # type: ignore[attr-defined]  # set by noisy
    assert tape(first) == tape(second)
    assert len(tape(first)) > 20
    assert noisy(["a", "b"], seed=8).world.state_digest() != first.world.state_digest()


def test_added_silent_strategy_changes_no_other_stream():
    """DET-6: the same trades, with a strategy that only looks standing first in line."""
    assert tape(noisy(["a", "b"], silent=True)) == tape(noisy(["a", "b"]))


def test_order_of_adding_strategies_does_not_matter_to_their_streams():
    """Streams, links and tie-breaks depend on names, not on positions."""
    prices = [[t[2:4] for t in tape(noisy(names))] for names in (["a", "b"], ["b", "a"])]
    assert prices[0] == prices[1]


SCRIPT = """
import sys
sys.path.insert(0, {root!r})
from tests.sim.test_run import noisy
print(noisy(["a", "b"], 1.0).result.state_digest)
"""


def test_digest_does_not_depend_on_process_or_hash_seed():
    """DET-2 and DET-3."""
    root = str(Path(__file__).parents[2])
    digests = set()
    for hash_seed in ("0", "42"):
        found = subprocess.run(
            [sys.executable, "-c", SCRIPT.format(root=root)],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        digests.add(found.stdout.strip())
    assert len(digests) == 1


def commands_of(run: Run) -> list[tuple[int, ...]]:
    """Spy on everything that is applied from now on."""
    seen: list[tuple[int, ...]] = []
    original = run.exchange._apply

    def spy(command: tuple[int, ...]) -> Any:
        seen.append(command)
        return original(command)

    run.exchange._apply = spy
    return seen


def test_clockwork_runs_at_whole_multiples_in_its_order():
    """Marks each second, interest and funding where due, marks first."""
    timing = attrs.evolve(
        QUIET,
        mark_interval_ns=SECOND,
        interest_interval_ns=2 * SECOND,
        funding_interval_ns=4 * SECOND,
    )
    run = make_run(timings=[timing, QUIET])
    seen = commands_of(run)
    run.execute(START_NS + 4 * SECOND + MS)

    assert [(c[0], (c[1] - START_NS) // MS) for c in seen] == [
        (10, 1000), (10, 2000), (12, 2000), (10, 3000), (10, 4000), (12, 4000), (11, 4000),
    ]  # fmt: skip


def test_orders_with_an_expiry_are_expired_by_the_venue():
    """ExpireOrders is sent once somebody used an expiry, not before."""

    class Gtd(Strategy):
        def on_start(self) -> None:
            self.order = self.buy(
                SYMBOL, 0.1, 90_000, tif="GTD", expire_ns=self.now_ns + 1_500 * MS
            )

        def on_order_update(self, order: Any) -> None: ...

    run, bot = make_run(timings=[attrs.evolve(QUIET, expiry_interval_ns=SECOND), QUIET]), Gtd()
    add(run, "bot", bot)
    seen = commands_of(run)
    run.execute(START_NS + 3 * SECOND)

    assert [c[0] for c in seen] == [1, 14, 14]
    assert bot.order.status.name == "EXPIRED"


class Sink:
    """A book sink that remembers what it was given."""

    def __init__(self) -> None:
        self.rows: list[tuple[Any, ...]] = []

    def sample_columns(self, *row: Any) -> None:
        self.rows.append((*row[:4], *map(list, row[4:])))

    def repeat(self, time_ns: int, instrument: int) -> None:
        self.rows.append((time_ns, instrument, "as before"))


def test_book_is_sampled_each_second():
    """Touch and levels of every instrument; an unchanged book is only said to be unchanged."""
    sink = Sink()
    run = make_run(book_sink=sink)
    quote(run, SPOT, levels=2, lots=10)
    run.execute(START_NS + 2 * SECOND + MS)
    of_spot = [row for row in sink.rows if row[1] == SPOT]
    columns = [999_998, 999_999], [10, 10], [-1_000_002, -1_000_001], [10, 10]

    assert of_spot == [
        (START_NS + SECOND, SPOT, 999_999, 1_000_001, *columns),
        (START_NS + 2 * SECOND, SPOT, "as before"),
    ]
    assert sink.rows[1] == (START_NS + SECOND, PERP, 0, 0, [], [], [], [])


def recorded(tmp_path: Path, seconds: float, **kwargs: Any) -> tuple[Run, Any]:
    header = JournalHeader("test", 7, "{}", "0", "3")
    journal = JournalWriter(tmp_path / "journal.bin", header)
    run = make_run(journal=journal, log=EventLog(tmp_path), timings=[VenueTiming(), QUIET])
    quote(run, SPOT)
    add(run, "a", Noise())
    for name, strategy in kwargs.items():
        add(run, name, strategy)
    return run, seconds


def journal_of(directory: Path) -> tuple[list[tuple[int, ...]], bool]:
    """All commands, and whether there was a footer."""
    with JournalReader(directory / "journal.bin") as reader:
        return list(reader.commands()), reader.complete


def test_journal_replays_to_the_same_digest_without_strategies(tmp_path):
    """LOG-3: the journal is enough; replay needs neither SimPy nor strategies."""
    from exchange_sim.world import World
    from tests.doubles.sim_world import make_config

    run, _ = recorded(tmp_path, 2)
    result = run.execute(START_NS + 2 * SECOND)
    world = World(make_config())
    log = EventLog(None)
    for command in journal_of(tmp_path)[0]:
        log.record(world.seq + 1, command[1], world.apply(command))

    assert world.seq == result.seq
    assert world.state_digest() == result.state_digest
    assert log.digest() == result.event_digest


def test_ctrl_c_closes_journal_and_log_and_says_so(tmp_path):
    """The first Ctrl-C ends the run at a whole second, with a readable, incomplete journal."""

    class Pressing(Strategy):
        def on_start(self) -> None:
            self.set_timer("press", 1.5, repeat=False)

        def on_timer(self, name: str) -> None:
            os.kill(os.getpid(), signal.SIGINT)

    run, _ = recorded(tmp_path, 60, b=Pressing())
    before = signal.getsignal(signal.SIGINT)
    result = run.execute(START_NS + 60 * SECOND)
    commands, complete = journal_of(tmp_path)

    assert result.interrupted
    assert complete
    assert result.time_ns == START_NS + 2 * SECOND
    assert len(commands) == result.seq
    assert signal.getsignal(signal.SIGINT) is before
    assert (tmp_path / "events").is_dir()


def test_failed_run_leaves_a_readable_journal(tmp_path):
    """A strategy fault ends the run; what was applied can be replayed."""

    class Bad(Strategy):
        def on_start(self) -> None:
            self.set_timer("t", 1.0)

        def on_timer(self, name: str) -> None:
            raise RuntimeError("bad")

    run, _ = recorded(tmp_path, 60, b=Bad())
    with pytest.raises(Exception, match="RuntimeError: bad"):
        run.execute(START_NS + 60 * SECOND)
    commands, complete = journal_of(tmp_path)

    assert not complete
    assert commands[-1][0] == 40
    assert commands[-1][3] == NoteKind.STRATEGY_FAULT


def test_progress_is_told_once_per_simulated_second():
    """Time and commands, for a progress bar."""
    run = make_run()
    told: list[tuple[int, int]] = []
    run.execute(START_NS + 2 * SECOND + 500 * MS, lambda now, n: told.append((now, n)))

    assert [(now - START_NS) // MS for now, _ in told] == [1000, 2000, 2500]


def test_simpy_process_of_a_user_can_drive_the_run():
    """The kernel is open: a process halts an instrument after a second."""
    run = make_run()

    def halt() -> Any:
        yield run.kernel.timeout(SECOND)
        run.exchange.apply((15, run.kernel.now_ns, SPOT, 1))

    run.kernel.process(halt())
    run.execute(START_NS + 2 * SECOND)

    assert run.world.status[SPOT] == 1  # type: ignore[attr-defined]  # the real world


def test_runs_can_be_continued_in_steps():
    """kernel.run in pieces equals one run: gateway and tests step through time."""
    whole, pieces = noisy(["a"], 2), make_run(timings=[VenueTiming(), VenueTiming()])
    quote(pieces, SPOT)
    accounts = [fund(pieces, "leading") for _ in range(4)]
    pieces.add_strategy("a", Noise(), {"leading": accounts[0]})
    pieces.start()
    for i in range(1, 201):
        pieces.kernel.run(START_NS + i * 10 * MS)

    assert tape(pieces) == tape(whole)


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"policy": "ignore"}, "fault policy"),
        ({"name": "taken"}, "two strategies"),
        ({"accounts": {"nowhere": 1}}, "no venue 'nowhere'"),
    ],
)
def test_mistakes_in_assembling_a_run_are_named(wrong, text):
    """UsageError with the culprit."""
    run = make_run()
    add(run, "taken", Strategy())
    arguments = {"name": "x", "accounts": {"leading": fund(run, "leading")}, **wrong}
    name, accounts = arguments.pop("name"), arguments.pop("accounts")

    with pytest.raises(UsageError, match=text):
        run.add_strategy(name, Strategy(), accounts, **arguments)
    with pytest.raises(UsageError, match="timings"):
        make_run(timings=[QUIET])
    assert run.names.markets[PERP].is_perpetual
