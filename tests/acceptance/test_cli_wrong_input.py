"""What a person gets wrong before anything runs: one sentence, a code, nothing half-done."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts import console
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


def test_a_strategy_file_that_is_not_there_is_named(home: Path) -> None:
    said = sentence(openbell("strategies", "validate", "nofile"), 2)
    assert said == "nofile does not exist; create it, or correct the path"


def test_a_symbol_that_the_account_may_not_trade_is_told_before_it_is_denied(write: Write) -> None:
    file = write(symbols=["AAPL", "TSLA"])
    line = file.read_text().splitlines().index("- TSLA") + 1
    told = (
        f"{file}, line {line}, key symbols.1: TSLA is not in risk.allowed_symbols of the "
        "configuration, so each order in it would be denied; add it there, or remove it here"
    )
    assert sentence(openbell("strategies", "validate", str(file)), 2) == told
    assert sentence(openbell("strategies", "validate"), 2) == told
    found = json.loads(openbell("doctor", "--json").out)["findings"]
    wrong = [finding["sentence"] for finding in found if finding["part"] == "strategies"]
    assert wrong == ["1 enabled: 1 momentum", told]


@pytest.mark.parametrize("value", ["no", "Off", "YES"])
def test_a_word_that_old_yaml_takes_for_a_truth_value_is_refused(write: Write, value: str) -> None:
    file = write(f"dry_run: {value}\n")
    assert sentence(openbell("strategies", "validate"), 2) == (
        f"{file}, line 1, key dry_run: YAML reads {value} as a truth value; "
        "write true or false, or quote it if it is text"
    )


def test_the_doctor_does_not_make_a_home_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mistyped = tmp_path / "hoem"
    monkeypatch.setenv("OPENBELL_HOME", str(mistyped))
    monkeypatch.setenv("OPENBELL_REDIS_URL", NOWHERE)
    reset_services()
    first = json.loads(openbell("doctor", "--json").out)["findings"][0]
    assert (first["part"], first["verdict"]) == ("home", "problem")
    assert first["sentence"] == f"{mistyped} does not exist: nothing is kept there"
    assert not mistyped.exists()


def test_the_doctor_does_not_make_a_store_that_is_not_there(home: Path) -> None:
    found = json.loads(openbell("doctor", "--json").out)["findings"]
    [store] = [finding for finding in found if finding["part"] == "store"]
    folder = home / "state" / "store"
    assert store["sentence"] == f"{folder} does not exist yet; the first run makes it"
    assert not folder.exists()


def test_the_doctor_names_certificates_that_are_not_there_though_nothing_listens(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("IBKR", "SIGNAL"):
        monkeypatch.setenv(f"OPENBELL_{name}__BASE_URL", "https://127.0.0.1:1/v1")
        monkeypatch.setenv(f"OPENBELL_{name}__TLS__PINNED_CERTIFICATE", f"/none/{name}.pem")
    reset_services()
    found = json.loads(openbell("doctor", "--json").out)["findings"]
    told = {finding["part"]: finding["sentence"] for finding in found}
    assert told["certificate"].startswith("/none/IBKR.pem does not exist: ")
    assert told["model"].startswith("/none/SIGNAL.pem does not exist: ")
    assert "key signal.tls.pinned_certificate" in told["model"]


# What `up` refuses before anything is started


def refused_up(home: Path, *options: str, **environment: str) -> str:
    said = sentence(openbell_process("up", *options, environment=environment), 2)
    assert not (home / "run" / "supervisord.conf").exists()
    return said


@pytest.mark.parametrize("options", [(), ("--sandbox",)])
def test_up_does_not_start_with_a_broken_strategy(
    write: Write, home: Path, options: tuple[str, ...]
) -> None:
    file = write("id: 1\nname: one\nsymbols: AAPL\n")
    assert refused_up(home, *options) == (
        f"{file}, line 3, key symbols: write a list, such as [first, second]"
    )


@pytest.mark.parametrize("options", [(), ("--sandbox",)])
def test_up_refuses_live_in_the_one_sentence(home: Path, options: tuple[str, ...]) -> None:
    assert refused_up(home, *options, OPENBELL_MODE="live") == (
        "environment variable OPENBELL_MODE: "
        "live trading is not open in this version; write dry or paper"
    )


def test_up_does_not_start_without_the_certificate_that_it_is_to_trust(home: Path) -> None:
    variable = "OPENBELL_IBKR__TLS__PINNED_CERTIFICATE"
    assert refused_up(home, **{variable: "/none/gateway.pem"}) == (
        "/none/gateway.pem does not exist: export the server's certificate there, or correct the "
        f"key ibkr.tls.pinned_certificate ({variable})"
    )


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
    assert f"make it with `{console.openbell()} journal upgrade`" in said
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
    assert said == f"there is no run 'nope'; see `{console.openbell()} runs list`"


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
    assert "The run was not started; start `" in told
    assert "openbell up` in another terminal, then trigger again" in told
    assert told.endswith(f"trigger 1 --key {key}")
    assert row.status == "created"
    assert "momentum: not started" in openbell("runs", "show", run_id).out

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
