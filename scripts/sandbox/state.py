"""The gateway's memory: logins, what was primed, open streams, questions that wait for an answer.

None of it is on disk: a gateway that restarts has forgotten it too. The book has not.
"""

import uuid
from dataclasses import dataclass, field

from scripts.sandbox.records import Ticket
from scripts.sandbox.valuation import Holding

POLLS_UNTIL_ESTABLISHED = 2


@dataclass
class Stream:
    """One contract's market data. The first call opens it, the second is still incomplete."""

    calls: int = 0
    fields: set[str] = field(default_factory=set)


@dataclass
class Pending:
    """An order that waits for `confirmed` to a question, and what will be asked after it."""

    ticket: Ticket
    rounds: list[list[str]]  # message ids; the round that was asked first
    superseded: bool = False
    released: tuple[Ticket, ...] = ()  # answered with 503, and live once this one is confirmed


@dataclass
class Brokerage:
    """What a new brokerage session has to build up again."""

    primed: bool = False  # /iserver/accounts was called
    polls_until_established: int = 0
    orders_primed: bool = False
    trades_primed: bool = False
    pnl_primed: bool = False
    suppressed: set[str] = field(default_factory=set)
    streams: dict[int, Stream] = field(default_factory=dict)
    pending: dict[str, Pending] = field(default_factory=dict)


@dataclass
class Login:
    """The single sign-on, and the brokerage session on top of it. They end independently."""

    sso: bool = True
    logged_out: bool = False  # by /logout; a login that ended otherwise answers 401 everywhere
    brokerage: bool = True
    competing: bool = False
    portfolio_primed: bool = False  # /portfolio/accounts was called
    positions: dict[str, tuple[Holding, ...]] = field(default_factory=dict)  # cached by account
    token: str = field(default_factory=lambda: uuid.uuid4().hex)
    inside: Brokerage = field(default_factory=Brokerage)

    @property
    def established(self) -> bool:
        return self.brokerage and self.inside.polls_until_established == 0

    def open_brokerage(self) -> None:
        self.brokerage = True
        self.inside = Brokerage(polls_until_established=POLLS_UNTIL_ESTABLISHED)

    def close_brokerage(self) -> None:
        self.brokerage = False
        self.inside = Brokerage()

    def log_out(self) -> None:
        self.close_brokerage()
        self.sso, self.logged_out, self.portfolio_primed = False, True, False
        self.positions.clear()

    def change(
        self,
        sso: bool | None = None,
        brokerage: bool | None = None,
        competing: bool | None = None,
    ) -> None:
        """For drills: what a person at a browser, a phone or the night does to the session."""
        if sso is not None and sso != self.sso:
            self.close_brokerage()
            self.sso, self.logged_out, self.portfolio_primed = sso, False, False
            self.positions.clear()
            if sso and brokerage is None:
                brokerage = True  # the gateway opens it by itself after a login
        if brokerage is not None and brokerage != self.brokerage:
            self.close_brokerage()
            self.brokerage = brokerage
        if competing is not None:
            self.competing = competing
