"""One request to the gateway, its answer, and what a path needs before it works."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from scripts.sandbox.sandbox import ACCOUNT, Sandbox


@dataclass(frozen=True)
class Call:
    sandbox: Sandbox
    params: Mapping[str, str]  # from the path
    query: Mapping[str, str]
    body: Any  # decoded JSON; {} when there was none

    def given(self, name: str) -> Any:
        """A field of the body; None where there is no such field, or no object."""
        return self.body.get(name) if isinstance(self.body, dict) else None

    @property
    def foreign(self) -> bool:
        """The path names an account that is not the sandbox's."""
        return self.params.get("account", ACCOUNT) != ACCOUNT


@dataclass(frozen=True)
class Answer:
    payload: Any = None  # None: an empty body
    status: int = 200


class Unreadable:
    """The body is not JSON."""


class Needs(Enum):
    """What must be there before a path answers."""

    NOTHING = auto()
    LOGIN = auto()
    PORTFOLIO = auto()  # a login, and /portfolio/accounts called
    BROKERAGE = auto()
    ACCOUNTS = auto()  # a brokerage session, and /iserver/accounts called: else 500
    ACCOUNTS_400 = auto()  # the same with the answer of the summary and of profit and loss


@dataclass(frozen=True)
class Endpoint:
    method: str
    path: str
    needs: Needs
    handle: Callable[[Call], Answer]
    noted: bool = False  # each request is in the book, with what came of it


def whole_number(text: Any) -> int | None:
    """An id as clients write it, as a number or as digits; None for anything else."""
    digits = str(text)
    if isinstance(text, bool) or not (digits.isascii() and digits.isdigit() and len(digits) < 19):
        return None
    return int(digits)


def bad_request(text: str) -> Answer:
    return Answer({"error": f"Bad Request: {text}", "statusCode": 400}, 400)


def failed(text: str) -> Answer:
    return Answer({"error": text}, 500)


def already_registered(coid: str | None, status: int) -> Answer:
    text = f"Order couldn't be submitted: Local order ID={coid} is already registered."
    return Answer({"error": text}, status)


UNAVAILABLE = Answer({"error": "Service Unavailable", "statusCode": 503}, 503)
NO_LOGIN = Answer(None, 401)


def answer(call: Call, endpoint: Endpoint) -> Answer:
    """What the gateway says: that something is missing, or what the path is for."""
    refused = missing(call, endpoint.needs)
    if refused:
        return refused
    if isinstance(call.body, Unreadable):
        return bad_request("the body is not JSON")
    return endpoint.handle(call)


def missing(call: Call, needs: Needs) -> Answer | None:
    """The gateway's answer when what the path needs is not there."""
    login, switches = call.sandbox.login, call.sandbox.switches
    if needs is Needs.NOTHING:
        return None
    if not login.sso:
        return NO_LOGIN
    if needs is Needs.LOGIN:
        return None
    if needs is Needs.PORTFOLIO:
        if call.foreign:
            return NO_LOGIN
        if switches.prime_portfolio and not login.portfolio_primed:
            return bad_request("Please query /portfolio/accounts first")
        return None
    return _missing_brokerage(call, needs)


def _missing_brokerage(call: Call, needs: Needs) -> Answer | None:
    login = call.sandbox.login
    if not login.established or login.competing:
        return bad_request("no bridge")
    if needs is Needs.ACCOUNTS and not login.inside.primed:
        return failed("Please query /accounts first")
    if needs is Needs.ACCOUNTS_400 and not login.inside.primed:
        return bad_request("Please query /accounts first")
    if call.foreign:
        return bad_request(f"accountId is not valid: {call.params['account']}")
    return None
