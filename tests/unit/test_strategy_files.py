"""Strategies from files: each refusal is one sentence that says what to mend."""

from collections.abc import Callable
from pathlib import Path

import pytest

from worker.errors import ConfigurationError
from worker.models.strategy import Strategy
from worker.schedule.strategies import StrategyFiles
from worker.settings import PROJECT_ROOT

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(file: str, id: int | str = 1, name: str = "one", more: str = "") -> Path:
        path = tmp_path / file
        path.write_text(
            f"id: {id}\nname: {name}\nsymbols: [AAPL]\n"
            f"sizing: {{method: fixed_quantity, quantity: 3}}\n{more}"
        )
        return path

    return write


@pytest.fixture
def files(tmp_path: Path) -> StrategyFiles:
    return StrategyFiles(tmp_path)


def named(strategies: tuple[Strategy, ...]) -> list[tuple[int, str]]:
    return [(strategy.id, strategy.name) for strategy in strategies]


def sentence(call: Callable[[], object]) -> str:
    with pytest.raises(ConfigurationError) as caught:
        call()
    assert "\n" not in caught.value.sentence
    return caught.value.sentence


def test_each_file_is_a_strategy_found_by_id_or_name(write: Write, files: StrategyFiles) -> None:
    write("b.yaml", 1, "one")
    write("a.yml", 2, "two", "enabled: false\n")
    write(".hidden.yaml", 3, "three")
    write("notes.txt", 4, "four")
    assert named(files.all()) == [(1, "one"), (2, "two")]
    assert named(files.enabled()) == [(1, "one")]
    assert files.by_id(2) == files.find("2") == files.find("two") == files.all()[1]
    assert files.problems() == ()


def test_an_unknown_strategy_is_refused_with_the_known_ones(
    write: Write, files: StrategyFiles
) -> None:
    write("a.yaml", 1, "one")
    write("b.yaml", 2, "two")
    expected = "known are 1 one, 2 two"
    assert sentence(lambda: files.by_id(7)).startswith("there is no strategy '7' in ")
    assert expected in sentence(lambda: files.by_id(7))
    assert expected in sentence(lambda: files.find("three"))


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    files = StrategyFiles(tmp_path / "none")
    assert "create it, or point OPENBELL_STRATEGIES at yours" in sentence(files.all)
    assert "cannot be read" in sentence(lambda: files.find("one"))
    assert files.enabled() == ()
    assert len(files.problems()) == 1


@pytest.mark.parametrize("text", ['"False"', '"0"', '""', "0", "1", "", "null", "'{{ dry }}'"])
def test_dry_run_takes_truth_values_alone(write: Write, files: StrategyFiles, text: str) -> None:
    path = write("a.yaml", more=f"dry_run: {text}\n")
    expected = f"{path}, line 5, key dry_run: write true or false, without quotes"
    assert sentence(files.all) == expected
    assert expected in sentence(lambda: files.find("one"))


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("dry_run: {{ params.dry_run }}\n", "line 5: a key must be plain text"),
        ("dryrun: true\n", "line 5, key dryrun: this key is not known"),
        ("name: two\n", "line 5, key name: this key stands twice"),
        (
            "schedule:\n  entries:\n    - {cron: '35 25 * * *'}\n",
            "line 7, key schedule.entries.0.cron: '35 25 * * *' is not a cron expression",
        ),
        ("schedule: {timezone: New York}\n", "line 5, key schedule.timezone: 'New York' is not"),
        ("when_closed: maybe\n", "line 5, key when_closed: "),
        ("market: {max_wait: 200h}\n", "line 5, key market.max_wait: max_wait is at most 120h"),
        ("order: {collar_bps: nan}\n", "line 5, key order.collar_bps: "),
    ],
)
def test_a_broken_file_is_refused_with_line_key_and_fix(
    write: Write, files: StrategyFiles, more: str, expected: str
) -> None:
    path = write("a.yaml", more=more)
    assert sentence(files.all).startswith(f"{path}, {expected}")
    assert f"{path}, {expected}" in sentence(lambda: files.by_id(1))


def test_a_broken_file_stops_no_other_strategy(write: Write, files: StrategyFiles) -> None:
    write("a.yaml", 1, "one")
    write("b.yaml", 2, "two", "enabled: maybe\n")
    assert files.by_id(1).name == "one"
    assert named(files.enabled()) == [(1, "one")]
    assert "b.yaml, line 5, key enabled" in sentence(files.all)


@pytest.mark.parametrize(
    ("id", "name", "key", "value"), [(1, "two", "id", "1"), (2, "one", "name", "one")]
)
def test_two_files_that_claim_one_id_or_name_are_both_named(
    write: Write, files: StrategyFiles, id: int, name: str, key: str, value: str
) -> None:
    first, second = write("a.yaml", 1, "one"), write("b.yaml", id, name)
    write("c.yaml", 3, "three")
    line = {"id": 1, "name": 2}[key]
    expected = (
        f"{second}, line {line}, key {key}: {value} is taken by {first}, line {line}; "
        f"give one of them another {key}"
    )
    assert sentence(files.all) == expected
    assert sentence(lambda: files.by_id(1)) == expected
    assert sentence(lambda: files.find(name)) == expected
    assert files.problems() == (expected,)
    assert files.by_id(3).name == "three"
    assert named(files.enabled()) == [(3, "three")]


def test_a_change_counts_at_once(write: Write, files: StrategyFiles) -> None:
    path = write("a.yaml", 1, "one")
    assert named(files.all()) == [(1, "one")]
    write("a.yaml", 1, "uno")
    write("b.yaml", 2, "two")
    assert named(files.all()) == [(1, "uno"), (2, "two")]
    path.unlink()
    assert named(files.all()) == [(2, "two")]


def test_a_file_that_breaks_keeps_its_time_table_but_starts_nothing(
    write: Write, files: StrategyFiles
) -> None:
    path = write("a.yaml", 1, "one")
    good = files.enabled()
    path.write_text("id: 1\nname: one\nsymbols: [AAPL\n")
    assert files.enabled() == files.enabled() == good
    [problem] = files.problems()
    assert "this is not YAML" in problem
    assert sentence(lambda: files.by_id(1)) == problem
    write("a.yaml", 1, "one", "enabled: false\n")
    assert (files.enabled(), files.problems()) == ((), ())


def test_a_key_of_a_strategy_is_found_by_file_and_line(write: Write, files: StrategyFiles) -> None:
    path = write("a.yaml", 1, "one")
    found = files.place_of(files.all()[0], ("symbols", "0"))
    assert found == f"{path}, line 3, key symbols.0"


def test_the_shipped_strategies_load_and_are_dry() -> None:
    shipped = StrategyFiles(PROJECT_ROOT / "config" / "strategies").all()
    assert named(shipped) == [(1, "momentum-megacaps"), (2, "trend-rules")]
    assert [strategy.dry_run for strategy in shipped] == [True, True]
    assert shipped[0].symbols == ("AAPL", "GOOGL", "MSFT")


def test_the_first_shipped_strategy_shows_every_key() -> None:
    import yaml

    text = (PROJECT_ROOT / "config" / "strategies" / "01_momentum.yaml").read_text()
    given, strategy = (
        yaml.safe_load(text),
        StrategyFiles(PROJECT_ROOT / "config/strategies").by_id(1),
    )
    assert set(given) == set(Strategy.model_fields)
    for name in ("schedule", "market", "signal", "sizing", "order", "risk"):
        assert set(given[name]) == set(type(getattr(strategy, name)).model_fields), name
