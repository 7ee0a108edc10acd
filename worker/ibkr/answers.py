"""What the broker's answer to an order, a reply or a cancel means. Pure.

Accepted and refused need the broker's own words; everything else that comes after a byte may have
left is unknown.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from worker.ibkr import decode
from worker.ibkr.decode import without_accounts
from worker.models.order import SendResult

REGISTERED = "Local order ID="


@dataclass(frozen=True)
class Question:
    """The broker asks before it takes the order; `ids` and `texts` belong together."""

    reply_id: str
    ids: tuple[str, ...]
    texts: tuple[str, ...]


def read_answer(status: int, answer: Any, text: str) -> SendResult | Question:
    """`answer` is the decoded JSON, None where there was none."""
    text = without_accounts(text)[:200]
    if not 200 <= status < 300:
        return _failed(status, answer, text)
    rows = answer if isinstance(answer, list) else [answer]
    if len(rows) != 1 or not isinstance(rows[0], Mapping):
        return _unknown(text)
    return _row(rows[0], text)


def _failed(status: int, answer: Any, text: str) -> SendResult:
    if REGISTERED in text:
        return SendResult(kind="registered", text=text)
    # A malformed ticket is the one failure that the broker answers before it does anything; a 400
    # without its words can be of anybody on the way.
    words = answer.get("error") if isinstance(answer, Mapping) else None
    kind = "refused" if status == 400 and words else "unknown"
    return SendResult(kind=kind, text=f"HTTP {status} {text}".strip())


def _row(row: Mapping[str, Any], text: str) -> SendResult | Question:
    order_id, words = decode.order_id(row.get("order_id")), row.get("error")
    if order_id is not None and not words:
        return SendResult(
            kind="accepted", broker_order_id=order_id, text=str(row.get("order_status") or "")
        )
    if words and not row.get("order_id"):
        return _refused_or_registered(without_accounts(str(words)))
    reply_id, messages = decode.identifier(row.get("id")), row.get("message")
    if reply_id is None or row.get("order_id") or not isinstance(messages, list):
        return _unknown(text)
    ids = row.get("messageIds")
    return Question(
        reply_id=reply_id,
        ids=tuple(str(each) for each in ids) if isinstance(ids, list) else (),
        texts=tuple(without_accounts(str(each)) for each in messages),
    )


def _refused_or_registered(words: str) -> SendResult:
    kind = "registered" if REGISTERED in words else "refused"
    return SendResult(kind=kind, text=words.strip())


def _unknown(text: str) -> SendResult:
    return SendResult(kind="unknown", text=f"the answer was not an order's: {text}")


@dataclass(frozen=True)
class QuestionPolicy:
    """Message id to (yes or no, why). A question that is not in it is answered no."""

    answers: Mapping[str, tuple[bool, str]]

    def agrees(self, question: Question) -> bool:
        """Yes to all of it: every text has an id, and every id a yes."""
        return (
            bool(question.ids)
            and len(question.ids) == len(question.texts)
            and all(self.answers.get(each, (False, ""))[0] for each in question.ids)
        )
