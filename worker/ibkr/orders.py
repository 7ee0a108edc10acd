"""Sending and cancelling orders. Each request goes out at most once; no retry is anywhere here.

An order's conversation runs on one connection of its own: opened and proved before the order is
marked as being sent, never replaced, and looked at byte by byte, so that "nothing was sent" is
said only where it is known.
"""

from collections.abc import Callable
from typing import Any

import httpx
import structlog

from worker.checkpoints import Reach
from worker.errors import PacingError, Refused, TemporaryError, UnreadableAnswer
from worker.http import OneConnection
from worker.ibkr import decode
from worker.ibkr.answers import Question, QuestionPolicy, read_answer
from worker.ibkr.gateway import Gateway, decoded, error_text
from worker.ibkr.pacing import Limiter
from worker.models.order import OrderIntent, SendResult

MOST_ROUNDS = 8
log = structlog.get_logger(__name__)


class TooLate(Exception):
    """The moment until which something might be written has passed; no further byte was."""


class GatewayTrader:
    def __init__(
        self,
        gateway: Gateway,
        connect: Callable[[], OneConnection],
        prove: Callable[[httpx.Client], None],
        questions: QuestionPolicy,
        reach: Reach,
    ) -> None:
        self._gateway, self._connect, self._prove = gateway, connect, prove
        self._questions, self._reach = questions, reach

    def open(self) -> "OrderConnection":
        """A connection that may carry one order. Raises NotProved, Unreachable, PacingError."""
        self._gateway.limiter.wait("POST /iserver/account/orders")
        connection = self._connect()
        try:
            self._prove(connection.client)
        except BaseException:
            connection.close()
            raise
        return OrderConnection(connection, self._questions, self._gateway.limiter, self._reach)

    def cancel(self, account_id: str, broker_order_id: str, in_time: Callable[[], bool]) -> None:
        """DELETE, once: it asks, and later reads show what came of it.

        `in_time` is asked directly before it is written. Raises Refused where the broker knows no
        such working order, TemporaryError where it was too late to ask, or the answer was lost:
        then the request may have been taken.
        """
        if decode.order_id(broker_order_id) is None:
            raise Refused(f"{broker_order_id} is the id of no single order")
        self._gateway.limiter.wait("DELETE /iserver/account/order")
        connection = self._connect()
        try:
            self._prove(connection.client)
            path = f"iserver/account/{account_id}/order/{broker_order_id}"
            connection.arm(_guard(in_time))
            response = connection.client.delete(path)
        except TooLate:
            raise TemporaryError("the turn to cancel it was over") from None
        except httpx.HTTPError as error:
            raise TemporaryError(f"the cancel's answer was lost ({type(error).__name__})") from None
        finally:
            connection.close()
        if response.status_code == 429:
            self._gateway.limiter.punished()
        answer, words = _json(response), error_text(response)
        if response.status_code == 400 or (response.is_success and _error_in(answer)):
            raise Refused(f"the broker does not cancel it: {words}")
        if not response.is_success:
            raise TemporaryError(f"the cancel was answered with {response.status_code}")
        if not isinstance(answer, dict):
            raise TemporaryError("the cancel was answered with something that is not the broker's")


