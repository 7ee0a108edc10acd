"""Sending an order that is written down: once, and what is not known is said to be unknown."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.support.clock import ManualClock
from tests.support.ledger import Ledger
from tests.support.values import OPEN
from worker.errors import (
    JournalUnavailable,
    LeaseLost,
    NotProved,
    OpenbellError,
    PacingError,
    TemporaryError,
    Unreachable,
)  # fmt: skip
from worker.fencing import Fence, Held
from worker.models.order import OrderIntent, OrderRecord, SendResult
from worker.orders.sending import SEND_WITHIN, Sending

ACCEPTED = SendResult(kind="accepted", broker_order_id="602801486", text="Submitted")


@dataclass
class FakeTrader:
    """Gives one answer; remembers what it was asked to send, and what it was told on the way."""

    result: SendResult = ACCEPTED
    refuses: OpenbellError | None = None
    meanwhile: Callable[[], None] = lambda: None
    sent: list[str] = field(default_factory=list)
    opened: int = 0
    closed: int = 0
    looked: list[tuple[bool, bool]] = field(default_factory=list)

    def open(self) -> "FakeTrader":
        if self.refuses:
            raise self.refuses
        self.opened += 1
        return self

    def send(
        self, intent: OrderIntent, in_time: Callable[[], bool], may_reply: Callable[[], bool]
    ) -> SendResult:
        self.sent.append(intent.coid)
        self.meanwhile()
        self.looked.append((in_time(), may_reply()))
        return self.result

    def close(self) -> None:
        self.closed += 1

    def cancel(self, account_id: str, broker_order_id: str, in_time: Callable[[], bool]) -> None:
        raise AssertionError("nothing is cancelled here")


class Scene:
    def __init__(self, ledger: Ledger, clock: ManualClock) -> None:
        self.ledger, self.trader = ledger, FakeTrader()
        self.alarms: list[tuple[str, str]] = []
        self.reached: list[str] = []
        self.sending = Sending(ledger.book, self.trader, clock, self._alarm, self.reached.append)
        self.fence = ledger.begin_run()
        self.order = ledger.intend(self.fence)
        self.held = ledger.hold()

    def _alarm(self, order: OrderRecord, why: str) -> None:
        self.alarms.append((order.intent.coid, why))

    @property
    def coid(self) -> str:
        return self.order.intent.coid

    def send(
        self,
        fence: Fence | None = None,
        held: Held | None = None,
        last_look: Callable[[], str | None] = lambda: None,
    ) -> OrderRecord:
        self.sending.send(fence or self.fence, held or self.held, self.order, last_look)
        return self.now

    @property
    def now(self) -> OrderRecord:
        return self.ledger.book.get(self.coid)

    @property
    def history(self) -> list[tuple[str, str]]:
        return [(each["state"], each["cause"]) for each in self.ledger.book.events(self.coid)]


@pytest.fixture
def scene(ledger: Ledger, clock: ManualClock) -> Scene:
    return Scene(ledger, clock)


def test_an_accepted_order_works(scene: Scene, clock: ManualClock) -> None:
    found = scene.send()
    assert (found.state, found.broker_order_id, found.acknowledged_at, found.reasons) == (
        "WORKING", "602801486", clock.now, (),
    )  # fmt: skip
    assert scene.history == [
        ("INTENDED", "decided"), ("SENDING", "about to be sent"),
        ("WORKING", "accepted: Submitted"),
    ]  # fmt: skip
    assert (scene.trader.sent, scene.trader.closed, scene.alarms) == ([scene.coid], 1, [])


@pytest.mark.parametrize(
    ("kind", "state", "alarms"),
    [("refused", "REJECTED", 0), ("not_sent", "DENIED", 0), ("unknown", "UNKNOWN", 1),
     ("registered", "UNKNOWN", 1)],
)  # fmt: skip
def test_every_other_result_is_kept_in_its_words(
    scene: Scene, kind: Any, state: str, alarms: int
) -> None:
    scene.trader.result = SendResult(kind=kind, text="the words", questions=("o163",))
    found = scene.send()
    assert (found.state, found.reasons) == (state, (f"{kind}: the words",))
    assert (found.broker_order_id, found.acknowledged_at) == (None, None)
    assert scene.alarms == [(scene.coid, f"{kind}: the words")] * alarms


def test_every_kind_of_result_has_its_state() -> None:
    from typing import get_args

    from worker.orders.sending import OUTCOMES

    assert set(OUTCOMES) == set(get_args(SendResult.model_fields["kind"].annotation))


@pytest.mark.parametrize(
    "error", [NotProved("no proof"), Unreachable("nobody there"), PacingError("no room")]
)
def test_without_a_connection_the_order_is_denied_unsent(
    scene: Scene, error: OpenbellError
) -> None:
    scene.trader.refuses = error
    found = scene.send()
    assert (found.state, found.reasons) == ("DENIED", (error.sentence,))
    assert scene.trader.sent == []


def test_a_last_look_that_says_no_denies(scene: Scene) -> None:
    found = scene.send(last_look=lambda: "SESSION: the exchange is not in session")
    assert (found.state, found.reasons) == (
        "DENIED", ("SESSION: the exchange is not in session",),
    )  # fmt: skip
    assert (scene.trader.sent, scene.trader.closed) == ([], 1)


def test_the_last_look_comes_after_the_connection_and_before_the_sending(scene: Scene) -> None:
    seen: list[tuple[int, str]] = []
    scene.send(last_look=lambda: seen.append((scene.trader.opened, scene.now.state)))
    assert seen == [(1, "INTENDED")]


def test_a_last_look_that_fails_is_a_no(scene: Scene) -> None:
    def fails() -> str | None:
        raise TemporaryError("no answer about the hours")

    found = scene.send(last_look=fails)
    assert (found.state, found.reasons) == ("DENIED", ("no answer about the hours",))
    assert (scene.trader.sent, scene.trader.closed) == ([], 1)


def test_a_late_order_is_denied_unsent(scene: Scene, clock: ManualClock) -> None:
    clock.advance(31 * 60)
    held = scene.ledger.hold("later")
    found = scene.send(held=held)
    assert (found.state, scene.trader.sent) == ("DENIED", [])
    assert found.reasons == ("the run's window has ended",)


def test_a_halt_denies_at_the_last_moment(scene: Scene) -> None:
    scene.ledger.set_state("global", "HALTED")
    assert (scene.send().state, scene.trader.sent) == ("DENIED", [])


def test_a_step_that_is_anothers_by_now_sends_nothing(scene: Scene) -> None:
    with pytest.raises(LeaseLost):
        scene.send(fence=Fence(scene.fence.run_id, 7, 2))
    assert (scene.now.state, scene.trader.sent, scene.trader.closed) == ("INTENDED", [], 1)


def test_a_conversation_that_is_over_sends_nothing(scene: Scene) -> None:
    scene.ledger.locks.release(scene.held)
    with pytest.raises(LeaseLost):
        scene.send()
    assert (scene.now.state, scene.trader.sent) == ("INTENDED", [])


@pytest.mark.parametrize("state", ["SENDING", "WORKING", "UNKNOWN", "FILLED"])
def test_an_order_is_never_sent_twice(ledger: Ledger, clock: ManualClock, state: Any) -> None:
    scene = Scene(ledger, clock)
    ledger.locks.release(scene.held)
    scene.order = ledger.order(state)
    fence = Fence(scene.order.intent.run_id, 7, 1)
    with pytest.raises(LeaseLost, match=state):
        scene.send(fence=fence, held=ledger.hold("again"))
    assert scene.trader.sent == []
    assert scene.now == scene.order


@pytest.mark.parametrize(
    ("seconds", "looked"),
    [(0, (True, True)), (5, (True, True)), (5.001, (False, True)), (29.999, (False, True)),
     (30, (False, False))],
)  # fmt: skip
def test_the_sender_learns_when_its_time_and_its_conversation_are_over(
    scene: Scene, clock: ManualClock, seconds: float, looked: tuple[bool, bool]
) -> None:
    scene.trader.meanwhile = lambda: clock.advance(seconds)
    found = scene.send()
    assert scene.trader.looked == [looked]
    assert found.send_by == OPEN + SEND_WITHIN


@pytest.mark.parametrize(
    ("kind", "state"),
    [("accepted", "WORKING"), ("refused", "REJECTED"), ("not_sent", "DENIED"),
     ("unknown", "UNKNOWN"), ("registered", "UNKNOWN")],
)  # fmt: skip
def test_a_slow_answer_still_settles_what_was_given_up(scene: Scene, kind: Any, state: str) -> None:
    def give_up() -> None:
        assert scene.ledger.book.settle(scene.coid, "SENDING", "UNKNOWN", "lost", reasons=["lost"])

    scene.trader.meanwhile = give_up
    scene.trader.result = SendResult(kind=kind, broker_order_id="5", text="late")
    assert scene.send().state == state
    assert scene.alarms == []  # whoever gave it up told it


def test_what_was_found_at_the_broker_meanwhile_stays(scene: Scene) -> None:
    def find() -> None:
        assert scene.ledger.book.settle(
            scene.coid, "SENDING", "PARTIAL", "listed", broker_order_id="5"
        )

    scene.trader.meanwhile = find
    scene.trader.result = SendResult(kind="unknown", text="the answer was lost")
    assert (scene.send().state, scene.alarms) == ("PARTIAL", [])


def test_an_answer_that_cannot_be_written_down_leaves_the_order_sending(
    scene: Scene, clock: ManualClock
) -> None:
    class Broken:
        """The journal goes away while the answer comes."""

        def __init__(self) -> None:
            self.begin_send = scene.ledger.book.begin_send

        def settle(self, *_: Any, **__: Any) -> bool:
            raise JournalUnavailable("gone")

    sending = Sending(
        Broken(),  # type: ignore[arg-type]
        scene.trader, clock, lambda *_: None, lambda _: None,
    )  # fmt: skip
    with pytest.raises(JournalUnavailable):
        sending.send(scene.fence, scene.held, scene.order, lambda: None)
    assert (scene.now.state, scene.trader.sent, scene.trader.closed) == ("SENDING", [scene.coid], 1)


def test_a_sender_that_breaks_leaves_the_order_sending_and_closes(scene: Scene) -> None:
    def breaks() -> None:
        raise RuntimeError("a mistake of ours")

    scene.trader.meanwhile = breaks
    with pytest.raises(RuntimeError):
        scene.send()
    assert (scene.now.state, scene.trader.closed) == ("SENDING", 1)
