"""The doctor's look at the gateway, from the wire upwards: what stops it first is what to mend."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import httpx

from scripts.access import impatient_reader, short_account
from scripts.doctor_findings import Finding, ok, problem, warning
from scripts.doctor_wire import PATIENCE_SECONDS, NoWayOn, wire
from worker.errors import (
    BrokerError,
    NeedsLogin,
    NotProved,
    OpenbellError,
    PacingError,
    TemporaryError,
)  # fmt: skip
from worker.http import make_client

if TYPE_CHECKING:
    from worker.ibkr.client import GatewayReader
    from worker.models.market import AccountProof, BrokerSession
    from worker.runtime import Services

WORDS_OF_DATA = {
    "D": "delayed by a quarter of an hour",
    "Z": "frozen",
    "Y": "frozen and delayed",
    "N": "not subscribed",
}


def gateway(s: "Services") -> Iterator[Finding]:
    """Each finding stands on the ones before it; after a problem that hides the rest it ends."""
    url = httpx.URL(s.settings.ibkr.base_url)
    try:
        yield from wire(s)
        with impatient_reader(s, PATIENCE_SECONDS) as reader:
            yield from _login(s, reader, f"https://{url.netloc.decode()}")
            yield from _account(s, reader)
            yield from _market_data(s, reader)
    except NoWayOn:
        return


def _login(s: "Services", reader: "GatewayReader", page: str) -> Iterator[Finding]:
    """The API, the login, and the brokerage session."""
    try:
        session = reader.session()
    except OpenbellError as error:
        yield _refusal(s, error, page)
        raise NoWayOn from None
    trouble = _trouble(session, page)
    if trouble is not None:
        yield trouble
        raise NoWayOn
    yield ok("login", "logged in, with a brokerage session of its own")


def _refusal(s: "Services", error: OpenbellError, page: str) -> Finding:
    """Why the status was not told."""
    where = f"ibkr.base_url is {s.settings.ibkr.base_url}; it must end in /v1/api"
    if isinstance(error, NeedsLogin):
        return problem("login", error.sentence, f"open {page} in a browser and log in")
    if isinstance(error, PacingError):
        return problem("gateway", error.sentence, "ask nothing for a quarter of an hour")
    if isinstance(error, TemporaryError):
        return problem(
            "gateway",
            error.sentence,
            "wait: IBKR resets about 01:00 in New York and on Saturday evenings",
        )
    if isinstance(error, BrokerError) and "conf.yaml" in error.sentence:
        return problem(
            "gateway",
            "it denies this machine's address (Access Denied)",
            "add the address to ips.allow in the gateway's conf.yaml and start it again",
        )
    return problem("gateway", error.sentence, where)


def _trouble(session: "BrokerSession", page: str) -> Finding | None:
    """None where the session is healthy."""
    if session.healthy:
        return None
    if session.competing:
        return problem(
            "login",
            "another program holds the brokerage session (competing)",
            "log out of TWS, the phone and the website; the same user may be there once only",
        )
    if not session.connected:
        return problem("login", "nobody is logged in", f"open {page} in a browser and log in")
    if session.authenticated:
        return problem(
            "login", "the brokerage session is not established yet", "look again in a minute"
        )
    said = f" ({session.message})" if session.message else ""
    return problem(
        "login",
        f"logged in, but there is no brokerage session{said}",
        f"a run opens it by itself; if it stays so, log in again at {page}",
    )


def _account(s: "Services", reader: "GatewayReader") -> Iterator[Finding]:
    """The configured account is there, and is of the nature that the mode needs."""
    mode = s.settings.mode
    try:
        there = [str(each) for each in reader.prime()["accounts"]]
        listed = ", ".join(filter(None, map(short_account, there)))
        if not s.account_id:
            yield problem(
                "account",
                f"none is configured; the gateway has {listed}",
                "set OPENBELL_IBKR__ACCOUNT_ID",
            )
            raise NoWayOn
        if s.account_id not in there:
            yield problem(
                "account",
                f"{short_account(s.account_id)} is configured, the gateway has {listed}",
                "correct OPENBELL_IBKR__ACCOUNT_ID, or log in as another user",
            )
            raise NoWayOn
        proof = reader.prove_account(s.account_id, None if mode == "dry" else mode)
    except NotProved as error:
        yield problem("account", error.sentence, "correct `mode`, or log in as the other user")
        raise NoWayOn from None
    except OpenbellError as error:
        yield problem("account", error.sentence, "look again in a minute")
        raise NoWayOn from None
    by = ", ".join(proof.signals)
    yield ok("account", f"{short_account(s.account_id)}, {proof.kind}, proved by {by}")
    yield from _sandbox(s, proof)


def _sandbox(s: "Services", proof: "AccountProof") -> Iterator[Finding]:
    """Orders go to a server that proves to be the sandbox, and to no other."""
    from worker.ibkr.proof import prove_sandbox

    if s.settings.mode == "dry" and not proof.sandbox:
        return
    ibkr = s.settings.ibkr
    try:
        with make_client(ibkr.base_url, tls=ibkr.tls, timeout_seconds=PATIENCE_SECONDS) as client:
            prove_sandbox(client, s.settings.secret_of_sandbox())
    except OpenbellError as error:
        if s.settings.mode == "dry":
            yield warning("sandbox", error.sentence)
        else:
            yield problem(
                "sandbox",
                f"mode is {s.settings.mode}, and {error.sentence}",
                "use the sandbox, or set `mode: dry`: this version orders nowhere else",
            )
    else:
        yield ok("sandbox", "it proved to be the sandbox: no real market, no real money")


def _market_data(s: "Services", reader: "GatewayReader") -> Iterator[Finding]:
    """Field 6509 of one symbol: whether quotes come in real time."""
    symbol = _symbol(s)
    try:
        quote = reader.quotes([reader.contract(symbol)])[0]
    except OpenbellError as error:
        yield problem("market data", error.sentence)
        return
    rights = quote.availability
    if rights is None:
        yield warning("market data", f"the gateway does not say of {symbol} how fresh quotes are")
    elif rights.startswith("R"):
        price = quote.last if quote.mid is None else quote.mid
        yield ok("market data", f"{symbol} in real time ({rights}){f', {price}' if price else ''}")
    else:
        words = WORDS_OF_DATA.get(rights[:1], "not in real time")
        yield problem(
            "market data",
            f"{symbol} is {words} ({rights}): every order is denied by DATA_RIGHTS",
            "subscribe to US market data at IBKR, and share it with the paper user",
        )


def _symbol(s: "Services") -> str:
    for strategy in s.strategies.enabled():
        return strategy.symbols[0]
    return next(iter(s.settings.risk.allowed_symbols), "AAPL")
