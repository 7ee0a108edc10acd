"""Who owns what: what the strategies' own orders filled, and nothing else."""

from decimal import Decimal

from tests.support.clock import ManualClock
from tests.support.ledger import ACCOUNT, CLOSES_AT, LEASE, Ledger, line
from worker.fencing import conversation_of
from worker.journal.orders import OrderBook
from worker.journal.ownership import Holding, holdings

OTHER = "DU7654321"


def test_nothing_was_bought_and_nothing_is_owned(ledger: Ledger) -> None:
    assert holdings(ledger.journal) == []


def test_each_strategy_owns_what_its_orders_filled(ledger: Ledger) -> None:
    ledger.own(30)
    ledger.own(5, strategy_id=2)
    ledger.own(7, strategy_id=2, symbol="MSFT")
    ledger.order("FILLED", side="SELL", quantity=10)
    ledger.order("WORKING", quantity=99)
    cost = Decimal("444.00")
    assert holdings(ledger.journal) == [
        Holding(
            account_id=ACCOUNT, strategy_id=strategy, symbol=symbol, quantity=Decimal(quantity),
            average_cost_usd=cost,
        )
        for strategy, symbol, quantity in ((1, "AAPL", 20), (2, "AAPL", 5), (2, "MSFT", 7))
    ]  # fmt: skip


def test_the_cost_is_the_average_of_what_was_bought(ledger: Ledger) -> None:
    order = ledger.order("WORKING", quantity=10)
    ledger.fill(order.intent.coid, 1, "440.00")
    ledger.fill(order.intent.coid, 3, "444.00")
    sale = ledger.order("WORKING", side="SELL", quantity=1)
    ledger.fill(sale.intent.coid, 1, "999.00")
    (holding,) = holdings(ledger.journal)
    assert (holding.quantity, holding.average_cost_usd) == (3, 443)


def test_what_was_sold_to_the_last_share_is_owned_no_more(ledger: Ledger) -> None:
    ledger.own(30)
    ledger.order("FILLED", side="SELL", quantity=30)
    assert holdings(ledger.journal) == []
    assert ledger.book.owned(1, "AAPL") == 0


def test_accounts_are_kept_apart(ledger: Ledger, clock: ManualClock) -> None:
    """The same strategy, first on one account and then on another."""
    ledger.own(30)
    other = OrderBook(ledger.journal, clock, OTHER)
    fence = ledger.begin_run()
    intent = ledger.intent(fence, account_id=OTHER)
    held = ledger.locks.acquire(conversation_of(OTHER), "other", 2, LEASE)
    assert held is not None
    order = other.intend(fence, held, intent, line(intent), Decimal(0), CLOSES_AT)
    assert (other.owned(1, "AAPL"), other.working(1, "AAPL")) == (0, 10)
    assert (ledger.book.owned(1, "AAPL"), ledger.book.working(1, "AAPL")) == (30, 0)
    assert other.open_orders() == [order]
    assert ledger.book.open_orders() == []
