"""One order's conversation with a real sandbox, through the trader that the runtime makes."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import count
from typing import Any

import pytest

from tests.support.gateway import NoPace, close_gateway, make_gateway
from tests.support.sandbox import ACCOUNT, CONIDS, RunningSandbox
from worker.http import OneConnection, Tls
from worker.ibkr.answers import QuestionPolicy
from worker.ibkr.orders import GatewayTrader
from worker.ibkr.proof import prove_sandbox
from worker.models.order import OrderIntent, SendResult

PATH, REPLY = f"/iserver/account/{ACCOUNT}/orders", "/iserver/reply/*"
NO = QuestionPolicy({})
YES = QuestionPolicy(dict.fromkeys(("o163", "o451", "o354", "o403"), (True, "a test")))
RUNS = count(1)


def always() -> bool:
    return True


def never() -> bool:
    return False


def new_intent(**changes: Any) -> OrderIntent:
    """A limit below the market that rests, of a run of its own."""
    data: dict[str, Any] = {
        "run_id": f"run-{next(RUNS)}", "strategy_id": 1, "account_id": ACCOUNT, "symbol": "AAPL",
        "conid": CONIDS["AAPL"], "leg": "entry", "side": "BUY", "quantity": 3,
        "limit_price": Decimal("438.00"),
    }  # fmt: skip
    return OrderIntent(**(data | changes))


class Conversation:
    """Sends through the trader, as the runtime makes it."""

    def __init__(self, sandbox: RunningSandbox) -> None:
        self.sandbox, self.questions = sandbox, NO
        self.base_url, self.secret = sandbox.base_url, sandbox.secret
        self.tls = Tls(pinned_certificate=sandbox.certificate)
        self.timeout_seconds = 5.0
        self.reached: list[str] = []
        self.limiter = NoPace()
        self.gateway = make_gateway(sandbox.base_url, tls=self.tls, limiter=self.limiter)

    @property
    def trader(self) -> GatewayTrader:
        return GatewayTrader(
            self.gateway,
            connect=lambda: OneConnection(
                self.base_url, tls=self.tls, timeout_seconds=self.timeout_seconds
            ),
            prove=lambda client: prove_sandbox(client, self.secret),
            questions=self.questions,
            reach=self.reached.append,
        )

    def send(
        self,
        intent: OrderIntent,
        in_time: Callable[[], bool] = always,
        may_reply: Callable[[], bool] = always,
    ) -> SendResult:
        connection = self.trader.open()
        try:
            return connection.send(intent, in_time, may_reply)
        finally:
            connection.close()

    def booked(self, intent: OrderIntent) -> list[dict[str, Any]]:
        return [order for order in self.sandbox.orders() if order["cOID"] == intent.coid]

    def submissions(self) -> int:
        """How often an order was posted, whatever came of it."""
        return self.requests("POST /iserver/account/{account}/orders")

    def requests(self, name: str) -> int:
        return int(self.sandbox.book()["requests"].get(name, 0))


@pytest.fixture
def conversation(sandbox: RunningSandbox) -> Iterator[Conversation]:
    conversation = Conversation(sandbox)
    yield conversation
    close_gateway(conversation.gateway)
    sandbox.faults(questions=["o163", "o383", "o451"], duplicate_status=200)
    sandbox.session(sso=True, brokerage=True, competing=False)
    sandbox.prime()


def answer(body: Any, status: int = 200, when: str = "before", **more: Any) -> dict[str, Any]:
    fault = {"action": "answer", "method": "POST", "path": PATH, "status": status, "body": body}
    return {**fault, "when": when, **more}


def cut(when: str, path: str = PATH) -> dict[str, Any]:
    return {"action": "cut", "method": "POST", "path": path, "when": when}
