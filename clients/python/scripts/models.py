"""Generates src/realtime_client/models.py from docs/openapi.json. With ``--check`` it writes nothing, and fails if the file
differs. Needs what tests/foreign/requirements.txt installs."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
TARGET = HERE / "src/realtime_client/models.py"
TITLE = '"""The bodies of the HTTP API. Generated from docs/openapi.json by scripts/models.py: do not edit."""\n\n'
OPTIONS = (
    "--input-file-type openapi --output-model-type typing.TypedDict --use-title-as-name --target-python-version 3.10 "
    "--use-union-operator --disable-timestamp --use-field-description --use-schema-description"
)


def generated() -> str:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "models.py"
        tool = Path(sys.executable).parent / "datamodel-codegen"
        line = [str(tool), "--input", str(HERE / "../../docs/openapi.json"), *OPTIONS.split(), "--output", str(out)]
        subprocess.run(line, check=True, stderr=subprocess.DEVNULL)
        return TITLE + out.read_text("utf-8").split("\n\n", 1)[1]


def main() -> int:
    text = generated()
    if "--check" not in sys.argv:
        TARGET.write_text(text, "utf-8")
    elif TARGET.read_text("utf-8") != text:
        print("src/realtime_client/models.py differs from docs/openapi.json: run scripts/models.py and commit the result")
        return 1
    return 0


sys.exit(main())
