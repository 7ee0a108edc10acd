"""What every travelling value has in common: frozen, strict about unknown keys, exact JSON."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
)

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"[0-9]{1,8}[smhd]")  # more digits of days are more than a timedelta holds


class Value(BaseModel):
    """A frozen value. Decimals travel as strings, times as ISO 8601 in UTC, None not at all."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def evolve(self, **changes: Any) -> Self:
        """A copy with `changes`, validated like a new value."""
        return type(self)(**{**dict(self), **changes})

    def to_json(self) -> dict[str, Any]:
        return self.model_dump(mode="json", exclude_none=True)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        return cls.model_validate(data)


def _to_utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


def parse_duration(value: Any) -> Any:
    """`90s`, `5m`, `20h`, `3d` as a timedelta; anything else is left for pydantic to refuse."""
    if isinstance(value, timedelta):
        return value
    if isinstance(value, str) and _DURATION.fullmatch(value):
        return timedelta(seconds=int(value[:-1]) * _UNITS[value[-1]])
    raise ValueError("write a duration as a whole number and a unit: 90s, 5m, 20h or 3d")


def format_duration(value: timedelta) -> str:
    """The shortest exact form that `parse_duration` reads: 90s, 5m, 20h."""
    seconds = int(value.total_seconds())
    for unit in ("h", "m"):
        if seconds and seconds % _UNITS[unit] == 0:
            return f"{seconds // _UNITS[unit]}{unit}"
    return f"{seconds}s"


def matching(pattern: str, fix: str) -> AfterValidator:
    """Text that is of one form throughout; `fix` says which, where it is not."""
    form = re.compile(pattern)

    def look(value: str) -> str:
        if not form.fullmatch(value):
            raise ValueError(fix)
        return value

    return AfterValidator(look)


def _refuse_truth(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("write a number, not a truth value")
    return value


def _refuse_floats(value: Any) -> Any:
    return str(value) if isinstance(value, float) else _refuse_truth(value)


Utc = Annotated[AwareDatetime, AfterValidator(_to_utc)]
Duration = Annotated[
    timedelta, BeforeValidator(parse_duration), PlainSerializer(format_duration, return_type=str)
]
# Python counts True as 1; who writes `quantity: true` means no number.
Whole = Annotated[int, BeforeValidator(_refuse_truth)]
Real = Annotated[float, Field(allow_inf_nan=False), BeforeValidator(_refuse_truth)]
# A YAML 0.1 is read as a float: its shortest text, not its binary expansion, is what was meant.
Number = Annotated[Decimal, BeforeValidator(_refuse_floats)]
