"""Files that are not quite what they should be: what can be read is, and the rest has its line."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from exchange_sim.errors import ScenarioError
from exchange_sim.recorded.rows import LEVEL
from exchange_sim.scenario.importing import import_file
from tests.recorded.test_recorded import L2, T0, read


def tape(count: int) -> list[str]:
    """Lines of a good file."""
    row = "binance,BTCUSDT,{0},{0},true,bid,{1}.5,1"
    return [L2, *(row.format(T0 + n, 100 + n) for n in range(count))]


@pytest.mark.parametrize(
    ("before", "end"), [(b"", b"\n"), (b"\xef\xbb\xbf", b"\n"), (b"\xef\xbb\xbf", b"\r\n")]
)
def test_marks_and_line_ends_are_taken_as_they_come(before: bytes, end: bytes, tmp_path: Path):
    path = tmp_path / "x_incremental_book_L2_y.csv"
    path.write_bytes(before + end.join(line.encode() for line in tape(5)) + end)
    rows, findings = read(path, "tardis-incremental_book_L2")

    assert (rows.kind == LEVEL).sum() == 5
    assert rows.line.tolist() == [2, 2, 3, 4, 5, 6]
    assert not findings.problems


@pytest.mark.parametrize("where", [(1,), (3,), (6,), (1, 2, 6), (2, 3, 4, 6)])
def test_rows_with_missing_cells_are_bad_rows(where: tuple[int, ...], tmp_path: Path):
    """Each is told with its line, and the others keep theirs: first, last, in a row."""
    lines = tape(6)
    for at in where:
        lines[at] = lines[at].rpartition(",")[0]
    path = tmp_path / "x_incremental_book_L2_y.csv"
    path.write_text("\n".join(lines) + "\n")
    rows, findings = read(path, "tardis-incremental_book_L2")

    assert [p.line for p in findings.problems] == [at + 1 for at in where]
    assert all("has 7 columns, not 8" in p.message for p in findings.problems)
    good = [at + 1 for at in range(1, 7) if at not in where]
    assert rows.line[rows.kind == LEVEL].tolist() == good
    assert rows.price[rows.kind == LEVEL].tolist() == [(98 + line) * 10 + 5 for line in good]


def test_a_file_of_nothing_but_bad_rows_says_which(tmp_path: Path):
    path = tmp_path / "x_incremental_book_L2_y.csv"
    path.write_text(f"{L2}\n1,2,3\n1,2\n")
    with pytest.raises(ScenarioError, match="no usable row") as caught:
        import_file(path)
    assert [(p.line, p.message) for p in caught.value.problems] == [
        (2, "has 3 columns, not 8"),
        (3, "has 2 columns, not 8"),
    ]


@pytest.mark.parametrize(
    ("damage", "line", "message"),
    [
        (lambda text: text.replace(b"102.5", b"10\xff.5"), 4, "is not UTF-8 text"),
        (lambda text: text.replace(b"102.5,1", b"\xff,\xe9"), 4, "is not UTF-8 text"),
    ],
)
def test_what_is_no_text_is_located(damage, line: int, message: str, tmp_path: Path, capfd):
    """And nothing else is printed: no traceback out of a callback."""
    path = tmp_path / "x_incremental_book_L2_y.csv"
    path.write_bytes(damage("\n".join(tape(5)).encode()))
    with pytest.raises(ScenarioError) as caught:
        read(path, "tardis-incremental_book_L2")
    assert [(p.line, p.message) for p in caught.value.problems] == [(line, message)]
    assert capfd.readouterr().err == ""


def test_archives_that_are_none_or_end_early_are_located(tmp_path: Path):
    path = tmp_path / "x_incremental_book_L2_y.csv.gz"
    path.write_text("\n".join(tape(5)))
    with pytest.raises(ScenarioError, match="Not a gzipped file"):
        read(path, "tardis-incremental_book_L2")
    path.write_bytes(gzip.compress("\n".join(tape(5_000)).encode())[:-1_000])
    with pytest.raises(ScenarioError, match="ended before") as caught:
        read(path, "tardis-incremental_book_L2")
    assert caught.value.problems[0].line >= 2
