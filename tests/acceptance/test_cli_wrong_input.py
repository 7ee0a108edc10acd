"""What a person gets wrong before anything runs: one sentence, a code, nothing half-done."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.cli import openbell, openbell_process, sentence
from tests.support.stack import STRATEGY
from tests.support.valkey import ValkeyServer, valkey_server
from worker.clock import monotonic
from worker.runtime import reset_services, services

__all__ = ["valkey_server"]
WORD = "hunter2"
NOWHERE = "redis://127.0.0.1:1/0"
Write = Callable[..., Path]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home with a journal, a folder of strategies, and no Redis."""
    folder = tmp_path / "home"
    (tmp_path / "strategies").mkdir()
    monkeypatch.setenv("OPENBELL_STRATEGIES", str(tmp_path / "strategies"))
    monkeypatch.setenv("OPENBELL_REDIS_URL", NOWHERE)
    reset_services()
    assert openbell("journal", "upgrade").code == 0
    yield folder
    reset_services()


@pytest.fixture
def write(home: Path) -> Write:
    def written(text: str | None = None, **changes: Any) -> Path:
        file = home.parent / "strategies" / "one.yaml"
        file.write_text(text if text is not None else yaml.safe_dump(STRATEGY | changes))
        return file

    return written


def runs() -> list[str]:
    return [row.run_id for row in services().runs.recent()]


def test_an_unknown_strategy_names_those_that_there_are(write: Write) -> None:
    write()
    said = sentence(openbell("trigger", "nope"), 2)
    assert said.startswith("there is no strategy 'nope' in ")
    assert said.endswith("; known are 1 momentum")
    assert runs() == []


def test_an_unknown_symbol_names_those_that_the_strategy_trades(write: Write) -> None:
    write()
    said = sentence(openbell("trigger", "1", "--symbols", "AAPL,TSLA"), 2)
    assert said == "strategy momentum does not trade TSLA; it trades AAPL, GOOGL, MSFT"
    assert runs() == []


@pytest.mark.parametrize("value", ['"False"', '"false"', "0", "no way", '""', "null"])
def test_a_strategy_whose_dry_run_is_no_truth_value_does_not_start(
    write: Write, value: str
) -> None:
    whole = yaml.safe_dump({name: v for name, v in STRATEGY.items() if name != "dry_run"})
    file = write(f"{whole}dry_run: {value}\n")
    line = len(whole.splitlines()) + 1
    told = f"{file}, line {line}, key dry_run: write true or false, without quotes"
    assert told in sentence(openbell("trigger", "1"), 2)
    assert sentence(openbell("strategies", "validate"), 2) == told
    assert runs() == []


def test_a_bad_cron_names_file_line_and_fix(write: Write) -> None:
    file = write(schedule={"entries": [{"cron": "61 9 * * 1-5"}]})
    said = sentence(openbell("strategies", "validate", str(file)), 2)
    assert said.startswith(f"{file}, line ")
    assert "key schedule.entries.0.cron: '61 9 * * 1-5' is not a cron expression" in said
    assert "write five fields" in said


