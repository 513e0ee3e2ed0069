"""The event log: typed tables, one digest, bounded memory, and refusals of what cannot be true."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange_sim.errors import InvariantViolation, StorageError
from exchange_sim.eventlog import log as log_module
from exchange_sim.eventlog.log import EventLog
from exchange_sim.eventlog.schema import (
    arrow_type,
    enum_of,
    event_schema,
    kind_of_table,
    table_name,
)
from exchange_sim.messages.events import LedgerPosted, OrderAccepted, OrderRejected, Traded
from exchange_sim.messages.registry import EVENTS, Message
from tests.doubles.storage import INT64, START_NS, FaultyDisk, Row

Batches = list[list[Row]]

RANGES = {
    pa.int8(): st.integers(-128, 127),
    pa.int16(): st.integers(-(2**15), 2**15 - 1),
    pa.int32(): st.integers(-(2**31), 2**31 - 1),
    pa.int64(): INT64,
}


def fitting_rows(kind: type[Message]) -> st.SearchStrategy[Row]:
    """Events of one type whose fields fit their columns."""
    fields = (RANGES[arrow_type(field_type)] for field_type in kind.field_types)
    return st.tuples(st.just(kind.type_id), *fields)


any_event = st.one_of([fitting_rows(kind) for kind in EVENTS.values()])
any_batches = st.lists(st.lists(any_event, max_size=6), min_size=1, max_size=12)


def posted(amount: int) -> Row:
    return (LedgerPosted.type_id, 0, 1, 2, amount, 1)


def rejected(account: int) -> Row:
    return (OrderRejected.type_id, account, 0, 1, 804, 1)


def fill(log: EventLog, batches: Batches, first: int = 1) -> EventLog:
    for i, events in enumerate(batches):
        log.record(first + i, START_NS + i // 2, events)
    return log


def tables(folder: Path) -> dict[str, list[tuple[int, ...]]]:
    """Rows of every table by name."""
    found = {}
    for path in sorted((folder / "events").glob("*.parquet")):
        columns = pq.read_table(path).to_pydict()
        found[path.stem] = list(zip(*columns.values(), strict=True))
    return found


def expected_tables(batches: Batches) -> dict[str, list[tuple[int, ...]]]:
    found: dict[str, list[tuple[int, ...]]] = {}
    for i, events in enumerate(batches):
        for event in events:
            rows = found.setdefault(table_name(EVENTS[event[0]]), [])
            rows.append((1 + i, START_NS + i // 2, *event[1:]))
    return found


@given(batches=any_batches, batch_events=st.integers(1, 20))
@settings(max_examples=40, deadline=None)
def test_random_events_of_every_type_survive(batches: Batches, batch_events: int) -> None:
    """LOG-2: every event is a row of its table, in order, with the command that caused it."""
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_module, "_BATCH_EVENTS", batch_events)
        patch.setattr(log_module, "_DEAL_EVENTS", 7)
        patch.setattr(log_module, "ROW_GROUP_ROWS", 3)
        patch.setattr(log_module, "_BUFFERED_ROWS_MAX", 5)
        folder = Path(name)
        log = fill(EventLog(folder), batches)
        log.close()

        assert tables(folder) == expected_tables(batches)
        assert log.counts == {name: len(rows) for name, rows in tables(folder).items()}


@given(batches=any_batches, batch_events=st.integers(1, 20))
@settings(max_examples=40, deadline=None)
def test_digest_does_not_depend_on_how_it_is_written(batches: Batches, batch_events: int) -> None:
    """DET-5: tables on or off, some kinds only, other batches, asked for early: one digest."""
    plain = fill(EventLog(None), batches).digest()
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_module, "_BATCH_EVENTS", batch_events)
        whole = fill(EventLog(Path(name)), batches)
        some = fill(EventLog(Path(name), kinds=[Traded.type_id]), batches)
        asked = EventLog(None)
        for i, events in enumerate(batches):
            fill_one(asked, i, events)
            asked.digest()

        assert [whole.digest(), some.digest(), asked.digest()] == [plain] * 3
        whole.abort()
        some.abort()


def fill_one(log: EventLog, i: int, events: list[Row]) -> None:
    log.record(1 + i, START_NS + i // 2, events)


@pytest.mark.parametrize(
    "other",
    [
        [[posted(1), posted(3)], []],
        [[posted(2), posted(1)], []],
        [[posted(1)], [posted(2)]],
        [[posted(1), posted(2)]],
        [[posted(1), posted(2)], [], []],
        [[posted(1), rejected(2)], []],
    ],
    ids=["value", "order", "command", "one command less", "one more", "kind"],
)
def test_digest_sees_every_difference(other: Batches) -> None:
    base = fill(EventLog(None), [[posted(1), posted(2)], []]).digest()

    assert fill(EventLog(None), other).digest() != base


def test_digest_is_pinned() -> None:
    """A change of the digest's definition must be deliberate: it breaks every recorded run."""
    log = fill(EventLog(None), [[posted(1), rejected(5)], [], [posted(-7)]])

    assert log.digest() == "1df0d9fda09b357f174d40a3f591e11c"


