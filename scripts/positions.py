"""`openbell positions`: what each strategy owns, beside what the account holds."""

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from scripts.command import note, print_json, run
from scripts.console import out
from scripts.show.words import shares, usd

if TYPE_CHECKING:
    from worker.journal.ownership import Holding
    from worker.models.market import Position
    from worker.runtime import Services

ZERO = Decimal(0)
LEGEND = "unknown: the broker did not say; of a shared position it knows one average cost alone"


def positions(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what each strategy owns, by its own fills, beside the account's positions.

    \b
    openbell positions

    Whatever the strategies do not own was bought by somebody else, and Openbell never sells it.
    """
    from scripts.access import open_services
    from worker.errors import OpenbellError
    from worker.journal.ownership import holdings

    s = open_services()
    found = holdings(s.journal)
    owned = [each for each in found if each.account_id == s.account_id]
    elsewhere = len({each.account_id for each in found} - {s.account_id})
    held: Sequence[Position] | None = None
    why = None
    try:
        held = _account(s)
    except OpenbellError as error:
        why = error.sentence
        note(f"the account's own positions are not known now: {why}")
    if elsewhere:
        note(f"the journal has shares in {elsewhere} other account(s) too; they are not shown")
    if as_json:
        print_json(_listed(s, owned, held, why))
    elif not owned and not held:
        out.print("no strategy owns anything" + ("" if held is None else ", the account is empty"))
    else:
        out.print(_table(s, owned, held))
        out.print(Text(LEGEND, "dim"), soft_wrap=True)


def _account(s: "Services") -> "Sequence[Position]":
    from scripts.access import impatient_reader
    from worker.errors import ConfigurationError

    if not s.account_id:
        raise ConfigurationError("no account is configured; set OPENBELL_IBKR__ACCOUNT_ID")
    with impatient_reader(s) as reader:
        return reader.positions()


def _table(s: "Services", owned: "Sequence[Holding]", held: "Sequence[Position] | None") -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("symbol", no_wrap=True)
    table.add_column("whose", overflow="fold")
    for name in ("shares", "average cost", "market price", "value USD"):
        table.add_column(name, justify="right", no_wrap=True)
    for symbol in sorted({each.symbol for each in owned} | {each.symbol for each in held or ()}):
        position = next((each for each in held or () if each.symbol == symbol), None)
        price = position.market_price if position else None
        mine = [each for each in owned if each.symbol == symbol]
        table.add_section()
        for each in mine:
            table.add_row(
                Text(symbol, "bold"), _name(s, each.strategy_id), shares(each.quantity),
                _known(each.average_cost_usd), _known(price), _known(_value(each.quantity, price)),
            )  # fmt: skip
        if held is not None:
            _add_account(table, symbol, position, sum((each.quantity for each in mine), ZERO))
    return table


def _add_account(table: Table, symbol: str, position: "Position | None", owned: Decimal) -> None:
    """The rest of the account's position, or that there is less than the strategies own."""
    quantity = position.quantity if position else ZERO
    price = position.market_price if position else None
    rest = quantity - owned
    if rest > 0:
        cost = position.average_cost if position and not owned else None
        table.add_row(
            Text(symbol, "bold"), Text("no strategy's", "dim"), shares(rest), _known(cost),
            _known(price), _known(_value(rest, price)),
        )  # fmt: skip
    elif rest < 0:
        words = f"the account holds {shares(quantity)}, {shares(-rest)} fewer than are owned"
        table.add_row(Text(symbol, "bold red"), Text(words, "bold red"))


def _known(value: Decimal | None) -> str:
    return "unknown" if value is None else usd(value)


def _value(quantity: Decimal, price: Decimal | None) -> Decimal | None:
    return None if price is None else quantity * price


def _name(s: "Services", strategy_id: int) -> str:
    """The strategy's name as its file says now; its number where there is no file any more."""
    from worker.errors import ConfigurationError

    try:
        return f"{strategy_id} {s.strategies.by_id(strategy_id).name}"
    except ConfigurationError:
        return str(strategy_id)


def _listed(
    s: "Services",
    owned: "Sequence[Holding]",
    held: "Sequence[Position] | None",
    why: str | None,
) -> dict[str, Any]:
    from scripts.access import short_account

    return {
        "account": short_account(s.account_id),
        "owned": [each.model_dump(exclude={"account_id"}) for each in owned],
        "held": None if held is None else [each.model_dump() for each in held],
        "broker_problem": why,
    }


if __name__ == "__main__":
    run(positions)