def test_a_missing_configuration_file_is_named(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OPENBELL_CONFIG", str(tmp_path / "none.yaml"))
    reset_services()
    told = (
        f"{tmp_path / 'none.yaml'} does not exist; create it or point OPENBELL_CONFIG at your own"
    )
    assert sentence(openbell("trigger", "1"), 2) == told
    found = openbell("doctor", "--json")
    assert found.code == 1
    assert json.loads(found.out)["findings"] == [
        {
            "part": "configuration",
            "verdict": "problem",
            "sentence": told,
            "fix": None,
            "command": None,
        }
    ]


def test_without_a_journal_it_says_how_to_make_one_and_makes_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENBELL_HOME", str(tmp_path / "new"))
    reset_services()
    said = sentence(openbell("runs", "list"), 2)
    assert "make it with `openbell journal upgrade`" in said
    assert not (tmp_path / "new").exists()
    reset_services()


def test_a_journal_of_another_version_says_what_to_do(write: Write) -> None:
    write()
    services().journal.downgrade("base")
    assert "run `openbell journal upgrade`" in sentence(openbell("trigger", "1"), 2)


def test_orders_are_refused_where_the_configuration_is_dry(write: Write) -> None:
    write()
    said = sentence(openbell("trigger", "1", "--no-dry-run"), 2)
    assert said.startswith("orders are wanted, but the configuration says `mode: dry`; ")
    assert runs() == []


def test_a_strategy_that_is_not_the_objects_is_refused(write: Write) -> None:
    write()
    said = sentence(openbell("trigger", "momentum", "--conf", '{"strategy_id": 2}'), 2)
    assert said == "strategy momentum has the id 1, --conf says strategy_id 2; say it once"


@pytest.mark.parametrize(
    "arguments",
    [("runs", "show", "nope"), ("runs", "logs", "nope"), ("orders", "list", "--run", "nope")],
)
def test_an_unknown_run_is_named(home: Path, arguments: tuple[str, ...]) -> None:
    said = sentence(openbell(*arguments), 2)
    assert said == "there is no run 'nope'; see `openbell runs list`"


def test_an_unknown_step_names_the_nine(home: Path) -> None:
    said = sentence(openbell("runs", "logs", "last", "--step", "dance"), 2)
    assert said.startswith("--step 'dance' is no step; there are start_tracking, ")


def test_what_is_written_down_is_shown_without_redis_and_without_a_gateway(write: Write) -> None:
    write()
    assert openbell("runs", "list").out.startswith("there is no run yet")
    assert openbell("orders", "list").out == "there is no order yet\n"
    said = openbell("positions", "--json")
    found = json.loads(said.out)
    assert (said.code, found["owned"], found["held"]) == (0, [], None)
    assert "no account is configured" in found["broker_problem"]
    assert said.err.startswith("note: the account's own positions are not known now: ")


def test_redis_down_at_trigger_leaves_a_run_that_only_its_key_starts(
    write: Write, valkey_server: ValkeyServer
) -> None:
    write()
    environment = {"OPENBELL_REDIS_URL": valkey_server.url}
    valkey_server.stop()
    began = monotonic()
    said = openbell_process("trigger", "1", environment=environment)
    assert monotonic() - began < 12
    [run_id] = runs()
    row = services().runs.get(run_id)
    key = row.slot
    told = sentence(said, 1)
    assert told.startswith("Redis does not take the run (")
    assert f"Run {run_id} is written down and not started" in told
    assert told.endswith(f"trigger 1 --key {key}")
    assert row.status == "created"
    assert "momentum: written down, not started" in openbell("runs", "show", run_id).out

    valkey_server.start()
    again = openbell_process("trigger", "1", "--key", key, environment=environment)
    assert (again.code, again.out) == (0, f"{run_id}\n")
    assert services().runs.get(run_id).status == "queued"
    # Nobody consumes: said, and no failure.
    assert "note: no worker consumes io, orders, upkeep, wait: the run stands still" in again.err


def test_follow_gives_up_past_the_runs_time_where_nothing_consumes(
    write: Write, valkey_server: ValkeyServer
) -> None:
    write(market={"max_wait": "1s", "lasts": "1s"})
    environment = {"OPENBELL_REDIS_URL": valkey_server.url}
    said = openbell_process("trigger", "1", "--follow", "--json", environment=environment)
    story = json.loads(said.out)
    assert (said.code, story["status"], story["steps"]) == (1, "queued", [])
    last = said.err.splitlines()[-1]
    assert last.startswith("error: given up: no worker consumes io, orders, upkeep, wait, and the ")
    assert last.endswith("it was left as it is (queued)")


@pytest.mark.parametrize("command", [("journal", "upgrade"), ("runs", "list")])
def test_a_journal_that_does_not_answer_is_named_without_its_password(
    home: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    url = f"postgresql://me:{WORD}@127.0.0.1:1/openbell"
    monkeypatch.setenv("OPENBELL_DATABASE_URL", url)
    reset_services()
    said = sentence(openbell(*command), 2)
    assert "OPENBELL_DATABASE_URL" in said
    assert WORD not in said


def test_a_disabled_strategy_says_how_to_enable_it(write: Write) -> None:
    write(enabled=False)
    said = sentence(openbell("trigger", "1"), 2)
    assert said == "strategy momentum is not enabled; set `enabled: true`"
