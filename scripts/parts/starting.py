"""Shows the parts of a set as they become ready."""

from collections.abc import Sequence

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from worker.clock import monotonic

COLUMNS = 5
WIDTH = 18


class StartList:
    """One list that fills on a terminal; elsewhere a line for each part."""

    def __init__(self, console: Console, names: Sequence[str]) -> None:
        self._console = console
        self._names = names
        self._seconds: dict[str, float] = {}
        self._began = monotonic()
        self._live = Live(get_renderable=self._table, console=console, transient=True)

    def ready(self, name: str, seconds: float) -> None:
        self._seconds[name] = seconds
        if not self._console.is_terminal:
            self._console.print(f"{name} is ready after {seconds:.1f} s")

    def __enter__(self) -> "StartList":
        if self._console.is_terminal:
            self._live.start()
        return self

    def close(self) -> None:
        self._live.stop()

    def __exit__(self, kind: object, *_: object) -> None:
        self.close()
        if kind is None:
            took = monotonic() - self._began
            self._console.print(
                f"{len(self._names)} parts are ready after {took:.1f} s", style="dim"
            )

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 1))
        table.title, table.title_style, table.title_justify = "Starting", "bold", "left"
        for _ in range(COLUMNS):
            table.add_column(width=WIDTH)
        cells = [self._cell(name) for name in self._names]
        for first in range(0, len(cells), COLUMNS):
            table.add_row(*cells[first : first + COLUMNS])
        return table

    def _cell(self, name: str) -> Text:
        seconds = self._seconds.get(name)
        if seconds is None:
            return Text(f"· {name}", style="dim")
        return Text.assemble(("✓", "green"), f" {name} ", (f"{seconds:.1f} s", "dim"))
