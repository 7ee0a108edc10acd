"""Step 2's question: is everything there that a run needs? What is not has its fix."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.support.valkey import ValkeyServer, valkey_server
from tests.support.values import run, strategy
from worker.errors import StepError
from worker.joined.environment import Environment
from worker.journal.engine import Journal
from worker.settings import Settings
from worker.store import open_store

__all__ = ["valkey_server"]

SECRET = "hunter2-the-password"  # pragma: allowlist secret
SETTINGS: dict[str, Any] = {
    "mode": "paper",
    "ibkr": {"account_id": "DU1234567"},
    "signal": {"base_url": "https://model.example/v1"},
}


@pytest.fixture
def redis_client(valkey_server: ValkeyServer) -> "redis.Redis":
    return valkey_server.start().client()


Make = Callable[..., Environment]


@pytest.fixture
def make(journal: Journal, redis_client: "redis.Redis", tmp_path: Path) -> Make:
    def make(probe: Callable[[], None] | None = None, **changes: Any) -> Environment:
        settings = Settings.model_validate(SETTINGS | changes)
        store = open_store(str(tmp_path / "store"), None)
        return Environment(settings, journal, redis_client, probe or store.probe)

    return make


def test_a_whole_environment_has_no_problem(make: Make) -> None:
    for mode in ("dry", "paper"):
        assert make().problems(run(mode=mode)) == []


def test_a_run_for_another_mode_is_refused_with_both_named(make: Make) -> None:
    assert make(mode="dry").problems(run(mode="paper")) == [
        "the run was started for paper, the configuration now says `mode: dry`"
    ]
    assert make(mode="dry").problems(run(mode="dry")) == []


@pytest.mark.parametrize("account", [None, ""])
def test_an_account_must_be_named(make: Make, account: Any) -> None:
    assert make(ibkr={"account_id": account}).problems(run()) == [
        "no account is configured; set OPENBELL_IBKR__ACCOUNT_ID"
    ]


def test_a_model_must_be_named_where_the_strategy_asks_for_one(make: Make) -> None:
    asking = run(strategy=strategy(signal={"analyst": "model"}))
    (problem,) = make(signal={}).problems(asking)
    assert "OPENBELL_SIGNAL__BASE_URL" in problem
    assert make(signal={}).problems(run()) == []
    assert make().problems(asking) == []


def test_redis_that_is_away_is_named_without_its_password(
    make: Make, valkey_server: ValkeyServer
) -> None:
    environment = make()
    valkey_server.kill()
    (problem,) = environment.problems(run())
    assert problem == "Redis does not answer; check OPENBELL_REDIS_URL"
    assert valkey_server.password not in problem


def test_a_journal_of_another_version_says_what_to_run(make: Make, journal: Journal) -> None:
    journal.downgrade("base")
    (problem,) = make().problems(run())
    assert "run `openbell journal upgrade`" in problem


def test_a_journal_that_is_away_is_named_without_its_password(
    redis_client: "redis.Redis",
) -> None:
    journal = Journal(f"postgresql://user:{SECRET}@127.0.0.1:1/journal")
    settings = Settings.model_validate(SETTINGS)
    (problem,) = Environment(settings, journal, redis_client, lambda: None).problems(run())
    assert "OPENBELL_DATABASE_URL" in problem
    assert SECRET not in problem
    journal.close()


def test_a_store_that_does_not_work_is_told(make: Make) -> None:
    def fails() -> None:
        raise StepError("the store's folder is read-only")

    assert make(fails).problems(run()) == ["the store's folder is read-only"]


def test_every_problem_is_told_at_once(make: Make, valkey_server: ValkeyServer) -> None:
    def fails() -> None:
        raise StepError("the store is full")

    environment = make(fails, mode="dry", ibkr={}, signal={})
    valkey_server.kill()
    asking = run(mode="paper", strategy=strategy(signal={"analyst": "model"}))
    assert len(environment.problems(asking)) == 5


@pytest.mark.parametrize(
    ("section", "analyst", "told"),
    [("ibkr", "rules", True), ("signal", "model", True), ("signal", "rules", False)],
)
def test_a_certificate_that_is_not_there_is_named_where_it_is_needed(
    make: Make, tmp_path: Path, section: str, analyst: str, told: bool
) -> None:
    missing = tmp_path / "gone.pem"
    given = {**SETTINGS[section], "tls": {"pinned_certificate": str(missing)}}
    chosen = strategy(signal={"analyst": analyst})
    problems = make(**{section: given}).problems(run(strategy=chosen))
    assert len(problems) == told
    assert all(f"{section}.tls.pinned_certificate" in problem for problem in problems)