def test_kinds_limit_the_tables_only(tmp_path: Path) -> None:
    log = fill(EventLog(tmp_path, kinds=[LedgerPosted.type_id]), [[posted(1), rejected(2)]])
    log.close()

    assert list(tables(tmp_path)) == ["ledger_posted"]
    assert log.counts == {"order_rejected": 1, "ledger_posted": 1}


def test_the_events_of_a_command_are_not_kept(tmp_path: Path) -> None:
    """The world may reuse its list."""
    log, events = EventLog(tmp_path), [posted(1)]
    log.record(1, START_NS, events)
    events[:] = [posted(2)]
    log.record(2, START_NS, events)
    log.close()

    assert [row[5] for row in tables(tmp_path)["ledger_posted"]] == [1, 2]


def test_memory_is_bounded_by_row_groups(tmp_path: Path) -> None:
    """Rows leave memory at the limit of their table, or when all tables together hold too much."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_module, "_BATCH_EVENTS", 10)
        patch.setattr(log_module, "_DEAL_EVENTS", 20)
        patch.setattr(log_module, "ROW_GROUP_ROWS", 100)
        patch.setattr(log_module, "_BUFFERED_ROWS_MAX", 120)
        log = EventLog(tmp_path)
        for i in range(500):
            log.record(i + 1, START_NS, [posted(i), rejected(i)])
            assert log._buffered + log._undealt_events <= 140
        log.close()
    path = tmp_path / "events" / "ledger_posted.parquet"

    assert pq.read_metadata(path).num_row_groups > 3
    assert pq.read_metadata(path).num_rows == 500


def test_commands_without_events_are_bounded_too() -> None:
    log = EventLog(None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_module, "_BATCH_EVENTS", 10)
        for i in range(100):
            log.record(i + 1, START_NS, [])
            assert len(log._heads) <= 30


def record_all(calls: list[tuple[int, int]]) -> None:
    """One event per call, then everything is packed."""
    log = EventLog(None)
    for seq, time_ns in calls:
        log.record(seq, time_ns, [posted(1)])
    log.digest()


@pytest.mark.parametrize(
    ("calls", "message"),
    [
        ([(1, 5), (3, 5)], "command 3 at 5 ns follows command 1 at 5 ns"),
        ([(1, 5), (1, 5)], "command 1 at 5 ns follows command 1 at 5 ns"),
        ([(1, 5), (2, 4)], "command 2 at 4 ns follows command 1 at 5 ns"),
    ],
)
@pytest.mark.parametrize("batch", [1, 100])
def test_log_1_planted(calls: list[tuple[int, int]], message: str, batch: int) -> None:
    """LOG-1: a gap, a repetition, or a clock that runs backwards ends the run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_module, "_BATCH_EVENTS", batch)
        with pytest.raises(InvariantViolation) as caught:
            record_all(calls)

    assert (caught.value.invariant, caught.value.message) == ("LOG-1", message)


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ((10, 0, 1, 2, 2**63, 1), "amount of LedgerPosted is no 64-bit integer: 92233720"),
        ((10, 0, 1, 2, 1.5, 1), "amount of LedgerPosted is no 64-bit integer: 1.5"),
        ((10, 0, 1, 2, 5), "LedgerPosted has 5 fields: (10, 0, 1, 2, 5)"),
        ((10, 0, 1, 2, 5, 6, 7), "LedgerPosted has 5 fields"),
        ((250, 1), "not a registered event: (250, 1)"),
        ((1000, 1), "not a registered event: (1000, 1)"),
        ((-1, 1), "not a registered event: (-1, 1)"),
        ((), "not a registered event: ()"),
        (("x",), "not a registered event: ('x',)"),
    ],
)
def test_log_2_planted(event: Any, message: str) -> None:
    """LOG-2: what the registry does not describe cannot have happened; the command is named."""
    log = fill(EventLog(None), [[posted(1)], [posted(2), posted(3)]])
    log.record(3, START_NS + 1, [event])

    with pytest.raises(InvariantViolation) as caught:
        log.digest()

    assert message in caught.value.message
    assert (caught.value.invariant, caught.value.seq) == ("LOG-2", 3)


