"""What Openbell reads from the Client Portal Web API. Nothing here can send an order."""

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, TypeVar

from worker.clock import Clock
from worker.errors import BrokerError, NotProved, TemporaryError, UnreadableAnswer
from worker.ibkr import decode
from worker.ibkr.gateway import Gateway, NotPrimed
from worker.ibkr.quotes import FIELDS, complete, quote_of
from worker.models.market import (
    AccountFigures,
    AccountProof,
    Bar,
    BrokerSession,
    Contract,
    Position,
    Quote,
    TradingHours,
)  # fmt: skip

Answer = TypeVar("Answer")
POLL_SECONDS = 0.5
POLLS_UNTIL_ESTABLISHED = 20
PAPER_ID = re.compile(r"^D[A-Z]{1,2}\d+$")
LIVE_ID = re.compile(r"^[UF]\d+$")


class GatewayReader:
    """One a process, shared by its threads. Account ids are in no error's sentence."""

    def __init__(
        self, gateway: Gateway, account_id: str, clock: Clock, quote_wait_seconds: float
    ) -> None:
        self.gateway, self._account_id, self._clock = gateway, account_id, clock
        self._quote_wait_seconds = quote_wait_seconds
        self._contracts: dict[str, Contract] = {}
        self._lock = threading.Lock()

    def session(self) -> BrokerSession:
        """GET /iserver/auth/status. 200 is not health: read the value's `healthy`."""
        return _session(self.gateway.get("/iserver/auth/status"))

    def tickle(self) -> BrokerSession:
        """POST /tickle (1/s): keeps login and brokerage session alive; about every 60 s."""
        answer = _mapping(self.gateway.read("/tickle"), "/tickle")
        if answer.get("error"):
            return BrokerSession(
                authenticated=False, connected=False, competing=False, message=str(answer["error"])
            )
        brokerage = answer.get("iserver")
        status = brokerage.get("authStatus") if isinstance(brokerage, dict) else None
        return _session(status if isinstance(status, dict) else {})

    def reopen_brokerage(self, *, compete: bool) -> BrokerSession:
        """POST /iserver/auth/ssodh/init, once, then wait until the session is established.

        `compete` would throw another user's session off. What was primed must be primed again.
        """
        self.gateway.once(
            "POST", "/iserver/auth/ssodh/init", body={"publish": True, "compete": compete}
        )
        session = self.session()
        for _ in range(POLLS_UNTIL_ESTABLISHED):
            if session.healthy or session.competing:
                break
            self._clock.sleep(POLL_SECONDS)
            session = self.session()
        return session

    def prime(self) -> Mapping[str, Any]:
        """GET /iserver/accounts: needed once in each brokerage session before orders and data."""
        answer = _mapping(self.gateway.get("/iserver/accounts"), "/iserver/accounts")
        if not isinstance(answer.get("accounts"), list) or not answer["accounts"]:
            raise TemporaryError("the gateway has not loaded the accounts yet")
        return answer

    def portfolio_accounts(self) -> list[dict[str, Any]]:
        """GET /portfolio/accounts (1 in 5 s): needed before any other /portfolio path."""
        answer = self.gateway.limiter.shared(
            "portfolio_accounts", 5, lambda: _plain(self.gateway.get("/portfolio/accounts"))
        )
        return [row for row in _rows(answer, "/portfolio/accounts") if isinstance(row, dict)]

    def prove_account(self, account_id: str, mode: Literal["paper", "live"] | None) -> AccountProof:
        """The configured account is there, selected, and of one nature by every signal.

        Raises NotProved where a signal is missing or two disagree. `mode` None takes either.
        """
        accounts = self.prime()
        if account_id not in [str(each) for each in accounts["accounts"]]:
            raise NotProved("the configured account is not among the gateway's; check the login")
        if accounts.get("selectedAccount") != account_id:
            raise NotProved("another account is selected at the gateway; select the configured one")
        signals = self._nature(account_id, accounts)
        kinds = {kind for kind in signals.values() if kind}
        if "isPaper" not in signals or len(kinds) != 1:
            told = ", ".join(f"{name}: {kind}" for name, kind in signals.items())
            raise NotProved(f"whether the account is paper or live is not proved ({told})")
        kind = kinds.pop()
        if mode is not None and kind != mode:
            raise NotProved(f"the configuration says {mode}, the account is {kind}")
        return AccountProof(
            kind="paper" if kind == "paper" else "live",
            signals=signals,
            sandbox="sandbox" in str(accounts.get("serverInfo", "")).lower(),
            checked_at=self._clock.wall_now(),
        )

    def _nature(self, account_id: str, accounts: Mapping[str, Any]) -> dict[str, str]:
        signals: dict[str, str] = {}
        if isinstance(accounts.get("isPaper"), bool):
            signals["isPaper"] = _kind(accounts["isPaper"])
        listed = next(
            (row for row in self.portfolio_accounts() if row.get("accountId") == account_id), None
        )
        if listed is None:
            raise NotProved("the configured account is not in the gateway's portfolio")
        if listed.get("type") is not None:
            signals["type"] = _kind(listed["type"] == "DEMO")
        if PAPER_ID.match(account_id) or LIVE_ID.match(account_id):
            signals["account id"] = _kind(bool(PAPER_ID.match(account_id)))
        login = self.gateway.limiter.shared(
            "login_type", 60, lambda: _plain(self.gateway.get("/sso/validate"))
        )
        login_type = (
            decode.first(login, "LOGIN_TYPE", "loginType") if isinstance(login, dict) else None
        )
        login_type = decode.whole(login_type)
        if login_type in (1, 2):
            signals["login"] = _kind(login_type == 2)
        return signals

    def contract(self, symbol: str) -> Contract:
        """The one US stock of that symbol: GET /trsrv/stocks, then its details. Kept for good."""
        with self._lock:
            known = self._contracts.get(symbol)
        if known is not None:
            return known
        answer = _mapping(self.gateway.get("/trsrv/stocks", symbols=symbol), "/trsrv/stocks")
        found = {
            (conid, str(contract.get("exchange", "")), str(listing.get("name", "")))
            for listing in answer.get(symbol) or []
            if isinstance(listing, dict) and listing.get("assetClass") == "STK"
            for contract in listing.get("contracts") or []
            if isinstance(contract, dict) and contract.get("isUS") is True
            if (conid := decode.whole(contract.get("conid")))
        }
        if len(found) != 1:
            problem = "is not known to the broker" if not found else "names several US contracts"
            raise BrokerError(f"{symbol} {problem}; correct the strategy's symbols")
        conid, exchange, name = found.pop()
        contract = self._detailed(symbol, conid, exchange, name)
        with self._lock:
            self._contracts[symbol] = contract
        return contract

    def _detailed(self, symbol: str, conid: int, exchange: str, name: str) -> Contract:
        path = f"/iserver/contract/{conid}/info"
        info = _mapping(self.primed(lambda: self.gateway.get(path)), path)
        return Contract(
            symbol=symbol,
            conid=conid,
            exchange=exchange,
            currency=info.get("currency"),
            security_type=decode.first(info, "instrument_type", "instrumentType"),
            name=name,
        )

    def trading_hours(self, conid: int) -> TradingHours:
        """GET /contract/trading-schedule: the broker's liquid hours of the days around now."""
        path = "/contract/trading-schedule"
        answer = _mapping(self.gateway.get(path, conid=conid), path)
        days = answer.get("schedules")
        if not isinstance(days, dict):
            raise UnreadableAnswer("the broker's trading schedule has no days")
        sessions = []
        for day in days.values():
            for hours in day.get("liquid_hours") or [] if isinstance(day, dict) else []:
                opening, closing = _seconds(hours, "opening"), _seconds(hours, "closing")
                if opening is not None and closing is not None:
                    sessions.append((opening, closing))
        return TradingHours(conid=conid, sessions=tuple(sorted(sessions)))

    def quotes(self, contracts: Sequence[Contract]) -> tuple[Quote, ...]:
        """GET /iserver/marketdata/snapshot, asked again until each row has what a quote needs, for
        a few seconds at most: the first call of a contract only opens its stream. What is not
        there by then stays None."""
        conids = ",".join(str(contract.conid) for contract in contracts)
        rows: dict[int, dict[str, Any]] = {}
        waited = 0.0
        while True:
            answer = self.primed(
                lambda: self.gateway.get(
                    "/iserver/marketdata/snapshot", conids=conids, fields=",".join(FIELDS)
                )
            )
            for row in _rows(answer, "/iserver/marketdata/snapshot"):
                conid = decode.whole(row.get("conid")) if isinstance(row, dict) else None
                if conid is not None:
                    rows[conid] = row
            done = all(complete(rows.get(contract.conid, {})) for contract in contracts)
            if done or waited >= self._quote_wait_seconds:
                break
            self._clock.sleep(POLL_SECONDS)
            waited += POLL_SECONDS
        return tuple(quote_of(contract, rows.get(contract.conid, {})) for contract in contracts)

    def bars(self, contract: Contract, count: int) -> tuple[Bar, ...]:
        """The last `count` daily bars, oldest first: GET /iserver/marketdata/history (at most 5 at
        once). The running day's bar is among them and not yet marked."""
        period = "1y" if count <= 240 else f"{-(-count // 240)}y"
        path = "/iserver/marketdata/history"
        answer = _mapping(
            self.primed(
                lambda: self.gateway.get(path, conid=contract.conid, period=period, bar="1d")
            ),
            path,
        )
        factor = decode.number(answer.get("volumeFactor")) or Decimal(1)
        bars = [bar for row in answer.get("data") or [] if (bar := _bar(row, factor))]
        if not bars:
            raise BrokerError(f"the gateway has no bars of {contract.symbol}")
        return tuple(sorted(bars, key=lambda bar: bar.time)[-count:])

    def positions(self) -> tuple[Position, ...]:
        """The whole account's holdings: the gateway's cache is emptied, then pages are read."""
        self.portfolio_accounts()
        base = f"/portfolio/{self._account_id}/positions"
        self.gateway.read(f"{base}/invalidate")
        found: list[Position] = []
        for page in range(50):
            rows = _rows(self.gateway.get(f"{base}/{page}"), "the positions")
            found += [_position(row) for row in rows]
            if len(rows) < 100:
                return tuple(found)
        raise UnreadableAnswer("the positions never end")

    def figures(self) -> AccountFigures:
        """GET /portfolio/{account}/summary, in USD; a figure that is not there is None."""
        self.portfolio_accounts()
        path = f"/portfolio/{self._account_id}/summary"
        answer = _mapping(self.gateway.get(path), "the account's summary")

        def amount(name: str) -> Decimal | None:
            row = answer.get(name)
            if not isinstance(row, dict) or row.get("isNull") or row.get("currency") != "USD":
                return None
            return decode.number(row.get("amount"))

        return AccountFigures(
            as_of=self._clock.market_now(),
            net_liquidation_usd=amount("netliquidation"),
            total_cash_usd=amount("totalcashvalue"),
            available_funds_usd=amount("availablefunds"),
            buying_power_usd=amount("buyingpower"),
        )

    def primed(self, read: Callable[[], Answer]) -> Answer:
        """Priming is lost with every new brokerage session: prime and read once more."""
        try:
            return read()
        except NotPrimed:
            self.prime()
            return read()


