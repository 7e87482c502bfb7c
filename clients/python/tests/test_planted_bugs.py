"""Each planted bug is caught by a scenario or by a random schedule. Run with ``-s`` to see by which."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from planted_bugs import BUGS, Bug
from scenario.form import FOLDER

HERE = Path(__file__).resolve().parents[1]


def failures(folder: Path, test: str, *options: str) -> str:
    """What pytest says of a test file that fails; nothing if it passes."""
    env = {**os.environ, "SCENARIOS": str(FOLDER), "SEEDS": "200"}
    line = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=no", *options, f"tests/{test}.py"]
    try:
        ran = subprocess.run(line, cwd=folder, env=env, capture_output=True, text=True, timeout=60)
    except subprocess.TimeoutExpired:
        return "FAILED: it does not end"
    assert ran.returncode in (0, 1), ran.stdout + ran.stderr
    return ran.stdout if ran.returncode else ""


def plant(bug: Bug, folder: Path) -> tuple[list[str], bool]:
    """The scenarios that fail, and whether a random schedule does."""
    for part in ("src", "tests", "pyproject.toml"):
        copy = shutil.copytree if (HERE / part).is_dir() else shutil.copy
        copy(HERE / part, folder / part)
    for file, before, after in bug.edits:
        path = folder / "src/realtime_client" / file
        source = path.read_text("utf-8")
        assert source.count(before) == 1, f"{bug.name}: the place of the bug is there {source.count(before)} times"
        path.write_text(source.replace(before, after), "utf-8")
    said = failures(folder, "test_socket_scenarios", "-x") if bug.driver else failures(folder, "test_machine_scenarios")
    files = [f"S{number}" for number in re.findall(r"FAILED .*\[s0*(\d+\w*)-", said)]
    assert said or not bug.driver, f"{bug.name}: no scenario over sockets sees it"
    return files, not bug.driver and bool(failures(folder, "test_schedules"))


def test_every_planted_bug_is_caught(tmp_path: Path) -> None:
    folders = [tmp_path / str(i) for i in range(len(BUGS))]
    for folder in folders:
        folder.mkdir()
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(plant, BUGS, folders))
    for bug, (files, schedules) in zip(BUGS, results):
        by = "yes" if schedules else "-"
        print(f"| {bug.name} | {bug.thread} | {', '.join(files) or '-'} | {'' if bug.driver else by} |")
    missed = [bug.name for bug, (files, schedules) in zip(BUGS, results) if not files and not schedules and not bug.driver]
    if missed:
        pytest.fail(f"neither a scenario nor a schedule sees: {missed}")
