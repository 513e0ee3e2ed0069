"""Borrowers on the chain are told once a minute: how many, how much, and what nobody paid."""

from __future__ import annotations

import json
from pathlib import Path

from exchange_sim.eventlog.names import Names
from exchange_sim.eventlog.narrative import Narrator

MINUTE = 60 * 10**9
NAMES = Names(
    assets=["USDE", "USDT"],
    decimals=[6, 6],
    venues=["chain"],
    numeraires=[1],
    instruments=[],
    ticks=[],
    accounts=["a", "b"],
    account_venues=[0, 0],
    pools=["core"],
    markets=[("blue", 1)],
)


def test_a_minute_on_the_chain(tmp_path: Path) -> None:
    """Calls of one pool are one line, deficits are errors, isolated markets have their own."""
    narrator = Narrator(tmp_path / "n.jsonl", NAMES)
    call = (112, 0, 0, 1, 1, 0, 2_000_000, 2_100_000, 0, 990_000, 1_010_000)
    for event in (call, call, (113, 0, 1, 0, 500_000, 500_000), (118, 0, 0, 1, 7_000_000, 1, 0, 1)):
        narrator.observe(1, MINUTE + 5, event)
    narrator.close()
    lines = [json.loads(line) for line in (tmp_path / "n.jsonl").read_text().splitlines()]
    told = [(line["level"], line.get("pool") or line["market"], line["count"]) for line in lines]
    assert told == [("warning", "core", 2), ("error", "core", 1), ("warning", "blue", 1)]
    assert [line.get("repaid") or line["written_off"] for line in lines] == [
        "4.00 USDT", "0.50 USDT", "7.00 USDT",
    ]  # fmt: skip