def _session(row: Any) -> BrokerSession:
    """A missing flag is not a true one; `established` may be absent in older builds."""
    row = row if isinstance(row, dict) else {}
    established, competing = row.get("established"), row.get("competing")
    return BrokerSession(
        authenticated=row.get("authenticated") is True,
        connected=row.get("connected") is True,
        # Not said: the worse is assumed, unless the gateway says that nobody is logged in.
        competing=competing is True or (competing is not False and bool(row.get("authenticated"))),
        established=None if established is None else established is True,
        message=str(row.get("fail") or row.get("message") or ""),
    )


def _bar(row: Any, factor: Decimal) -> Bar | None:
    if not isinstance(row, dict):
        return None
    time = decode.moment_ms(row.get("t"))
    opened, high, low, close = (decode.number(row.get(name)) for name in ("o", "h", "l", "c"))
    volume = decode.number(row.get("v"))
    if time is None or opened is None or high is None or low is None or close is None:
        return None
    if min(opened, high, low, close) <= 0:
        return None
    return Bar(
        time=time, open=opened, high=high, low=low, close=close,
        volume=(volume or Decimal(0)) * factor,
    )  # fmt: skip


def _seconds(row: Any, name: str) -> datetime | None:
    """Seconds since the epoch."""
    found = decode.number(row.get(name)) if isinstance(row, dict) else None
    return None if found is None else decode.moment_ms(found * 1000)


