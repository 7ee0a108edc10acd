"""A table for narrow terminals: what must not be cut stands in columns, the rest below its row."""

from collections.abc import Iterable

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.segment import SegmentLines
from rich.table import Table
from rich.text import Text

HEAD_LINES, INDENT, WIDEST = 2, 3, 1000


class Stacked:
    """`columns`: their headings, a `>` before those of figures. A row that is wider than the
    terminal is printed whole all the same."""

    def __init__(self, *columns: str) -> None:
        self._table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
        self._below: list[tuple[Text, ...]] = []
        for name in columns:
            self._table.add_column(
                name.removeprefix(">"),
                justify="right" if name.startswith(">") else "left",
                no_wrap=True,
            )

    def add_row(self, *cells: str | Text, below: Iterable[Text] = ()) -> None:
        self._table.add_row(*cells)
        self._below.append(tuple(below))

    def print_on(self, console: Console) -> None:
        wide = console.options.update_width(WIDEST)
        lines = console.render_lines(self._table, wide, pad=False)
        console.print()
        _print_lines(console, lines[:HEAD_LINES])
        for number, texts in enumerate(self._below, HEAD_LINES):
            _print_lines(console, lines[number : number + 1])
            for text in texts:
                console.print(Padding(text, (0, 0, 0, INDENT)))


def _print_lines(console: Console, lines: list) -> None:
    console.print(SegmentLines(lines, new_lines=True), crop=False)
