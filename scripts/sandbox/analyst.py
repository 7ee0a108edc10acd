"""The scripted analyst: answers a prompt by one fixed rule, and says that it is scripted.

It reads the figures from the prompt itself, as a model would have to: what the prompt leaves out,
it does not know.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from scripts.sandbox.wishes import Override

SPEAKER = "Scripted answer of the sandbox's analyst: "
MOST_CHARACTERS = 300
FENCE = re.compile(r"```(?:json)?\s*(\{.*?\})\s*```", re.DOTALL)
FIGURES = ("last", "sma_20", "sma_50", "rsi_14")
OVERBOUGHT = 70
LEAST_CONFIDENCE, MOST_CONFIDENCE = 60, 90


@dataclass(frozen=True)
class Opinion:
    signal: str
    confidence_pct: int
    why: str

    def text(self) -> str:
        """The JSON text that the answer's schema asks for."""
        rationale = (SPEAKER + self.why)[:MOST_CHARACTERS]
        values = {"signal": self.signal, "confidence_pct": self.confidence_pct}
        return json.dumps(values | {"rationale": rationale})


def opinion(figures: Mapping[str, Any]) -> Opinion:
    """BUY in a rising trend that is not overbought, SELL in a falling one, else HOLD."""
    numbers = {name: _number(figures.get(name)) for name in FIGURES}
    missing = [name for name, number in numbers.items() if number is None]
    if missing:
        return Opinion("HOLD", 0, f"the prompt does not say {', '.join(missing)}.")
    last, short, long, rsi = (number or 0.0 for number in numbers.values())
    seen = f"last {last:g}, 20-day mean {short:g}, 50-day mean {long:g}, RSI {rsi:.0f}"
    if last > short > long and rsi < OVERBOUGHT:
        return Opinion("BUY", _confidence(short, long), f"the trend is up, not overbought: {seen}.")
    if last < short < long:
        return Opinion("SELL", _confidence(short, long), f"the trend is down: {seen}.")
    why = "overbought" if rsi >= OVERBOUGHT else "no clear trend"
    return Opinion("HOLD", LEAST_CONFIDENCE, f"{why}: {seen}.")


def overridden(wanted: Override) -> str:
    """The text that `POST /sandbox/analyst` asked for. Not for overrides with a status."""
    if wanted.raw is not None:
        return wanted.raw
    percent = wanted.confidence_pct
    if percent is None:
        percent = round((0.9 if wanted.confidence is None else wanted.confidence) * 100)
    why = wanted.rationale or "as told by POST /sandbox/analyst."
    return Opinion(str(wanted.signal), percent, why).text()


def read_figures(request: Mapping[str, Any]) -> dict[str, Any]:
    """The object with the figures in the newest message that has one; {} where there is none."""
    messages = request.get("messages")
    for message in reversed(messages if isinstance(messages, list) else []):
        for text in _fenced(_text(message)):
            found = _flat(text)
            if "symbol" in found or "last" in found:
                return found
    return {}


def _text(message: Any) -> str:
    content = message.get("content") if isinstance(message, dict) else None
    if isinstance(content, list):  # parts, of which the text ones count
        content = "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _fenced(text: str) -> Iterator[dict[str, Any]]:
    bare = text[text.find("{") : text.rfind("}") + 1]
    for candidate in (*FENCE.findall(text), bare):
        try:
            value = json.loads(candidate)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            yield value


def _flat(value: dict[str, Any]) -> dict[str, Any]:
    """Figures may stand in groups; the outer one wins."""
    flat: dict[str, Any] = {}
    for inner in value.values():
        if isinstance(inner, dict):
            flat |= _flat(inner)
    return flat | {name: v for name, v in value.items() if not isinstance(v, dict | list)}


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _confidence(short: float, long: float) -> int:
    """The further the means are apart, the surer."""
    apart = abs(short / long - 1) * 1000 if long else 0.0
    return min(LEAST_CONFIDENCE + round(min(apart, 100.0)), MOST_CONFIDENCE)
