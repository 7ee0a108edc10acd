"""An operator's word about single days, where the calendar does not know them yet."""

import re
from collections.abc import Mapping
from datetime import date, datetime, time
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, model_validator

from worker.errors import ConfigurationError
from worker.models.base import Value
from worker.yaml_file import line_of, read_yaml, validated

_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


def _plain_date(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    elif isinstance(value, date) and not isinstance(value, datetime):
        return value
    raise ValueError("write a date, such as 2026-11-27")


def _plain_time(value: Any) -> Any:
    # YAML reads a bare 13:00 as the number 780.
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise ValueError("write the exchange's time in quotes, such as '13:00'")
    return time.fromisoformat(value)


def _text_keys(value: Any) -> Any:
    """So that an error names the key as it stands in the file."""
    if isinstance(value, Mapping):
        return {str(key): entry for key, entry in value.items()}
    return value


Day = Annotated[date, BeforeValidator(_plain_date)]
LocalTime = Annotated[time, BeforeValidator(_plain_time)]
EarlyCloses = Annotated[Mapping[Day, LocalTime], BeforeValidator(_text_keys)]


class Overrides(Value):
    """`closed`: no session. `early_close`: it ends by then, exchange time, if not earlier anyway.
    `open`: a session at the regular hours, whatever weekday it is."""

    closed: tuple[Day, ...] = ()
    early_close: EarlyCloses = {}
    open: tuple[Day, ...] = ()

    @model_validator(mode="after")
    def _agree(self) -> "Overrides":
        for day in sorted({*self.closed} & {*self.open, *self.early_close}):
            raise ValueError(f"{day} is closed and also open or closing early; keep one")
        return self


class OverridesFile:
    """The file, read again as soon as it changes. What cannot be read is an error, never empty."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read: tuple[bytes, Overrides] | None = None

    def current(self) -> Overrides:
        """Raises ConfigurationError: one sentence with file, line, key and fix."""
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            raise ConfigurationError(
                f"{self._path} does not exist; create it with `{{}}` inside, or correct the key "
                "market.overrides"
            ) from None
        except OSError as error:
            raise ConfigurationError(
                f"{self._path} cannot be read: {error.strerror}; mend it, or correct the key "
                "market.overrides"
            ) from None
        if self._read is None or self._read[0] != content:
            data, node = read_yaml(self._path)
            self._read = content, validated(Overrides, data, self._path, node)
        return self._read[1]

    def wrong(self, day: date, why: str) -> ConfigurationError:
        """An early close that makes no sense on its day."""
        _, node = read_yaml(self._path)
        line = line_of(node, ("early_close", day.isoformat()))
        return ConfigurationError(f"{self._path}, line {line}, key early_close.{day}: {why}")
