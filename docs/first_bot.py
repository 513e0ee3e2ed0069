"""Write the outputs of ``docs/guides/first_bot.md`` from real runs: ``python -m docs.first_bot``.

Commands run in an empty folder, in the order of the page; blocks of Python whose first line names a
file are written to it.  Commands in ``SHOWN_ONLY`` are left alone.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

PAGE = Path(__file__).parent / "guides" / "first_bot.md"
SHOWN_ONLY = ("pip ", "exchange-sim run oct10")
BLOCK = re.compile(r"^```(console|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
WALL_TIME = re.compile(r"in \d+\.\d+s| in [\d.]+ s \([\d,]+ x real time\)")


def run(command: str, folder: Path) -> str:
    """The standard output of a command of the page, without wall times."""
    words = shlex.split(command)
    found = [str(p.relative_to(folder)) for w in words if "*" in w for p in folder.glob(w)]
    words = [w for w in words if "*" not in w] + found
    program = (
        [sys.executable, "-m", "exchange_sim"] if words[0] == "exchange-sim" else [sys.executable]
    )
    root = str(Path(__file__).parents[1])
    done = subprocess.run(  # noqa: S603 commands of our own page
        [*program, *words[1:]],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": root, "COLUMNS": "110"},
        capture_output=True,
        text=True,
        check=True,
    )
    return "\n".join(WALL_TIME.sub("", line).rstrip() for line in done.stdout.splitlines())


def written(text: str, folder: Path) -> str:
    """The page with fresh outputs."""

    def fill(match: re.Match[str]) -> str:
        language, body = match.groups()
        if language == "python":
            name = body.partition("\n")[0].removeprefix("#").strip()
            (folder / name).write_text(body, encoding="utf-8")
            return match.group(0)
        lines = []
        for line in body.splitlines():
            if line.startswith("$ "):
                lines.append(line)
                if not line[2:].startswith(SHOWN_ONLY):
                    lines += [out for out in run(line[2:], folder).splitlines() if out.strip()]
        return "```console\n" + "\n".join(lines) + "\n```"

    return BLOCK.sub(fill, text)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), Path(name)), encoding="utf-8")