def test_two_wrong_lengths_do_not_cancel_out() -> None:
    log = EventLog(None)
    log.record(1, START_NS, [(10, 0, 1, 2, 5), (10, 0, 1, 2, 5, 6, 10)])

    with pytest.raises(InvariantViolation, match="LedgerPosted has 5 fields"):
        log.digest()


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ((10, 0, 1, 2**31, 5, 1), "to_account of LedgerPosted does not fit int32: 2147483648"),
        ((10, 0, 1, 2, 5, 128), "kind of LedgerPosted does not fit int8: 128"),
    ],
)
def test_narrow_columns_do_not_wrap(tmp_path: Path, event: Row, message: str) -> None:
    """A value that is too large for its column is an error, not another number."""
    log = fill(EventLog(tmp_path), [[posted(1)], [event]])

    with pytest.raises(InvariantViolation, match=message):
        log.close()
    assert tables(tmp_path) == {}


def test_schema_describes_itself() -> None:
    """Units and enumerations travel with the table, for readers without this package."""
    schema = event_schema(OrderAccepted)

    assert schema.names == ["seq", "time_ns", *OrderAccepted.field_names]
    assert schema.field("time_ns").metadata == {b"unit": b"Nanos"}
    assert schema.field("price").metadata == {b"unit": b"Ticks"}
    assert schema.field("account").type == pa.int32()
    assert schema.field("order_id").type == pa.int64()
    side = schema.field("side")
    assert (side.type, side.metadata[b"unit"]) == (pa.int8(), b"Side")
    assert json.loads(side.metadata[b"enum"]) == {"0": "BUY", "1": "SELL"}
    assert event_schema(OrderRejected).field("reason").type == pa.int16()
    assert schema.metadata == {
        b"exchange_sim.kind": b"OrderAccepted",
        b"exchange_sim.type_id": b"1",
        b"exchange_sim.format_version": b"1",
    }


@pytest.mark.parametrize("kind", EVENTS.values(), ids=lambda kind: kind.__name__)
def test_every_kind_has_a_table(kind: type[Message]) -> None:
    """Names go both ways, and every enumeration fits its column."""
    assert kind_of_table(table_name(kind)) is kind
    for field_type in kind.field_types:
        members = enum_of(field_type)
        if members is not None:
            width = arrow_type(field_type).bit_width
            assert all(-(2 ** (width - 1)) <= member < 2 ** (width - 1) for member in members)


class Recorder:
    """A listener that remembers."""

    def __init__(self, *kinds: int) -> None:
        self.kinds = kinds
        self.seen: list[tuple[int, int, Row]] = []
        self.times: list[int] = []

    def observe(self, seq: int, time_ns: int, event: Row, /) -> None:
        self.seen.append((seq, time_ns, event))

    def advance(self, time_ns: int, /) -> None:
        self.times.append(time_ns)


def test_listeners_get_their_kinds_in_order() -> None:
    log, all_kinds, one_kind = EventLog(None), Recorder(2, 10), Recorder(2)
    log.listen(all_kinds)
    log.listen(one_kind)
    batches: Batches = [[posted(1), rejected(2)], [], [rejected(3), posted(4)]]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_module, "_BATCH_EVENTS", 3)
        fill(log, batches)
        log.close()
    flat = [
        (1 + i, START_NS + i // 2, event) for i, events in enumerate(batches) for event in events
    ]

    assert all_kinds.seen == flat
    assert one_kind.seen == [item for item in flat if item[2][0] == 2]
    assert all_kinds.times[-1] == START_NS + 1


@pytest.mark.parametrize("persistent", [False, True])
def test_failing_disk(tmp_path: Path, persistent: bool) -> None:
    """F10: operation 1, 2, ... fails: StorageError, and every file with a table's name is whole."""
    batches: Batches = [[posted(i), rejected(i)] for i in range(8)]
    for number in range(1, 500):
        folder = tmp_path / str(number)
        failing = range(number, 10**6 if persistent else number + 1)
        disk = FaultyDisk(failing.__contains__)
        try:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(log_module, "_BATCH_EVENTS", 4)
                patch.setattr(log_module, "_DEAL_EVENTS", 4)
                patch.setattr(log_module, "ROW_GROUP_ROWS", 4)
                fill_and_close(EventLog(folder, open_file=disk.open), batches)
        except StorageError:
            for rows in tables(folder).values():
                assert len(rows) in {2, 4, 6, 8}
            assert not list(folder.rglob("*.part"))
            continue
        assert tables(folder) == expected_tables(batches)
        assert number > 10
        return
    pytest.fail("the log never succeeds")


def fill_and_close(log: EventLog, batches: Batches) -> None:
    """What a run does: after an error the log is aborted."""
    try:
        fill(log, batches)
        log.close()
    except StorageError:
        log.abort()
        raise


def test_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "events").write_text("a file in the way")

    with pytest.raises(StorageError, match="cannot create events"):
        EventLog(tmp_path)
