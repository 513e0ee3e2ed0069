"""What a stranger gets wrong with ``run --strategy``: one located message, the nearest name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.harness import SMALL, here
from tests.scenario.test_faults import flat

HEAD = """
import attrs
from exchange_sim import Strategy

SYMBOL = "leading:ALTUSDT"


class Bot(Strategy):
    @attrs.frozen
    class Params(Strategy.Params):
        symbol: str = SYMBOL
        size: float = 1.0
        levels: int = 3
        careful: bool = True


class Needs(Strategy):
    @attrs.frozen
    class Params(Strategy.Params):
        size: float


class Apart:
    pass
"""

OPTIONS: dict[str, tuple[list[str], str]] = {
    "file": (["--strategy", "{}/bto.py:Bot"], "there is no file"),
    "class": (["--strategy", "{}/bot.py:Bott"], "did you mean 'Bot'?"),
    "no class": (
        ["--strategy", "{}/bot.py"],
        "which class of the file? It has Bot, Needs, Apart; write",
    ),
    "empty class": (["--strategy", "{}/bot.py:"], "which class of the file? It has Bot"),
    "no file, no class": (["--strategy", "{}/bto.py"], "write file.py:Class"),
    "not a strategy": (["--strategy", "{}/bot.py:Apart"], "not a subclass of Strategy"),
    "folder": (["--strategy", "{}:Bot"], 'must be "package.module:Class", "file.py:Class"'),
    "syntax": (["--strategy", "{}/syntax.py:Bot"], "syntax.py:2: importing"),
    "import": (["--strategy", "{}/imports.py:Bot"], "No module named 'numpyy'"),
    "exits": (["--strategy", "{}/exits.py:Bot"], "exits.py:1: importing"),
    "binary": (["--strategy", "{}/binary.py:Bot"], "binary.py: importing"),
    "module": (["--strategy", "strategies.ladderr:A"], "did you mean 'strategies.ladder'?"),
    "package": (["--strategy", "ladder:LadderMaker"], "did you mean 'strategies.ladder'?"),
    "word": (["--strategy", "ladder"], "no strategy is registered as 'ladder'"),
    "param": (["--param", "siz=1"], "--param siz=1: unknown parameter 'siz'; did you mean 'size'?"),
    "param missing": (["--strategy", "{}/bot.py:Needs"], "parameter 'size' is missing"),
    "param type": (["--param", "size=big"], "parameter 'size': expected a number, got str 'big'"),
    "param whole": (["--param", "levels=1.5"], "parameter 'levels': expected a whole number"),
    "param bool": (["--param", "careful=maybe"], "expected true or false, got str 'maybe'"),
    "param nan": (["--param", "size=nan"], "must be a finite number"),
    "param no =": (["--param", "size"], "--param size: must be NAME=VALUE"),
    "param twice": (
        ["--param", "size=1", "--param", "size=2"],
        "size is given twice, first as '1'",
    ),
    "symbol": (["--param", "symbol=leading:ALTUSD"], "did you mean 'leading:ALTUSDT'?"),
    "venue": (["--venue", "leadin"], "--venue leadin: there is no venue 'leadin'; did you mean"),
    "asset": (["--capital", "USDTT=1"], "there is no asset 'USDTT'; did you mean 'USDT'?"),
    "negative": (["--capital", "ALT=-1"], "capital.ALT must be a number of at least 0, not -1"),
    "nan": (["--capital", "ALT=nan"], "capital.ALT must be a number of at least 0, not NaN"),
    "words": (["--capital", "ALT=lots"], 'must be a number of at least 0, not "lots"'),
    "too fine": (["--capital", "USDT=0.0000000001"], "decimals of its asset"),
    "capital twice": (["--capital", "ALT=1", "--capital", "ALT=2"], "ALT is given twice"),
    "name taken": (["--name", "mm-1"], "the name 'mm-1' is taken by participant 'mm'"),
    "name": (["--name", "a b"], "must be a name of letters, digits"),
    "latency": (["--latency", "neer"], "did you mean 'near'?"),
    "policy": (["--on-fault", "stopp"], "did you mean 'stop'?"),
    "leak": (["--leak-limit", "lots"], "--leak-limit lots: participants.added-bot.leak_limit must"),
    "leak low": (["--leak-limit", "5"], "leak_limit must be a whole number from 1000"),
}
"""Options in place of, or beside, good ones; what is told."""

BODIES: dict[str, tuple[str, str]] = {
    "async": ("async def on_start(self): ...", "bot.py:5: on_start is async"),
    "generator": ("def on_start(self):\n        yield", "bot.py:5: on_start is a generator"),
    "signature": ("def on_timer(self): ...", "write def on_timer(self, name)"),
    "misspelt": ("def on_tick(self, x): ...", "on_tick is no callback and would never be called"),
    "from elsewhere": ("def on_quote_tick(self, tick): ...", "here it is on_book"),
    "no function": ("on_book = 5", "Bot.on_book is 5, which cannot be called"),
    "constructor": ("def __init__(self, size, spread): ...", "missing a required argument"),
    "no parameters": ("def __init__(self): ...", "write def __init__(self, params)"),
    "plain Params": ("class Params:\n        size = 1", "decorate it with @attrs.frozen"),
}
"""Bodies of a strategy class that are told before anything runs."""

CALLS: dict[str, tuple[str, str]] = {
    "market": ("buy('leading:ALTUSD', 1, 9)", "did you mean 'leading:ALTUSDT'?"),
    "venue": ("buy('leadin:ALTUSDT', 1, 9)", "did you mean 'leading:ALTUSDT'?"),
    "elsewhere": ("buy('second:ALTUSDT', 1, 9)", "no account on 'second', but on leading"),
    "asset": ("balance('USDTT')", "did you mean 'USDT'?"),
    "type": ("submit_order(S, 'BUY', 1, 9, order_type='LIMITT')", "is no OrderType; one of LIMIT"),
    "side": ("submit_order(S, 'BYU', 1, 9)", "'BYU' is no Side; one of BUY, SELL"),
    "tif": ("buy(S, 1, 9, tif='GTCC')", "is no TimeInForce; one of GTC"),
    "text": ("buy(S, '1', 9)", "expected a number, got str '1'"),
    "cancel id": (
        "cancel_order('7')",
        "expected the order that buy, sell or submit_order returned",
    ),
    "keyword": ("buy(S, 1, 9, postonly=True)", "did you mean 'post_only'?"),
    "attribute": ("book(S).bestbid", "has no attribute 'bestbid'; did you mean 'best_bid'?"),
    "method": ("subscribe_boo(S)", "did you mean 'subscribe_book'?"),
    "modify None": ("modify_order(None, price=3)", "got NoneType None"),
    "depth": ("subscribe_book(S, depth=-3)", "depth: expected a number of levels from 1, got -3"),
    "depth text": ("subscribe_book(S, depth='ten')", "got 'ten'"),
    "timer": ("set_timer('x', -1)", "not a duration in seconds: -1"),
    "record": ("record(x=float('nan'))", "not finite"),
}
"""Calls in a callback: a fault of the strategy, located in its file."""

JUNK = ("0", "-1", "float('nan')", "float('inf')", "1e300")
"""Quantities and prices that no order can have: a refused order, no fault."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Good and bad files of strategies."""
    (tmp_path / "bot.py").write_text(HEAD)
    (tmp_path / "syntax.py").write_text("from exchange_sim import Strategy\nclass Bot(Strategy)\n")
    (tmp_path / "imports.py").write_text("import numpyy\n")
    (tmp_path / "exits.py").write_text("raise SystemExit(3)\n")
    (tmp_path / "binary.py").write_bytes(b"\x00\x01")
    return tmp_path


