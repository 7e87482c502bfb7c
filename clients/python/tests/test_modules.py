"""The shape of the package: short modules, and no circle of imports."""

from __future__ import annotations

import ast
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src"


def modules() -> dict[str, Path]:
    files = sorted((SOURCE / "realtime_client").rglob("*.py"))
    return {".".join(file.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): file for file in files}


def imports(name: str, file: Path, known: dict[str, Path]) -> set[str]:
    """The modules that a module imports; a package counts as its ``__init__``."""
    parts = name.split(".") if file.name == "__init__.py" else name.split(".")[:-1]
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if not isinstance(node, ast.ImportFrom) or node.level == 0:
            continue
        base = ".".join(parts[: len(parts) - node.level + 1] + ([node.module] if node.module else []))
        for alias in node.names:
            found.add(f"{base}.{alias.name}" if f"{base}.{alias.name}" in known else base)
    return found - {name}


def test_no_module_imports_one_that_imports_it() -> None:
    known = modules()
    left = {name: imports(name, file, known) for name, file in known.items()}
    assert len(left) > 30 and all(needed <= known.keys() for needed in left.values())
    while ready := [name for name, needed in left.items() if not needed & left.keys()]:
        for name in ready:
            del left[name]
    assert not left, f"in a circle, or above one: {left}"


def test_the_machine_imports_nothing_outside_it() -> None:
    known = modules()
    for name, file in known.items():
        if ".machine" in name:
            assert all(".machine" in needed for needed in imports(name, file, known)), name


def test_no_module_has_more_than_400_lines() -> None:
    long = [name for name, file in modules().items() if len(file.read_text("utf-8").splitlines()) > 400]
    assert long == ["realtime_client.models"], "only the generated one"
