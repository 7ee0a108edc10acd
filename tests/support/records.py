"""A run that went all its way, as the recorder would hand it to MLflow."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.support.values import OPEN, run
from worker.models.chain import ChainHead
from worker.models.decision import OrderLine
from worker.models.market import AccountProof, Bar, Contract, Quote, SymbolMarket
from worker.models.order import Fill, OrderIntent, OrderRecord
from worker.models.record import Record, StepTime, SymbolRecord
from worker.models.signal import Signal

ACCOUNT = "DU1234567"
CHECKS = [{"code": "MAX_ORDER_VALUE", "passed": True, "sentence": "passed"}]


def bars(count: int = 30, last: datetime = OPEN) -> tuple[Bar, ...]:
    """Daily bars that climb by a dollar; the last is the running session's."""
    return tuple(
        Bar(
            time=last - timedelta(days=count - 1 - number),
            open=Decimal(400 + number),
            high=Decimal(402 + number),
            low=Decimal(399 + number),
            close=Decimal(401 + number),
            volume=Decimal(1_000_000),
            partial=number == count - 1,
        )
        for number in range(count)
    )


def market(symbol: str, conid: int, bars_ref: str = "0" * 64) -> SymbolMarket:
    quote = Quote(
        symbol=symbol, conid=conid, as_of=OPEN, bid=Decimal("429.9"), ask=Decimal("430.1"),
        last=Decimal(430),
    )  # fmt: skip
    return SymbolMarket(
        contract=Contract(symbol=symbol, conid=conid, exchange="NASDAQ", currency="USD"),
        quote=quote,
        bars_ref=bars_ref,
        bars_count=30,
    )


def signal(symbol: str, side: Any, confidence: str, **changes: Any) -> Signal:
    data: dict[str, Any] = {
        "symbol": symbol,
        "side": side,
        "confidence": Decimal(confidence),
        "rationale": "It stands above its average | and $430 < $431.",
        "analyst": "rules",
        "as_of": OPEN,
        "price_usd": Decimal(430),
    }
    return Signal(**(data | changes))


def order(run_id: str) -> OrderRecord:
    intent = OrderIntent(
        run_id=run_id, strategy_id=1, account_id=ACCOUNT, symbol="AAPL", conid=265598, leg="entry",
        side="BUY", quantity=11, limit_price=Decimal("431.25"),
    )  # fmt: skip
    return OrderRecord(
        intent=intent, state="FILLED", broker_order_id="1001", filled_quantity=Decimal(11),
        average_price=Decimal("430.5"), acknowledged_at=OPEN, created_at=OPEN, updated_at=OPEN,
    )  # fmt: skip


def fill(filled: OrderRecord) -> Fill:
    return Fill(
        execution_id="e-1", coid=filled.intent.coid, broker_order_id="1001", conid=265598,
        symbol="AAPL", side="BUY", quantity=Decimal(11), price=Decimal("430.5"),
        commission_usd=Decimal("1.00"), executed_at=OPEN,
    )  # fmt: skip


def steps(count: int = 7) -> tuple[StepTime, ...]:
    names = (
        "start_tracking", "validate_environment", "check_market_open", "check_ibkr_auth",
        "fetch_market_data", "generate_signal", "place_orders",
    )  # fmt: skip
    return tuple(
        StepTime(
            step=name,
            state="done",
            started_at=OPEN + timedelta(seconds=2 * number),
            finished_at=OPEN + timedelta(seconds=2 * number + 1.5),
        )
        for number, name in enumerate(names[:count])
    )


def full_record(run_id: str = "20130227-143000-1-aaaaaaaa", **changes: Any) -> Record:
    """AAPL bought and filled, MSFT denied; of its chart there are the first bytes."""
    signals = (signal("AAPL", "BUY", "0.8"), signal("MSFT", "SELL", "0.6"))
    lines = (
        OrderLine(
            symbol="AAPL", outcome="placed", reason="filled", side="BUY", quantity=11,
            limit_price=Decimal("431.25"), state="FILLED", filled_quantity=Decimal(11),
            average_price=Decimal("430.5"), owned_before=Decimal(0), owned_after=Decimal(11),
            checks_run=1,
        ),
        OrderLine(
            symbol="MSFT", outcome="denied", reason="the strategy owns none of it", side="SELL",
            checks_failed=("SHORT",), checks_run=1,
        ),
    )  # fmt: skip
    proof = AccountProof(kind="paper", signals={}, sandbox=True, checked_at=OPEN)
    filled = order(run_id)
    data: dict[str, Any] = {
        "run": run(
            run_id=run_id, mode="paper", signals=signals, orders=lines, account=proof,
            parameters={"note for today": 3},
        ),
        "version": "0.1.0",
        "steps": steps(),
        "symbols": (
            SymbolRecord(
                symbol="AAPL", market=market("AAPL", 265598), bars=bars(), signal=signals[0],
                prompt="What of AAPL?", answer={"signal": "BUY"}, line=lines[0], checks=CHECKS,
                chart=b"\x89PNG",
            ),
            SymbolRecord(symbol="MSFT", signal=signals[1], line=lines[1]),
        ),
        "orders": (filled,),
        "fills": (fill(filled),),
        "summary": "# A page\n",
        "journal_head": ChainHead(seq=7, hash="ab" * 32),
    }  # fmt: skip
    return Record(**(data | changes))
