"""YAML into a frozen value; what is wrong is said with file, line, key and fix."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from worker.errors import ConfigurationError

Model = TypeVar("Model", bound=BaseModel)


def read_yaml(path: Path) -> tuple[dict[str, Any], yaml.Node | None]:
    """The file's mapping and its node tree, which knows the lines."""
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        _refuse_repeated_keys(path, node)
        data = yaml.safe_load(text)
    except FileNotFoundError:
        raise ConfigurationError(
            f"{path} does not exist; create it or point OPENBELL_CONFIG at your own"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f", line {mark.line + 1}" if mark else ""
        raise ConfigurationError(f"{path}{where}: this is not YAML: {error.problem}") from None
    except yaml.YAMLError:
        raise ConfigurationError(f"{path}: this is not YAML") from None
    except ValueError as error:  # a date such as 2026-13-01
        raise ConfigurationError(f"{path}: a value cannot be read: {error}") from None
    if data is None:
        return {}, node
    if not isinstance(data, dict):
        raise ConfigurationError(f"{path}, line 1: write keys and values, `key: value`")
    return data, node


def validated(
    model: type[Model],
    data: Mapping[str, Any],
    path: Path,
    node: yaml.Node | None,
    named: Mapping[tuple[str, ...], str] | None = None,
) -> Model:
    """`model` from `data`; the first thing that is wrong becomes one sentence.

    `named` gives the environment variable that set a key, so that the sentence names it.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        key = tuple(str(part) for part in first["loc"])
        raise ConfigurationError(_sentence(path, node, key, first, named or {})) from None


def _sentence(
    path: Path,
    node: yaml.Node | None,
    key: tuple[str, ...],
    error: Any,
    named: Mapping[tuple[str, ...], str],
) -> str:
    place = named.get(key) or f"{path}, line {line_of(node, key)}, key {'.'.join(key) or '(file)'}"
    message = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        message = "this key is not known; remove it or correct its spelling"
    elif error["type"] == "missing":
        message = "this key is needed; add it"
    elif error["type"] == "bool_type":
        message = "write true or false, without quotes"
    return f"{place}: {message}"


def line_of(node: yaml.Node | None, key: Sequence[str]) -> int:
    """The line of `key`, or of the nearest thing above it that exists (first line: 1)."""
    line = 1
    for part in key:
        child = _child(node, part)
        if child is None:
            break
        line, node = child
    return line


def _child(node: yaml.Node | None, part: str) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if name.value == part:
                return name.start_mark.line + 1, value
    if isinstance(node, yaml.SequenceNode) and part.isdigit() and int(part) < len(node.value):
        item = node.value[int(part)]
        return item.start_mark.line + 1, item
    return None


def _refuse_repeated_keys(path: Path, node: yaml.Node | None) -> None:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for name, value in node.value:
            line = name.start_mark.line + 1
            if not isinstance(name, yaml.ScalarNode):  # such as an unquoted {{ template }}
                raise ConfigurationError(f"{path}, line {line}: a key must be plain text")
            if name.value in seen:
                raise ConfigurationError(
                    f"{path}, line {line}, key {name.value}: this key stands twice; keep one"
                )
            seen.add(str(name.value))
            _refuse_repeated_keys(path, value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_repeated_keys(path, item)
