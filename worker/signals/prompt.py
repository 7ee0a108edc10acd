"""The prompt: a template of a person's words, and the figures that fill it."""

import json
import re
from decimal import Decimal
from typing import Any

from worker.errors import ConfigurationError
from worker.signals.view import View

TABLE_BARS = 20
PLACEHOLDERS = ("symbol", "as_of", "figures", "owned_shares")
_SECTIONS = re.compile(
    r"\A\s*# System\s*\n(?P<system>.*?)^# User\s*\n(?P<user>.*)\Z", re.MULTILINE | re.DOTALL
)
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")


class Prompt:
    """A template with a `# System` and a `# User` part, and placeholders such as {symbol}.

    Raises ConfigurationError for an unknown placeholder or where {figures} is missing.
    """

    def __init__(self, template: str) -> None:
        parts = _SECTIONS.match(template)
        if parts is None:
            raise ConfigurationError(
                "the prompt needs a line `# System`, then a line `# User` with the question"
            )
        used = set(_PLACEHOLDER.findall(template))
        for name in sorted(used - set(PLACEHOLDERS)):
            known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
            raise ConfigurationError(f"the prompt says {{{name}}}; it can say {known}")
        if "{figures}" not in parts["user"]:
            raise ConfigurationError("the prompt's user part must say {figures}")
        self._system, self._user = parts["system"].strip(), parts["user"].strip()

    def messages(self, view: View) -> list[dict[str, str]]:
        values = {
            "symbol": view.symbol,
            "as_of": view.now.isoformat(),
            "figures": json.dumps(figures(view)),
            "owned_shares": f"{view.owned:f}",
        }
        return [
            {"role": role, "content": _PLACEHOLDER.sub(lambda found: values[found[1]], text)}
            for role, text in (("system", self._system), ("user", self._user))
        ]


def figures(view: View) -> dict[str, Any]:
    """Everything that the model is told, as JSON numbers; null: not known."""
    quote, indicators = view.quote, view.indicators
    return {
        "symbol": view.symbol,
        "as_of": view.now.isoformat(),
        "quote_as_of": quote.as_of.isoformat() if quote.as_of else None,
        "last": _number(view.last),
        "bid": _number(quote.bid),
        "ask": _number(quote.ask),
        "previous_close": _number(quote.previous_close),
        "indicators_as_of": indicators.as_of.isoformat() if indicators.as_of else None,
        "sma_20": _number(indicators.sma_20),
        "sma_50": _number(indicators.sma_50),
        "rsi_14": _number(indicators.rsi_14),
        "atr_14": _number(indicators.atr_14),
        "macd_histogram": _number(indicators.macd_histogram),
        "owned_shares": _number(view.owned),
        "bars": {
            "columns": ["starts_at", "open", "high", "low", "close", "volume"],
            "rows": [
                [
                    bar.time.isoformat(),
                    *map(_number, (bar.open, bar.high, bar.low, bar.close, bar.volume)),
                ]
                for bar in view.bars[-TABLE_BARS:]
            ],
        },
    }


def _number(value: Decimal | None) -> int | float | None:
    if value is None:
        return None
    return int(value) if value == value.to_integral_value() else float(value)
