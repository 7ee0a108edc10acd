"""`openbell orders`: orders as the journal knows them."""

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from scripts.command import group, print_json, run
from scripts.console import out
from scripts.show.moments import moments_of, zone_of
from scripts.show.stacked import Stacked
from scripts.show.words import flat, shares, styled, usd

if TYPE_CHECKING:
    from worker.models.order import OrderRecord
    from worker.runtime import Services

app = group("Orders as the journal knows them: list them, cancel one, settle an unknown one.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Which = Annotated[
    str, typer.Argument(metavar="COID", help="Its client order id, or a beginning of it.")
]


@app.command("list")
def list_orders(
    run_id: Annotated[
        str | None, typer.Option("--run", metavar="RUN", help="Only this run's; `last` works too.")
    ] = None,
    only_open: Annotated[
        bool, typer.Option("--open", help="Only those that may still change.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 20,
    as_json: Json = False,
) -> None:
    """List orders, the newest first.

    \b
    openbell orders list --open
    openbell orders list --run last --json
    """
    from scripts.access import open_services

    s = open_services()
    found = _found(s, run_id, only_open, limit)[:limit]
    if as_json:
        print_json([_listed(order) for order in found])
    elif not found:
        out.print("there is no such order" if run_id or only_open else "there is no order yet")
    else:
        _table(s, found).print_on(out)


@app.command()
def cancel(order_id: Which, as_json: Json = False) -> None:
    """Ask the broker to cancel one order; one that was not sent yet never is.

    \b
    openbell orders cancel ob-3fa2b1c4

    It is asked once. What comes of it shows in the lists within a minute: an order may fill
    before it is cancelled.
    """
    from scripts.access import find_order, open_services
    from scripts.cancelling import cancel_order

    s = open_services()
    done = cancel_order(s, find_order(s, order_id))
    if as_json:
        print_json(done)
    else:
        out.print(done.sentence, markup=False, soft_wrap=True)


@app.command()
def resolve(
    order_id: Which,
    found: Annotated[
        str, typer.Option("--as", metavar="filled|cancelled|not-sent", help="What became of it.")
    ],
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who says so.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="How it was found out.")],
    quantity: Annotated[
        int | None, typer.Option(min=1, help="Shares that filled, if it is filled.")
    ] = None,
    price: Annotated[
        str | None, typer.Option(metavar="USD", help="Their average price, if it is filled.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Settle an order whose fate is UNKNOWN, by what you found at the broker. Its symbol is then
    traded again.

    \b
    openbell orders resolve ob-3fa2b1c4 --as not-sent --by Ada --reason "not in TWS' audit trail"
    openbell orders resolve ob-3fa2b1c4 --as filled --quantity 10 --price 130.01 \\
        --by Ada --reason "trade confirmation 0000e0d5"

    What fills fewer shares than were ordered ends as CANCELLED with those; what was not sent ends
    as DENIED. For a day the broker is watched: whatever it shows otherwise takes your word back,
    and the order is UNKNOWN again.
    """
    from scripts.access import find_order, open_services
    from scripts.resolving import read_statement, resolve_order

    statement = read_statement(found, by, reason, quantity, price)
    s = open_services()
    settled = resolve_order(s, find_order(s, order_id), statement)
    if as_json:
        print_json(_listed(settled))
        return
    intent = settled.intent
    filled = f"{shares(settled.filled_quantity)} of {intent.quantity} filled"
    out.print(
        f"{intent.side} {intent.symbol}, {intent.coid}, is {settled.state}, {filled}; "
        f"{intent.symbol} is not blocked by it any more",
        markup=False, soft_wrap=True,
    )  # fmt: skip


def _found(
    s: "Services", run_id: str | None, only_open: bool, limit: int
) -> Sequence["OrderRecord"]:
    from scripts.access import find_run

    if run_id is not None:
        found = list(s.orders.of_run(find_run(s, run_id).run_id))
    elif only_open:
        return list(reversed(s.orders.open_orders()))
    else:
        return s.orders.recent(limit)
    return [order for order in reversed(found) if not (only_open and order.done)]


def _listed(order: "OrderRecord") -> dict[str, Any]:
    from scripts.access import short_account

    whole = order.to_json()
    intent = whole.pop("intent")
    account = short_account(intent.pop("account_id"))
    return {"coid": order.intent.coid, "account": account, **intent, **whole}


def _table(s: "Services", found: Sequence["OrderRecord"]) -> Stacked:
    table = Stacked(f"{zone_of(s)} time", "symbol", "order", ">limit", "state", ">filled", ">at")
    moments = cache(lambda run_id: moments_of(s, s.runs.get(run_id)))
    for order in found:
        intent = order.intent
        table.add_row(
            moments(intent.run_id).at(order.created_at)[:16],
            Text(intent.symbol, "bold"),
            f"{intent.side} {shares(intent.quantity)}",
            usd(intent.limit_price),
            styled(order.state),
            shares(order.filled_quantity),
            usd(order.average_price),
            below=[Text(f"run {intent.run_id}", "dim"), *_reasons(order)],
        )
    return table


def _reasons(order: "OrderRecord") -> list[Text]:
    return [Text(flat(reason), "dim") for reason in order.reasons]


if __name__ == "__main__":
    run(app)
