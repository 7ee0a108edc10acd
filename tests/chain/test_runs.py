"""The nine steps in real workers, on a real Valkey, against a real sandbox."""

import json

from tests.support.stack import BUY, STRATEGY, Stack

STACK = {"strategies": [STRATEGY]}
SELL = BUY | {"signal": "SELL"}
HOLD = BUY | {"signal": "HOLD"}


def test_a_dry_run_previews_and_leaves_no_order_in_the_sandbox(stack: Stack) -> None:
    stack.sandbox.analyst({"AAPL": BUY, "GOOGL": HOLD, "MSFT": BUY})
    row = stack.run(dry_run=True)
    assert (row.status, row.outcome, row.reason) == ("closed", "done", None)
    assert stack.outcomes(row.run_id) == {"AAPL": "previewed", "GOOGL": "held", "MSFT": "previewed"}
    assert stack.sandbox.orders() == []
    assert list(stack.orders(row.run_id)) == []


def test_a_paper_run_leaves_the_journals_orders_in_the_sandbox_and_fills_agree(
    stack: Stack,
) -> None:
    stack.sandbox.analyst({"AAPL": BUY, "GOOGL": HOLD, "MSFT": BUY})
    row = stack.run(dry_run=False)
    assert (row.status, row.outcome, row.mode) == ("closed", "done", "paper")
    assert stack.outcomes(row.run_id) == {"AAPL": "placed", "GOOGL": "held", "MSFT": "placed"}
    journal = {
        (o.intent.coid, o.intent.symbol, o.intent.side, str(o.intent.quantity), o.state)
        for o in stack.orders(row.run_id)
    }
    broker = {
        (o["cOID"], o["symbol"], o["side"], o["quantity"], "FILLED") for o in stack.sandbox.orders()
    }
    assert journal == broker
    fills = {
        (f.execution_id, str(f.quantity), str(f.price))
        for f in stack.services.orders.fills_of_run(row.run_id)
    }
    assert fills == {
        (f["execution_id"], f["quantity"], f["price"]) for f in stack.sandbox.book()["fills"]
    }


def test_a_second_buy_of_the_same_strategy_buys_nothing_more(stack: Stack) -> None:
    stack.sandbox.analyst({"AAPL": BUY, "GOOGL": HOLD, "MSFT": HOLD})
    before = len(stack.sandbox.orders())
    row = stack.run(dry_run=False)
    assert (row.status, row.outcome) == ("closed", "held")
    assert len(stack.sandbox.orders()) == before


def test_a_sell_sells_what_the_strategy_bought_though_the_account_holds_more(
    stack: Stack,
) -> None:
    owned = stack.services.orders.owned(1, "AAPL")
    held = int(stack.sandbox.position("AAPL"))
    assert 0 < owned < held
    stack.sandbox.analyst({"AAPL": SELL, "GOOGL": SELL, "MSFT": HOLD})
    row = stack.run(dry_run=False)
    assert stack.outcomes(row.run_id) == {"AAPL": "placed", "GOOGL": "held", "MSFT": "held"}
    (order,) = stack.orders(row.run_id)
    assert (order.intent.side, order.intent.quantity, order.state) == ("SELL", owned, "FILLED")
    assert int(stack.sandbox.position("AAPL")) == held - owned


def test_the_results_of_all_nine_steps_are_readable_json_in_redis(stack: Stack) -> None:
    from tasks.chain import task_ids

    stack.sandbox.analyst({"AAPL": HOLD, "GOOGL": HOLD, "MSFT": HOLD})
    row = stack.run(dry_run=True)
    ids = task_ids(row.run_id)
    assert len(ids) == 9
    for name, task_id in ids.items():
        kept = json.loads(str(stack.redis.get(f"celery-task-meta-{task_id}")))
        assert (kept["name"], kept["status"]) == (name, "SUCCESS")
        assert kept["result"]["run_id"] == row.run_id
        assert len(json.dumps(kept["result"])) < 16 * 1024
