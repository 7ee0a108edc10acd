"""The one value that travels from step to step."""

import json
from typing import Any, Literal

from pydantic import field_validator

from worker.models.base import Utc, Value
from worker.models.decision import OrderLine
from worker.models.market import AccountFigures, AccountProof
from worker.models.signal import Signal
from worker.models.strategy import Mode, Strategy

MAX_JSON_BYTES = 16 * 1024
# Of these a run may have used so many at its start: the rest is for what its steps find out.
MAX_START_BYTES = 4 * 1024

EndingCode = Literal[
    "closed", "expired", "held", "denied", "halted", "superseded",
    "not previewed", "no session", "cancelled", "missed", "failed",
]  # fmt: skip


class Ending(Value):
    """Why a run goes no further: a business ending, in a trader's words."""

    code: EndingCode
    reason: str


class Session(Value):
    """The exchange session a run trades in, and the moments fixed for it (market time)."""

    opens_at: Utc
    closes_at: Utc
    release_at: Utc


class Tracking(Value):
    """Where MLflow keeps the run; `note` says why it does not."""

    run_id: str | None = None
    note: str | None = None


class Run(Value):
    """One run of one strategy. Under 16 KB as JSON.

    Bulky things lie in the store: `refs["market"]` is a list of SymbolMarket, `refs["positions"]`
    one of Position.
    """

    run_id: str
    slot: str
    strategy: Strategy
    mode: Mode
    symbols: tuple[str, ...]
    parameters: dict[str, Any] = {}
    due_at: Utc
    not_after: Utc | None = None
    ending: Ending | None = None
    tracking: Tracking | None = None
    session: Session | None = None
    account: AccountProof | None = None
    figures: AccountFigures | None = None
    signals: tuple[Signal, ...] = ()
    orders: tuple[OrderLine, ...] = ()
    refs: dict[str, str] = {}
    notes: tuple[str, ...] = ()
    failure: str | None = None

    @field_validator("parameters")
    @classmethod
    def _plain(cls, value: dict[str, Any]) -> dict[str, Any]:
        json.dumps(value)
        return value

    def ended(self, code: EndingCode, reason: str) -> "Run":
        return self.evolve(ending=Ending(code=code, reason=reason))

    def with_ref(self, name: str, ref: str) -> "Run":
        return self.evolve(refs={**self.refs, name: ref})

    def noted(self, note: str) -> "Run":
        return self.evolve(notes=(*self.notes, note))

    def size_bytes(self) -> int:
        return len(self.model_dump_json(exclude_none=True).encode())
