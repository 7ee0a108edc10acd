"""The file that says how the broker's questions are answered."""

from pathlib import Path

import pytest

from worker.errors import ConfigurationError
from worker.questions import read_questions
from worker.settings import PROJECT_ROOT

GUARDS = ("o163", "o354", "o382", "o383", "o451", "o10151", "o10152", "o10153", "p12")


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "questions.yaml"
    path.write_text(text)
    return path


def test_the_projects_own_file_says_no_to_every_guard_against_mistakes() -> None:
    answers = read_questions(PROJECT_ROOT / "config" / "questions.yaml")
    assert [answers[message_id][0] for message_id in GUARDS] == [False] * len(GUARDS)
    assert {message_id for message_id, (agree, _) in answers.items() if agree} == {"o403"}
    assert all(why for _, why in answers.values())


def test_an_answer_has_its_reason(tmp_path: Path) -> None:
    path = write(tmp_path, "o403:\n  agree: true\n  why: It is meant to fill.\n")
    assert read_questions(path) == {"o403": (True, "It is meant to fill.")}


@pytest.mark.parametrize(
    "text",
    [
        "o403: {agree: 'true', why: x}", "o403: {agree: 1, why: x}", "o403: {agree: yes please}",
        "o403: {agree: true}", "o403: {agree: true, why: ''}", "o403: true", "o403:",
        "o403: {agree: true, why: x, always: true}", "- o403", "o403: {agree: true, why: x",
        "o403: {agree: true, why: x}\no403: {agree: false, why: y}\n",
    ],
)  # fmt: skip
def test_a_file_that_is_not_clear_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigurationError) as raised:
        read_questions(path)
    assert str(path) in raised.value.sentence


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        read_questions(tmp_path / "questions.yaml")
