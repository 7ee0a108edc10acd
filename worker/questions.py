"""`config/questions.yaml`: how each of the broker's order questions is answered, and why."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, RootModel, StrictBool

from worker.models.base import Value
from worker.yaml_file import read_yaml, validated


class Answer(Value):
    agree: StrictBool
    why: Annotated[str, Field(min_length=1)]


class _File(RootModel[dict[str, Answer]]):
    pass


def read_questions(path: Path) -> dict[str, tuple[bool, str]]:
    """Message id to (yes or no, why). Raises ConfigurationError; there is no default file."""
    data, node = read_yaml(path)
    answers = validated(_File, data, path, node).root
    return {message_id: (answer.agree, answer.why) for message_id, answer in answers.items()}
