"""Strategies from a folder of YAML files, one strategy a file, read again when they change."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import yaml

from worker.errors import ConfigurationError
from worker.models.strategy import Strategy
from worker.yaml_file import line_of, place_of, read_yaml, validated


@dataclass(frozen=True)
class _File:
    """A file as it was last read: a strategy, or the sentence that says what is wrong with it.
    `good` is the last version that could be read."""

    content: bytes
    strategy: Strategy | None
    problem: str | None
    good: Strategy | None
    node: yaml.Node | None = None


class StrategyFiles:
    """Whoever starts a run gets a strategy as its file says now, or a ConfigurationError.
    Whoever only watches the clock (`enabled`) keeps the last good version of a broken file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[Path, _File] = {}

    def all(self) -> tuple[Strategy, ...]:
        """Every strategy by id. Raises ConfigurationError for the first thing that is wrong."""
        self._refresh()
        for problem in self._problems():
            raise ConfigurationError(problem)
        found = [file.strategy for file in self._files.values() if file.strategy]
        return tuple(sorted(found, key=lambda strategy: strategy.id))

    def by_id(self, strategy_id: int) -> Strategy:
        """Raises ConfigurationError where it is unknown, broken, or not the only one."""
        return self._only(str(strategy_id))

    def last_good(self, strategy_id: int) -> Strategy | None:
        """As its file last was in order, where this process has seen that."""
        kept = (file.good for file in self._files.values())
        return next((each for each in kept if each and each.id == strategy_id), None)

    def find(self, id_or_name: str) -> Strategy:
        """By id, or by name where no id is meant. Raises as `by_id` does."""
        return self._only(id_or_name.strip())

    def enabled(self) -> tuple[Strategy, ...]:
        """The enabled strategies, for whoever watches the clock. A broken file counts as it last
        was, so that each start it misses is told; two that claim one id or name count not at all.
        What is wrong, `problems` says."""
        with suppress(ConfigurationError):
            self._refresh()
        clashing = {path for paths, _ in self._clashes(good=True) for path in paths}
        kept = [file.good for path, file in self._files.items() if path not in clashing]
        found = [strategy for strategy in kept if strategy and strategy.enabled]
        return tuple(sorted(found, key=lambda strategy: strategy.id))

    def problems(self) -> tuple[str, ...]:
        """One sentence for each thing that is wrong; empty when nothing is."""
        try:
            self._refresh()
        except ConfigurationError as error:
            return (error.sentence,)
        return tuple(self._problems())

    def place_of(self, strategy: Strategy, key: tuple[str, ...]) -> str:
        """File, line and key, for a sentence about a strategy that was given out."""
        path, file = next(each for each in self._files.items() if each[1].good == strategy)
        return place_of(path, file.node, key)

    def _only(self, wanted: str) -> Strategy:
        self._refresh()
        for match in (lambda s: str(s.id) == wanted, lambda s: s.name == wanted):
            found = [
                (path, file.strategy)
                for path, file in self._files.items()
                if file.strategy and match(file.strategy)
            ]
            if found:
                break
        else:
            raise self._unknown(wanted)
        path, strategy = found[0]
        for paths, problem in self._clashes():
            if path in paths:
                raise ConfigurationError(problem)
        return strategy

    def _unknown(self, wanted: str) -> ConfigurationError:
        """A broken file may be the one that is wanted: then its own sentence helps most."""
        known = sorted((f.strategy.id, f.strategy.name) for f in self._files.values() if f.strategy)
        listed = ", ".join(f"{number} {name}" for number, name in known) or "none"
        sentence = f"there is no strategy {wanted!r} in {self._folder}; known are {listed}"
        for file in self._files.values():
            if file.problem and file.good and wanted in (str(file.good.id), file.good.name):
                return ConfigurationError(file.problem)
        broken = [file.problem for file in self._files.values() if file.problem]
        return ConfigurationError("; ".join([sentence, *broken]))

    def _refresh(self) -> None:
        try:
            paths = sorted(
                path
                for path in self._folder.iterdir()
                if path.suffix in (".yaml", ".yml") and not path.name.startswith(".")
            )
        except OSError:
            raise ConfigurationError(
                f"the strategies' folder {self._folder} cannot be read; create it, or point "
                "OPENBELL_STRATEGIES at yours"
            ) from None
        self._files = {path: self._read(path, self._files.get(path)) for path in paths}

    def _read(self, path: Path, before: _File | None) -> _File:
        try:
            content = path.read_bytes()
        except OSError as error:
            content = f"{error.strerror}".encode()
        if before is not None and before.content == content:
            return before
        try:
            data, node = read_yaml(path)
            strategy = validated(Strategy, data, path, node)
        except ConfigurationError as error:
            return _File(content, None, error.sentence, before.good if before else None)
        return _File(content, strategy, None, strategy, node)

    def _problems(self) -> list[str]:
        broken = [file.problem for file in self._files.values() if file.problem]
        return broken + [problem for _, problem in self._clashes()]

    def _clashes(self, *, good: bool = False) -> list[tuple[tuple[Path, Path], str]]:
        """Pairs of files that claim one id or one name."""
        found = []
        seen: dict[tuple[str, object], tuple[Path, int]] = {}
        for path, file in self._files.items():
            strategy = file.good if good else file.strategy
            if strategy is None:
                continue
            for key in ("id", "name"):
                value, line = getattr(strategy, key), line_of(file.node, (key,))
                first, first_line = seen.setdefault((key, value), (path, line))
                if first != path:
                    sentence = (
                        f"{place_of(path, file.node, (key,))}: {value} is taken by {first}, line "
                        f"{first_line}; give one of them another {key}"
                    )
                    found.append(((first, path), sentence))
        return found