def _position(row: Any) -> Position:
    if not isinstance(row, dict):
        raise UnreadableAnswer("a position cannot be read")
    conid, quantity = decode.whole(row.get("conid")), decode.number(row.get("position"))
    if conid is None or quantity is None:
        raise UnreadableAnswer("a position has no contract or no quantity")
    return Position(
        conid=conid,
        symbol=str(decode.first(row, "ticker", "contractDesc", "description") or conid),
        quantity=quantity,
        average_cost=decode.number(row.get("avgCost")),
        market_price=decode.number(decode.first(row, "mktPrice", "marketPrice")),
        currency=row.get("currency"),
        security_type=decode.first(row, "assetClass", "secType"),
    )


def _mapping(answer: Any, what: str) -> dict[str, Any]:
    if not isinstance(answer, dict):
        raise UnreadableAnswer(f"the gateway's answer to {what} is no object")
    return answer


def _rows(answer: Any, what: str) -> list[Any]:
    if not isinstance(answer, list):
        raise UnreadableAnswer(f"the gateway's answer to {what} is no list")
    return answer


def _plain(answer: Any) -> Any:
    """Without Decimals, so that it can be shared as JSON."""
    if isinstance(answer, dict):
        return {name: _plain(value) for name, value in answer.items()}
    if isinstance(answer, list):
        return [_plain(value) for value in answer]
    return str(answer) if isinstance(answer, Decimal) else answer


def _kind(is_paper: bool) -> str:
    return "paper" if is_paper else "live"
