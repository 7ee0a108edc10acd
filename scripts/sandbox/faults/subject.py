"""Whom a request or an order is about, so that a fault can be aimed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scripts.sandbox.instruments import BY_CONID
from scripts.sandbox.records import Ticket


@dataclass(frozen=True)
class Subject:
    account: str | None = None
    coids: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ()
    method: str = ""  # both empty: an order, not a request
    path: str = ""


def coids_in(body: Any) -> tuple[str, ...]:
    """The clients' own ids in the body of an order request, however malformed it is."""
    given = [row.get("cOID") for row in _tickets(body)]
    return tuple(coid for coid in given if isinstance(coid, str) and coid)


def symbols_in(body: Any) -> tuple[str, ...]:
    conids = [row.get("conid") for row in _tickets(body)]
    return tuple(BY_CONID[c].symbol for c in conids if isinstance(c, int) and c in BY_CONID)


def of_ticket(ticket: Ticket, account: str) -> Subject:
    return Subject(account, (ticket.coid,) if ticket.coid else (), (ticket.symbol,))


def _tickets(body: Any) -> list[Mapping[str, Any]]:
    rows = body.get("orders") if isinstance(body, dict) else None
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
