"""Finishing a run that was killed: it is executed again and compared with what it had recorded.

A run is a function of its scenario, seed and code, so nothing needs to be saved on the way: the
journal's header says what to run, and its commands, as far as they were written, must be the ones
that are executed now.  The first that differs ends the attempt, and the killed run stays as it was.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs

from exchange_sim.errors import DeterminismMismatch, StorageError, UsageError
from exchange_sim.eventlog.manifest import MANIFEST
from exchange_sim.journal.frames import JournalHeader
from exchange_sim.journal.reader import JournalReader, Prefix, valid_prefix
from exchange_sim.journal.storage import storage_error
from exchange_sim.scenario.build import HANG_LIMIT_S, FinishedRun, Progress, build_run
from exchange_sim.scenario.files import Source
from exchange_sim.scenario.recording import package_version
from exchange_sim.scenario.scenario import Scenario


@attrs.frozen
class Unfinished:
    """A run that can be resumed: its directory, what it was to do, and how far its journal goes."""

    directory: Path
    header: JournalHeader
    prefix: Prefix
    scenario: Scenario

    @property
    def end_ns(self) -> int:
        """The instant at which the run was to end."""
        return self.header.end_ns or self.scenario.end_ns

    @property
    def options(self) -> tuple[str, ...]:
        """The options that had changed the scenario."""
        return tuple(self.header.options.splitlines())


def unfinished(path: Path) -> Unfinished:
    """Look at a run that was killed, interrupted or cut.

    Raises ``UsageError`` when there is nothing to resume, ``JournalCorrupt`` when not even the
    header can be read, and ``DeterminismMismatch`` when another version of the package wrote it.
    """
    path = path if path.name not in {"", ".."} else path.resolve()
    journal = path / "journal.bin"
    if not journal.is_file():
        raise UsageError(f"{path}: there is no journal here, so there is no run to resume")
    with JournalReader(journal) as reader:
        header = reader.header
    prefix = valid_prefix(journal)
    if prefix.complete and (path / MANIFEST).exists() and _ended(journal):
        raise UsageError(f"{path}: the run is complete; there is nothing to resume")
    if header.package_version != package_version():
        raise DeterminismMismatch(
            f"{path}: written by exchange_sim {header.package_version}, this is"
            f" {package_version()}; resume it with the version that began it"
        )
    sources = tuple(Source(name, digest) for name, digest in header.inputs.items())
    scenario = attrs.evolve(Scenario.from_json(header.scenario_text), sources=sources)
    return Unfinished(path, header, prefix, scenario)


def _ended(journal: Path) -> bool:
    with JournalReader(journal) as reader:
        for _ in reader.commands():
            pass
        return reader.footer is not None and reader.footer.complete


def resume(
    run: Unfinished,
    progress: Progress | None = None,
    summarise: Callable[[Path], dict[str, Any]] | None = None,
    log_level: str = "info",
    hang_limit_s: float = HANG_LIMIT_S,
) -> FinishedRun:
    """Execute the run again, compare, and put the finished run in the place of the unfinished one.

    Until then both exist: the new one beside the old, as ``<name>.resumed``.  After a Ctrl-C, an
    error or a difference the new one is removed.  Raises ``DeterminismMismatch`` at the first
    command that is not the recorded one or when a strategy's source has changed, and as
    ``build_run``.
    """
    target = run.directory.with_name(run.directory.name + ".resumed")
    shutil.rmtree(target, ignore_errors=True)
    try:
        target.mkdir()
    except OSError as cause:
        raise storage_error(target, "create", cause) from cause
    try:
        with JournalReader(run.directory / "journal.bin") as reader:
            built = build_run(
                run.scenario,
                until_ns=run.end_ns,
                log_level=log_level,
                options=run.options,
                hang_limit_s=hang_limit_s,
                directory=target,
                recorded=reader.commands(),
            )
            _same_strategies(run.header, built.recording.strategies)
            finished = built.execute(progress, summarise)
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise
    if finished.interrupted:
        shutil.rmtree(target, ignore_errors=True)
        return attrs.evolve(finished, directory=run.directory)
    _exchange(run.directory, target)
    return attrs.evolve(finished, directory=run.directory)


def _same_strategies(header: JournalHeader, now: dict[str, str]) -> None:
    changed = sorted(
        name
        for name in {*header.strategy_digests, *now}
        if header.strategy_digests.get(name) != now.get(name)
    )
    if changed:
        raise DeterminismMismatch(
            f"the source of {', '.join(changed)} has changed since the run began; it cannot be"
            " resumed, only run again"
        )


def _exchange(old: Path, new: Path) -> None:
    """Put the finished run in the place of the unfinished one, which is its beginning."""
    aside = old.with_name(old.name + ".killed")
    try:
        shutil.rmtree(aside, ignore_errors=True)
        old.rename(aside)
        new.rename(old)
        shutil.rmtree(aside)
    except OSError as cause:
        raise StorageError(
            f"{new}: is complete, but cannot be renamed to {old.name}: {cause}"
        ) from (cause)
