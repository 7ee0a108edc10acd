"""What the broker's answer to an order means: its own words, or nothing is known."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.ibkr.answers import Question, QuestionPolicy, read_answer
from worker.models.order import SendResult

DUPLICATE = "Order couldn't be submitted: Local order ID=ob-1 is already registered."
PROMPT = {
    "orderId": 1, "reqId": "22170", "dismissable": [], "text": "Disruptive order",
    "options": ["Use on this order"], "type": "M", "messageId": "p12", "prompt": True,
}  # fmt: skip


def read(answer: Any, status: int = 200) -> SendResult | Question:
    return read_answer(status, answer, json.dumps(answer))


def kind(found: SendResult | Question) -> str:
    return found.kind if isinstance(found, SendResult) else "question"


@pytest.mark.parametrize(
    "answer",
    [
        [{"order_id": "1370093239", "order_status": "PreSubmitted", "encrypt_message": "1"}],
        [{"order_id": 1370093239, "order_status": "PreSubmitted"}],
        {"order_id": "1370093239", "order_status": "PreSubmitted"},
    ],
    ids=["as recorded", "a number", "a bare object"],
)
def test_an_order_id_means_accepted(answer: Any) -> None:
    expected = SendResult(kind="accepted", broker_order_id="1370093239", text="PreSubmitted")
    assert read(answer) == expected


@pytest.mark.parametrize(
    "answer", [{"error": "No trading permissions."}, [{"error": "No trading permissions."}]]
)
def test_the_brokers_own_error_means_refused(answer: Any) -> None:
    assert read(answer) == SendResult(kind="refused", text="No trading permissions.")


def test_a_malformed_ticket_is_refused_by_the_brokers_400() -> None:
    found = read({"error": "Bad Request: conid is not valid", "statusCode": 400}, 400)
    assert kind(found) == "refused"


@pytest.mark.parametrize("status", [200, 400, 500])
def test_a_client_id_that_is_known_means_registered(status: int) -> None:
    found = read({"error": DUPLICATE}, status)
    assert kind(found) == "registered"


@pytest.mark.parametrize("status", [401, 403, 404, 410, 411, 429, 500, 502, 503, 302])
@pytest.mark.parametrize("answer", [None, {"error": "Service Unavailable"}])
def test_every_other_status_is_unknown(status: int, answer: Any) -> None:
    assert kind(read(answer, status)) == "unknown"


@pytest.mark.parametrize("text", ["", "<html>400 Bad Request</html>", "{}", "[]", '"no"'])
def test_a_400_without_the_brokers_words_is_unknown(text: str) -> None:
    answer = json.loads(text) if text[:1] in ("{", "[", '"') else None
    assert kind(read_answer(400, answer, text)) == "unknown"


@pytest.mark.parametrize(
    "answer",
    [
        None, [], {}, [{}], "accepted", 5, True, [[]], [None], {"order_id": None},
        {"order_id": ""}, {"order_id": {}}, {"order_id": True}, {"order_id": -1},
        {"order_id": "-1"}, {"order_id": 0}, {"order_id": "null"}, {"order_id": "1; 2"},
        {"order_id": "-1", "error": "no"},
        {"error": ""}, {"error": None},
        PROMPT, [PROMPT],
        [{"order_id": "1"}, {"order_id": "2"}],
        [{"id": "1", "message": ["?"], "messageIds": ["o163"]}, {"order_id": "2"}],
        {"id": "1", "message": "?", "messageIds": ["o163"]},
        {"id": None, "message": ["?"], "messageIds": ["o163"]},
        {"order_id": "1", "error": "and yet an error"},
        {"order_id": "1", "id": "2", "message": ["?"], "error": "everything at once"},
    ],
)  # fmt: skip
def test_anything_else_is_unknown(answer: Any) -> None:
    assert kind(read(answer)) == "unknown"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["order_id", "error", "id", "message", "messageIds", "x"]), inner
            )
        ),
    ),
    st.integers(100, 599),
)
def test_no_answer_makes_the_reading_raise(answer: Any, status: int) -> None:
    found = read(answer, status)
    if isinstance(found, SendResult) and found.kind == "accepted":
        assert 200 <= status < 300
        assert int(found.broker_order_id or 0) > 0


def test_a_question_keeps_every_message_and_every_id() -> None:
    row = {
        "id": "7f-1", "message": ["first\nsure?", "second"], "isSuppressed": False,
        "messageIds": ["o163", "o451"],
    }  # fmt: skip
    expected = Question(reply_id="7f-1", ids=("o163", "o451"), texts=("first\nsure?", "second"))
    assert read([row]) == expected


def test_a_question_without_ids_is_still_a_question() -> None:
    assert read([{"id": "7f-1", "message": ["sure?"]}]) == Question("7f-1", (), ("sure?",))


def test_the_account_is_in_no_text() -> None:
    told = [
        read({"error": "accountId is not valid: DU9000001"}),
        read({"error": "accountId is not valid: DU9000001"}, 400),
        read({"strange": "DU9000001"}),
        read([{"id": "7f-1", "message": ["for DU9000001?"]}]),
    ]
    assert all("DU9000001" not in repr(each) for each in told)


POLICY = QuestionPolicy(
    {"o403": (True, "meant to"), "o163": (False, "a mistake"), "o1": (True, "-")}
)


@pytest.mark.parametrize(
    ("ids", "texts", "agreed"),
    [
        (("o403",), ("?",), True),
        (("o403", "o1"), ("?", "?"), True),
        (("o163",), ("?",), False),
        (("o403", "o163"), ("?", "?"), False),
        (("o999",), ("?",), False),
        (("o403", "o999"), ("?", "?"), False),
        ((), ("?",), False),
        ((), (), False),
        (("o403",), ("?", "a text without an id"), False),
        (("o403", "o1"), ("?",), False),
        (("O403",), ("?",), False),
    ],
)
def test_a_yes_needs_a_yes_to_every_message(
    ids: tuple[str, ...], texts: tuple[str, ...], agreed: bool
) -> None:
    assert POLICY.agrees(Question("1", ids, texts)) is agreed


def test_nothing_is_agreed_to_where_nothing_is_configured() -> None:
    assert not QuestionPolicy({}).agrees(Question("1", ("o403",), ("?",)))
