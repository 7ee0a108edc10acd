"""One order's conversation with the sandbox: what came of it is known, or is said not to be.

Whatever happens, the sandbox's own book holds the order at most once.
"""

import socket
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from tests.support.gateway import NoPace, close_gateway, make_gateway
from tests.support.sandbox import ACCOUNT, CONIDS, RunningSandbox
from tests.support.tls_server import TlsServer, answering
from worker.errors import NotProved, OpenbellError, PacingError, Refused, TemporaryError, Unreachable
from worker.http import OneConnection, Tls, make_client
from worker.ibkr.answers import QuestionPolicy
from worker.ibkr.orders import GatewayTrader
from worker.ibkr.proof import prove_sandbox
from worker.models.order import OrderIntent, SendResult

SANDBOX = {"rate": 20}
PATH, REPLY = f"/iserver/account/{ACCOUNT}/orders", "/iserver/reply/*"
NO = QuestionPolicy({})
YES = QuestionPolicy({each: (True, "a test") for each in ("o163", "o451", "o354", "o403")})
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


# The variants of an answer


def test_an_accepted_order_is_in_the_book_once(conversation: Conversation) -> None:
    intent = new_intent()
    result = conversation.send(intent)
    (booked,) = conversation.booked(intent)
    expected = SendResult(
        kind="accepted", broker_order_id=str(booked["order_id"]), text="PendingSubmit"
    )
    assert result == expected
    assert (booked["side"], booked["quantity"], booked["limit_price"]) == ("BUY", "3", "438.00")


@pytest.mark.parametrize("status", [200, 400])
def test_a_client_id_that_is_known_is_to_be_found(conversation: Conversation, status: int) -> None:
    conversation.sandbox.faults(duplicate_status=status)
    intent = new_intent()
    conversation.send(intent)
    assert conversation.send(intent).kind == "registered"
    assert len(conversation.booked(intent)) == 1


def test_an_order_that_the_broker_refuses_is_refused_in_its_words(
    conversation: Conversation,
) -> None:
    intent = new_intent(limit_price=Decimal("100.00"))
    result = conversation.send(intent)
    assert (result.kind, "limit price" in result.text) == ("refused", True)
    assert conversation.booked(intent) == []


def test_a_malformed_ticket_is_refused(conversation: Conversation) -> None:
    intent = new_intent(conid=1)
    assert conversation.send(intent).kind == "refused"
    assert conversation.booked(intent) == []


def test_a_brokerage_session_that_is_not_open_refuses(conversation: Conversation) -> None:
    conversation.sandbox.session(brokerage=False)
    intent = new_intent()
    result = conversation.send(intent)
    assert (result.kind, "no bridge" in result.text) == ("refused", True)
    assert conversation.booked(intent) == []


PROMPT = {"orderId": 1, "messageId": "p12", "text": "Disruptive", "options": ["Yes"], "prompt": True}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (PROMPT, 200), ("", 200), ("", 204), ("<html>hello</html>", 200),
        ('[{"order_id": "12', 200), ("[]", 200), ([{"order_id": "1"}, {"order_id": "2"}], 200),
        ("", 401), ("", 500), ({"error": "Service Unavailable", "statusCode": 503}, 503),
        ("<html>Bad Gateway</html>", 502), ("<html>Bad Request</html>", 400), ("", 302),
        ("Access Denied", 404), ({"error": "gone"}, 410), ({"error": "Too many"}, 429),
    ],
)  # fmt: skip
def test_an_answer_that_is_not_the_brokers_word_is_unknown_whatever_was_done(
    conversation: Conversation, body: Any, status: int
) -> None:
    for when, booked in (("before", 0), ("after", 1)):
        conversation.sandbox.faults(answer(body, status, when))
        intent = new_intent()
        before = conversation.submissions()
        assert conversation.send(intent).kind == "unknown"
        assert len(conversation.booked(intent)) == booked
        assert conversation.submissions() == before + 1


def test_a_429_is_told_to_everyone(conversation: Conversation) -> None:
    conversation.sandbox.faults(answer({"error": "Too many"}, 429))
    conversation.send(new_intent())
    assert conversation.limiter.punishments == 1


# Connections that break


@pytest.mark.parametrize(("when", "booked"), [("before", 0), ("after", 1)])
def test_a_connection_cut_after_a_byte_is_unknown(
    conversation: Conversation, when: str, booked: int
) -> None:
    conversation.sandbox.faults(cut(when))
    intent = new_intent()
    before = conversation.submissions()
    assert conversation.send(intent).kind == "unknown"
    assert len(conversation.booked(intent)) == booked
    assert conversation.submissions() == before + 1


