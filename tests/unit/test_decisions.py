"""From a signal to a proposal: everything read anew, sized, and every check run."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.support.clock import ManualClock
from tests.support.trading import LIMITS, PRICE, Trading, foreign_sell, signal
from tests.support.values import OPEN, strategy
from worker.errors import BrokerError, ConfigurationError, StepError, TemporaryError
from worker.joined.decisions import LAST_LOOK, Proposal, checks_json, signal_of
from worker.models.market import Position
from worker.models.order import OrderIntent, OrderRecord
from worker.models.run import Run
from worker.risk.codes import Code
from worker.risk.figures import SizedOrder

pytestmark = pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")
CLOSE = OPEN + timedelta(hours=6, minutes=30)


def propose(trading: Trading, side: str = "BUY", **changes: Any) -> Proposal:
    run = trading.begin(signal("AAPL", side), **changes)
    return trading.decisions.propose(run, "AAPL")


def test_a_buy_is_sized_and_passes_every_check(trading: Trading) -> None:
    found = propose(trading)
    assert found.order == SizedOrder(
        side="BUY", quantity=Decimal(38), limit_price=Decimal("130.32")
    )
    assert found.denial is None
    assert found.decision is not None
    assert len(found.decision.checks) == len(Code)
    assert found.figures is not None
    assert found.figures.to_json() == found.figures.evolve(
        owned=Decimal(0), working=Decimal(0), owned_by_all=Decimal(0), position=Decimal(100),
        selling=Decimal(0), selling_foreign=Decimal(0), session_opens_at=OPEN,
        session_closes_at=CLOSE, strategy_is_current=True, mode_agrees=True, trading_state="ACTIVE",
    ).to_json()  # fmt: skip


def test_the_quote_is_read_last_because_it_ages_fastest(trading: Trading) -> None:
    propose(trading)
    assert trading.broker.reads == ["orders", "positions", "quotes"]


def test_a_hold_reads_nothing_and_says_why(trading: Trading) -> None:
    run = trading.begin(
        signal("AAPL", "HOLD", confidence=Decimal(0), abstained="the answer was no JSON")
    )
    found = trading.decisions.propose(run, "AAPL")
    assert (found.held, found.order) == ("the answer was no JSON", None)
    assert propose(trading, "HOLD").held == "the signal is to hold"
    assert trading.broker.reads == []


def test_a_symbol_without_a_signal_is_a_mistake(trading: Trading) -> None:
    run = trading.begin(signal("AAPL"))
    with pytest.raises(StepError, match="no signal for MSFT"):
        trading.decisions.propose(run, "MSFT")
    with pytest.raises(StepError):
        signal_of(run, "MSFT")


def test_a_symbol_that_the_broker_does_not_know_is_an_error(trading: Trading) -> None:
    run = trading.begin(signal("TSLA"))
    with pytest.raises(BrokerError):
        trading.decisions.propose(run, "TSLA")


def test_what_the_strategy_owns_and_orders_counts(trading: Trading) -> None:
    trading.ledger.own(20)
    trading.ledger.order("WORKING", quantity=10)
    trading.ledger.own(50, strategy_id=2)
    found = propose(trading)
    assert found.order is not None
    assert found.order.quantity == 8
    assert found.figures is not None
    assert (found.figures.owned, found.figures.working, found.figures.owned_by_all) == (20, 10, 70)


def test_a_sell_sells_what_the_strategy_owns_though_the_account_holds_more(
    trading: Trading,
) -> None:
    trading.ledger.own(30)
    found = propose(trading, "SELL")
    assert found.order == SizedOrder(
        side="SELL", quantity=Decimal(30), limit_price=Decimal("129.68")
    )
    assert found.denial is None


def test_a_sell_of_what_it_never_bought_is_held(trading: Trading) -> None:
    found = propose(trading, "SELL")
    assert (found.held, found.order) == ("the strategy owns nothing to sell", None)
    assert found.denial is None


def test_positions_of_one_contract_are_added_up(trading: Trading) -> None:
    two = (
        Position(conid=265598, symbol="AAPL", quantity=Decimal(60)),
        Position(conid=265598, symbol="AAPL", quantity=Decimal(40)),
        Position(conid=1, symbol="AAPL", quantity=Decimal(900)),
    )
    trading.broker.positions = lambda: two  # type: ignore[method-assign]
    found = propose(trading)
    assert found.figures is not None
    assert found.figures.position == 100


def test_more_owned_than_the_account_holds_is_denied(trading: Trading) -> None:
    trading.ledger.own(30, strategy_id=2)
    trading.broker.held = {"AAPL": 29}
    assert "OWNERSHIP: strategies own 30 shares by the journal, the account holds 29" in str(
        propose(trading).denial
    )


def test_an_order_of_unknown_fate_blocks_the_symbol(trading: Trading) -> None:
    order = trading.ledger.order("UNKNOWN", strategy_id=2)
    assert f"BLOCKED: what became of order {order.intent.coid} is not known" in str(
        propose(trading).denial
    )


@pytest.mark.parametrize("side", ["BUY", "SELL"])
def test_an_order_that_ended_here_and_works_there_blocks_its_symbol(
    trading: Trading, side: Any
) -> None:
    trading.ledger.own(30)
    order = trading.ledger.order("REJECTED", side=side, quantity=10)
    trading.broker.lists(order, "Submitted")
    coid = order.intent.coid
    assert f"BLOCKED: order {coid} is REJECTED in the journal and works at the broker" in str(
        propose(trading).denial
    )
    assert selling(trading) == (10 if side == "SELL" else 0)


@pytest.mark.parametrize("status", ["Filled", "Cancelled", "Inactive"])
def test_an_order_that_ended_on_both_sides_blocks_nothing(trading: Trading, status: str) -> None:
    trading.broker.lists(trading.ledger.order("CANCELLED"), status)
    assert propose(trading).denial is None


# Sales of others


def selling(trading: Trading) -> Any:
    found = propose(trading).figures
    assert found is not None
    return found.selling


def test_a_persons_own_sale_takes_shares_away(trading: Trading) -> None:
    trading.ledger.own(30)
    trading.broker.held = {"AAPL": 40}
    trading.broker.listed = [foreign_sell(15)]
    denial = propose(trading, "SELL").denial
    assert denial == (
        "OWNERSHIP: strategies own 30 shares by the journal, the account holds 40, of which 15 are "
        "being sold by somebody else; SHORT: only 25 shares may be sold"
    )


@pytest.mark.parametrize(
    ("row", "shares"),
    [
        (foreign_sell(15), 15),
        (foreign_sell(15, remaining_quantity=None), 15),
        (foreign_sell(15, remaining_quantity=Decimal(4)), 4),
        (foreign_sell(15, status="PendingCancel"), 15),
        (foreign_sell(15, status="a new word"), 15),
        (foreign_sell(15, status=""), 15),
        (foreign_sell(15, status="Filled"), 0),
        (foreign_sell(15, status="Cancelled"), 0),
        (foreign_sell(15, status="Inactive"), 0),
        (foreign_sell(15, side="BUY"), 0),
        (foreign_sell(15, conid=272093), 0),
        (foreign_sell(15, coid="somebody-elses"), 15),
        (foreign_sell(None), None),
    ],
)
def test_sales_that_are_not_the_journals_count(trading: Trading, row: Any, shares: Any) -> None:
    trading.broker.listed = [row]
    assert selling(trading) == shares


def test_the_journals_own_sales_are_not_counted_twice(trading: Trading) -> None:
    trading.ledger.own(30)
    trading.broker.lists(trading.ledger.order("WORKING", side="SELL", quantity=10), "Submitted")
    assert selling(trading) == 10


def test_one_sale_of_unknown_size_makes_all_unknown_and_denies(trading: Trading) -> None:
    trading.broker.listed = [foreign_sell(5), foreign_sell(None)]
    assert propose(trading).denial == (
        "POSITION: the account's position or working sells are not known; "
        "OWNERSHIP: who owns the account's shares is not known"
    )


def test_a_list_that_proves_nothing_denies(trading: Trading) -> None:
    trading.broker.snapshot = False
    assert "POSITION" in str(propose(trading).denial)


def test_the_list_is_read_once_for_symbols_decided_within_seconds(
    trading: Trading, clock: ManualClock
) -> None:
    run = trading.begin(signal("AAPL"), signal("MSFT"))
    decisions = trading.decisions
    decisions.propose(run, "AAPL")
    decisions.propose(run, "MSFT")
    assert trading.broker.reads.count("orders") == 1
    clock.advance(10)
    decisions.propose(run, "AAPL")
    assert trading.broker.reads.count("orders") == 2


# What may have changed


def disabled(trading: Trading) -> None:
    trading.current = trading.strategy.evolve(enabled=False)


def changed(trading: Trading) -> None:
    trading.current = trading.strategy.evolve(sizing={"value_usd": 6000})


def removed(trading: Trading) -> None:
    trading.current = ConfigurationError("there is no strategy 1")


def halted(trading: Trading) -> None:
    trading.ledger.set_state("strategy:1", "HALTED")


def closed(trading: Trading) -> None:
    trading.clock.now = CLOSE


def stale(trading: Trading) -> None:
    trading.broker.quote = {"as_of": trading.clock.now - timedelta(seconds=16)}


def halted_symbol(trading: Trading) -> None:
    trading.broker.quote = {"halted": True}


def drifted(trading: Trading) -> None:
    higher = PRICE * Decimal("1.02")
    trading.broker.quote = {"bid": higher, "ask": higher, "last": higher}


def delayed(trading: Trading) -> None:
    trading.broker.quote = {"availability": "DPB"}


def wide(trading: Trading) -> None:
    trading.broker.quote = {"bid": PRICE - 1, "ask": PRICE + 1}


def old_signal(trading: Trading) -> None:
    trading.clock.now = OPEN + timedelta(minutes=10, seconds=1)


CHANGES = [
    (disabled, "STRATEGY"), (changed, "STRATEGY"), (removed, "STRATEGY"),
    (halted, "TRADING_STATE"), (closed, "SESSION"), (stale, "QUOTE"), (halted_symbol, "TRADABLE"),
    (drifted, "DRIFT"), (delayed, "DATA_RIGHTS"), (wide, "SPREAD"), (old_signal, "SIGNAL_AGE"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "code"), CHANGES)
def test_what_changed_since_denies_a_proposal(trading: Trading, change: Any, code: str) -> None:
    run = trading.begin(signal("AAPL"))
    change(trading)
    assert f"{code}: " in str(trading.decisions.propose(run, "AAPL").denial)


def written(trading: Trading, run: Run) -> OrderIntent:
    order: OrderRecord = trading.ledger.intend(
        trading.fence, quantity=38, limit_price=Decimal("130.32")
    )
    return order.intent


def look(trading: Trading, run: Run, intent: OrderIntent) -> str | None:
    """A last look with the quote of this moment."""
    (quote,) = trading.broker.quotes([trading.broker.contract(intent.symbol)])
    return trading.decisions.last_look(run, intent, quote)


def test_a_last_look_finds_nothing_against_a_good_order(trading: Trading) -> None:
    run = trading.begin(signal("AAPL"))
    intent = written(trading, run)
    assert look(trading, run, intent) is None


@pytest.mark.parametrize(("change", "code"), CHANGES)
def test_a_last_look_stops_an_order_that_was_written_down(
    trading: Trading, change: Any, code: str
) -> None:
    run = trading.begin(signal("AAPL"))
    intent = written(trading, run)
    change(trading)
    found = str(look(trading, run, intent))
    assert f"{code}: " in found
    told = {part.split(":")[0] for part in found.split("; ")}
    assert told <= {each.value for each in LAST_LOOK}


def test_a_last_look_stops_an_order_whose_collar_the_market_left(trading: Trading) -> None:
    run = trading.begin(signal("AAPL"))
    intent = written(trading, run)
    lower = PRICE * Decimal("0.99")
    trading.broker.quote = {"bid": lower, "ask": lower, "last": lower}
    assert "COLLAR" in str(look(trading, run, intent))


def test_a_last_look_takes_the_quote_that_was_just_read_and_looks_at_its_age(
    trading: Trading, clock: ManualClock
) -> None:
    run = trading.begin(signal("AAPL"))
    intent = written(trading, run)
    proposal = trading.decisions.propose(run, "AAPL")
    assert proposal.figures is not None
    trading.broker.reads.clear()
    assert trading.decisions.last_look(run, intent, proposal.figures.quote) is None
    assert trading.broker.reads == []
    clock.advance(16)
    assert "QUOTE: the quote is 16 s old" in str(
        trading.decisions.last_look(run, intent, proposal.figures.quote)
    )


def test_a_state_that_cannot_be_read_denies(trading: Trading) -> None:
    class Unreadable:
        def effective(self, account_id: str, strategy_id: int) -> Any:
            raise TemporaryError("the journal is away")

    run = trading.begin(signal("AAPL"))
    decisions = trading.decisions
    decisions._states = Unreadable()  # type: ignore[assignment]
    assert decisions.propose(run, "AAPL").denial == (
        "TRADING_STATE: the trading state cannot be read"
    )


def test_a_strategys_own_limits_tighten_the_accounts(trading: Trading) -> None:
    trading.strategy = strategy(risk={"max_order_value_usd": 4000, "min_confidence": "0.9"})
    found = propose(trading)
    assert found.limits == LIMITS.evolve(
        max_order_value_usd=Decimal(4000), min_confidence=Decimal("0.9")
    )
    assert found.denial == (
        "CONFIDENCE: a confidence of 0.8 is below 0.9; "
        "ORDER_VALUE: an order of $4,952.16 is over $4,000.00"
    )


def test_the_record_of_a_decision_has_everything(trading: Trading) -> None:
    found = checks_json(propose(trading))
    assert set(found) == {"order", "checks", "figures", "limits"}
    assert all(found.values())
    held = checks_json(propose(trading, "HOLD"))
    assert held == {"order": None, "checks": [], "figures": None, "limits": None}


def test_a_proposal_without_an_order_cannot_be_acted_on(trading: Trading) -> None:
    with pytest.raises(StepError):
        propose(trading, "HOLD").approved()
