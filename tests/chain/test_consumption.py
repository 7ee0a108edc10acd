"""A worker that is there and takes nothing: real workers, a real Beat, a real Valkey."""

import json
from typing import Any

from tests.support.stack import STRATEGY, Stack

STACK: dict[str, Any] = {
    "strategies": [STRATEGY],
    "queues": {
        "io,wait": ("threads", 2), "orders": ("prefork", 1), "upkeep,session": ("prefork", 1),
    },
    "environment": {"OPENBELL_QUEUES__SHOW_LIFE_EVERY": "4s"},
}  # fmt: skip
QUEUES = {"io", "wait", "orders", "upkeep", "session"}


def told(stack: Stack) -> set[str]:
    beacons = stack.services.beacons
    return {queue for queue in QUEUES if beacons.is_lit(f"told:queue:{queue}")}


def alerts(stack: Stack) -> list[tuple[str, str]]:
    lines = stack.log("beat").read_text().splitlines()
    events = [json.loads(line) for line in lines if line.startswith("{")]
    return [(e["severity"], e["title"]) for e in events if e["event"] == "alert"]


def test_a_stopped_worker_is_an_alert_until_it_goes_on(stack: Stack) -> None:
    stack.start_beat()
    beacons = stack.services.beacons
    stack.wait_for(
        lambda: all(beacons.lit_at(f"consumed:{queue}") for queue in QUEUES),
        "every queue shows life", story=stack.log("beat").read_text,
    )  # fmt: skip
    stopped = stack.processes("orders")
    for process in stopped:
        process.suspend()
    try:
        stack.wait_for(lambda: "orders" in told(stack), "a person is told of it")
    finally:
        for process in stopped:
            process.resume()
    stack.wait_for(lambda: told(stack) == set(), "it is forgotten")
    about = [alert for alert in alerts(stack) if "orders" in alert[1]]
    assert about == [("critical", "Queue orders has no living consumer")]