def told(*options: object) -> tuple[int, str]:
    """Exit code and what was said, in one line; never a traceback."""
    done = here("run", SMALL, "--no-log", "--until", "2s", *options)
    assert "Traceback" not in done.err + done.out
    return done.code, flat(done.err)


@pytest.mark.parametrize("case", OPTIONS)
def test_options(case: str, folder: Path) -> None:
    """Exit code 2 before anything runs."""
    options, text = OPTIONS[case]
    given = [option.format(folder) for option in options]
    for option, value in (
        ("--strategy", f"{folder / 'bot.py'}:Bot"),
        ("--venue", "leading"),
        ("--capital", "USDT=1000"),
    ):
        if option not in given or (option == "--capital" and "USDT" not in str(given)):
            given += [option, value]

    code, said = told(*given)

    assert (code, text in said) == (2, True), said


@pytest.mark.parametrize("case", BODIES)
def test_classes(case: str, tmp_path: Path) -> None:
    """A class that could not work is told by file and line, with what to write instead."""
    body, text = BODIES[case]
    lines = f"from exchange_sim import Strategy\n\n\nclass Bot(Strategy):\n    {body}\n"
    (tmp_path / "bot.py").write_text(lines)

    code, said = told("--strategy", f"{tmp_path / 'bot.py'}:Bot", "--venue", "leading")

    assert (code, text in said) == (2, True), said


def calling(call: str, folder: Path) -> tuple[object, ...]:
    """Options that add a bot which makes one call after a second."""
    (folder / "bot.py").write_text(
        "from exchange_sim import Strategy\n\nS = 'leading:ALTUSDT'\n\n\n"
        "class Bot(Strategy):\n    def on_start(self):\n        self.set_timer('t', 1)\n\n"
        f"    def on_timer(self, name):\n        self.found = self.{call}\n"
    )
    return (
        "--strategy", f"{folder / 'bot.py'}:Bot", "--venue", "leading", "--capital", "USDT=1000",
    )  # fmt: skip


@pytest.mark.parametrize("case", CALLS)
def test_calls(case: str, tmp_path: Path) -> None:
    """Exit code 6: file, line, callback, and what would have been right."""
    call, text = CALLS[case]

    code, said = told(*calling(call, tmp_path))

    assert (code, text in said) == (6, True), said
    assert f"{tmp_path / 'bot.py'}:11: strategy 'added-bot' failed in on_timer" in said


@pytest.mark.parametrize("number", JUNK)
@pytest.mark.parametrize("call", ["buy(S, {}, 9)", "sell(S, 1, {})"])
def test_numbers_that_no_order_has(call: str, number: str, tmp_path: Path) -> None:
    """The order comes back REJECTED at once; the run goes on."""
    check = ".status.name; assert self.found == 'REJECTED', self.found"

    code, said = told(*calling(call.format(number) + check, tmp_path))

    assert (code, said) == (0, said)


def test_two_participants_want_one_name(tmp_path: Path) -> None:
    """In a file: the line of the name, and whose it is."""
    (tmp_path / "two.toml").write_text(
        'extends = "small_crash"\n[scenario]\nname = "two"\n[[participants]]\nname = "mm-2"\n'
        'class = "strategies.grid:Grid"\nvenue = "leading"\n'
    )

    done = here("run", tmp_path / "two.toml", "--no-log")

    assert done.code == 2
    assert "two.toml:5:8: the name 'mm-2' is taken by participant 'mm'" in flat(done.err)