def test_an_answer_that_comes_too_late_is_unknown(conversation: Conversation) -> None:
    delay = {"action": "delay", "seconds": 1.5, "when": "after", "path": PATH, "method": "POST"}
    conversation.sandbox.faults(delay)
    conversation.timeout_seconds = 0.3
    intent = new_intent()
    assert conversation.send(intent).kind == "unknown"
    assert len(conversation.booked(intent)) == 1


def test_a_gateway_that_is_not_there_gets_nothing(conversation: Conversation) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        conversation.base_url = f"https://127.0.0.1:{listener.getsockname()[1]}/v1/api"
    with pytest.raises(Unreachable):
        conversation.send(new_intent())


def test_a_gateway_that_went_away_after_its_proof_gets_nothing(
    conversation: Conversation,
) -> None:
    connection = conversation.trader.open()
    conversation.sandbox.restart()
    conversation.sandbox.prime()
    intent = new_intent()
    result = connection.send(intent, always, always)
    connection.close()
    assert result.kind == "not_sent"
    assert conversation.booked(intent) == []


def test_past_its_time_no_byte_is_written(conversation: Conversation) -> None:
    intent, before = new_intent(), conversation.submissions()
    result = conversation.send(intent, in_time=never)
    assert (result.kind, "nothing was written" in result.text) == ("unknown", True)
    assert (conversation.booked(intent), conversation.submissions()) == ([], before)


def test_the_time_is_looked_at_when_the_connection_stands(conversation: Conversation) -> None:
    asked: list[int] = []
    intent = new_intent()
    conversation.send(intent, in_time=lambda: not asked.append(conversation.submissions()))
    assert asked == [conversation.submissions() - 1]


# Questions. The limit is more than 3 % from the market, and worth more than 100,000 dollars.


def far(**changes: Any) -> OrderIntent:
    return new_intent(limit_price=Decimal("420.00"), **changes)


def far_and_large() -> OrderIntent:
    return far(quantity=300)


def test_a_yes_to_the_question_places_the_order(conversation: Conversation) -> None:
    conversation.questions = YES
    intent = far()
    result = conversation.send(intent)
    assert (result.kind, result.questions) == ("accepted", ("o163",))
    assert len(conversation.booked(intent)) == 1


def test_several_questions_are_answered_one_after_the_other(conversation: Conversation) -> None:
    conversation.questions = YES
    intent = far_and_large()
    result = conversation.send(intent)
    assert (result.kind, result.questions) == ("accepted", ("o163", "o451"))
    assert len(conversation.booked(intent)) == 1
    assert conversation.limiter.waits.count("POST /iserver/reply") == 2


def test_a_no_is_heard_in_the_brokers_words_and_leaves_no_order(
    conversation: Conversation,
) -> None:
    intent = far()
    result = conversation.send(intent)
    assert (result.kind, result.questions) == ("refused", ("o163",))
    assert "o163" in result.text
    assert "config/questions.yaml" in result.text
    assert conversation.booked(intent) == []


def test_a_no_to_the_second_question_leaves_no_order(conversation: Conversation) -> None:
    conversation.questions = QuestionPolicy({"o163": (True, "a test")})
    intent = far_and_large()
    result = conversation.send(intent)
    assert (result.kind, result.questions) == ("refused", ("o163", "o451"))
    assert conversation.booked(intent) == []


def test_every_question_is_logged_with_its_text_and_answer(conversation: Conversation) -> None:
    with capture_logs() as logged:
        conversation.send(far())
    (event,) = [each for each in logged if each["event"] == "order_question"]
    assert (event["ids"], event["agreed"]) == (("o163",), False)
    assert "Percentage constraint" in event["texts"][0]
    assert ACCOUNT not in str(logged)


QUESTION = {"id": "7f-1", "message": ["Sure?"], "isSuppressed": False, "messageIds": ["o403"]}


@pytest.mark.parametrize(
    "question",
    [
        {**QUESTION, "messageIds": ["o403", "o999"], "message": ["Sure?", "And this?"]},
        {**QUESTION, "messageIds": ["o403"], "message": ["Sure?", "And this?"]},
        {**QUESTION, "messageIds": []},
        {"id": "7f-1", "message": ["Sure?"]},
        {**QUESTION, "messageIds": ["o999"]},
    ],
    ids=["one of two unknown", "a text without an id", "no ids", "no list of ids", "unknown"],
)
def test_a_question_that_is_not_wholly_known_is_answered_no(
    conversation: Conversation, question: dict[str, Any]
) -> None:
    declined = {
        "action": "answer", "path": REPLY, "status": 200, "body": {"error": "Order not confirmed "},
    }  # fmt: skip
    conversation.questions = YES
    conversation.sandbox.faults(answer([question]), declined)
    intent = new_intent()
    assert conversation.send(intent).kind == "refused"
    assert conversation.booked(intent) == []


