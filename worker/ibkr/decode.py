"""Tolerant reading of the broker's answers. What cannot be read is None, never 0.

Numbers come as numbers or as text with thousands separators, K or M, a currency or a per cent
sign; ids as number or text; names in several spellings.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

_SCALES = {"K": Decimal(1000), "M": Decimal(1_000_000), "B": Decimal(1_000_000_000)}
# Digits, grouped by threes or not at all; a scale, a per cent sign or the currency, a remark.
_NUMBER = re.compile(
    r"([+-]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?(?:E[+-]?\d{1,2})?)\s*([KMB]?)\s*%?"
    r"(?:\s*USD)?(?:\s*\([^()]*\))?",
    re.IGNORECASE | re.ASCII,
)
# Broker's account ids, wherever its texts and paths hold them.
_ACCOUNT = re.compile(r"\b(?:D[A-Z]{1,2}|[UFI])\d{5,}\b")


def number(value: Any) -> Decimal | None:
    """`1,977.60 USD (10 Shares)`, `12.3K`, `655.05`, 5, 5.0; None for anything else and NaN."""
    if value is None or isinstance(value, bool):
        return None
    try:
        if isinstance(value, int | float | Decimal):
            return _plain(Decimal(str(value)))
        match = _NUMBER.fullmatch(str(value).strip())
        if match is None:
            return None
        exact = Decimal(match[1].replace(",", ""))
        return exact * _SCALES[match[2].upper()] if match[2] else exact
    except (ArithmeticError, ValueError):  # of no digit, or of far too many
        return None


def _plain(found: Decimal) -> Decimal | None:
    if not found.is_finite():
        return None
    # 181.0 shares are 181 shares.
    return found.quantize(Decimal(1)) if found == found.to_integral_value() else found


def price(value: Any) -> tuple[Decimal | None, str]:
    """A price and its prefix: `C` the previous close, `H` halted, or none."""
    text = "" if value is None else str(value).strip()
    prefix = text[:1] if text[:1] in ("C", "H") else ""
    found = number(text.removeprefix(prefix) if prefix else value)
    return (found if found is not None and found > 0 else None), prefix


def identifier(value: Any) -> str | None:
    """An id as text, whichever type it came in."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    return str(value) or None


def order_id(value: Any) -> str | None:
    """The broker's id of an order: digits. To a cancel, -1 would mean every order there is."""
    found = identifier(value)
    return found if found and re.fullmatch(r"0*[1-9]\d{0,18}", found, re.ASCII) else None


def whole(value: Any) -> int | None:
    found = number(value)
    return int(found) if found is not None and found == found.to_integral_value() else None


def without_accounts(text: str) -> str:
    """A text of the broker's, or a path, as it may be shown and logged."""
    return _ACCOUNT.sub("(account)", text)


def moment_ms(value: Any) -> datetime | None:
    """Milliseconds since the epoch."""
    found = number(value)
    if found is None or found <= 0:
        return None
    try:
        return datetime.fromtimestamp(float(found) / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def first(row: Mapping[str, Any], *names: str) -> Any:
    """The value under the first of several spellings that is there."""
    return next((row[name] for name in names if row.get(name) is not None), None)


def flag(value: Any) -> bool | None:
    """A truth value as the broker writes one: JSON's own, or "1" and "0"."""
    if isinstance(value, bool):
        return value
    return {"1": True, "0": False, "true": True, "false": False}.get(str(value).lower())
