"""The wheel in an environment of its own: everything that a user needs is inside."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

from docs.first_bot import BLOCK, WALL_TIME
from tests.e2e.harness import ROOT, TIMEOUT_S
from tests.oracles.source import parse

pytestmark = pytest.mark.wheel

DATA = ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md")
FOLDERS = ("exchange_sim", "strategies", "scenarios")


def call(*words: object, cwd: Path) -> str:
    """Run a command far from the checkout and return its output; it must succeed."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env={**environment, "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, (words, done.stdout, done.stderr)
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the sources."""
    source = tmp_path_factory.mktemp("source")
    for name in DATA:
        shutil.copy(ROOT / name, source)
    for name in FOLDERS:
        ignored = shutil.ignore_patterns("__pycache__", "runs")
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    out = source / "dist"
    call(sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", out, source, cwd=source)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def program(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``exchange-sim`` in a fresh environment that sees the dependencies, but not the checkout."""
    home = tmp_path_factory.mktemp("environment")
    venv.create(home, with_pip=True)
    binaries = home / "bin"
    call(binaries / "python", "-m", "pip", "install", "--no-deps", wheel, cwd=home)
    (packages,) = home.glob("lib/python*/site-packages")
    # A plain line adds a folder; .pth files inside that folder (an editable install) do not count.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    where = "import exchange_sim; print(exchange_sim.__file__)"
    assert str(home) in call(binaries / "python", "-c", where, cwd=home)
    return binaries / "exchange-sim"


def test_runs_from_an_empty_directory(program: Path, tmp_path: Path) -> None:
    """Scenarios and strategies are in the package."""
    listed = call(program, "scenarios", cwd=tmp_path)
    for path in (ROOT / "scenarios").glob("*.toml"):
        assert path.stem in listed

    shown = call(program, "run", "first_trade", cwd=tmp_path)

    assert "digest" in shown
    (run,) = (tmp_path / "runs").iterdir()
    assert "BAD" not in call(program, "verify", run, cwd=tmp_path)


def test_large_scenario_finds_its_strategies(program: Path, tmp_path: Path) -> None:
    """``extends`` and all reference strategies, without a checkout."""
    call(program, "run", "oct10_article", "--until", "1s", "--no-log", cwd=tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_first_bot_guide(program: Path, tmp_path: Path) -> None:
    """Ten minutes of a newcomer: every command of the page, far from the checkout, as it says.

    Figures may have moved since the page was written; every word must be there.
    """
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment |= {"PATH": f"{program.parent}:{os.environ['PATH']}", "COLUMNS": "110"}
    page = (ROOT / "docs" / "guides" / "first_bot.md").read_text(encoding="utf-8")
    for language, body in BLOCK.findall(page):
        if language == "python":
            (tmp_path / body.partition("\n")[0].removeprefix("# ")).write_text(body)
            continue
        for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
            command, *expected = part.splitlines()
            if command.startswith(("pip ", "exchange-sim run oct10_article --strategy careful")):
                continue
            short = " --until 1s --no-log" if "oct10" in command else ""
            done = subprocess.run(
                command + short, shell=True, cwd=tmp_path, env=environment,
                capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
            )  # fmt: skip
            assert done.returncode == 0, (command, done.stdout, done.stderr)
            said = [masked(line) for line in done.stdout.splitlines()]
            assert [line for line in map(masked, expected) if line not in said] == [], command


def masked(line: str) -> str:
    """A line of output with its figures and digests blotted out."""
    line = WALL_TIME.sub("", line)
    line = re.sub(r"\b[0-9a-f]{8}(?:[0-9a-f]{24})?\b", "H", line)
    return " ".join(re.sub(r"[-+$]*\d[\d.,:]*(?:bn|[mk%s])?|(?<= )-(?= |$)", "#", line).split())


def test_wheel_holds_what_it_should(wheel: Path) -> None:
    """All files of the package and of the bundled folders, pages and tables too; nothing else."""
    names = zipfile.ZipFile(wheel).namelist()
    places = {"exchange_sim": "", "strategies": "exchange_sim/_bundled/",
              "scenarios": "exchange_sim/_bundled/"}  # fmt: skip
    wanted = {
        before + path.relative_to(ROOT).as_posix()
        for folder, before in places.items()
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    tops = {name.partition("/")[0] for name in names}

    assert wanted <= set(names)
    assert "exchange_sim/py.typed" in names
    assert "exchange_sim/analysis/report/static/page.html" in names
    assert "exchange_sim/analysis/score/targets.json" in names
    assert "exchange_sim/_bundled/scenarios/first_trade.toml" in names
    assert "exchange_sim/_bundled/strategies/ladder.py" in names
    assert {top for top in tops if not top.endswith(".dist-info")} == {"exchange_sim"}


def test_what_is_imported_is_declared() -> None:
    """Every library that the product imports is a dependency or an extra."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    optional = {name for group, lines in extras.items() if group != "dev" for name in lines}
    declared = {re.split(r"[<>=\[]", line)[0] for line in project["dependencies"]}
    allowed = declared | {re.split(r"[<>=\[]", line)[0] for line in optional}
    found = set()
    for folder in ("exchange_sim", "strategies"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(parse(path.read_text())):
                if isinstance(node, ast.Import):
                    found |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module:
                    found.add(node.module.partition(".")[0])
    foreign = found - set(sys.stdlib_module_names) - {"exchange_sim", "strategies"}

    assert foreign <= allowed
