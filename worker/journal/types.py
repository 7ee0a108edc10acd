"""Column types that lose nothing: SQLAlchemy's Numeric and DateTime do on SQLite (measured)."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Dialect, String, Table, Text, type_coerce
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.types import TypeDecorator


class DecimalText(TypeDecorator[Decimal]):
    """A Decimal kept as its exact text. Not a number (NaN, infinity) is refused."""

    impl = String(64)
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        if not isinstance(value, Decimal) or not value.is_finite():
            raise ValueError(f"{value!r} is not a finite Decimal")
        return format(value, "f")

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value)


class UtcText(TypeDecorator[datetime]):
    """An aware time kept as UTC text of fixed width, so that text order is time order."""

    impl = String(32)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone cannot be written to the journal")
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return None if value is None else datetime.fromisoformat(value)


class JsonText(TypeDecorator[Any]):
    """A plain JSON value kept as text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else json.dumps(value, separators=(",", ":"))

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)


# Our types write the same text on every database.
_ANY_DATABASE = DefaultDialect()


def as_stored(table: Table, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of columns as the database holds them: text and whole numbers."""
    stored = dict(values)
    for name, value in values.items():
        kind = table.c[name].type
        if isinstance(kind, TypeDecorator):
            stored[name] = kind.process_bind_param(value, _ANY_DATABASE)
    return stored


def stored_columns(table: Table) -> list[ColumnElement[Any]]:
    """The table's columns, to be selected as the database holds them: whatever stands there can be
    read, a time that is none included."""
    return [
        type_coerce(column, column.type.impl_instance).label(column.name)
        if isinstance(column.type, TypeDecorator)
        else column
        for column in table.c
    ]
