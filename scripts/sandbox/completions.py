"""The analyst's HTTP face: chat completions in the shape that OpenAI made common."""

import asyncio
import json
import uuid
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from scripts.sandbox.analyst import opinion, overridden, read_figures
from scripts.sandbox.replies import Json
from scripts.sandbox.sandbox import Sandbox
from scripts.sandbox.wishes import Override

MODEL = "openbell-sandbox-scripted"
EVERY_SYMBOL = "*"
COUNTED = "POST /analyst/v1/chat/completions"


async def complete(request: Request) -> Response:
    sandbox: Sandbox = request.app.state.sandbox
    sandbox.book.count_request(COUNTED, sandbox.clock.wall(), violation=False)
    try:
        asked = json.loads(await request.body())
    except (ValueError, RecursionError):
        return _error(400, "the body is not JSON")
    if not isinstance(asked, dict) or not isinstance(asked.get("messages"), list):
        return _error(400, "messages is missing")
    if asked.get("stream"):
        return _error(400, "the sandbox's analyst does not stream")
    figures = read_figures(asked)
    wanted = _override(sandbox, str(figures.get("symbol", "")))
    if wanted:
        await asyncio.sleep(wanted.delay_seconds)
    if wanted and wanted.status:
        return _error(wanted.status, "as told by POST /sandbox/analyst")
    text = overridden(wanted) if wanted else opinion(figures).text()
    return Json(_completion(asked, text, int(sandbox.clock.wall())))


async def models(_request: Request) -> Response:
    row = {"id": MODEL, "object": "model", "created": 0, "owned_by": "openbell sandbox"}
    return Json({"object": "list", "data": [row]})


def _override(sandbox: Sandbox, symbol: str) -> Override | None:
    return sandbox.overrides.get(symbol) or sandbox.overrides.get(EVERY_SYMBOL)


def _completion(asked: dict[str, Any], text: str, second: int) -> dict[str, Any]:
    prompt, answered = len(json.dumps(asked["messages"])) // 4, len(text) // 4
    return {
        "id": f"chatcmpl-sandbox-{uuid.uuid4().hex}",
        "object": "chat.completion",
        "created": second,
        "model": str(asked.get("model") or MODEL),
        "system_fingerprint": "openbell_sandbox",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text, "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": prompt,
            "completion_tokens": answered,
            "total_tokens": prompt + answered,
        },
    }


def _error(status: int, text: str) -> Response:
    kind = "invalid_request_error" if status < 500 else "server_error"
    error = {"message": f"{text} (sandbox)", "type": kind, "param": None, "code": None}
    return Json({"error": error}, status)