def test_two_questions_in_two_elements_are_unknown(conversation: Conversation) -> None:
    conversation.questions = YES
    conversation.sandbox.faults(answer([QUESTION, {**QUESTION, "id": "7f-2"}]))
    assert conversation.send(new_intent()).kind == "unknown"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"error": "reply id not found: '7f-1'"}, 400),
        ({"error": "Service Unavailable", "statusCode": 503}, 503),
        ("", 500), ("", 200), ("<html>", 200), ("", 401), ({"error": "Too many"}, 429),
        (PROMPT, 200),
    ],
)  # fmt: skip
@pytest.mark.parametrize("policy", [YES, NO], ids=["yes", "no"])
def test_a_reply_that_fails_is_unknown(
    conversation: Conversation, policy: QuestionPolicy, body: Any, status: int
) -> None:
    conversation.questions = policy
    fault = {"action": "answer", "path": REPLY, "status": status, "body": body}
    conversation.sandbox.faults(answer([QUESTION]), fault)
    result = conversation.send(new_intent())
    assert (result.kind, result.questions) == ("unknown", ("o403",))


def test_a_no_that_is_answered_with_an_order_is_unknown(conversation: Conversation) -> None:
    fault = {"action": "answer", "path": REPLY, "status": 200, "body": [{"order_id": "5"}]}
    conversation.sandbox.faults(answer([QUESTION]), fault)
    assert conversation.send(new_intent()).kind == "unknown"


def test_a_client_id_that_is_known_at_the_reply_is_to_be_found(
    conversation: Conversation,
) -> None:
    conversation.questions = YES
    text = "Order couldn't be submitted: Local order ID=x is already registered."
    fault = {"action": "answer", "path": REPLY, "status": 200, "body": {"error": text}}
    conversation.sandbox.faults(answer([QUESTION]), fault)
    assert conversation.send(new_intent()).kind == "registered"


@pytest.mark.parametrize(("when", "booked"), [("before", 0), ("after", 1)])
def test_a_connection_cut_at_the_reply_is_unknown(
    conversation: Conversation, when: str, booked: int
) -> None:
    conversation.questions = YES
    conversation.sandbox.faults(cut(when, REPLY))
    intent = far()
    result = conversation.send(intent)
    assert (result.kind, result.questions) == ("unknown", ("o163",))
    assert len(conversation.booked(intent)) == booked


def test_a_connection_that_is_gone_before_the_reply_is_unknown_and_not_unsent(
    conversation: Conversation,
) -> None:
    conversation.questions = YES
    closing = {"Connection": "close"}
    conversation.sandbox.faults(answer([QUESTION], headers=closing))
    assert conversation.send(new_intent()).kind == "unknown"


def test_a_conversation_that_is_anothers_by_now_sends_no_reply(
    conversation: Conversation,
) -> None:
    conversation.questions = YES
    intent, before = far(), conversation.requests("POST /iserver/reply/{reply}")
    result = conversation.send(intent, may_reply=never)
    assert (result.kind, result.questions) == ("unknown", ("o163",))
    assert conversation.booked(intent) == []
    assert conversation.requests("POST /iserver/reply/{reply}") == before > 0


def test_a_reply_that_finds_no_room_in_the_pace_is_not_sent(conversation: Conversation) -> None:
    class Full(NoPace):
        def wait(self, endpoint: str) -> None:
            if "reply" in endpoint:
                raise PacingError("no room")

    conversation.questions, conversation.gateway.limiter = YES, Full()
    intent = far()
    assert conversation.send(intent).kind == "unknown"
    assert conversation.booked(intent) == []


@pytest.mark.parametrize(("rounds", "kind"), [(8, "accepted"), (9, "unknown")])
def test_questions_come_to_an_end(conversation: Conversation, rounds: int, kind: str) -> None:
    conversation.questions = YES
    again = {"action": "answer", "path": REPLY, "status": 200, "body": [QUESTION]}
    last = {**again, "body": [{"order_id": "5", "order_status": "Submitted"}]}
    faults = [answer([QUESTION])] + [{**again, "times": rounds - 1}, {**last, "skip": rounds - 1}]
    conversation.sandbox.faults(*faults)
    result = conversation.send(new_intent())
    assert (result.kind, len(result.questions)) == (kind, 8)


