"""The kinds of faults: what each may be told, and how nonsense is refused.

| kind               | what the client meets                               | in the book           |
|--------------------|-----------------------------------------------------|-----------------------|
| refuse             | after this answer nobody listens for some seconds   | the request's work    |
| cut_before         | connection reset                                    | nothing               |
| cut_after          | connection reset                                    | the request's work    |
| slow               | the usual answer, the work and it held back         | the work, later       |
| late               | the usual answer, held back                         | the work, at once     |
| status             | another status and body                             | nothing               |
| status_after       | another status and body                             | the request's work    |
| empty_body         | a status without a word                             | the work, or nothing  |
| html               | a page instead of JSON                              | the work, or nothing  |
| truncated_body     | half of the answer                                  | the request's work    |
| already_registered | the client's own id is refused as taken             | nothing, or the order |
| empty_orders       | a list of orders that is falsely empty              | -                     |
| empty_trades       | a list of trades that is falsely empty              | -                     |
| ask                | rounds of questions before the order is taken       | the order, confirmed  |
| reply_503_live     | 503 for the reply that made the order live          | the order             |
| late_fill          | fills that are listed some time after they happened | the fills, at once    |
| inactive           | accepted, then Inactive                             | the same, with reason |
| system_cancel      | accepted, then cancelled by the broker's system     | the same, with reason |
| partial            | fills in the given steps and no more                | the same              |
| cancel_races_fill  | rests until its cancel is accepted, and then fills  | the same              |

The first thirteen act on requests (`method` and `path` below /v1/api, with * for any text), the
others on orders. All can be narrowed by `cOID`, `symbol` (with *) and `account`; a request names
those where it is about an order: a ticket, its preview, a reply, a cancel, a status. A fault begins
with the `nth` that fits and acts on `count` of them, null for all. The seconds of faults on orders
are market seconds, all others are the wall's.
"""

from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from scripts.sandbox.faults.subject import Subject
from scripts.sandbox.records import Status
from scripts.sandbox.wishes import Count, Seconds, Wish, WishError, read

LONGEST_MARKET_SECONDS = 86_400.0
MarketSeconds = Annotated[float, Field(ge=0, le=LONGEST_MARKET_SECONDS)]
StatusCode = Annotated[int, Field(ge=200, le=599)]
Shares = Annotated[int, Field(ge=1, le=10**9)]
MessageId = Annotated[str, Field(pattern=r"^[a-z]\d{1,6}$")]
Reason = Annotated[str, Field(min_length=1, max_length=300)]
PAGE = "<!doctype html><html><body><h1>Service temporarily unavailable</h1></body></html>"


class Fault(Wish):
    """What every fault can be told."""

    kind: str
    id: Annotated[str, Field(pattern=r"^[\w.-]{1,64}$")] | None = None  # None: one is made up
    nth: Count = 1
    count: Count | None = 1
    cOID: str | None = None  # noqa: N815 - the broker's own spelling
    symbol: str | None = None
    account: str | None = None

    def fits(self, subject: Subject) -> bool:
        return (
            _any_like(self.cOID, subject.coids)
            and _any_like(self.symbol, subject.symbols)
            and self.account in (None, subject.account)
        )


class OnRequests(Fault):
    method: str = "*"
    path: str = "*"

    def fits(self, subject: Subject) -> bool:
        aimed = fnmatchcase(subject.method, self.method) and fnmatchcase(subject.path, self.path)
        return aimed and super().fits(subject)


class OnOneEndpoint(Fault):
    """Acts on requests too, but only one sort of request can have this answer."""

    METHOD: ClassVar[str]
    PATH: ClassVar[str]

    def fits(self, subject: Subject) -> bool:
        aimed = subject.method == self.METHOD and fnmatchcase(subject.path, self.PATH)
        return aimed and super().fits(subject)


class OnOrders(Fault):
    """Acts on an order, whichever request makes it."""


class Fated(OnOrders):
    """Acts on what becomes of the order once it is taken; kept with it in the book."""


class Refuse(OnRequests):
    kind: Literal["refuse"]
    seconds: Annotated[Seconds, Field(gt=0)]
    at_once: bool = False  # as soon as it is armed, instead of after a request


class CutBefore(OnRequests):
    kind: Literal["cut_before"]


class CutAfter(OnRequests):
    kind: Literal["cut_after"]


class Slow(OnRequests):
    kind: Literal["slow"]
    delay_seconds: Seconds


