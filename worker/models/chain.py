"""An account's chain of events: where it ends, and where it is not as it was written."""

import re
from typing import Annotated, Literal, Self

from pydantic import Field

from worker.models.base import Value

NO_HASH = "0" * 64
_FORM = re.compile(r"([0-9]{1,18}):([0-9a-f]{64})")


class ChainHead(Value):
    """The last event's number and hash; 0 and zeros before the first. Written as SEQ:HASH."""

    seq: int = 0
    hash: str = NO_HASH

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError where the text can be no head."""
        found = _FORM.fullmatch(text.strip().lower())
        if found is None or (int(found[1]) == 0) != (found[2] == NO_HASH):
            raise ValueError("write it as SEQ:HASH, a number and 64 hexadecimal digits")
        return cls(seq=int(found[1]), hash=found[2])


class Finding(Value):
    """One place where the journal is not as it was written; `seq` is the event's number.

    edited, missing, out_of_order, cut_off: of the chain. state: an order's row does not follow from
    its events. fill: nor does a fill's.
    """

    what: Literal["edited", "missing", "out_of_order", "cut_off", "state", "fill"]
    account_id: Annotated[str, Field(repr=False)]
    seq: int | None = None
    coid: str | None = None
    sentence: str


class Chain(Value):
    """One account's events, counted, and the head as the database has it."""

    account_id: Annotated[str, Field(repr=False)]
    events: int
    head: ChainHead


class Verified(Value):
    chains: tuple[Chain, ...]
    findings: tuple[Finding, ...]

    @property
    def events(self) -> int:
        return sum(chain.events for chain in self.chains)
