"""An analyst's answer about one symbol."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from worker.models.base import Utc, Value

MAX_RATIONALE = 160
Side = Literal["BUY", "SELL", "HOLD"]


class Signal(Value):
    """A target: BUY = own the sized amount, SELL = own none, HOLD = no change.

    `abstained` says why an answer was unusable; the side is then HOLD and the confidence 0.
    `price_usd` is the last price the analyst saw, `as_of` when (market time). The whole answer
    lies in the store under `answer_ref`.
    """

    symbol: str
    side: Side
    confidence: Annotated[Decimal, Field(ge=0, le=1)]
    rationale: Annotated[str, Field(max_length=MAX_RATIONALE)]
    analyst: str
    as_of: Utc
    price_usd: Decimal | None = None
    abstained: str | None = None
    prompt_ref: str | None = None
    answer_ref: str | None = None
