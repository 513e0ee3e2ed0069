"""Planted bugs: each checker of the shell's promises fails when the promise is broken."""

from __future__ import annotations

from typing import Any

import pytest

from exchange_sim.marketdata.feed import Feed
from exchange_sim.rng import Streams
from exchange_sim.sim.account_view import AccountView
from exchange_sim.sim.links import Link
from exchange_sim.sim.session import Session, arrival_rank
from exchange_sim.sim.venue import VenueServer
from exchange_sim.sim.watcher import Reader
from exchange_sim.strategy import Strategy
from tests.doubles.sim_world import START_NS, add, make_run
from tests.sim import test_delivery, test_links, test_market_data, test_run, test_venue


def expect_failure(check: Any) -> None:
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - hypothesis may group its failures
        check()
    assert isinstance(caught.value, (AssertionError, BaseExceptionGroup))


def test_link_without_fifo_is_caught(monkeypatch):
    """SIM-1, order."""
    monkeypatch.setattr(Link, "arrival", lambda self, sent: sent + self.draw())
    expect_failure(test_links.test_messages_take_the_minimum_at_least_and_never_overtake)


def test_link_faster_than_its_minimum_is_caught(monkeypatch):
    """SIM-1, minimum."""
    monkeypatch.setattr(Link, "arrival", lambda self, sent: sent)
    expect_failure(test_links.test_messages_take_the_minimum_at_least_and_never_overtake)


def test_ties_that_favour_a_low_id_are_caught(monkeypatch):
    """The old way: session id, then sequence."""
    monkeypatch.setattr(test_links, "arrival_rank", lambda key, arrival, seq: key << 40 | seq)
    expect_failure(test_links.test_ties_favour_no_session)
    expect_failure(test_links.test_ties_of_many_sessions_are_spread_evenly)


def test_sessions_really_use_the_tested_rank():
    """The rank is written out in ``Session.send``; it must be the one whose fairness is tested."""

    run = make_run()
    add(run, "bot", Strategy())
    run.start()
    session = run.host.agents[0].sessions[0]
    for k in range(1, 4):
        run.kernel.run(run.kernel.now_ns + k)
        session.send(4, (session.account, -1, -1))
    found = [entry for entry in sorted(run.kernel.heap, key=lambda e: e[:3]) if entry[1] == 2]

    assert [entry[2] for entry in found] == [
        arrival_rank(session.key, entry[0], i + 1) for i, entry in enumerate(found)
    ]
    assert len(found) == 3


def test_reader_that_looks_ahead_is_caught(monkeypatch):
    """A read without delay."""
    monkeypatch.setattr(Reader, "view_at", lambda self, now: now)
    expect_failure(test_market_data.test_book_is_seen_one_link_late_and_never_earlier)


def test_view_that_forgets_fees_is_caught(monkeypatch):
    """The owner's balance must be the ledger's."""
    original = AccountView._one_side

    def without_fee(self: Any, time_ns: int, event: Any, *rest: Any) -> Any:
        free = (*event[:12], 0, 0, *event[14:])
        return original(self, time_ns, free, *rest)

    monkeypatch.setattr(AccountView, "_one_side", without_fee)
    expect_failure(test_delivery.test_owners_view_ends_as_the_ledger_says)


def test_delivery_that_loses_a_message_is_caught(monkeypatch):
    """Every message counts."""
    original, count = Session.deliver, [0]

    def lossy(self: Any, now: int, event: Any) -> None:
        count[0] += 1
        if count[0] % 50:
            original(self, now, event)

    monkeypatch.setattr(Session, "deliver", lossy)
    expect_failure(test_delivery.test_owners_view_ends_as_the_ledger_says)


def test_backlog_served_last_in_first_out_is_caught(monkeypatch):
    """FIFO at the venue."""

    original = VenueServer._serve

    def last_first(self: Any, now: int) -> None:
        self.backlog.rotate(1)
        original(self, now)

    monkeypatch.setattr(VenueServer, "_serve", last_first)
    expect_failure(test_venue.test_backlog_is_served_in_order_one_service_time_apart)


def test_subscription_that_deepens_everybodys_book_is_caught(monkeypatch):
    """DET-6 for readers: depth classes must not leak."""
    original = Feed.book

    def deepest(self: Any, instrument: int, _levels: int, view_ns: int) -> Any:
        return original(self, instrument, max(self._classes[instrument]), view_ns)

    monkeypatch.setattr(Feed, "book", deepest)
    expect_failure(
        test_market_data.test_reads_of_one_strategy_do_not_depend_on_what_another_subscribes
    )


def test_streams_in_order_of_creation_are_caught(monkeypatch):
    """DET-6: a stream must be a function of its name."""
    made = [0]
    original = Streams.stream

    def counting(self: Any, name: str) -> Any:
        made[0] += 1
        return original(self, f"{made[0]}")

    monkeypatch.setattr(Streams, "stream", counting)
    expect_failure(test_run.test_added_silent_strategy_changes_no_other_stream)
    assert START_NS > 0
