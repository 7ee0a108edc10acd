"""A strategy as its YAML file states it: what to trade, when, how a signal is made and sized."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

import pytz
from cronsim import CronSim, CronSimError
from pydantic import Field, StrictBool, field_validator, model_validator

from worker.models.base import Duration, Number, Value, Whole, matching

# What a run says of each symbol travels with it, in at most 16 KB (`worker.models.run`).
MAX_SYMBOLS = 10
Mode = Literal["dry", "paper", "live"]
Symbol = Annotated[
    str, matching("[A-Z][A-Z0-9. ]{0,11}", "write a symbol in capital letters, such as AAPL")
]
Name = Annotated[
    str,
    matching(
        "[a-z0-9][a-z0-9-]{0,39}",
        "write at most 40 lower-case letters, digits and hyphens, such as my-strategy",
    ),
]


class CronEntry(Value):
    """One time table line, `minute hour day month weekday`, read in the schedule's time zone."""

    cron: str
    name: str | None = None

    @field_validator("cron")
    @classmethod
    def _readable(cls, value: str) -> str:
        try:
            CronSim(value, datetime(2020, 1, 1, tzinfo=UTC))
        except CronSimError as error:
            raise ValueError(
                f"{value!r} is not a cron expression ({error}); "
                "write five fields: minute hour day month weekday, such as '35 9 * * 1-5'"
            ) from None
        return value


class Schedule(Value):
    timezone: str = "America/New_York"
    entries: tuple[CronEntry, ...] = ()

    @field_validator("timezone")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in pytz.all_timezones_set:
            raise ValueError(f"{value!r} is not a time zone; write a name such as America/New_York")
        return value


class MarketWindow(Value):
    """Where in the session a run may trade."""

    not_before_open: Duration = timedelta(minutes=2)
    before_close: Duration = timedelta(minutes=5)
    max_wait: Duration = timedelta(hours=20)
    lasts: Duration = timedelta(minutes=30)

    @field_validator("max_wait")
    @classmethod
    def _bounded(cls, value: timedelta) -> timedelta:
        if value > timedelta(hours=120):
            raise ValueError("max_wait is at most 120h")
        return value


class SignalRules(Value):
    """How a signal is made. `analyst: model` asks the configured language model."""

    analyst: Literal["rules", "model"] = "rules"
    model: str | None = None
    prompt: str = "default"
    bars: Annotated[Whole, Field(ge=30, le=500)] = 120


class Sizing(Value):
    """How large a position a BUY asks for. A target, never an addition."""

    method: Literal["fixed_value", "fixed_quantity"] = "fixed_value"
    value_usd: Annotated[Number, Field(gt=0)] | None = None
    quantity: Annotated[Whole, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _complete(self) -> "Sizing":
        need, other = "value_usd", "quantity"
        if self.method == "fixed_quantity":
            need, other = other, need
        if getattr(self, need) is None or getattr(self, other) is not None:
            raise ValueError(f"sizing by {self.method} needs {need}, and no {other}")
        return self


class OrderRules(Value):
    type: Literal["limit"] = "limit"
    time_in_force: Literal["DAY"] = "DAY"
    collar_bps: Annotated[Number, Field(ge=0, le=500)] = Decimal(25)
    good_for: Duration = timedelta(minutes=5)
    rest: StrictBool = False


class RiskRules(Value):
    """A strategy's own limits. The stricter of these and the account's holds; None adds none."""

    max_order_value_usd: Annotated[Number, Field(gt=0)] | None = None
    max_position_value_usd: Annotated[Number, Field(gt=0)] | None = None
    min_confidence: Annotated[Number, Field(ge=0, le=1)] | None = None
    max_signal_age: Duration | None = None
    max_drift_bps: Annotated[Number, Field(ge=0)] | None = None


class Strategy(Value):
    """One strategy. `dry_run` takes YAML's true and false alone: a quoted word is an error."""

    id: Annotated[Whole, Field(ge=1)]
    name: Name
    description: str = ""
    enabled: StrictBool = True
    symbols: Annotated[tuple[Symbol, ...], Field(min_length=1, max_length=MAX_SYMBOLS)]
    schedule: Schedule = Schedule()
    when_closed: Literal["skip", "wait"] = "skip"
    market: MarketWindow = MarketWindow()
    signal: SignalRules = SignalRules()
    sizing: Sizing
    order: OrderRules = OrderRules()
    risk: RiskRules = RiskRules()
    catch_up: Literal["skip", "once"] = "skip"
    dry_run: StrictBool = True
    parameters: dict[str, Any] = {}

    @field_validator("symbols")
    @classmethod
    def _distinct(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) != len(value):
            raise ValueError("a symbol is listed twice; keep one")
        return value

    @property
    def digest(self) -> str:
        """Changes with anything a trader would call a change of the strategy."""
        canonical = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]
