"""What a person can ask of the sandbox under /sandbox/, checked before anything changes.

A wish that makes no sense is refused whole, in a sentence that names the field.
"""

from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from scripts.sandbox.questions import ASKED_BY_DEFAULT, BY_ID

Kind = TypeVar("Kind", bound=BaseModel)
MOST_SECONDS = 600.0
Seconds = Annotated[float, Field(ge=0, le=MOST_SECONDS)]
Count = Annotated[int, Field(ge=1)]


class WishError(Exception):
    """The text is a sentence for a person."""


def _known_question(message_id: str) -> str:
    if message_id not in BY_ID:
        raise ValueError(f"there are {', '.join(BY_ID)}")
    return message_id


class Wish(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class Switches(Wish):
    """Where recordings of the broker disagree or behaviour varies: pick one."""

    enforce_pacing: bool = False  # counted always; only then 429 and the penalty box
    refuse_address: bool = False  # as if the client's address were not in the gateway's list
    delayed_data: bool = False  # an account without market data of its own
    quiet: bool = False  # nothing trades: orders rest
    session_lifetimes: bool = False  # idle and at midnight, sessions end
    superseded_goes_live: bool = True  # a reply answered 503 and its order became live all the same
    duplicate_status: Annotated[int, Field(ge=200, le=599)] = 200
    trades_empty_first: bool = False
    prime_portfolio: bool = True
    questions: list[Annotated[str, AfterValidator(_known_question)]] = Field(
        default_factory=lambda: list(ASKED_BY_DEFAULT)
    )


class SessionChange(Wish):
    """What a person at a browser, a phone or the night does to the session."""

    sso: bool | None = None
    brokerage: bool | None = None
    competing: bool | None = None


class OrderChange(Wish):
    """What the broker's own systems do to a working order: set it aside, or cancel it."""

    order_id: int
    status: Literal["Inactive", "Cancelled"]
    reason: str | None = None


class Override(Wish):
    """What the analyst answers instead of its rule: a signal, any text, or a failure."""

    signal: Literal["BUY", "SELL", "HOLD"] | None = None
    confidence_pct: Annotated[int, Field(ge=0, le=100)] | None = None
    confidence: Annotated[float, Field(ge=0, le=1)] | None = None
    rationale: Annotated[str, Field(max_length=300)] | None = None
    raw: str | None = None
    status: Annotated[int, Field(ge=400, le=599)] | None = None
    delay_seconds: Seconds = 0.0  # before any of them

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if sum(kind is not None for kind in (self.signal, self.raw, self.status)) != 1:
            raise ValueError("write one of signal, raw and status")
        return self


class Page(Wish):
    """Which of the requests that the book has noted."""

    model_config = ConfigDict(strict=False)  # they come as text

    after: Annotated[int, Field(ge=0)]
    limit: Annotated[int, Field(ge=1, le=1000)] = 1000


class Nonce(Wish):
    nonce: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{16,256}$")]


def read(kind: type[Kind], values: Any) -> Kind:
    """Raises WishError, naming the first field that is wrong."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise WishError(f"{where}: {first['msg']}" if where else first["msg"]) from None
