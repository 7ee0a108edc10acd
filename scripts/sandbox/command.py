"""`openbell sandbox`: a gateway, an exchange and an analyst to practise on."""

import os
from pathlib import Path
from typing import Annotated

import typer

from scripts.sandbox.clock import ClockError, parse_moment

HOME = "OPENBELL_HOME"
PROJECT_ROOT = Path(__file__).resolve().parent.parent.parent
DEFAULT_AT = "2013-02-27T09:29:40"


def sandbox(
    home: Annotated[
        Path | None,
        typer.Option(
            help="Folder of clock, book and certificate. Default: OPENBELL_HOME or ./var."
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 0,
    at: Annotated[
        str,
        typer.Option(
            metavar="DATETIME",
            help="Where market time begins, from 2000-03-01 to 2013-03-01; New York time unless it"
            " names an offset. Default: 20 seconds before an open.",
        ),
    ] = DEFAULT_AT,
    rate: Annotated[float, typer.Option(help="How many seconds pass there in one here.")] = 1.0,
) -> None:
    """Run a gateway, an exchange and a scripted analyst to practise on, until Ctrl-C.

    \b
    openbell sandbox --port 5000 --at 2013-02-27T09:29:40

    It speaks the broker's web API over HTTPS and replays real daily prices
    of AAPL, GOOGL, MSFT and IBM; how they move within a day is drawn. A home
    that was used before goes on where it is: its clock has kept running, and
    its orders and positions are in its book.

    For drills, POST /sandbox/faults arms what goes wrong at a broker: refused
    and cut connections, late and broken answers, questions, empty lists, late
    and partial fills. GET /sandbox/book?after=0 shows every request of an
    order, what it committed, and how often which fault fired.
    """
    from scripts.sandbox.server import StartError, Wanted, serve  # slow: not for --help

    folder = home or Path(os.environ.get(HOME) or PROJECT_ROOT / "var")
    try:
        # Not Path.expanduser: it raises for a user that is not there.
        folder = Path(os.path.expanduser(folder)).resolve()
        wanted = Wanted(folder, host, port, parse_moment(at), rate)
        serve(wanted, os.environ, typer.echo)
    except (StartError, ClockError) as problem:
        typer.echo(f"The sandbox did not start: {problem}.", err=True)
        raise typer.Exit(2) from None
