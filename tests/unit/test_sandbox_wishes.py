"""Faults, switches and other wishes: what they do, and how nonsense is refused."""

from typing import Any

import pytest

from scripts.sandbox.faults import Faults
from scripts.sandbox.pacing import PENALTY_SECONDS, Pacing
from scripts.sandbox.wishes import Nonce, Override, SessionChange, WishError, read

ORDERS = "/iserver/account/DU9000001/orders"


def due(faults: Faults, when: Any, *requests: tuple[str, str]) -> list[int]:
    return [len(faults.due(when, method, path)) for method, path in requests]


def test_a_fault_acts_on_what_it_fits_and_then_no_more() -> None:
    faults = Faults()
    faults.change({"faults": [{"action": "cut", "method": "POST", "path": "*/orders"}]})
    found = due(faults, "before", ("GET", ORDERS), ("POST", "/tickle"), ("POST", ORDERS))
    assert found == [0, 0, 1]
    assert due(faults, "before", ("POST", ORDERS)) == [0]


def test_a_fault_lets_some_requests_pass_first() -> None:
    faults = Faults()
    faults.change({"faults": [{"action": "delay", "seconds": 1, "skip": 2, "times": 2}]})
    assert due(faults, "before", *[("GET", "/tickle")] * 6) == [0, 0, 1, 1, 0, 0]


def test_faults_after_the_work_wait_for_it() -> None:
    faults = Faults()
    faults.change({"faults": [{"action": "cut", "when": "after"}]})
    assert due(faults, "before", ("GET", "/tickle")) == [0]
    assert due(faults, "after", ("GET", "/tickle")) == [1]


def test_several_faults_act_one_after_the_other() -> None:
    faults = Faults()
    faults.change({"faults": [{"action": "delay", "seconds": 0.1}, {"action": "cut"}]})
    assert [f.action for f in faults.due("before", "GET", "/tickle")] == ["delay", "cut"]


def test_switches_change_one_by_one_and_faults_as_a_whole() -> None:
    faults = Faults()
    faults.change({"enforce_pacing": True, "faults": [{"action": "cut"}]})
    faults.change({"questions": ["o354"]})
    assert faults.switches.enforce_pacing
    assert faults.switches.questions == ["o354"]
    assert len(faults.as_json()["faults"]) == 1
    faults.change({"faults": []})
    assert faults.as_json()["faults"] == []


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        (None, "write an object"),
        ([], "write an object"),
        ({"faults": {}}, "faults: write a list"),
        ({"faults": ["cut"]}, "Input should be a valid dictionary"),
        ({"faults": [{}]}, "action: Field required"),
        ({"faults": [{"action": "explode"}]}, "action: Input should be"),
        ({"faults": [{"action": "delay", "seconds": "1"}]}, "seconds: Input should be"),
        ({"faults": [{"action": "delay", "seconds": 1e9}]}, "seconds: Input should be less"),
        ({"faults": [{"action": "cut", "times": 0}]}, "times: Input should be greater"),
        ({"faults": [{"action": "cut", "colour": 1}]}, "colour: Extra inputs"),
        ({"enforce_pacing": "yes"}, "enforce_pacing: Input should be a valid boolean"),
        ({"questions": ["o1"]}, "questions.0: Value error, there are o163"),
        ({"nonsense": True}, "nonsense: Extra inputs"),
    ],
)
def test_nonsense_is_refused_whole_and_by_name(wish: Any, says: str) -> None:
    faults = Faults()
    before = faults.as_json()
    with pytest.raises(WishError, match=says):
        faults.change(wish)
    assert faults.as_json() == before


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (SessionChange, {"sso": 1}),
        (SessionChange, {"phone": True}),
        (Override, {}),
        (Override, {"signal": "BUY", "status": 500}),
        (Override, {"signal": "buy"}),
        (Override, {"signal": "BUY", "confidence_pct": 101}),
        (Override, {"signal": "BUY", "confidence": 1.5}),
        (Override, {"signal": "BUY", "confidence": float("nan")}),
        (Override, {"status": 200}),
        (Nonce, {"nonce": "short"}),
        (Nonce, {"nonce": "x" * 64}),
        (Nonce, {"nonce": "ab" * 16 + "\n"}),
        (Nonce, {"nonce": "ab" * 200}),
    ],
)
def test_other_wishes_are_refused_as_strictly(kind: Any, values: Any) -> None:
    with pytest.raises(WishError):
        read(kind, values)


def test_ten_requests_a_second_are_allowed_and_the_eleventh_is_not() -> None:
    pacing = Pacing()
    assert [pacing.violated("GET /x", 100 + n / 100) for n in range(11)] == [False] * 10 + [True]
    assert pacing.violated("GET /x", 101.11) is False


def test_some_paths_have_a_limit_of_their_own() -> None:
    pacing = Pacing()
    moments = (100.0, 104.9, 109.9, 110.0)
    found = [pacing.violated("GET /iserver/account/orders", at) for at in moments]
    assert found == [False, True, False, True]


def test_the_penalty_box_lasts_a_quarter_of_an_hour() -> None:
    pacing = Pacing()
    pacing.box(100.0)
    assert [pacing.boxed(at) for at in (100.0, 100 + PENALTY_SECONDS - 1)] == [True, True]
    assert pacing.boxed(100 + PENALTY_SECONDS) is False
