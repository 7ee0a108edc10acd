"""One order's conversation with the sandbox: what came of it is known, or is said not to be.

Whatever happens, the sandbox's own book holds the order at most once.
"""

import socket
from decimal import Decimal
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.support.conversing import (
    NO,
    PATH,
    REPLY,
    YES,
    Conversation,
    always,
    answer,
    cut,
    never,
    new_intent,
)
from tests.support.gateway import NoPace
from tests.support.sandbox import ACCOUNT
from worker.errors import (
    PacingError,
    Unreachable,
)
from worker.ibkr.answers import QuestionPolicy
from worker.models.order import OrderIntent, SendResult

SANDBOX = {"rate": 20}


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


PROMPT = {
    "orderId": 1,
    "messageId": "p12",
    "text": "Disruptive",
    "options": ["Yes"],
    "prompt": True,
}


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


def test_a_time_that_passes_between_head_and_body_says_that_a_part_was_written(
    conversation: Conversation,
) -> None:
    looks = iter((True, False))
    intent = new_intent()
    result = conversation.send(intent, in_time=lambda: next(looks))
    assert (result.kind, result.text) == (
        "unknown", "its time had passed; a part of it was written",
    )  # fmt: skip
    assert conversation.booked(intent) == []


def test_the_time_is_looked_at_when_the_connection_stands(conversation: Conversation) -> None:
    asked: list[int] = []
    intent = new_intent()

    def in_time() -> bool:
        asked.append(conversation.submissions())
        return True

    conversation.send(intent, in_time=in_time)
    # Before the head, and before the body.
    assert asked == [conversation.submissions() - 1] * 2


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
    faults = [answer([QUESTION]), {**again, "times": rounds - 1}, {**last, "skip": rounds - 1}]
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
        if pending:  # asked again before the reply's body
            return True
        other = conversation.sandbox.order("AAPL", "BUY", 3, price=420.0, cOID=second.coid).json()[
            0
        ]
        pending.append(other["id"])
        return True

    pending: list[str] = []
    assert conversation.send(first, may_reply=supersede).kind == "unknown"
    assert conversation.booked(first) == []
    conversation.sandbox.post(f"/iserver/reply/{pending[0]}", {"confirmed": True})
    assert len(conversation.booked(first)) == 1
