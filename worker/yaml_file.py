"""YAML into a frozen value; what is wrong is said with file, line, key and fix."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from worker.errors import ConfigurationError

Model = TypeVar("Model", bound=BaseModel)
Key = tuple[str, ...]

_WHOLE, _NUMBER = "write a whole number", "write a number"
_KEYS_AND_VALUES = "write keys and values here, `key: value`"
# What to do about each of pydantic's errors, instead of its own words.
FIXES = {
    "missing": "this key is needed; add it",
    "extra_forbidden": "this key is not known; remove it or correct its spelling",
    "invalid_key": "a key must be text; put it in quotes",
    "bool_type": "write true or false, without quotes",
    "string_type": "write text, in quotes where it looks like a number or a date",
    "string_too_short": "write at least {min_length} character",
    "path_type": "write a path",
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_parsing_size": _WHOLE,
    "int_from_float": _WHOLE,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "decimal_type": _NUMBER,
    "decimal_parsing": _NUMBER,
    "finite_number": _NUMBER,
    "greater_than": "write a number above {gt}",
    "greater_than_equal": "write a number of at least {ge}",
    "less_than_equal": "write a number of at most {le}",
    "literal_error": "write {expected}",
    "tuple_type": "write a list, such as [first, second]",
    "too_short": "list at least {min_length}",
    "too_long": "list at most {max_length}",
    "dict_type": _KEYS_AND_VALUES,
    "model_type": _KEYS_AND_VALUES,
}
OTHER = "this value cannot be used; the shipped files in config/ show one that can"


def read_yaml(
    path: Path, if_missing: str = "create it, or correct the path"
) -> tuple[dict[str, Any], yaml.Node | None]:
    """The file's mapping and its node tree, which knows the lines."""
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        _refuse_traps(path, node)
        data = yaml.safe_load(text)
    except FileNotFoundError:
        raise ConfigurationError(f"{path} does not exist; {if_missing}") from None
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be read ({error.strerror}); mend it, or correct the path"
        ) from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path} is not text in UTF-8; save it so") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f", line {mark.line + 1}" if mark else ""
        raise ConfigurationError(f"{path}{where}: this is not YAML: {error.problem}") from None
    except yaml.YAMLError:
        raise ConfigurationError(f"{path}: this is not YAML") from None
    except RecursionError:
        raise ConfigurationError(f"{path} is nested too deeply; make it flatter") from None
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
    named: Mapping[Key, str] | None = None,
) -> Model:
    """`model` from `data`; the first thing that is wrong becomes one sentence.

    `named` gives the environment variable that set a key, so that the sentence names it.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = tuple(str(part) for part in first["loc"])
        variable = (named or {}).get(key)
        place = variable or place_of(path, node, key)
        fix = _fix(first) if variable is None else _fix_of_variable(first)
        raise ConfigurationError(f"{place}: {fix}") from None


def place_of(path: Path, node: yaml.Node | None, key: Key) -> str:
    """Where a person finds the key."""
    return f"{path}, line {line_of(node, key)}, key {'.'.join(key) or '(file)'}"


def _fix(error: Any) -> str:
    if error["type"] == "value_error":  # our own words
        return str(error["msg"]).removeprefix("Value error, ")
    return FIXES.get(error["type"], OTHER).format_map(error.get("ctx", {}))


def _fix_of_variable(error: Any) -> str:
    """A variable holds one value; what has parts is written in the file."""
    if error["type"] in ("tuple_type", "dict_type", "model_type"):
        return "a variable cannot hold a list or keys; unset it, and write them in the file"
    return _fix(error)


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


def _refuse_traps(path: Path, node: yaml.Node | None, key: Key = ()) -> None:
    """What YAML takes in silence, and a person did not mean."""
    if isinstance(node, yaml.MappingNode):
        _refuse_repeated_keys(path, node)
        for name, value in node.value:
            _refuse_traps(path, name, (*key, name.value))
            _refuse_traps(path, value, (*key, name.value))
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            _refuse_traps(path, item, (*key, str(number)))
    elif node is not None and node.tag.endswith(":bool"):
        _refuse_other_truth(path, node, key)


def _refuse_other_truth(path: Path, node: yaml.Node, key: Key) -> None:
    """In YAML 1.1 `no`, and a symbol such as ON, are truth values."""
    if node.value.lower() not in ("true", "false"):
        raise ConfigurationError(
            f"{path}, line {node.start_mark.line + 1}, key {'.'.join(key)}: YAML reads "
            f"{node.value} as a truth value; write true or false, or quote it if it is text"
        )


def _refuse_repeated_keys(path: Path, node: yaml.MappingNode) -> None:
    seen: set[str] = set()
    for name, _ in node.value:
        line = name.start_mark.line + 1
        if not isinstance(name, yaml.ScalarNode):  # such as an unquoted {{ template }}
            raise ConfigurationError(f"{path}, line {line}: a key must be plain text")
        if name.value in seen:
            raise ConfigurationError(
                f"{path}, line {line}, key {name.value}: this key stands twice; keep one"
            )
        seen.add(str(name.value))
