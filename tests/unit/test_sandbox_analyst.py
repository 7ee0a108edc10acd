"""The scripted analyst: one fixed rule over the figures that a prompt carries."""

import json
from typing import Any

import pytest

from scripts.sandbox.analyst import MOST_CHARACTERS, SPEAKER, opinion, overridden, read_figures
from scripts.sandbox.wishes import Override

UP = {"symbol": "GOOGL", "last": 790.1, "sma_20": 779.8, "sma_50": 745.7, "rsi_14": 61.1}
DOWN = {"symbol": "AAPL", "last": 448.9, "sma_20": 458.2, "sma_50": 489.9, "rsi_14": 39.9}


def prompt(text: Any) -> dict[str, Any]:
    return {"messages": [{"role": "system", "content": "x"}, {"role": "user", "content": text}]}


@pytest.mark.parametrize(
    ("figures", "signal"),
    [
        (UP, "BUY"),
        (UP | {"rsi_14": 69.9}, "BUY"),
        (UP | {"rsi_14": 70}, "HOLD"),
        (UP | {"last": 770}, "HOLD"),
        (DOWN, "SELL"),
        (DOWN | {"rsi_14": 90}, "SELL"),
        (DOWN | {"last": 460}, "HOLD"),
        ({name: str(value) for name, value in UP.items()}, "BUY"),
    ],
)
def test_the_rule(figures: dict[str, Any], signal: str) -> None:
    answer = json.loads(opinion(figures).text())
    assert set(answer) == {"signal", "confidence_pct", "rationale"}
    assert answer["signal"] == signal
    assert 60 <= answer["confidence_pct"] <= 90
    assert answer["rationale"].startswith(SPEAKER)
    assert len(answer["rationale"]) <= MOST_CHARACTERS


@pytest.mark.parametrize("value", [None, "n/a", "nan", float("inf"), True, [], {}])
def test_a_missing_figure_holds_and_says_which(value: Any) -> None:
    answer = json.loads(opinion(UP | {"sma_50": value}).text())
    assert (answer["signal"], answer["confidence_pct"]) == ("HOLD", 0)
    assert answer["rationale"] == f"{SPEAKER}the prompt does not say sma_50."


@pytest.mark.parametrize(
    "text",
    [
        f"Look:\n```json\n{json.dumps(UP, indent=2)}\n```\nAnswer as JSON.",
        f"```\n{json.dumps(UP)}\n```",
        f"the figures {json.dumps(UP)} are these",
        "```json\n" + json.dumps({"symbol": "GOOGL", "indicators": UP, "bars": [1, 2]}) + "\n```",
        [{"type": "text", "text": f"```json\n{json.dumps(UP)}\n```"}],
        '```json\n{"signal": "BUY|SELL|HOLD"}\n```\n```json\n' + json.dumps(UP) + "\n```",
    ],
)
def test_figures_are_found_wherever_the_prompt_puts_them(text: Any) -> None:
    assert read_figures(prompt(text)) == UP


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"messages": "hello"},
        {"messages": [None, 3, {}, {"content": None}]},
        prompt("no figures here"),
        prompt("```json\n{broken\n```"),
        prompt("{" * 100_000),
        prompt('```json\n["a list"]\n```'),
    ],
)
def test_a_prompt_without_figures_has_none(request_: dict[str, Any]) -> None:
    assert read_figures(request_) == {}


@pytest.mark.parametrize(
    ("override", "text"),
    [
        ({"raw": "I would rather not say."}, "I would rather not say."),
        ({"raw": ""}, ""),
        (
            {"signal": "SELL", "confidence": 0.9, "rationale": "because"},
            json.dumps({"signal": "SELL", "confidence_pct": 90, "rationale": f"{SPEAKER}because"}),
        ),
        (
            {"signal": "BUY", "confidence_pct": 12},
            json.dumps(
                {
                    "signal": "BUY",
                    "confidence_pct": 12,
                    "rationale": f"{SPEAKER}as told by POST /sandbox/analyst.",
                }
            ),
        ),
    ],
)
def test_an_override_says_what_it_was_told(override: dict[str, Any], text: str) -> None:
    assert overridden(Override(**override)) == text