def test_a_superseded_question_is_unknown_and_its_order_is_found_later(
    conversation: Conversation,
) -> None:
    """As recorded of the broker: 503 to the reply, and the order goes live all the same."""
    conversation.questions = YES
    first, second = far(), far()

    def supersede() -> bool:
        other = conversation.sandbox.order(
            "AAPL", "BUY", 3, price=420.0, cOID=second.coid
        ).json()[0]
        pending.append(other["id"])
        return True

    pending: list[str] = []
    assert conversation.send(first, may_reply=supersede).kind == "unknown"
    assert conversation.booked(first) == []
    conversation.sandbox.post(f"/iserver/reply/{pending[0]}", {"confirmed": True})
    assert len(conversation.booked(first)) == 1


# Proof of the sandbox


def refuse_to_prove(conversation: Conversation) -> OpenbellError:
    intent, before = new_intent(), conversation.submissions()
    with pytest.raises(OpenbellError) as raised:
        conversation.send(intent)
    assert (conversation.booked(intent), conversation.submissions()) == ([], before)
    return raised.value


@pytest.mark.parametrize("secret", [None, "", "another secret"])
def test_without_the_right_secret_there_is_no_proof_and_no_order(
    conversation: Conversation, secret: str | None
) -> None:
    right = conversation.secret
    conversation.secret = secret  # type: ignore[assignment]
    error = refuse_to_prove(conversation)
    assert type(error) is NotProved
    assert right not in str(error)


def reply(body: bytes, status: bytes = b"200 OK") -> bytes:
    length = str(len(body)).encode()
    return b"HTTP/1.1 " + status + b"\r\nContent-Length: " + length + b"\r\n\r\n" + body


@pytest.mark.parametrize(
    "said",
    [
        reply(b""), reply(b"{}"), reply(b"[]"), reply(b"null"), reply(b"<html>"),
        reply(b'{"proof": null}'), reply(b'{"proof": ""}'), reply(b'{"proof": 5}'),
        reply(b'{"proof": "\xc3\xa4"}'), reply(b"Access Denied", b"404 Not Found"),
        reply(b'{"proof": "' + b"0" * 64 + b'"}'), reply(b"", b"401 Unauthorized"),
    ],
)  # fmt: skip
def test_a_server_that_cannot_prove_it_gets_no_order(
    conversation: Conversation, tmp_path: Path, said: bytes
) -> None:
    with TlsServer(tmp_path, answering(said, said)) as server:
        conversation.base_url = server.base_url
        conversation.tls = Tls(pinned_certificate=server.certificate)
        with pytest.raises(NotProved):
            conversation.send(new_intent())
        assert b"orders" not in b"".join(server.received)


def real_proof(sandbox: RunningSandbox, nonce: str) -> bytes:
    proof = sandbox.client.post(f"{sandbox.address}/sandbox/proof", json={"nonce": nonce})
    return reply(proof.content)


def test_a_proof_passed_on_from_the_sandbox_is_worth_nothing_here(
    conversation: Conversation, tmp_path: Path
) -> None:
    """A server in between asks the sandbox itself, with the very nonce it was given."""

    def pass_on(peer: Any) -> None:
        request = httpx.Response(200, content=peer.request().split(b"\r\n\r\n", 1)[1]).json()
        peer.answer(real_proof(conversation.sandbox, request["nonce"]))
        peer.request()

    with TlsServer(tmp_path, pass_on) as server:
        conversation.base_url, conversation.tls = server.base_url, Tls(verify=False)
        with pytest.raises(NotProved):
            conversation.send(new_intent())
        assert b"orders" not in b"".join(server.received)


def test_a_proof_of_an_earlier_nonce_is_worth_nothing(
    conversation: Conversation, sandbox: RunningSandbox
) -> None:
    old = real_proof(sandbox, "00" * 32).partition(b"\r\n\r\n")[2].decode()
    client = make_client(sandbox.base_url, tls=conversation.tls, timeout_seconds=5)

    class Replaying(httpx.BaseTransport):
        """The sandbox's own connection and certificate; only the words are old."""

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            response = client.post(str(request.url), content=request.read())
            return httpx.Response(200, text=old, extensions=response.extensions)

    with httpx.Client(base_url=sandbox.base_url, transport=Replaying()) as replaying:
        with pytest.raises(NotProved):
            prove_sandbox(replaying, sandbox.secret)
    client.close()