class OrderConnection:
    """One order's conversation: the ticket, and replies to the questions that come back."""

    def __init__(
        self,
        connection: OneConnection,
        questions: QuestionPolicy,
        limiter: Limiter,
        reach: Reach,
    ) -> None:
        self._connection, self._questions, self._limiter = connection, questions, limiter
        self._reach = reach

    def send(
        self, intent: OrderIntent, in_time: Callable[[], bool], may_reply: Callable[[], bool]
    ) -> SendResult:
        """POST the order once, and a reply to each question that comes back.

        `in_time` is asked directly before the order's first byte, `may_reply` before a reply's;
        where they say no, nothing is written.
        """
        path = f"iserver/account/{intent.account_id}/orders"
        answer = self._post(path, {"orders": [ticket(intent)]}, in_time)
        asked: list[str] = []
        for _ in range(MOST_ROUNDS):
            if isinstance(answer, SendResult):
                break
            asked += answer.ids or ("without an id",)
            agreed = self._questions.agrees(answer)
            log.info(
                "order_question",
                coid=intent.coid,
                ids=answer.ids,
                texts=answer.texts,
                agreed=agreed,
            )
            reply = self._reply(answer, agreed, may_reply)
            if not agreed:
                return _declined(answer, reply).evolve(questions=tuple(asked))
            answer = reply
        if isinstance(answer, Question):
            answer = SendResult(kind="unknown", text="the questions never ended")
        return answer.evolve(questions=tuple(asked))

    def close(self) -> None:
        self._connection.close()

    def _reply(
        self, question: Question, agreed: bool, may_reply: Callable[[], bool]
    ) -> SendResult | Question:
        try:
            self._limiter.wait("POST /iserver/reply")
        except PacingError as error:
            return SendResult(kind="unknown", text=f"no reply was sent: {error.sentence}")
        path = f"iserver/reply/{question.reply_id}"
        return self._post(path, {"confirmed": agreed}, may_reply)

    def _post(
        self, path: str, body: dict[str, Any], in_time: Callable[[], bool]
    ) -> SendResult | Question:
        first = path.startswith("iserver/account/")
        what = "post" if first else "reply"

        def about_to_write() -> None:
            if not self._connection.written:
                self._reach(f"{what}:before")
            _guard(in_time)()

        self._connection.arm(about_to_write, lambda: self._reach(f"{what}:after"))
        try:
            response = self._connection.client.post(path, json=body)
        except TooLate:
            return SendResult(kind="unknown", text=self._too_late(first))
        except httpx.HTTPError as error:
            return self._lost(first, f"{type(error).__name__}: {error}".rstrip(": "))
        if response.status_code == 429:
            self._limiter.punished()
        result = read_answer(response.status_code, _json(response), response.text.strip())
        if not first and isinstance(result, SendResult) and not response.is_success:
            # A reply that failed may have set the order going all the same (seen on the wire).
            return result.evolve(kind="unknown") if result.kind == "refused" else result
        return result

    def _too_late(self, first: bool) -> str:
        if not first:
            return "the time for a reply had passed"
        rest = "a part of it was" if self._connection.written else "nothing was"
        return f"its time had passed; {rest} written"

    def _lost(self, first: bool, why: str) -> SendResult:
        if first and not self._connection.written:
            return SendResult(kind="not_sent", text=f"no byte of it left this machine ({why})")
        return SendResult(kind="unknown", text=f"the answer was lost ({why})")


def _guard(in_time: Callable[[], bool]) -> Callable[[], None]:
    def guard() -> None:
        if not in_time():
            raise TooLate

    return guard


def _error_in(answer: Any) -> bool:
    return isinstance(answer, dict) and bool(answer.get("error"))


def _json(response: httpx.Response) -> Any:
    """None for an empty body, HTML and broken JSON."""
    try:
        return decoded("the order", response)
    except UnreadableAnswer:
        return None


def _declined(question: Question, reply: SendResult | Question) -> SendResult:
    """Our no counts as heard only in the broker's own words."""
    ids = ", ".join(question.ids) or "a question without an id"
    words = " ".join(question.texts)[:200].replace("\n", " ")
    if isinstance(reply, SendResult) and reply.kind == "refused":
        return SendResult(
            kind="refused", text=f"the broker asked {ids} ({words}); config/questions.yaml says no"
        )
    return SendResult(kind="unknown", text=f"the no to {ids} was not confirmed")


def ticket(intent: OrderIntent) -> dict[str, Any]:
    """The order as the broker wants it: a plain limit order for the day, in regular hours."""
    return {
        "acctId": intent.account_id,
        "conid": intent.conid,
        "cOID": intent.coid,
        "orderType": "LMT",
        "price": float(intent.limit_price),
        "side": intent.side,
        "tif": intent.time_in_force,
        "quantity": intent.quantity,
        "outsideRTH": False,
    }
