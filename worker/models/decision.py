"""A risk decision: every check that was run, with its reason."""

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from worker.models.base import Value

MAX_REASON = 160


class Check(Value):
    """One check's verdict. `code` is from `worker.risk.codes`; `sentence` is for a trader."""

    code: str
    passed: bool
    sentence: str


class Decision(Value):
    checks: tuple[Check, ...]

    @property
    def allowed(self) -> bool:
        return bool(self.checks) and all(check.passed for check in self.checks)

    @property
    def denials(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if not check.passed)


def _cut(text: object) -> object:
    if isinstance(text, str) and len(text) > MAX_REASON:
        return text[: MAX_REASON - 1] + "…"
    return text


class OrderLine(Value):
    """What became of one symbol in one run: the row a trader reads.

    outcome: placed (an order was sent; see `state`), denied, held (nothing to do),
    previewed (dry run), not previewed, blocked. A long reason is cut; the checks in the store have
    all of it.
    """

    symbol: str
    outcome: Literal["placed", "denied", "held", "previewed", "not previewed", "blocked"]
    reason: Annotated[str, BeforeValidator(_cut)]
    side: Literal["BUY", "SELL"] | None = None
    quantity: int | None = None
    limit_price: Decimal | None = None
    coid: str | None = None
    state: str | None = None
    filled_quantity: Decimal | None = None
    average_price: Decimal | None = None
    owned_before: Decimal | None = None
    owned_after: Decimal | None = None
    checks_ref: str | None = None
    checks_failed: tuple[str, ...] = ()
    checks_run: int = 0
    preview: dict[str, Any] | None = None
