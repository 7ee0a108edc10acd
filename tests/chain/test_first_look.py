"""The shipped first strategy on the day that `up --sandbox` begins with: it really orders."""

from datetime import datetime, timedelta

import yaml

from scripts.up import FIRST_MOMENT
from tests.support.stack import Stack
from worker.settings import PROJECT_ROOT

SHIPPED = yaml.safe_load((PROJECT_ROOT / "config/strategies/01_momentum.yaml").read_text())
# The guard's hold, of two minutes after the open, is over.
RELEASED = datetime.fromisoformat(FIRST_MOMENT) + timedelta(seconds=40, minutes=2)
STACK = {"strategies": [SHIPPED], "at": f"{RELEASED + timedelta(seconds=1):%Y-%m-%dT%H:%M:%S}"}


def test_the_first_look_on_paper_buys_each_symbol(stack: Stack) -> None:
    row = stack.run(dry_run=False)
    assert (row.status, row.outcome, row.mode) == ("closed", "done", "paper")
    assert stack.outcomes(row.run_id) == dict.fromkeys(("AAPL", "GOOGL", "MSFT"), "placed")
    bought = [(o.intent.symbol, o.intent.side, o.state) for o in stack.orders(row.run_id)]
    assert sorted(bought) == [(symbol, "BUY", "FILLED") for symbol in ("AAPL", "GOOGL", "MSFT")]
