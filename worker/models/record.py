"""The whole story of one run, gathered at its end: what a person looks at, queries and replays."""

import json
import re
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from pydantic import ConfigDict

from worker.models.base import Utc, Value
from worker.models.chain import ChainHead
from worker.models.decision import OrderLine
from worker.models.market import Bar, Position, SymbolMarket
from worker.models.order import Fill, OrderRecord
from worker.models.run import Run
from worker.models.signal import Signal

RunStatus = Literal["FINISHED", "FAILED", "KILLED"]
_ODD = re.compile(r"[^A-Za-z0-9_.-]")
_NEVER_SENT = {"INTENDED", "DENIED"}


class StepTime(Value):
    """When a step ran, on the wall. `error` is why it failed, or was last tried again."""

    step: str
    state: str
    started_at: Utc
    finished_at: Utc | None = None
    error: str | None = None

    @property
    def seconds(self) -> float | None:
        """From its first beginning to its end, waiting included."""
        if self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()


class SymbolRecord(Value):
    """What one run saw, asked, was told and did about one symbol; None where it never came so far.

    `checks` is as the risk room stored it, `answer` as the analyst gave it; `chart` is a PNG.
    """

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    symbol: str
    market: SymbolMarket | None = None
    bars: tuple[Bar, ...] = ()
    prompt: str | None = None
    answer: Any = None
    signal: Signal | None = None
    line: OrderLine | None = None
    checks: Any = None
    chart: bytes | None = None


class Record(Value):
    """`missing` says, in sentences, what could not be read again. `summary` is a Markdown page.
    `journal_head`: where the chain of the account's events ended when the record was made."""

    run: Run
    version: str
    steps: tuple[StepTime, ...] = ()
    symbols: tuple[SymbolRecord, ...] = ()
    positions: tuple[Position, ...] = ()
    orders: tuple[OrderRecord, ...] = ()
    fills: tuple[Fill, ...] = ()
    missing: tuple[str, ...] = ()
    summary: str = ""
    journal_head: ChainHead | None = None

    @property
    def status(self) -> RunStatus:
        if self.run.failure is not None:
            return "FAILED"
        if self.run.ending is not None and self.run.ending.code == "cancelled":
            return "KILLED"
        return "FINISHED"

    @property
    def began_at(self) -> datetime | None:
        return min((step.started_at for step in self.steps), default=None)

    @property
    def ended_at(self) -> datetime | None:
        """The last moment at which a step ended: the same however often the record is made."""
        return max((step.finished_at for step in self.steps if step.finished_at), default=None)

    @property
    def parameters(self) -> dict[str, str]:
        """What was given: the same for every delivery of one run."""
        run, strategy = self.run, self.run.strategy
        given = {
            "strategy": strategy.name,
            "strategy_id": strategy.id,
            "strategy_digest": strategy.digest,
            "mode": run.mode,
            "slot": run.slot,
            "due_at": run.due_at.isoformat(),
            "symbols": ", ".join(run.symbols),
            "when_closed": strategy.when_closed,
            **_flat("signal", strategy.signal.to_json()),
            **_flat("sizing", strategy.sizing.to_json()),
            **_flat("order", strategy.order.to_json()),
            **_flat("risk", strategy.risk.to_json()),
            **_flat("parameters", run.parameters),
        }
        return {name: str(value) for name, value in given.items()}

    @property
    def metrics(self) -> dict[str, float]:
        return {**self._signal_metrics(), **self._order_metrics(), **self._step_metrics()}

    def _signal_metrics(self) -> dict[str, float]:
        given = [signal for signal in self.run.signals if not signal.abstained]
        sides = Counter(signal.side for signal in given)
        metrics: dict[str, float] = {
            f"signals/{side.lower()}": sides[side] for side in ("BUY", "SELL", "HOLD")
        }
        metrics["signals/abstained"] = len(self.run.signals) - len(given)
        if given:
            total = sum((signal.confidence for signal in given), Decimal(0))
            metrics["signals/confidence_mean"] = float(total / len(given))
        return metrics

    def _order_metrics(self) -> dict[str, float]:
        outcomes = Counter(line.outcome for line in self.run.orders)
        sent = [order for order in self.orders if order.state not in _NEVER_SENT]
        states = Counter(order.state for order in sent)
        previewed = [line for line in self.run.orders if line.outcome == "previewed"]
        return {
            "orders/sent": len(sent),
            "orders/filled": states["FILLED"],
            "orders/unknown": states["UNKNOWN"],
            "orders/denied": outcomes["denied"] + outcomes["blocked"],
            "orders/held": outcomes["held"],
            "orders/previewed": len(previewed),
            "orders/sent_usd": _sum(order.intent.notional_usd for order in sent),
            "orders/filled_usd": _sum(fill.quantity * fill.price for fill in self.fills),
            "orders/commission_usd": _sum(fill.commission_usd for fill in self.fills),
            "orders/previewed_usd": _sum(
                line.quantity * line.limit_price
                for line in previewed
                if line.quantity is not None and line.limit_price is not None
            ),
        }

    def _step_metrics(self) -> dict[str, float]:
        seconds = {
            f"seconds/{step.step}": step.seconds for step in self.steps if step.seconds is not None
        }
        if self.began_at is not None and self.ended_at is not None:
            seconds["seconds/total"] = (self.ended_at - self.began_at).total_seconds()
        return seconds

    @property
    def files(self) -> dict[str, bytes]:
        """The record as files, by their paths. The account's id is in none of them."""
        files = {
            "summary.md": self.summary.encode(),
            "decisions.json": _json([_decision(each) for each in self.symbols if each.line]),
            "orders.json": _json([self._order(order) for order in self.orders]),
            "account.json": _json(self._account()),
        }
        for each in self.symbols:
            files |= _files_of(each)
        return files

    def _order(self, order: OrderRecord) -> dict[str, Any]:
        whole = order.to_json()
        del whole["intent"]["account_id"]
        fills = [fill.to_json() for fill in self.fills if fill.coid == order.intent.coid]
        return {"coid": order.intent.coid, **whole, "fills": fills}

    def _account(self) -> dict[str, Any]:
        proof, figures = self.run.account, self.run.figures
        return {
            "kind": proof.kind if proof else None,
            "sandbox": proof.sandbox if proof else None,
            "figures": figures.to_json() if figures else None,
            "positions": [position.to_json() for position in self.positions],
        }


def _files_of(each: SymbolRecord) -> dict[str, bytes]:
    name = each.symbol.replace(" ", "_")
    files: dict[str, bytes] = {}
    if each.market is not None:
        bars = [bar.to_json() for bar in each.bars]
        files[f"market/{name}.json"] = _json({**each.market.to_json(), "bars": bars})
    if each.chart is not None:
        files[f"charts/{name}.png"] = each.chart
    if each.prompt is not None:
        files[f"prompts/{name}.md"] = each.prompt.encode()
    if each.answer is not None:
        files[f"answers/{name}.json"] = _json(each.answer)
    return files


def _decision(each: SymbolRecord) -> dict[str, Any]:
    signal = each.signal.to_json() if each.signal else None
    line = each.line.to_json() if each.line else {}
    return {**line, "signal": signal, "checks": each.checks}


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def _flat(prefix: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Names that MLflow takes, whatever a person called a parameter."""
    return {f"{prefix}.{_ODD.sub('_', name)}": value for name, value in values.items()}


def _sum(amounts: Any) -> float:
    return float(sum((amount for amount in amounts if amount is not None), Decimal(0)))
