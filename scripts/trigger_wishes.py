"""What a person wants of a run, read from the command line and from `--conf`.

`--conf` takes the predecessor's own object, such as EXAMPLE below.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, StrictBool, StrictInt, StrictStr, ValidationError, field_validator

from scripts.console import openbell
from worker.errors import ConfigurationError
from worker.models.base import Value

EXAMPLE = '{"strategy_id": 1, "symbols": ["AAPL"], "dry_run": true}'
PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:@+/-]{0,119}")
MANUAL = "manual:"
_FIX = {
    "dry_run": "write true or false as JSON has them, without quotes",
    "strategy_id": "write the strategy's number, such as 1",
    "symbols": 'write a list of symbols, such as ["AAPL", "MSFT"]',
}


class Conf(Value):
    strategy_id: Annotated[StrictInt, Field(ge=1)] | None = None
    symbols: Annotated[tuple[StrictStr, ...], Field(min_length=1)] | None = None
    dry_run: StrictBool | None = None

    @field_validator("strategy_id", "symbols", "dry_run", mode="before")
    @classmethod
    def _not_null(cls, value: Any) -> Any:
        if value is None:
            raise ValueError("null says nothing; leave the key out")
        return value

    @field_validator("symbols")
    @classmethod
    def _distinct(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) != len(value):
            raise ValueError("a symbol is listed twice; list it once")
        return value


class Wanted(Value):
    """`strategy` is an id or a name, and must have the number in `confirmed`. None leaves the
    strategy's own word."""

    strategy: str
    confirmed: int | None = None
    symbols: tuple[str, ...] | None = None
    dry_run: bool | None = None
    parameters: dict[str, Any] = {}


def read_wishes(
    strategy: str | None,
    symbols: str | None,
    dry_run: bool | None,
    parameters: Sequence[str],
    conf: str | None,
) -> Wanted:
    """Raises ConfigurationError: what is wrong, or where the two contradict each other."""
    asked = read_conf(conf) if conf is not None else Conf()
    listed = read_symbols(symbols) if symbols is not None else None
    if strategy is None and asked.strategy_id is None:
        raise ConfigurationError(
            f"no strategy is named; write its id or name, such as `{openbell()} trigger 1`, "
            "or strategy_id in --conf"
        )
    return Wanted(
        strategy=str(asked.strategy_id) if strategy is None else strategy,
        confirmed=asked.strategy_id,
        symbols=_agreeing("--symbols", listed, "symbols", asked.symbols),
        dry_run=_agreeing("--dry-run/--no-dry-run", dry_run, "dry_run", asked.dry_run),
        parameters=read_parameters(parameters),
    )


def read_conf(text: str) -> Conf:
    """From JSON itself, or from the file of that name."""
    source = "--conf"
    if not text.lstrip().startswith(("{", "[")):
        source = f"--conf {text}"
        try:
            text = Path(text).expanduser().read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is no text"
            raise ConfigurationError(
                f"{source} cannot be read ({why}); write JSON, such as '{EXAMPLE}', "
                "or the path of a file that holds it"
            ) from None
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(
            f"{source} is not JSON ({error}); write an object such as '{EXAMPLE}'"
        ) from None
    if not isinstance(data, dict):
        raise ConfigurationError(f"{source} is not an object; write one such as '{EXAMPLE}'")
    try:
        return Conf.model_validate(data)
    except ValidationError as error:
        raise ConfigurationError(f"{source}, {_sentence(error)}") from None


def _sentence(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False)[0]
    key = str(first["loc"][0])
    if first["type"] == "extra_forbidden":
        return f"key {key}: this key is not known; there are {', '.join(Conf.model_fields)}"
    given = json.dumps(first["input"], default=str)
    fix = _FIX[key]
    if first["type"] == "value_error":
        fix = str(first["msg"]).removeprefix("Value error, ")
    return f"key {key}: {given[:60]} cannot be used; {fix}"


def read_symbols(text: str) -> tuple[str, ...]:
    listed = tuple(part.strip().upper() for part in text.split(","))
    if not all(listed) or len(set(listed)) != len(listed):
        raise ConfigurationError(
            f"--symbols {text!r} cannot be read; write each symbol once, such as AAPL,MSFT"
        )
    return listed


def read_parameters(given: Sequence[str]) -> dict[str, Any]:
    """NAME=VALUE; a value that is JSON (5, 0.3, true, [1, 2]) is taken as such, else as text."""
    found: dict[str, Any] = {}
    for text in given:
        name, separator, value = text.partition("=")
        if not separator or not PARAMETER.fullmatch(name):
            raise ConfigurationError(
                f"--param {text!r} cannot be read; write NAME=VALUE, such as lookback=20"
            )
        if name in found:
            raise ConfigurationError(f"--param {name} is given twice; give it once")
        found[name] = _value(value)
    return found


def slot_of(key: str | None, random_id: str) -> str:
    """The run's slot. One that is triggered without a key has a key all the same: `manual:<id>`."""
    if key is None:
        return MANUAL + random_id
    if not KEY.fullmatch(key):
        raise ConfigurationError(
            f"--key {key[:60]!r} cannot be used; write up to 120 letters, digits and _.:@+/-"
        )
    return key if key.startswith(MANUAL) else f"key:{key}"


def key_of(slot: str) -> str:
    """The --key that names this slot again."""
    return slot if slot.startswith(MANUAL) else slot.removeprefix("key:")


def _value(text: str) -> Any:
    def refuse(_word: str) -> Any:
        raise ValueError

    try:
        return json.loads(text, parse_constant=refuse)  # NaN and Infinity are no JSON
    except (ValueError, RecursionError):
        return text


def _agreeing(option: str, given: Any, key: str, confirmed: Any) -> Any:
    """The one that is there. Which of two was meant is nothing to guess."""
    if given is not None and confirmed is not None and given != confirmed:
        raise ConfigurationError(
            f"{option} and the key {key} in --conf contradict each other; say it once"
        )
    return confirmed if given is None else given
