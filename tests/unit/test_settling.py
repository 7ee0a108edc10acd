"""What the broker's lists prove about an order: one table of evidence and verdicts."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.ledger import ACCOUNT, CLOSES_AT
from tests.support.values import OPEN
from worker.models.order import BrokerOrder, OrderIntent, OrderRecord, OrderState
from worker.orders.settling import Verdict, find, verdict

INTENT = OrderIntent(
    run_id="r-1", strategy_id=1, account_id=ACCOUNT, symbol="AAPL", conid=265598, leg="entry",
    side="BUY", quantity=10, limit_price=Decimal(445),
)  # fmt: skip
STATUSES = (
    "Inactive", "PendingSubmit", "PreSubmitted", "Submitted", "Filled", "PendingCancel",
    "PreCancelled", "Cancelled", "WarnState",
)  # fmt: skip
ASKED = OPEN + timedelta(minutes=5)


def order(state: OrderState = "WORKING", filled: Any = 0, **changes: Any) -> OrderRecord:
    data: dict[str, Any] = {
        "intent": INTENT, "state": state, "filled_quantity": Decimal(filled),
        "broker_order_id": "5", "session_closes_at": CLOSES_AT, "created_at": OPEN,
        "updated_at": OPEN,
    }  # fmt: skip
    return OrderRecord(**(data | changes))


def listed(status: str = "Submitted", filled: Any = 0, **changes: Any) -> BrokerOrder:
    data: dict[str, Any] = {
        "broker_order_id": "5", "coid": INTENT.coid, "conid": 265598, "symbol": "AAPL",
        "side": "BUY", "status": status, "quantity": Decimal(10),
        "filled_quantity": None if filled is None else Decimal(filled),
    }  # fmt: skip
    return BrokerOrder(**(data | changes))


def lost(state: OrderState = "UNKNOWN", filled: Any = 0) -> OrderRecord:
    """An order whose id at the broker is not known."""
    return order(state, filled, broker_order_id=None)


DURING, AFTER = OPEN + timedelta(minutes=10), CLOSES_AT
EVERY = "every share's execution is known"


@pytest.mark.parametrize(
    ("given_order", "row", "now", "expected"),
    [
        # Absence proves nothing, whatever the time.
        (order(), None, DURING, None),
        (order(), None, AFTER, None),
        (lost(), None, DURING, None),
        (lost(), None, AFTER + timedelta(days=1), None),
        (order("PARTIAL", 4), None, AFTER, None),
        (lost("SENDING"), None, DURING, None),
        # Executions are proof by themselves.
        (order("WORKING", 10), None, DURING, ("FILLED", EVERY)),
        (order("PARTIAL", 10), listed("Submitted", 4), DURING, ("FILLED", EVERY)),
        (lost("UNKNOWN", 10), None, DURING, ("FILLED", EVERY)),
        (lost("SENDING", 10), None, DURING, ("FILLED", EVERY)),
        (order("WORKING", 11), None, DURING, None),
        (lost("UNKNOWN", 11), listed("Filled", 10), AFTER, None),
        (lost("UNKNOWN", 4), None, DURING, ("PARTIAL", "executions were found")),
        # What is listed lives.
        (order(), listed(), DURING, None),
        (order("PARTIAL", 4), listed(filled=4), DURING, None),
        (order("WORKING", 4), listed(filled=4), DURING,
         ("PARTIAL", "the broker lists it as Submitted")),
        (lost(), listed(), DURING, ("WORKING", "the broker lists it as Submitted")),
        (lost(), listed("PreSubmitted"), DURING,
         ("WORKING", "the broker lists it as PreSubmitted")),
        (lost("SENDING"), listed(), DURING, ("WORKING", "the broker lists it as Submitted")),
        (lost("UNKNOWN", 4), listed(filled=4), DURING,
         ("PARTIAL", "the broker lists it as Submitted")),
        (lost(), listed("Inactive"), DURING, ("WORKING", "the broker lists it as Inactive")),
        (lost(), listed("a new word"), DURING, ("WORKING", "the broker lists it as a new word")),
        (lost(), listed(""), DURING, ("WORKING", "the broker lists it as unnamed")),
        # Filled, but the journal has not every execution: not yet.
        (order(), listed("Filled", 10), DURING, None),
        (order("PARTIAL", 4), listed("Filled", 10), DURING, None),
        # Cancelled, and every share that filled before is known.
        (order(), listed("Cancelled", 0), DURING, ("CANCELLED", "cancelled at the broker")),
        (order("PARTIAL", 4), listed("Cancelled", 4), DURING,
         ("CANCELLED", "cancelled at the broker")),
        (order(), listed("Cancelled", 0, cancel_reason="No trading permissions"), DURING,
         ("CANCELLED", "No trading permissions")),
        (order(cancel_requested_at=ASKED), listed("Cancelled", 0), DURING,
         ("CANCELLED", "not filled in time")),
        (order(cancel_requested_at=ASKED), listed("Cancelled", 0), AFTER,
         ("CANCELLED", "not filled in time")),
        (order(), listed("Cancelled", 0), AFTER, ("EXPIRED", "its session closed")),
        (order(), listed("Cancelled", 0, cancel_reason="Expired"), AFTER, ("EXPIRED", "Expired")),
        (order("PARTIAL", 4), listed("Cancelled", 4), AFTER, ("EXPIRED", "its session closed")),
        (order(), listed("Cancelled", 0), AFTER - timedelta(seconds=1),
         ("CANCELLED", "cancelled at the broker")),
        (order(session_closes_at=None), listed("Cancelled", 0), AFTER,
         ("CANCELLED", "cancelled at the broker")),
        (lost(), listed("Cancelled", 0), DURING, ("CANCELLED", "cancelled at the broker")),
        # Cancelled, but a fill is still missing, or was not said: not yet.
        (order(), listed("Cancelled", 4), DURING, None),
        (order(), listed("Cancelled", 4), AFTER, None),
        (order(), listed("Cancelled", None), DURING, None),
        (order("PARTIAL", 4), listed("Cancelled", 0), DURING, None),
        (order("PARTIAL", 4), listed("Cancelled", 6), AFTER, None),
        # A cancel that races a fill is a fill.
        (order("WORKING", 10, cancel_requested_at=ASKED), listed("Cancelled", 10), DURING,
         ("FILLED", EVERY)),
        (order(cancel_requested_at=ASKED), listed("PendingCancel"), DURING, None),
    ],
)  # fmt: skip
def test_evidence_leads_to_its_verdict(
    given_order: OrderRecord, row: BrokerOrder | None, now: datetime, expected: Any
) -> None:
    found = verdict(given_order, row, now)
    assert (found and (found.state, found.cause)) == expected


def test_an_end_has_its_reason_for_a_trader() -> None:
    def reasons(given_order: OrderRecord, row: BrokerOrder, now: datetime) -> Any:
        found = verdict(given_order, row, now)
        return found and found.reasons

    cancelled = listed("Cancelled", 0)
    assert reasons(order(), cancelled, AFTER) == ("its session closed before it filled",)
    assert reasons(order(), cancelled, DURING) == ("cancelled at the broker",)
    asked = order(cancel_requested_at=ASKED)
    assert reasons(asked, cancelled, DURING) == ("not filled in time",)


def test_an_id_of_the_brokers_is_news_by_itself() -> None:
    found = verdict(lost("WORKING"), listed(), DURING)
    assert found == Verdict(
        state="WORKING", cause="the broker lists it as Submitted", broker_order_id="5"
    )


def test_an_id_that_is_known_is_kept() -> None:
    found = verdict(order("UNKNOWN"), listed(broker_order_id="777"), DURING)
    assert found is not None
    assert found.broker_order_id == "5"


@given(
    st.sampled_from(["SENDING", "WORKING", "PARTIAL", "UNKNOWN"]),
    st.integers(0, 12),
    st.none() | st.builds(listed, st.sampled_from(STATUSES), st.none() | st.integers(0, 10)),
    st.sampled_from([DURING, AFTER]),
    st.booleans(),
)  # fmt: skip
def test_no_evidence_ends_an_order_with_a_share_left_behind(
    state: Any, filled: int, row: BrokerOrder | None, now: datetime, asked: bool
) -> None:
    given_order = order(state, filled, cancel_requested_at=ASKED if asked else None)
    found = verdict(given_order, row, now)
    if found is None:
        return
    assert found.state not in ("DENIED", "REJECTED", "INTENDED", "SENDING", "UNKNOWN")
    if found.state in ("CANCELLED", "EXPIRED"):
        assert row is not None
        assert row.status == "Cancelled"
        assert row.filled_quantity == filled < 10
    assert (found.state == "FILLED") == (filled >= 10)
    assert verdict(given_order.evolve(state=found.state), row, now) is None


OTHER = listed(coid="ob-other", broker_order_id="6")


@pytest.mark.parametrize(
    ("given_order", "rows", "index"),
    [
        (order(), (OTHER, listed()), 1),
        (lost(), (OTHER, listed(broker_order_id="777")), 1),
        (order(), (OTHER, listed(coid=None)), 1),
        (order(), (listed(coid="ob-other"),), None),  # the broker's id, but another's order
        (order(), (listed(coid=None, broker_order_id="6"),), None),
        (lost(), (listed(coid=None),), None),
        (order(), (), None),
    ],
)
def test_an_order_is_found_by_our_id_or_by_the_brokers_where_ours_is_not_shown(
    given_order: OrderRecord, rows: tuple[BrokerOrder, ...], index: int | None
) -> None:
    assert find(given_order, rows) == (None if index is None else rows[index])
