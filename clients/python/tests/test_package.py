"""The package as it is installed: a wheel in a new virtual environment."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

HERE = Path(__file__).parents[1]


def run(*line: str | Path, cwd: Path, **env: str) -> str:
    ran = subprocess.run(line, cwd=cwd, env={**os.environ, **env}, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_the_wheel_is_typed_and_runs_in_a_new_environment(tmp_path: Path) -> None:
    if find_spec("hatchling") is None:
        assert os.environ.get("CI") != "true", "hatchling is not installed: pip install -r requirements-dev.txt"
        pytest.skip("hatchling is not installed: pip install -r requirements-dev.txt")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    run(*pip, "wheel", "-q", "--no-deps", "--no-build-isolation", "--no-index", "-w", tmp_path, HERE, cwd=tmp_path)
    [wheel] = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "realtime_client/py.typed" in names and not [name for name in names if "test" in name]

    new = tmp_path / "new"
    venv.create(new, with_pip=False)
    python = new / ("Scripts" if os.name == "nt" else "bin") / "python"
    run(*pip, "--python", python, "install", "-q", "--no-deps", "--no-index", wheel, cwd=tmp_path)
    program = (
        "import realtime_client, realtime_client.presence, realtime_client.typed, realtime_client.backend as b;"
        "b.SyncBackend('http://127.0.0.1:1', 'key').close(); print(realtime_client.__file__)"
    )
    # The packages that it depends on are those of the tests.
    shown = run(python, "-c", program, cwd=tmp_path, PYTHONPATH=sysconfig.get_path("purelib"))
    assert str(new) in shown
