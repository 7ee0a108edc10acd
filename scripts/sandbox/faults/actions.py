"""The short spelling of six kinds, in the object form of /sandbox/faults: `action` and `when`."""

from typing import Annotated, Any, Literal

from pydantic import Field

from scripts.sandbox.faults.kinds import KINDS, Fault, StatusCode
from scripts.sandbox.wishes import Count, Seconds, Wish

MEANT = {
    ("delay", "before"): "slow",
    ("delay", "after"): "late",
    ("cut", "before"): "cut_before",
    ("cut", "after"): "cut_after",
    ("answer", "before"): "status",
    ("answer", "after"): "status_after",
}


class Action(Wish):
    """Acts on requests by method and path, lets `skip` of them pass, then acts `times` times."""

    action: Literal["delay", "cut", "answer"]
    when: Literal["before", "after"] = "before"  # the work: after it, the order is in the book
    method: str = "*"
    path: str = "*"  # below /v1/api, with * for any text
    times: Count = 1
    skip: Annotated[int, Field(ge=0)] = 0
    seconds: Seconds = 0.0  # delay
    status: StatusCode = 500  # answer, and the three below
    body: Any = ""  # text as it is; anything else as JSON
    content_type: str = "application/json"
    headers: dict[str, str] = Field(default_factory=dict)


def as_fault(wish: Action) -> Fault:
    kind = MEANT[wish.action, wish.when]
    aimed = {"method": wish.method, "path": wish.path}
    counted = {"nth": wish.skip + 1, "count": wish.times}
    return KINDS[kind].model_validate({"kind": kind} | aimed | counted | _told(wish))


def _told(wish: Action) -> dict[str, Any]:
    if wish.action == "delay":
        return {"delay_seconds": wish.seconds}
    if wish.action == "cut":
        return {}
    told = {"status": wish.status, "content_type": wish.content_type, "headers": wish.headers}
    return told | {"body": wish.body}