class Late(OnRequests):
    kind: Literal["late"]
    delay_seconds: Seconds


class Said(OnRequests):
    status: StatusCode = 503
    body: Any = None  # text as it is, anything else as JSON; None: the gateway's own words
    content_type: str = "application/json"
    headers: dict[str, str] = Field(default_factory=dict)


class StatusBefore(Said):
    kind: Literal["status"]


class StatusAfter(Said):
    kind: Literal["status_after"]


class EmptyBody(OnRequests):
    kind: Literal["empty_body"]
    status: StatusCode = 200
    committed: bool = True


class Html(OnRequests):
    kind: Literal["html"]
    status: StatusCode = 200
    body: str = PAGE
    committed: bool = True


class TruncatedBody(OnRequests):
    kind: Literal["truncated_body"]


class AlreadyRegistered(OnOneEndpoint):
    METHOD, PATH = "POST", "/iserver/account/*/orders"
    kind: Literal["already_registered"]
    status: StatusCode = 200
    committed: bool = False  # true: the order is taken, and its sender told that it was before


class EmptyOrders(OnOneEndpoint):
    METHOD, PATH = "GET", "/iserver/account/orders"
    kind: Literal["empty_orders"]
    snapshot: bool = False


class EmptyTrades(OnOneEndpoint):
    METHOD, PATH = "GET", "/iserver/account/trades"
    kind: Literal["empty_trades"]


class Ask(OnOrders):
    kind: Literal["ask"]
    rounds: Annotated[
        list[Annotated[list[MessageId], Field(min_length=1, max_length=5)]],
        Field(min_length=1, max_length=20),
    ]


class Reply503Live(OnOrders):
    kind: Literal["reply_503_live"]


class LateFill(Fated):
    kind: Literal["late_fill"]
    delay_seconds: MarketSeconds


class Ending(Fated):
    """Until then the order rests, but for the steps of a `partial`."""

    STATUS: ClassVar[Status]
    reason: Reason
    after_seconds: MarketSeconds = 0.0


class Inactive(Ending):
    STATUS = Status.INACTIVE
    kind: Literal["inactive"]


class SystemCancel(Ending):
    STATUS = Status.CANCELLED
    kind: Literal["system_cancel"]


class Step(Wish):
    after_seconds: MarketSeconds  # since the order was accepted
    shares: Shares


class Partial(Fated):
    kind: Literal["partial"]
    steps: Annotated[list[Step], Field(min_length=1, max_length=100)]

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        seconds = [step.after_seconds for step in self.steps]
        if seconds != sorted(seconds):
            raise ValueError("steps: write them in the order of their after_seconds")
        return self


class CancelRacesFill(Fated):
    kind: Literal["cancel_races_fill"]
    shares: Shares | None = None  # None: all of them

    def filling(self, remaining: Decimal) -> Decimal:
        return remaining if self.shares is None else min(remaining, Decimal(self.shares))


KINDS: dict[str, type[Fault]] = {
    "refuse": Refuse,
    "cut_before": CutBefore,
    "cut_after": CutAfter,
    "slow": Slow,
    "late": Late,
    "status": StatusBefore,
    "status_after": StatusAfter,
    "empty_body": EmptyBody,
    "html": Html,
    "truncated_body": TruncatedBody,
    "already_registered": AlreadyRegistered,
    "empty_orders": EmptyOrders,
    "empty_trades": EmptyTrades,
    "ask": Ask,
    "reply_503_live": Reply503Live,
    "late_fill": LateFill,
    "inactive": Inactive,
    "system_cancel": SystemCancel,
    "partial": Partial,
    "cancel_races_fill": CancelRacesFill,
}
FATED = {name: kind for name, kind in KINDS.items() if issubclass(kind, Fated)}


def read_fault(values: Any) -> Fault:
    """Raises WishError, in a sentence that names what is wrong."""
    if not isinstance(values, dict):
        raise WishError('write each fault as an object, such as {"kind": "cut_after"}')
    kind = values.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise WishError(f"kind: there are {', '.join(KINDS)}")
    return read(KINDS[kind], values)


def read_fated(values: dict[str, Any]) -> Fated:
    """As the book has kept it."""
    return read(FATED[values["kind"]], values)


def _any_like(wanted: str | None, found: tuple[str, ...]) -> bool:
    return wanted is None or any(fnmatchcase(text, wanted) for text in found)