def test_each_proof_asks_with_a_nonce_of_its_own(tmp_path: Path) -> None:
    said = reply(b"{}")
    with TlsServer(tmp_path, answering(said, said)) as server:
        tls = Tls(pinned_certificate=server.certificate)
        with make_client(server.base_url, tls=tls, timeout_seconds=5) as client:
            for _ in range(2):
                with pytest.raises(NotProved):
                    prove_sandbox(client, "secret")
        (received,) = server.received
    bodies = [part[:80] for part in received.split(b"\r\n\r\n") if part.startswith(b"{")]
    assert len(set(bodies)) == 2
    assert b"POST /sandbox/proof HTTP/1.1" in received


def test_the_proof_and_the_order_share_one_connection(conversation: Conversation) -> None:
    opened: list[OneConnection] = []
    connect = conversation.trader._connect

    def counting() -> OneConnection:
        opened.append(connect())
        return opened[-1]

    trader = conversation.trader
    trader._connect = counting
    connection = trader.open()
    assert connection.send(new_intent(), always, always).kind == "accepted"
    connection.close()
    assert len(opened) == 1


def test_no_order_is_opened_where_the_pace_has_no_room(conversation: Conversation) -> None:
    class Full(NoPace):
        def wait(self, endpoint: str) -> None:
            raise PacingError("no room")

    conversation.gateway.limiter = Full()
    assert type(refuse_to_prove(conversation)) is PacingError


# Cancelling


def cancelling(conversation: Conversation, order_id: str) -> Callable[[], None]:
    return partial(conversation.trader.cancel, ACCOUNT, order_id)


def test_a_cancel_asks_and_the_book_shows_what_came_of_it(conversation: Conversation) -> None:
    result = conversation.send(new_intent())
    assert result.broker_order_id is not None
    conversation.trader.cancel(ACCOUNT, result.broker_order_id)
    conversation.sandbox.wait_for_status(result.broker_order_id, "Cancelled")


@pytest.mark.parametrize("order_id", ["-1", "", "0", "1 or 2", "../orders", "all"])
def test_a_cancel_of_anything_but_one_order_is_refused_unsent(
    conversation: Conversation, order_id: str
) -> None:
    """-1 would cancel every order of the account."""
    resting = conversation.send(new_intent()).broker_order_id
    with pytest.raises(Refused):
        conversation.trader.cancel(ACCOUNT, order_id)
    assert conversation.sandbox.wait_for_status(str(resting), "Submitted")


def test_a_cancel_of_an_unknown_order_is_refused(conversation: Conversation) -> None:
    with pytest.raises(Refused, match="doesn't exist"):
        conversation.trader.cancel(ACCOUNT, "999999999")


def cancel_fault(action: str, **more: Any) -> dict[str, Any]:
    return {"action": action, "method": "DELETE", **more}


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (cancel_fault("answer", status=200, body={"error": "OrderID 1 doesn't exist"}), Refused),
        (cancel_fault("answer", status=503, body=""), TemporaryError),
        (cancel_fault("answer", status=401, body=""), TemporaryError),
        (cancel_fault("answer", status=429, body=""), TemporaryError),
        (cancel_fault("cut", when="before"), TemporaryError),
        (cancel_fault("cut", when="after"), TemporaryError),
    ],
)
def test_a_cancel_that_fails_was_asked_for_once(
    conversation: Conversation, fault: dict[str, Any], error: type[Exception]
) -> None:
    order_id = str(conversation.send(new_intent()).broker_order_id)
    conversation.sandbox.faults(fault)
    name = "DELETE /iserver/account/{account}/order/{order}"
    before = conversation.requests(name)
    with pytest.raises(error) as raised:
        conversation.trader.cancel(ACCOUNT, order_id)
    assert conversation.requests(name) == before + 1
    assert ACCOUNT not in str(raised.value)


def test_a_cancel_needs_the_proof_too(conversation: Conversation) -> None:
    conversation.secret = "another"
    with pytest.raises(NotProved):
        conversation.trader.cancel(ACCOUNT, "602801486")


def test_nothing_that_is_said_shows_the_account_or_the_secret(
    conversation: Conversation,
) -> None:
    intent = new_intent()
    result = conversation.send(intent)
    told = f"{intent!r} {result!r} {conversation.trader!r} {conversation.questions!r}"
    assert ACCOUNT not in told
    assert conversation.secret not in told
