"""What can be done to a set at work: the kinds of injections, who does each and what follows."""

from dataclasses import dataclass
from typing import Any, Literal

from worker.checkpoints import POINTS

Group = Literal["kill", "kill_main", "stop", "request", "fate", "broker", "valkey", "copy", "lock"]
# light: the run goes on. evidence: an order's fate is unknown until the broker's lists tell it.
# holding: the account's one order conversation is held by nobody alive, until its lease is over.
# blocking: nothing reached the book, so no evidence ever comes: a symbol is blocked until the
# session's end.
Weight = Literal["light", "evidence", "holding", "blocking"]
WEIGHTS: tuple[Weight, ...] = ("light", "evidence", "holding", "blocking")

# Longer than an order's `send_by` (5 s), and longer than the conversation's lease (30 s).
SHORT_STOP_SECONDS, LONG_STOP_SECONDS = 8.0, 34.0
STOPPED_AT = (
    "intent:after", "connect:after", "post:before", "post:after", "answer:after", "event:before",
    "reply:before",
)  # fmt: skip
OUTSIDE_A_CONVERSATION = ("publish:", "ack:")
NOTHING_REACHED_THE_BOOK = ("post:before", "reply:before")
SECONDS_REFUSED = 3.0
# Longer than the drill's client waits for an answer (`setting.TIMEOUT_SECONDS`).
SECONDS_LATE = 6.0
ORDERS = {"method": "POST", "path": "/iserver/account/*/orders"}
# A question that config/questions.yaml answers with yes. Several orders are asked: the first may
# meet other harm before its reply.
QUESTION, ORDERS_ASKED = "o403", 4


@dataclass(frozen=True)
class Kind:
    """`point` for what acts in a worker; `fault` for what the sandbox does, as it is armed there;
    a kind with neither is done by the drill itself. `asks`: it needs a question to act at."""

    name: str
    group: Group
    weight: Weight = "light"
    point: str | None = None
    fault: dict[str, Any] | None = None
    asks: bool = False


def _at_points(group: Literal["kill", "kill_main", "stop"], points: tuple[str, ...]) -> list[Kind]:
    return [
        Kind(
            f"{group} at {point}",
            group,
            _weight_at(point),
            point=point,
            asks=point.startswith("reply:"),
        )
        for point in points
    ]


def _weight_at(point: str) -> Weight:
    if point.startswith(OUTSIDE_A_CONVERSATION):
        return "light"
    return "blocking" if point in NOTHING_REACHED_THE_BOOK else "holding"


def _on_orders(name: str, weight: Weight, **told: Any) -> Kind:
    """A fault of the request that carries the order."""
    kind = str(told.pop("kind", name))
    return Kind(name, "request", weight, fault={"kind": kind, **ORDERS, **told})


def _fate(name: str, **told: Any) -> Kind:
    return Kind(name, "fate", fault={"kind": name, **told})


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        *_at_points("kill", POINTS),
        *_at_points("kill_main", POINTS),
        *_at_points("stop", STOPPED_AT),
        _on_orders("cut_before", "blocking"),
        _on_orders("cut_after", "evidence"),
        _on_orders("late", "evidence", delay_seconds=SECONDS_LATE),
        _on_orders("truncated_body", "evidence"),
        _on_orders("html", "evidence", status=502),
        Kind("already_registered", "request", "evidence",
             fault={"kind": "already_registered", "committed": True}),
        Kind("already_registered, falsely", "request", "blocking",
             fault={"kind": "already_registered"}),
        _on_orders("refuse after an order", "light", kind="refuse", seconds=SECONDS_REFUSED),
        Kind("refuse", "broker",
             fault={"kind": "refuse", "at_once": True, "seconds": SECONDS_REFUSED}),
        Kind("empty_orders", "broker", fault={"kind": "empty_orders", "count": 2}),
        Kind("reply_503_live", "fate", "evidence", fault={"kind": "reply_503_live"}, asks=True),
        _fate("ask", rounds=[[QUESTION]], count=ORDERS_ASKED),
        _fate("late_fill", delay_seconds=6.0),
        _fate("partial", steps=[{"after_seconds": 1.0, "shares": 2}]),
        _fate("inactive", reason="set aside by the drill"),
        _fate("system_cancel", reason="cancelled by the drill", after_seconds=1.0),
        _fate("cancel_races_fill"),
        Kind("valkey killed", "valkey", "evidence"),
        Kind("valkey lost with its data", "valkey", "evidence"),
        Kind("chain published again", "copy"),
        Kind("message delivered twice", "copy"),
        Kind("journal locked", "lock", "evidence"),
    )
}  # fmt: skip
