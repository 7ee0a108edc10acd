"""What a record says of a run: its status, its figures, its files."""

import json
from typing import Any

import pytest

from tests.support.records import ACCOUNT, full_record, signal, steps
from tests.support.values import run
from worker.models.record import Record
from worker.models.run import Ending


def test_a_whole_run_has_its_figures() -> None:
    assert full_record().metrics == {
        "signals/buy": 1,
        "signals/sell": 1,
        "signals/hold": 0,
        "signals/abstained": 0,
        "signals/confidence_mean": 0.7,
        "orders/sent": 1,
        "orders/filled": 1,
        "orders/unknown": 0,
        "orders/denied": 1,
        "orders/held": 0,
        "orders/previewed": 0,
        "orders/sent_usd": 4743.75,
        "orders/filled_usd": 4735.5,
        "orders/commission_usd": 1.0,
        "orders/previewed_usd": 0.0,
        **{f"seconds/{step.step}": 1.5 for step in steps()},
        "seconds/total": 13.5,
    }


def test_an_abstention_is_neither_a_hold_nor_a_confidence() -> None:
    given = (
        signal("AAPL", "BUY", "0.8"),
        signal("MSFT", "HOLD", "0", abstained="the answer is no JSON"),
    )
    metrics = Record(run=run(signals=given), version="0").metrics
    assert metrics["signals/hold"] == 0
    assert metrics["signals/abstained"] == 1
    assert metrics["signals/confidence_mean"] == 0.8


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, "FINISHED"),
        ({"ending": Ending(code="denied", reason="no")}, "FINISHED"),
        ({"ending": Ending(code="cancelled", reason="a person did it")}, "KILLED"),
        ({"failure": "place_orders: boom"}, "FAILED"),
        (
            {"failure": "place_orders: boom", "ending": Ending(code="cancelled", reason="late")},
            "FAILED",
        ),
    ],
)
def test_the_status_of_each_ending(changes: dict[str, Any], status: str) -> None:
    assert Record(run=run(**changes), version="0").status == status


def test_a_whole_run_has_its_files_without_the_account() -> None:
    record = full_record()
    files = record.files
    assert sorted(files) == [
        "account.json", "answers/AAPL.json", "charts/AAPL.png", "decisions.json",
        "market/AAPL.json", "orders.json", "prompts/AAPL.md", "summary.md",
    ]  # fmt: skip
    assert not any(ACCOUNT.encode() in data for data in files.values())
    (order,) = json.loads(files["orders.json"])
    assert (order["state"], order["fills"][0]["price"]) == ("FILLED", "430.5")
    decisions = json.loads(files["decisions.json"])
    assert [(line["symbol"], line["outcome"]) for line in decisions] == [
        ("AAPL", "placed"), ("MSFT", "denied"),
    ]  # fmt: skip
    assert len(json.loads(files["market/AAPL.json"])["bars"]) == 30


def test_a_run_that_failed_early_is_a_record_too() -> None:
    record = Record(run=run(failure="validate_environment: no Redis"), version="0", steps=steps(1))
    assert sorted(record.files) == ["account.json", "decisions.json", "orders.json", "summary.md"]
    assert record.metrics["seconds/total"] == 1.5


def test_parameter_names_are_such_that_mlflow_takes_them() -> None:
    assert full_record().parameters["parameters.note_for_today"] == "3"


def test_a_record_survives_json() -> None:
    record = full_record()
    assert Record.from_json(record.to_json()) == record
