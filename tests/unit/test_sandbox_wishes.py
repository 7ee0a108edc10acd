"""Faults, switches and other wishes: what they do, and how nonsense is refused."""

from typing import Any

import pytest

from scripts.sandbox.faults.armed import Faults
from scripts.sandbox.faults.subject import Subject
from scripts.sandbox.pacing import PENALTY_SECONDS, Pacing
from scripts.sandbox.wishes import Nonce, Override, SessionChange, WishError, read

ORDERS = "/iserver/account/DU9000001/orders"


def due(faults: Faults, *requests: tuple[str, str]) -> list[int]:
    subjects = [Subject(method=method, path=path) for method, path in requests]
    return [sum(f.meets(subject) and f.use() for f in faults.armed) for subject in subjects]


def changed(*faults: Any, **switches: Any) -> Faults:
    made = Faults()
    made.change(switches | {"faults": list(faults)})
    return made


def test_a_fault_acts_on_what_it_fits_and_then_no_more() -> None:
    faults = changed({"action": "cut", "method": "POST", "path": "*/orders"})
    assert due(faults, ("GET", ORDERS), ("POST", "/tickle"), ("POST", ORDERS)) == [0, 0, 1]
    assert due(faults, ("POST", ORDERS)) == [0]


def test_a_fault_lets_some_requests_pass_first() -> None:
    faults = changed({"action": "delay", "seconds": 1, "skip": 2, "times": 2})
    assert due(faults, *[("GET", "/tickle")] * 6) == [0, 0, 1, 1, 0, 0]


@pytest.mark.parametrize(
    ("action", "when", "kind"),
    [
        ("delay", "before", "slow"),
        ("delay", "after", "late"),
        ("cut", "before", "cut_before"),
        ("cut", "after", "cut_after"),
        ("answer", "before", "status"),
        ("answer", "after", "status_after"),
    ],
)
def test_the_short_spelling_means_a_kind(action: str, when: str, kind: str) -> None:
    (fault,) = changed({"action": action, "when": when, "skip": 1, "times": 2}).armed
    assert (fault.kind, fault.skip, fault.left) == (kind, 1, 2)


def test_switches_change_one_by_one_and_faults_as_a_whole() -> None:
    faults = changed({"action": "cut"}, enforce_pacing=True)
    faults.change({"questions": ["o354"]})
    assert faults.switches.enforce_pacing
    assert faults.switches.questions == ["o354"]
    assert len(faults.armed) == 1
    faults.change({"faults": []})
    assert faults.armed == []


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        (None, "write a list of faults to arm, or an object"),
        ("cut", "write a list of faults to arm, or an object"),
        ({"faults": {}}, "faults: write a list"),
        ({"faults": ["cut"]}, "write each fault as an object"),
        ({"faults": [{}]}, "action: Field required"),
        ({"faults": [{"action": "explode"}]}, "action: Input should be"),
        ({"faults": [{"action": "delay", "seconds": "1"}]}, "seconds: Input should be"),
        ({"faults": [{"action": "delay", "seconds": 1e9}]}, "seconds: Input should be less"),
        ({"faults": [{"action": "cut", "times": 0}]}, "times: Input should be greater"),
        ({"faults": [{"action": "cut", "colour": 1}]}, "colour: Extra inputs"),
        ({"faults": [{"kind": "explode"}]}, "kind: there are refuse, cut_before, "),
        ({"enforce_pacing": "yes"}, "enforce_pacing: Input should be a valid boolean"),
        ({"questions": ["o1"]}, "questions.0: Value error, there are o163"),
        ({"nonsense": True}, "nonsense: Extra inputs"),
    ],
)
def test_nonsense_is_refused_whole_and_by_name(wish: Any, says: str) -> None:
    faults = changed({"action": "cut"}, quiet=True)
    before = faults.switches, list(faults.armed)
    with pytest.raises(WishError, match=says):
        faults.change(wish)
    assert (faults.switches, faults.armed) == before


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
