"""What YAML and pydantic would say or take in their own way, a person reads in ours."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel, ValidationError

from worker.errors import ConfigurationError
from worker.market.overrides import Overrides
from worker.models.strategy import Strategy
from worker.questions import Answer
from worker.settings import Settings
from worker.yaml_file import FIXES, OTHER, read_yaml, validated

MODELS = (Strategy, Settings, Overrides, Answer)
# One of each kind of value that YAML has, and the edges of each.
VALUES: tuple[Any, ...] = (
    None, True, "", " ", "word", "WORD", "12", "99999999999999999999d", "9" * 5000, "²s", 0, -1, 7,
    10**30, -0.5, 0.5, 1e300, float("inf"), float("nan"), [], ["AAPL"], ["AAPL"] * 99, [1], [None],
    [{}], {}, {"a": 1}, {1: 2}, yaml.safe_load("2026-11-27"), yaml.safe_load("2026-11-27 09:30:00"),
)  # fmt: skip
NEEDED: dict[type[BaseModel], dict[Any, Any]] = {
    Strategy: {
        "id": 1,
        "name": "one",
        "symbols": ["AAPL"],
        "sizing": {"method": "fixed_quantity", "quantity": 1},
    },
    Answer: {"agree": False, "why": "it is safer"},
}
ITS_OWN_WORDS = re.compile(
    r"(?i)input should|should (be|have|match|contain)|valid (string|integer|list|tuple|dict)|"
    r"instance of|pattern|field required|permitted|pydantic|literal"
)


def places(model: type[BaseModel], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every key of a model, those of the models inside it as well."""
    for name, field in model.model_fields.items():
        yield (*above, name)
        for inner in (field.annotation, *get_args(field.annotation)):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                yield from places(inner, (*above, name))


def at(key: Sequence[str], value: Any) -> dict[str, Any]:
    return {key[0]: value if len(key) == 1 else at(key[1:], value)}


def wrong(model: type[BaseModel]) -> Iterator[dict[str, Any]]:
    """Data with one thing in it that may be wrong, beside what may be missing."""
    for key in places(model):
        for value in VALUES:
            yield at(key, value)
            yield at(key, [value, value])
    yield {"not_a_key": 1}
    yield at(("schedule", "entries"), [{"cron": "* * * * *", "name": 1}, {"corn": ""}])


def whole(model: type[BaseModel], data: Mapping[Any, Any]) -> dict[Any, Any]:
    """`data` beside what the model cannot do without, so that nothing else is told first."""
    return NEEDED.get(model, {}) | dict(data)


def refusals(model: type[BaseModel]) -> Iterator[tuple[str, str]]:
    """The error's type, and what a person reads of it."""
    for data in wrong(model):
        for given in (data, whole(model, data)):
            try:
                validated(model, given, Path("a.yaml"), None)
            except ConfigurationError as told:
                with pytest.raises(ValidationError) as caught:
                    model.model_validate(given)
                yield caught.value.errors()[0]["type"], told.sentence


@pytest.fixture(scope="module")
def told() -> set[tuple[str, str]]:
    return {refusal for model in MODELS for refusal in refusals(model)}


def test_every_error_of_our_models_has_a_fix_of_its_own(told: set[tuple[str, str]]) -> None:
    types = {kind for kind, _ in told} - {"value_error"}
    assert types == set(FIXES)
    assert not [sentence for _, sentence in told if OTHER in sentence]


def test_no_error_is_told_in_pydantics_words(told: set[tuple[str, str]]) -> None:
    assert [sentence for _, sentence in told if ITS_OWN_WORDS.search(sentence)] == []
    assert [sentence for _, sentence in told if "{" in sentence or "\n" in sentence] == []


def sentence_of(tmp_path: Path, text: str) -> str:
    file = tmp_path / "a.yaml"
    file.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        read_yaml(file)
    return caught.value.sentence.replace(str(file), "a.yaml")


@pytest.mark.parametrize(
    "word",
    [
        *("yes", "Yes", "YES", "no", "No", "NO", "on", "On", "ON", "off", "Off", "OFF"),
        "!!bool 'yes'",
    ],
)
def test_only_true_and_false_are_truth_values(tmp_path: Path, word: str) -> None:
    plain = word.removeprefix("!!bool ").strip("'")
    fix = "write true or false, or quote it if it is text"
    assert sentence_of(tmp_path, f"a: 1\nb:\n  c: [x, {word}]\n") == (
        f"a.yaml, line 3, key b.c.1: YAML reads {plain} as a truth value; {fix}"
    )
    assert sentence_of(tmp_path, f"{word}: 1\n") == (
        f"a.yaml, line 1, key {plain}: YAML reads {plain} as a truth value; {fix}"
    )


def test_a_quoted_word_and_other_letters_stay_text(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("a: 'no'\nb: \"ON\"\nc: y\nd: N\ne: [True, FALSE, false]\n")
    data, _ = read_yaml(file)
    assert data == {"a": "no", "b": "ON", "c": "y", "d": "N", "e": [True, False, False]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[" * 5000, "a.yaml is nested too deeply; make it flatter"),
        ("a: 2026-13-01", "a.yaml: a value cannot be read"),
        ("a: *b", "a.yaml, line 1: this is not YAML: "),
    ],
)
def test_what_yaml_stumbles_over_is_a_sentence(tmp_path: Path, text: str, expected: str) -> None:
    assert sentence_of(tmp_path, text).startswith(expected)


def test_a_file_that_is_no_file_or_no_text_is_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "latin"
    file.write_bytes("name: größe".encode("latin-1"))
    for path, expected in (
        (tmp_path / "none", "does not exist; create it, or correct the path"),
        (tmp_path, "cannot be read (Is a directory); mend it, or correct the path"),
        (file, "is not text in UTF-8; save it so"),
    ):
        with pytest.raises(ConfigurationError) as caught:
            read_yaml(path)
        assert caught.value.sentence == f"{path} {expected}"
