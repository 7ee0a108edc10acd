"""What a broker of messages does now and then: it delivers again."""

import json
import uuid
from typing import Any

import redis

from celeryconfig import task_routes
from tasks.chain import publish, task_ids
from tasks.end_run import end_run
from worker.errors import TemporaryError
from worker.runtime import Services

# Where kombu keeps what a worker has taken and not acknowledged: tag to [message, exchange, queue].
TAKEN = "unacked"


def publish_again(s: Services, run_id: str) -> bool:
    """Send the chain of a run that is under way once more, from the step that it stands at. False:
    it is over, or has not begun."""
    row, begun = s.runs.get(run_id), s.steps.of(run_id)
    if row.status != "queued" or not begun:
        return False
    try:
        publish(s.steps.last_run(run_id), first=begun[-1].number, on_error=end_run.si(run_id))
    except TemporaryError:
        return False
    return True


def copy_message(messages: "redis.Redis", run_ids: tuple[str, ...]) -> bool:
    """Put a copy of a message that a worker has in hand back into its queue, as Redis does with one
    whose acknowledgement it lost. False: no worker has one of these runs in hand."""
    ours = {task_id for run_id in run_ids for task_id in task_ids(run_id).values()}
    try:
        # redis-py's types leave open whether a call is awaited.
        taken: Any = messages.hvals(TAKEN)
        for one in taken:
            message = json.loads(one)[0]
            headers = message["headers"]
            if headers["id"] in ours:
                message["properties"]["delivery_tag"] = str(uuid.uuid4())
                queue = task_routes[headers["task"]]["queue"]
                messages.lpush(queue, json.dumps(message))
                return True
    except redis.RedisError:
        return False
    return False
