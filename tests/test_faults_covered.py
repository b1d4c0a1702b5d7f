"""Every row of docs/faults.md has a test that bears its number, and runs in `make test`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
_ROW = re.compile(r"^\| (\d\d) \|", re.MULTILINE)
_NAMED = re.compile(r"\bfault (\d\d)\b|_fault_(\d\d)|_and_(\d\d)_")


def names(tree: ast.Module) -> Iterator[str]:
    """The names of its tests, and the ids in its tables; without what only `make chaos` runs."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            if not any("mark.chaos" in ast.unparse(d) for d in node.decorator_list):
                yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Dict):
            for key in node.value.keys:
                if isinstance(key, ast.Constant):
                    yield str(key.value)


def test_every_row_has_a_test() -> None:
    rows = _ROW.findall((ROOT / "docs" / "faults.md").read_text())
    assert [*map(int, rows)] == [*range(1, 34)]
    tested = {
        number
        for file in (ROOT / "tests").rglob("test_*.py")
        for name in names(ast.parse(file.read_text()))
        for found in _NAMED.findall(name)
        for number in found
        if number
    }
    assert sorted(set(rows) - tested) == []
