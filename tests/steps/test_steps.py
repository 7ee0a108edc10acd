"""Each step as a plain call: given this run, that run. Real sandbox and journal, no worker."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tasks.check_ibkr_auth import check_ibkr_auth
from tasks.check_market_open import check_market_open
from tasks.cleanup import cleanup
from tasks.fetch_market_data import fetch_market_data
from tasks.generate_signal import generate_signal
from tasks.start_tracking import start_tracking
from tasks.validate_environment import validate_environment
from tests.support.clock import ManualClock
from tests.support.stack import STRATEGY, Stack
from worker.errors import ConfigurationError, NeedsLogin, NotProved
from worker.models.run import Ending, Run, Session
from worker.models.strategy import Strategy
from worker.waiting import Wait

STACK: dict[str, Any] = {"workers": False}
WEDNESDAY = datetime(2013, 2, 27, tzinfo=UTC)
OPENS, CLOSES = WEDNESDAY + timedelta(hours=14, minutes=30), WEDNESDAY + timedelta(hours=21)
SESSION = Session(opens_at=OPENS, closes_at=CLOSES, release_at=OPENS)


def a_run(stack: Stack, due: datetime | None = None, **changes: Any) -> Run:
    """A run that is in the journal, as it travels."""
    strategy = Strategy.model_validate(STRATEGY | changes.pop("strategy", {}))
    due = due or stack.market_now()
    run = Run(
        run_id=f"r-{id(changes)}-{len(stack.services.runs.recent())}",
        slot=f"manual:{len(stack.services.runs.recent())}",
        strategy=strategy,
        mode=changes.pop("mode", "dry"),
        symbols=strategy.symbols,
        due_at=due,
    )
    stack.services.runs.create(run)
    return run.evolve(**changes)


def in_session(stack: Stack, **changes: Any) -> Run:
    not_after = stack.market_now() + timedelta(minutes=30)
    return a_run(stack, session=SESSION, not_after=not_after, **changes)


def test_start_tracking_without_mlflow_goes_on_and_says_so(stack: Stack) -> None:
    run = start_tracking.body(a_run(stack))
    assert run.tracking is not None
    assert run.tracking.to_json() == {"note": "not tracked: MLflow is not configured"}


def test_validate_environment_passes_what_is_whole(stack: Stack) -> None:
    run = a_run(stack, mode="paper")
    assert validate_environment.body(run) == run


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        (
            "OPENBELL_IBKR__ACCOUNT_ID",
            "",
            "no account is configured; set OPENBELL_IBKR__ACCOUNT_ID",
        ),
        (
            "OPENBELL_REDIS_URL",
            "redis://127.0.0.1:1/0",
            "Redis does not answer; check OPENBELL_RED",
        ),
        ("OPENBELL_MODE", "dry", "the run was started for paper, the configuration now says `mode"),
        ("OPENBELL_SIGNAL__BASE_URL", "", "the strategy asks a language model, but none is"),
        ("OPENBELL_DATABASE_URL", "postgresql://127.0.0.1:1/x", "the journal's database does not"),
    ],
)
def test_validate_environment_says_what_to_mend(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, sentence: str
) -> None:
    from worker.runtime import reset_services

    run = a_run(stack, mode="paper")
    monkeypatch.setenv(variable, value)
    reset_services()
    try:
        with pytest.raises(ConfigurationError) as caught:
            validate_environment.body(run)
    finally:
        stack.enter()
    assert caught.value.sentence.startswith(sentence)


GUARD: list[tuple[str, timedelta, dict[str, Any], Any]] = [
    ("in session", timedelta(hours=15), {}, "open"),
    ("at the bell", timedelta(hours=14, minutes=30), {}, "open"),
    ("a second before", timedelta(hours=14, minutes=29, seconds=59), {}, OPENS),
    ("just before the close", timedelta(hours=20, minutes=56), {}, OPENS + timedelta(days=1)),
    ("in the night", timedelta(hours=3), {"when_closed": "skip"}, "closed"),
    (
        "not yet",
        timedelta(hours=14, minutes=31),
        {"market": {"not_before_open": "2m"}},
        OPENS + timedelta(minutes=2),
    ),
    ("too far", timedelta(days=3, hours=3), {"market": {"max_wait": "5h"}}, "closed"),
]


@pytest.mark.parametrize(
    ("after_midnight", "strategy", "expected"), [c[1:] for c in GUARD], ids=[c[0] for c in GUARD]
)
def test_check_market_open_holds_releases_or_ends(
    stack: Stack, after_midnight: timedelta, strategy: dict[str, Any], expected: Any
) -> None:
    now = WEDNESDAY + after_midnight
    vars(stack.services)["clock"] = ManualClock(now)
    run = a_run(stack, due=now, strategy=strategy)
    if isinstance(expected, datetime):
        with pytest.raises(Wait) as wait:
            check_market_open.body(run)
        assert wait.value.until == expected
        return
    after = check_market_open.body(run)
    if expected == "open":
        assert (after.ending, after.session) == (None, SESSION)
        assert after.not_after == now + timedelta(minutes=30)
    else:
        assert after.ending is not None
        assert after.ending.code == expected


def test_check_market_open_ends_a_run_that_comes_long_after_its_window(stack: Stack) -> None:
    vars(stack.services)["clock"] = ManualClock(OPENS + timedelta(hours=3))
    after = check_market_open.body(a_run(stack, due=OPENS))
    assert after.ending == Ending(
        code="expired", reason="its window ended at 2013-02-27 10:00:00 EST"
    )


def test_check_ibkr_auth_proves_login_and_account(stack: Stack) -> None:
    after = check_ibkr_auth.body(in_session(stack, mode="paper"))
    assert after.account is not None
    assert (after.account.kind, after.account.sandbox) == ("paper", True)
    assert set(after.account.signals) == {"isPaper", "type", "account id", "login"}


def test_check_ibkr_auth_wants_a_login_where_there_is_none(stack: Stack) -> None:
    stack.sandbox.session(sso=False)
    try:
        with pytest.raises(NeedsLogin):
            check_ibkr_auth.body(in_session(stack))
    finally:
        stack.sandbox.session(sso=True)


def test_check_ibkr_auth_reopens_a_lost_brokerage_session(stack: Stack) -> None:
    stack.sandbox.session(brokerage=False)
    assert check_ibkr_auth.body(in_session(stack)).account is not None


def test_check_ibkr_auth_refuses_another_account(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    from worker.runtime import reset_services

    monkeypatch.setenv("OPENBELL_IBKR__ACCOUNT_ID", "DU1111111")
    reset_services()
    with pytest.raises(NotProved) as caught:
        check_ibkr_auth.body(in_session(stack))
    assert "DU1111111" not in caught.value.sentence


def test_a_broker_that_does_not_bear_out_the_calendar_denies(
    start_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    overrides = tmp_path / "overrides.yaml"
    overrides.write_text("open: [2013-02-23]\n")
    stack = start_stack(
        at="2013-02-23T11:00:00", workers=False,
        environment={"OPENBELL_MARKET__OVERRIDES": str(overrides)},
    )  # fmt: skip
    opened = check_market_open.body(a_run(stack))
    assert opened.session is not None
    after = check_ibkr_auth.body(opened)
    assert after.ending == Ending(
        code="denied",
        reason="the broker's trading schedule for AAPL disagrees with the calendar",
    )


def test_fetch_market_data_keeps_quotes_bars_positions_and_cash(stack: Stack) -> None:
    after = fetch_market_data.body(in_session(stack))
    market = stack.services.market_reader.kept(after)
    assert [read.quote.symbol for read in market] == ["AAPL", "GOOGL", "MSFT"]
    for read in market:
        assert (read.bars_count, read.quote.availability) == (120, "RpB")
        bars = stack.services.market_reader.bars(read)
        assert [bar.partial for bar in bars] == [False] * 119 + [True]
    assert after.figures is not None
    assert after.figures.total_cash_usd == 1_000_000
    positions = stack.services.store.get_json(after.refs["positions"])
    assert {row["symbol"]: row["quantity"] for row in positions} == {"AAPL": "100", "IBM": "50"}


def test_fetch_market_data_ends_a_run_past_its_window(stack: Stack) -> None:
    late = in_session(stack).evolve(not_after=stack.market_now() - timedelta(seconds=1))
    after = fetch_market_data.body(late)
    assert after.ending is not None
    assert after.ending.code == "expired"


def test_fetch_market_data_comes_back_for_a_quote_that_is_not_there(
    start_stack: Callable[..., Stack],
) -> None:
    stack = start_stack(at="2013-02-27T08:00:00", workers=False)
    with pytest.raises(Wait, match="no fresh quote yet for AAPL, GOOGL, MSFT"):
        fetch_market_data.body(in_session(stack))


def test_generate_signal_abstains_on_an_answer_that_is_none(stack: Stack) -> None:
    good = {"signal": "BUY", "confidence": 0.9, "rationale": "a test says so"}
    stack.sandbox.analyst({"AAPL": good, "GOOGL": {"raw": "I would buy!"}, "MSFT": {"status": 500}})
    try:
        signals = generate_signal.body(fetch_market_data.body(in_session(stack))).signals
    finally:
        stack.sandbox.analyst({})
    assert [(s.symbol, s.side, s.abstained is None) for s in signals] == [
        ("AAPL", "BUY", True), ("GOOGL", "HOLD", False), ("MSFT", "HOLD", False),
    ]  # fmt: skip
    assert signals[1].answer_ref is not None
    assert stack.services.store.get(signals[1].answer_ref)


def test_steps_hand_on_a_run_that_has_ended(stack: Stack) -> None:
    ended = in_session(stack).ended("held", "nothing to do")
    for step in (check_ibkr_auth, fetch_market_data, generate_signal):
        assert step.body(ended) == ended


def test_cleanup_closes_the_run_once_and_tells_of_a_failure(stack: Stack) -> None:
    told: list[tuple[str, str]] = []

    class Told:
        def send(self, severity: str, title: str, text: str) -> bool:
            told.append((severity, title))
            return True

    vars(stack.services)["alerts"] = Told()
    failed = a_run(stack).evolve(failure="place_orders: broken")
    assert cleanup.body(failed) == failed
    cleanup.body(failed)
    row = stack.services.runs.get(failed.run_id)
    assert (row.status, row.outcome, row.reason) == ("closed", "failed", "place_orders: broken")
    assert told == [("critical", f"Run {failed.run_id} of momentum failed")]
