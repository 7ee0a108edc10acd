"""What a named person says about shares is kept, and only of shares that are there."""

from decimal import Decimal

import pytest
from sqlalchemy import select

from tests.support.clock import ManualClock
from tests.support.ledger import ACCOUNT, CONIDS, Ledger
from tests.unit.test_foreign import Account
from worker.errors import Refused
from worker.journal.adjustments import AdjustmentBook, Said
from worker.journal.ownership import holdings
from worker.journal.tables import adjustments

ADA = Said(who="Ada", why="a test")


class Books(Account):
    def __init__(self, ledger: Ledger, clock: ManualClock) -> None:
        super().__init__(ledger, clock)
        self.said = AdjustmentBook(ledger.journal, clock, ACCOUNT)
        self.begin()

    def whose(self, symbol: str = "AAPL") -> tuple[int, int, int | None]:
        """Strategy 1's, foreign, unexplained, after another look."""
        found = next(each for each in self.look().shares if each.symbol == symbol)
        rest = None if found.unexplained is None else int(found.unexplained)
        return int(self.ledger.book.owned(1, symbol)), int(found.foreign), rest

    def kept(self) -> list[tuple[str, int | None, Decimal, str, str]]:
        with self.ledger.journal.read() as connection:
            rows = connection.execute(select(adjustments).order_by(adjustments.c.id)).all()
        return [(row.kind, row.strategy_id, row.quantity, row.who, row.why) for row in rows]


@pytest.fixture
def books(ledger: Ledger, clock: ManualClock) -> Books:
    return Books(ledger, clock)


def owns(books: Books, quantity: int) -> None:
    order = books.ledger.own(quantity)
    books.held[order.intent.symbol] += quantity


def test_foreign_shares_become_a_strategys_and_can_be_given_back(books: Books) -> None:
    books.said.adopt("AAPL", Decimal(40), 1, ADA)
    assert books.whose() == (40, 60, None)
    books.said.adopt("AAPL", Decimal(-15), 1, ADA)
    assert books.whose() == (25, 75, None)
    assert books.kept() == [
        ("adopt", 1, Decimal(40), "Ada", "a test"), ("adopt", 1, Decimal(-15), "Ada", "a test"),
    ]  # fmt: skip
    [held] = holdings(books.ledger.journal)
    assert (held.quantity, held.average_cost_usd) == (25, None)


def test_adopted_shares_can_be_sold(books: Books) -> None:
    books.said.adopt("AAPL", Decimal(40), 1, ADA)
    fence = books.ledger.begin_run()
    assert books.ledger.intend(fence, 100, side="SELL", quantity=40).intent.quantity == 40
    with pytest.raises(Refused, match="only 0 shares"):
        books.ledger.intend(books.ledger.begin_run(), 100, side="SELL", quantity=1)


@pytest.mark.parametrize(
    ("symbol", "quantity", "words"),
    [
        ("AAPL", 101, "only 100 shares of AAPL are foreign"),
        ("AAPL", -1, "strategy 1 owns only 0 shares"),
        ("MSFT", 1, "was not seen to hold MSFT"),
        ("aapl", 1, "was not seen to hold aapl"),
    ],
)
def test_shares_that_are_not_there_are_nobodys_to_give(
    books: Books, symbol: str, quantity: int, words: str
) -> None:
    with pytest.raises(Refused, match=words):
        books.said.adopt(symbol, Decimal(quantity), 1, ADA)
    assert books.kept() == []
    assert books.whose() == (0, 100, None)


def test_shares_of_a_symbol_with_an_open_order_wait_for_its_end(books: Books) -> None:
    order = books.ledger.order("WORKING")
    for say in (
        lambda: books.said.adopt("AAPL", Decimal(1), 1, ADA),
        lambda: books.said.split("AAPL", 4, 1, ADA),
    ):
        with pytest.raises(Refused, match=order.intent.coid):
            say()
    assert books.kept() == []


def shows(books: Books, quantity: int) -> None:
    """The account holds so many from now on, and two looks saw it."""
    books.held["AAPL"] = quantity
    books.look()
    books.look()


def test_a_split_makes_more_of_everybodys_shares(books: Books) -> None:
    owns(books, 10)
    shows(books, 440)
    assert books.whose() == (10, 100, 330)
    books.said.split("AAPL", 4, 1, ADA)
    assert books.whose() == (40, 400, None)
    [held] = holdings(books.ledger.journal)
    assert (held.quantity, held.average_cost_usd) == (40, 111)


@pytest.mark.parametrize("shown", [157, 158])
def test_what_a_split_leaves_of_a_strategys_shares_is_foreign(books: Books, shown: int) -> None:
    """3:2 makes 157.5 of 105: the broker pays the half out, or rounds it."""
    owns(books, 5)
    shows(books, shown)
    books.said.split("AAPL", 3, 2, ADA)
    assert books.whose() == (7, shown - 7, None)


def test_a_reverse_split_makes_fewer(books: Books) -> None:
    owns(books, 20)
    shows(books, 12)
    books.said.split("AAPL", 1, 10, ADA)
    assert books.whose() == (2, 10, None)


@pytest.mark.parametrize(
    ("holds", "words"), [(110, "is explained"), (330, r"would make \+330 shares of AAPL")]
)
def test_a_split_that_the_account_does_not_show_is_refused(
    books: Books, holds: int, words: str
) -> None:
    owns(books, 10)
    shows(books, holds)
    with pytest.raises(Refused, match=words):
        books.said.split("AAPL", 4, 1, ADA)
    assert books.ledger.book.owned(1, "AAPL") == 10


def test_what_is_unexplained_is_foreign_once_a_person_says_so(books: Books) -> None:
    books.held["AAPL"] = 130
    books.look()
    books.look()
    assert books.ledger.book.blocked_by("AAPL") is not None
    assert books.said.accept("AAPL", ADA) == 30
    assert books.ledger.book.blocked_by("AAPL") is None
    assert books.whose() == (0, 130, None)
    assert books.kept() == [("accept", None, Decimal(30), "Ada", "a test")]
    with pytest.raises(Refused, match="every share of AAPL is explained"):
        books.said.accept("AAPL", ADA)


def test_shares_that_strategies_own_and_the_account_lacks_are_not_accepted_away(
    books: Books,
) -> None:
    owns(books, 10)
    shows(books, 4)
    with pytest.raises(Refused, match="own 6 shares of AAPL more than the account holds"):
        books.said.accept("AAPL", ADA)
    assert books.whose() == (10, 100, -106)


def test_another_accounts_shares_are_not_touched(books: Books) -> None:
    other = AdjustmentBook(books.ledger.journal, books.clock, "DU7654321")
    with pytest.raises(Refused):
        other.adopt("AAPL", Decimal(1), 1, ADA)
    assert books.book.expected("AAPL", CONIDS["AAPL"]) == 100
