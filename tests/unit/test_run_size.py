"""A run travels as JSON under 16 KB, however much there is to say of it."""

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.support.ledger import ACCOUNT
from tests.support.values import OPEN, run, strategy
from worker.models.decision import OrderLine
from worker.models.market import AccountFigures, AccountProof
from worker.models.run import MAX_JSON_BYTES, MAX_START_BYTES, Ending, Run, Session, Tracking
from worker.models.signal import MAX_RATIONALE, Signal
from worker.models.strategy import MAX_SYMBOLS
from worker.risk.codes import Code

# Strategy.symbols allows twenty. Each needs about 1,100 bytes: its rationale twice (the signal's
# and the placed line's reason), three references of 64 digits, an average price of 28 digits.
REF = "f" * 64
FIGURE = Decimal("1234567.89")


def signal(symbol: str) -> Signal:
    return Signal(
        symbol=symbol, side="BUY", confidence=Decimal("0.8125"), rationale="x" * MAX_RATIONALE,
        analyst="model:gpt-4.1-mini", as_of=OPEN, price_usd=Decimal("431.25"),
        prompt_ref=REF, answer_ref=REF,
    )  # fmt: skip


def line(symbol: str, **changes: Any) -> OrderLine:
    data: dict[str, Any] = {
        "symbol": symbol, "outcome": "placed", "reason": "x" * MAX_RATIONALE, "side": "BUY",
        "quantity": 1234, "limit_price": Decimal("431.25"), "coid": "ob-" + "f" * 24,
        "state": "CANCELLED", "filled_quantity": Decimal(1000),
        "average_price": Decimal("430.1235"), "owned_before": Decimal(100),
        "owned_after": Decimal(1100), "checks_ref": REF, "checks_run": len(Code),
    }  # fmt: skip
    return OrderLine(**(data | changes))


def full_run(count: int, **changes: Any) -> Run:
    symbols = [f"SYM{number:02d}" for number in range(count)]
    chosen = strategy(
        symbols=symbols,
        description="Buys what rises, sells what falls, and says why. " * 60,
        schedule={"entries": [{"cron": "35 9 * * 1-5"}, {"cron": "0 12 * * 1-5"}]},
        signal={"analyst": "model"},
        risk={"max_order_value_usd": 5000, "max_position_value_usd": 9000, "min_confidence": "0.6"},
        parameters={"lookback": 20, "note": "x" * 100},
    )
    data: dict[str, Any] = {
        "run_id": "20130227-143000-1-aaaaaaaa", "slot": "cron:0:2013-02-27T14:35:00+00:00",
        "strategy": chosen, "mode": "paper", "parameters": {"lookback": 20},
        "not_after": OPEN + timedelta(minutes=30),
        "tracking": Tracking(run_id="f" * 32),
        "session": Session(
            opens_at=OPEN, closes_at=OPEN + timedelta(hours=6), release_at=OPEN
        ),
        "account": AccountProof(
            kind="paper",
            signals=dict.fromkeys(("isPaper", "type", "account id", "login"), "paper"),
            sandbox=True,
            checked_at=OPEN,
        ),
        "figures": AccountFigures(
            as_of=OPEN, net_liquidation_usd=FIGURE, total_cash_usd=FIGURE,
            available_funds_usd=FIGURE, buying_power_usd=FIGURE,
        ),
        "signals": tuple(signal(symbol) for symbol in symbols),
        "orders": tuple(line(symbol) for symbol in symbols),
        "refs": {"market": REF, "positions": REF},
        "notes": ("not tracked: MLflow does not answer",),
        "ending": Ending(code="denied", reason="no order passed the checks"),
    }  # fmt: skip
    return run(**(data | changes))


def all_denied(symbol: str) -> OrderLine:
    """Every check says why, as it does where a feed breaks."""
    sentence = "; ".join(f"{code}: the figure that it needs is not known" for code in Code)
    return line(
        symbol, outcome="denied", reason=sentence, state=None, coid=None, filled_quantity=None,
        average_price=None, checks_failed=tuple(code.value for code in Code),
    )  # fmt: skip


def previewed(symbol: str) -> OrderLine:
    warning = "21/You are trying to submit an order without having market data for it."
    preview: dict[str, Any] = {
        "amount_usd": "4952.16",
        "commission_usd": "1.00",
        "total_usd": "4953.16",
    }
    preview |= {"warnings": [warning]}
    return line(
        symbol, outcome="previewed", reason="passed every check", state=None, coid=None,
        filled_quantity=None, average_price=None, owned_after=None, preview=preview,
    )  # fmt: skip


@pytest.mark.parametrize("count", [1, 3, MAX_SYMBOLS])
def test_a_run_with_everything_said_at_length_fits(count: int) -> None:
    assert full_run(count).size_bytes() <= MAX_JSON_BYTES


def test_the_fullest_start_is_what_may_start() -> None:
    """The sizes here are those of a run that has used up what it may have at its start."""
    run = full_run(MAX_SYMBOLS)
    start = Run(
        run_id=run.run_id, slot=run.slot, strategy=run.strategy, mode=run.mode,
        symbols=run.symbols, parameters=run.parameters, due_at=run.due_at,
    )  # fmt: skip
    assert MAX_START_BYTES * 0.95 < start.size_bytes() <= MAX_START_BYTES


@pytest.mark.parametrize("make", [all_denied, previewed])
@pytest.mark.parametrize("count", [1, 3, MAX_SYMBOLS])
def test_a_run_of_denials_or_previews_fits(count: int, make: Any) -> None:
    given = full_run(count)
    assert given.evolve(orders=tuple(map(make, given.symbols))).size_bytes() <= MAX_JSON_BYTES


def test_the_size_is_that_of_the_json_that_travels() -> None:
    given = full_run(3)
    travels = json.dumps(given.to_json(), separators=(",", ":"), ensure_ascii=False).encode()
    assert given.size_bytes() == len(travels)
    assert Run.from_json(given.to_json()) == given


def test_the_account_does_not_travel() -> None:
    assert ACCOUNT not in json.dumps(full_run(3).to_json())
