"""`openbell reconcile`: the account against the books, and a person's word on whose shares are."""

import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from scripts.command import FAILED, print_json, run
from scripts.console import out
from scripts.show.stacked import Stacked
from scripts.show.words import shares

if TYPE_CHECKING:
    from worker.journal.adjustments import Said
    from worker.models.account import ForeignOrder, Look, Shares
    from worker.models.order import OrderRecord
    from worker.runtime import Services

RATIO = re.compile(r"(\d{1,4}):(\d{1,4})")


def reconcile(
    adopt: Annotated[
        tuple[str, str] | None,
        typer.Option(
            metavar="SYMBOL QUANTITY",
            help="Give foreign shares to --strategy; a negative quantity gives its shares back.",
        ),
    ] = None,
    strategy: Annotated[
        str | None, typer.Option(metavar="STRATEGY", help="Its id or name; for --adopt.")
    ] = None,
    adjust: Annotated[
        str | None, typer.Option(metavar="SYMBOL", help="After a split; with --ratio.")
    ] = None,
    ratio: Annotated[
        str | None, typer.Option(metavar="NEW:OLD", help="4:1 makes four shares of each.")
    ] = None,
    accept: Annotated[
        str | None,
        typer.Option(metavar="SYMBOL", help="What is unexplained there is foreign from now on."),
    ] = None,
    by: Annotated[str | None, typer.Option(metavar="NAME", help="Who says so; it is kept.")] = None,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; it is kept.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare the account with the journal, in words; or say whose shares are.

    \b
    openbell reconcile
    openbell reconcile --adopt AAPL 40 --strategy 1 --by Ada
    openbell reconcile --adjust AAPL --ratio 4:1 --by Ada
    openbell reconcile --accept AAPL --by Ada --reason "moved here from another broker"

    Exit code 0: the account and the journal agree. 1: they do not, and what differs is said.
    Foreign shares are never sold, and never a reason to send an order.
    """
    from scripts.access import open_services

    wishes = [wish for wish in (adopt, adjust, accept) if wish is not None]
    if len(wishes) > 1:
        raise typer.BadParameter("--adopt, --adjust and --accept are said one at a time")
    s = open_services()
    if wishes:
        said = _said(by, reason)
        out.print(_do(s, said, adopt, strategy, adjust, ratio, accept), soft_wrap=True)
        return
    _show(s, as_json)


def _said(by: str | None, reason: str) -> "Said":
    from worker.journal.adjustments import Said

    if not by or not by.strip():
        raise typer.BadParameter("whose word it is must be kept: --by NAME")
    return Said(who=by.strip()[:80], why=reason.strip())


def _do(
    s: "Services",
    said: "Said",
    adopt: tuple[str, str] | None,
    strategy: str | None,
    adjust: str | None,
    ratio: str | None,
    accept: str | None,
) -> str:
    """What was done, in a sentence."""
    if adopt is not None:
        if strategy is None:
            raise typer.BadParameter("--adopt needs the strategy: --strategy STRATEGY")
        symbol, quantity = adopt[0].upper(), _quantity(adopt[1])
        chosen = s.strategies.find(strategy)
        s.adjustments.adopt(symbol, quantity, chosen.id, said)
        owned = shares(s.orders.owned(chosen.id, symbol))
        return f"strategy {chosen.id} {chosen.name} owns {owned} shares of {symbol} now"
    if adjust is not None:
        new, old = _ratio(ratio)
        s.adjustments.split(adjust.upper(), new, old, said)
        return f"every share of {adjust.upper()} counts {new} for {old} now"
    symbol = (accept or "").upper()
    moved = s.adjustments.accept(symbol, said)
    more = "more" if moved > 0 else "fewer"
    return f"{shares(abs(moved))} {more} shares of {symbol} are foreign now"


def _quantity(text: str) -> Decimal:
    try:
        quantity = Decimal(text)
    except InvalidOperation:
        quantity = Decimal(0)
    if not quantity.is_finite() or quantity == 0 or quantity % 1:
        raise typer.BadParameter(f"{text!r} is no number of whole shares; write e.g. 40, or -40")
    return quantity


def _ratio(text: str | None) -> tuple[int, int]:
    found = RATIO.fullmatch(text or "")
    if found is None or "0" in (found[1].lstrip("0") or "0", found[2].lstrip("0") or "0"):
        raise typer.BadParameter("--adjust needs how many new shares for how many old: --ratio 4:1")
    return int(found[1]), int(found[2])


def _show(s: "Services", as_json: bool) -> None:
    look = s.accounting.look()
    foreign = [each for each in s.foreign.orders() if each.works]
    unknown = [order for order in s.orders.open_orders() if order.state == "UNKNOWN"]
    differences = list(_differences(look, unknown))
    if as_json:
        print_json(_listed(look, foreign, differences))
    elif not look.ready:
        out.print("the first look at the account is taken; look again in some seconds")
    else:
        _print(look, foreign, differences)
    if differences:
        raise SystemExit(FAILED)


def _print(look: "Look", foreign: "Sequence[ForeignOrder]", differences: Sequence[str]) -> None:
    table = Stacked("symbol", ">account", ">strategies", ">foreign", ">unexplained")
    for each in look.shares:
        table.add_row(
            each.symbol, shares(each.held), shares(each.owned), shares(each.foreign),
            shares(each.unexplained) if each.unexplained is not None else "none",
        )  # fmt: skip
    if look.shares:
        table.print_on(out)
    for order in foreign:
        rest = "" if order.remaining_quantity is None else f" {shares(order.remaining_quantity)}"
        words = f"foreign order: {order.side}{rest} {order.symbol}, {order.status}"
        out.print(Text(words, "dim"), soft_wrap=True)
    for difference in differences:
        out.print(Text(difference, "bold red"), soft_wrap=True)
    if not differences:
        out.print("the account and the journal agree")


def _differences(look: "Look", unknown: "Sequence[OrderRecord]") -> "Sequence[str]":
    return [
        *(_unexplained(each) for each in look.shares if each.unexplained is not None),
        *(
            f"{each.symbol}: order {each.coid} works at the broker and is not in the journal; "
            "another Openbell trades this account, or the journal was lost"
            for each in look.strays
        ),
        *(
            f"{order.intent.symbol}: what became of order {order.intent.coid} is not known; look "
            "for it among the broker's orders and trades"
            for order in unknown
        ),
    ]


def _unexplained(each: "Shares") -> str:
    from worker.joined.accounting import CAUSES

    difference = each.unexplained or Decimal(0)
    more = "more" if difference > 0 else "fewer"
    return (
        f"{each.symbol}: the account holds {shares(abs(difference))} {more} shares than strategies "
        f"own and foreign executions explain; likely {CAUSES}: say which with --adjust, --adopt or "
        "--accept"
    )


def _listed(
    look: "Look", foreign: "Sequence[ForeignOrder]", differences: Sequence[str]
) -> dict[str, Any]:
    return {
        "ready": look.ready,
        "shares": [each.model_dump() for each in look.shares],
        "foreign_orders": [each.model_dump() for each in foreign],
        "differences": list(differences),
    }


if __name__ == "__main__":
    run(reconcile)
