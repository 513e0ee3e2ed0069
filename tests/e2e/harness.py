"""Running the product from outside: as a process, or as its command line inside this one."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from exchange_sim.cli import main

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
SMALL = HERE / "small.toml"
BOTS = HERE / "bots.py"
TIMEOUT_S = 240


class Done(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def digest(self) -> str:
        """The digest that ``run`` showed."""
        (line,) = [line for line in self.out.splitlines() if line.split()[:1] == ["digest"]]
        return line.split()[1]


def process(*arguments: object, cwd: Path = ROOT, **environment: str) -> Done:
    """Run the command line in a process of its own."""
    done = subprocess.run(
        command(*arguments),
        cwd=cwd,
        env=environment_with(**environment),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def command(*arguments: object) -> list[str]:
    """The words that start the product."""
    return [sys.executable, "-m", "exchange_sim", *map(str, arguments)]


def environment_with(**changes: str) -> dict[str, str]:
    """This environment, able to import the product from any directory."""
    return {**os.environ, "PYTHONPATH": str(ROOT), **changes}


def here(*arguments: object) -> Done:
    """Run the command line inside this process."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main([str(argument) for argument in arguments])
    return Done(code, out.getvalue(), err.getvalue())


def run_into(out: Path, *options: object, scenario: object = SMALL) -> Path:
    """Run a scenario to its end and return the run's directory."""
    done = here("run", scenario, "--out", out, *options)
    assert done.code == 0, done.err
    (directory,) = out.iterdir()
    return directory


def manifest(run: Path) -> dict[str, Any]:
    """What the run says about itself."""
    found: dict[str, Any] = json.loads((run / "manifest.json").read_text())
    return found


def events(run: Path, kind: str) -> pa.Table:
    """An event table of a run."""
    return pq.read_table(run / "events" / f"{kind}.parquet")


def prints(run: Path) -> list[dict[str, Any]]:
    """The public tape: when what traded at which price, without anybody's number."""
    columns = ["time_ns", "instrument", "price", "qty", "aggressor"]
    rows: list[dict[str, Any]] = events(run, "traded").select(columns).to_pylist()
    return rows


def files(run: Path) -> dict[str, bytes]:
    """Every file of a run by its name; what readers make of it later is not part of it."""
    return {
        path.relative_to(run).as_posix(): path.read_bytes()
        for path in sorted(run.rglob("*"))
        if path.is_file() and path.parent.name != "cache" and path.name != "report.html"
    }


def left_over(folder: Path) -> list[Path]:
    """Files that somebody began to write and did not finish."""
    return [path for path in folder.rglob("*") if path.suffix in {".part", ".tmp"}]
