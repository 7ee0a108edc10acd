"""Reading a model's answer: exactly what was asked for, or a reason why not."""

import json
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from worker.models.signal import Side
from worker.signals.view import Abstain, cut

# Integer per cent: grammars that hold a model to a schema do not hold `number` to its bounds.
RESPONSE_FORMAT: dict[str, Any] = {
    "type": "json_schema",
    "json_schema": {
        "name": "signal",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {
                "signal": {"type": "string", "enum": ["BUY", "SELL", "HOLD"]},
                "confidence_pct": {"type": "integer", "minimum": 0, "maximum": 100},
                "rationale": {"type": "string"},
            },
            "required": ["signal", "confidence_pct", "rationale"],
            "additionalProperties": False,
        },
    },
}


class Answer(BaseModel):
    """What the model says, held to the schema once more: not every endpoint does."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    signal: Side
    confidence_pct: Annotated[int, Field(ge=0, le=100)]
    rationale: Annotated[str, Field(min_length=1, max_length=8000, pattern=r"\S")]


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Completion(BaseModel):
    """The envelope; what else an endpoint puts into it is its own affair."""

    choices: list[_Choice]


def read_answer(raw: bytes) -> Answer:
    """Raises Abstain for everything but one whole answer that fits the schema."""
    try:
        completion = _Completion.model_validate(_json(raw.decode()))
    except (ValueError, RecursionError):
        raise Abstain("the endpoint's answer is not a chat completion") from None
    if len(completion.choices) != 1:
        raise Abstain(f"the endpoint gave {len(completion.choices)} answers, not one")
    choice = completion.choices[0]
    if choice.message.refusal:
        raise Abstain(cut(f"the model refused: {choice.message.refusal}"))
    if choice.finish_reason != "stop":
        raise Abstain(cut(f"the answer is not whole (finish_reason {choice.finish_reason})"))
    if not choice.message.content:
        raise Abstain("the answer is empty")
    try:
        data = _json(choice.message.content)
    except (ValueError, RecursionError):
        raise Abstain("the answer is not JSON alone") from None
    try:
        return Answer.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"]) or "answer"
        raise Abstain(cut(f"the answer does not fit: {key}: {first['msg']}")) from None


def _json(text: str) -> Any:
    """Strict JSON: no NaN, and no key twice, which every reader would read differently."""
    return json.loads(text, object_pairs_hook=_distinct, parse_constant=_refuse)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _refuse(constant: str) -> Any:
    raise ValueError(constant)
