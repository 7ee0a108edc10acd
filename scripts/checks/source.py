"""The files of this repository, and what a rule can ask of one."""

import ast
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

Node = TypeVar("Node", bound=ast.AST)
ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class File:
    """A text file by its path from the root, such as `worker/step.py`."""

    path: str
    text: str

    def within(self, *folders: str) -> bool:
        return self.path.startswith(tuple(f"{folder}/" for folder in folders))

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @cached_property
    def tree(self) -> ast.Module:
        """The parsed file; an empty module where it is not Python, or not yet."""
        try:
            return ast.parse(self.text if self.path.endswith(".py") else "", self.path)
        except SyntaxError:
            return ast.parse("")

    @property
    def imports(self) -> Iterator[tuple[int, str]]:
        """What is imported, in full: `unittest.mock.patch`."""
        for node in self.nodes(ast.Import):
            yield from ((node.lineno, name.name) for name in node.names)
        for part in self.nodes(ast.ImportFrom):
            yield from ((part.lineno, f"{part.module}.{name.name}") for name in part.names)

    @property
    def names(self) -> Iterator[tuple[int, str]]:
        """Every use of an imported name with its line, as its full name: `datetime.datetime.now`,
        whatever it was imported as."""
        return self._full_names(ast.walk(self.tree))

    @property
    def calls(self) -> Iterator[tuple[int, str]]:
        """The same of what is called."""
        return self._full_names(call.func for call in self.nodes(ast.Call))

    def nodes(self, kind: type[Node]) -> Iterator[Node]:
        return (node for node in ast.walk(self.tree) if isinstance(node, kind))

    def _full_names(self, nodes: Iterable[ast.AST]) -> Iterator[tuple[int, str]]:
        imported = {name: full for _, name, full in self._bound()}
        for node in nodes:
            if isinstance(node, ast.Name | ast.Attribute):
                first, *rest = _dotted(node) or [""]
                if first in imported:
                    yield node.lineno, ".".join([imported[first], *rest])

    def _bound(self) -> Iterator[tuple[int, str, str]]:
        """Line, name in this file, and what it stands for."""
        for node in self.nodes(ast.Import):
            for name in node.names:
                first = name.name.split(".")[0]
                yield node.lineno, name.asname or first, name.name if name.asname else first
        for part in self.nodes(ast.ImportFrom):
            for name in part.names:
                yield part.lineno, name.asname or name.name, f"{part.module}.{name.name}"


def _dotted(node: ast.expr) -> list[str] | None:
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Attribute) and (parts := _dotted(node.value)):
        return [*parts, node.attr]
    return None


def paths() -> list[str]:
    """Every file that git knows or would take in, so that a rule speaks before the commit."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return sorted(path for path in done.stdout.splitlines() if (ROOT / path).is_file())


def files() -> Iterator[File]:
    for path in paths():
        content = (ROOT / path).read_bytes()
        if b"\0" not in content[:8000]:
            yield File(path, content.decode("utf-8"))
