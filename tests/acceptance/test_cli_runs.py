"""Commands around real runs: real workers, a real Valkey, a real sandbox."""

import json
import os
import pty
import re
import select
import subprocess
import sys
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from scripts.consumers import beats, every_queue
from tasks.chain import task_ids
from tests.support.cli import Said, openbell, openbell_process
from tests.support.sandbox import ACCOUNT
from tests.support.stack import BUY, STRATEGY, Stack
from worker.clock import monotonic

STACK = {"strategies": [STRATEGY]}
HOLD = BUY | {"signal": "HOLD"}
PATIENCE_SECONDS = 60.0


@pytest.fixture
def paper_run(stack: Stack) -> str:
    """One paper run of the module: AAPL is bought, the others are held."""
    row = next((row for row in stack.services.runs.recent() if row.slot == "key:paper"), None)
    if row is None:
        stack.sandbox.analyst({"AAPL": BUY, "GOOGL": HOLD, "MSFT": HOLD})
        stack.run(dry_run=False, slot="key:paper")
        row = stack.services.runs.by_slot(1, "key:paper")
        assert row is not None
    assert (row.status, row.outcome) == ("closed", "done")
    stack.wait_step(row.run_id, 9, "done")  # a moment after it closed the run
    return row.run_id


def read(said: Said) -> Any:
    assert (said.code, said.err) == (0, ""), said
    return json.loads(said.out)


def test_trigger_follows_a_run_to_its_end_and_says_what_became_of_it(stack: Stack) -> None:
    stack.sandbox.analyst({"AAPL": BUY, "GOOGL": HOLD, "MSFT": HOLD})
    said = openbell_process("trigger", "1", "--dry-run", "--follow", "--symbols", "AAPL,GOOGL")
    assert said.code == 0, said
    lines = said.out.splitlines()
    row = stack.services.runs.get(lines[0])
    assert (row.mode, row.outcome, row.run.symbols) == ("dry", "done", ("AAPL", "GOOGL"))
    for step in ("start_tracking", "place_orders", "cleanup"):
        assert any(f"  {step} " in line and " done " in line for line in lines), said.out
    assert "momentum: done, dry, AAPL, GOOGL" in said.out
    assert "on the sandbox: no real market, no real money" in said.out
    assert "the broker's preview: " in said.out
    assert said.err == "queued: momentum (1), dry, AAPL, GOOGL\n"


def test_one_key_is_one_run_whatever_else_is_wished_for(stack: Stack) -> None:
    conf = '{"strategy_id": 1, "symbols": ["AAPL"], "dry_run": true}'
    first = openbell("trigger", "--conf", conf, "--key", "one", "--param", "lookback=20", "--json")
    started = read(first.evolve(err=""))
    run_id = started["run_id"]
    assert (started["new"], started["mode"], started["symbols"]) == (True, "dry", ["AAPL"])
    assert (started["task_ids"], started["queues_without_worker"]) == (task_ids(run_id), [])

    again = openbell(
        "trigger", "momentum", "--key", "one", "--param", "lookback=30", "--no-dry-run",
        "--symbols", "MSFT",
    )  # fmt: skip
    assert (again.code, again.out) == (0, f"{run_id}\n")
    noted = again.err.splitlines()
    assert noted[0].startswith(f"note: the key one has a run already, {run_id} (")
    assert noted[1:] == [
        "note: it stays as it was asked for first; these are not changed: mode dry (not paper), "
        "symbols AAPL (not MSFT), parameters"
    ]
    row = stack.wait_closed(run_id)
    assert row.run.parameters == {"lookback": 20}
    assert [row.slot for row in stack.services.runs.recent()].count("key:one") == 1


def test_trigger_with_follow_as_json_is_the_final_story(stack: Stack, paper_run: str) -> None:
    said = openbell("trigger", "1", "--key", "paper", "--no-dry-run", "--json", "--follow")
    story = json.loads(said.out)
    assert (said.code, story["run_id"], story["status"]) == (0, paper_run, "closed")
    assert said.err.splitlines()[-1] == paper_run


def test_a_terminal_gets_a_table_in_colours(stack: Stack, paper_run: str) -> None:
    shown = on_a_terminal("trigger", "1", "--key", "paper", "--no-dry-run", "--follow")
    assert "Ended \x1b[1m2013-02-27 " in shown
    assert "\x1b[2m9 \x1b[0mcleanup " in shown
    assert "\x1b[1;32mdone\x1b[0m" in shown
    assert "\x1b[" not in openbell("runs", "show", paper_run).out


def test_show_tells_the_whole_story(stack: Stack, paper_run: str) -> None:
    ids = task_ids(paper_run)
    for name, task_id in ids.items():
        stack.wait_for(partial(_is_success, stack, f"celery-task-meta-{task_id}"), name)
    story = read(openbell("runs", "show", paper_run, "--json"))
    assert [step["state"] for step in story["steps"]] == ["done"] * 9
    assert (story["slot"], story["mode"], story["outcome"]) == ("key:paper", "paper", "done")
    assert (story["account"], story["account_kind"], story["sandbox"]) == ("DU9…01", "paper", True)
    assert story["figures"]["total_cash_usd"] is not None
    aapl, googl = story["by_symbol"][:2]
    [order] = stack.orders(paper_run)
    assert aapl["signal"]["rationale"].endswith("a test says so")
    assert len(aapl["checks"]) == 23
    assert all(check["passed"] for check in aapl["checks"])
    assert (aapl["order"]["coid"], aapl["order"]["state"]) == (order.intent.coid, "FILLED")
    assert [event["state"] for event in aapl["order"]["events"]][:2] == ["INTENDED", "SENDING"]
    executions = {fill["execution_id"] for fill in aapl["order"]["fills"]}
    assert executions == {
        fill["execution_id"] for fill in stack.sandbox.book()["fills"]
        if fill["cOID"] == order.intent.coid
    }  # fmt: skip
    assert aapl["owned_now"] == str(order.filled_quantity)
    assert (googl["decision"]["outcome"], googl["order"]) == ("held", None)
    assert {task["step"]: task["task_id"] for task in story["tasks"]} == {
        name.removeprefix("tasks."): task_id for name, task_id in ids.items()
    }
    assert ACCOUNT not in json.dumps(story)


def test_show_names_results_only_while_celery_keeps_them(stack: Stack) -> None:
    stack.sandbox.analyst({"AAPL": HOLD})
    run_id = stack.run(dry_run=True, symbols=["AAPL"]).run_id
    stack.wait_step(run_id, 9, "done")
    keys = {
        name.removeprefix("tasks."): f"celery-task-meta-{task_id}"
        for name, task_id in task_ids(run_id).items()
    }
    for name, key in keys.items():
        stack.wait_for(partial(_is_success, stack, key), name)
    stack.redis.delete(keys.pop("place_orders"))
    story = read(openbell("runs", "show", run_id, "--json"))
    assert {task["step"]: task["result_key"] for task in story["tasks"]} == keys


def test_in_80_columns_what_a_trader_needs_is_whole(stack: Stack, paper_run: str) -> None:
    narrow = {"COLUMNS": "80"}
    [order] = stack.orders(paper_run)
    bought = f"BUY {order.intent.quantity}"
    runs = openbell_process("runs", "list", "--limit", "100", environment=narrow).out
    orders = openbell_process("orders", "list", environment=narrow).out
    page = openbell_process("runs", "show", paper_run, environment=narrow).out
    assert re.search(rf"^{paper_run} +paper +2013-\S+ \S+ .* done *$", runs, re.MULTILINE)
    price = f"{order.intent.limit_price:,.2f}"
    assert re.search(rf"AAPL +{bought} +{price} +FILLED", orders)
    assert f"run {paper_run}" in orders
    assert re.search(rf"AAPL +BUY +90% +\S+ +placed +{bought} +{price} +FILLED", page)
    assert order.intent.coid in page
    assert "…" not in runs + orders + page.replace("DU9…01", "")


def test_every_moment_of_a_page_but_the_wall_clocks_line_is_the_markets(
    stack: Stack, paper_run: str
) -> None:
    page = openbell("runs", "show", paper_run).out
    clocks = re.findall(r"\d\d:\d\d:\d\d( \w+)?", page)
    [wall] = [line for line in page.splitlines() if line.startswith("  wall clock")]
    assert (wall.count(" UTC"), clocks.count(" UTC")) == (2, 2)
    assert set(clocks) == {" UTC", " EST"}


def test_show_is_a_page_for_a_person(stack: Stack, paper_run: str) -> None:
    said = openbell("runs", "show", paper_run)
    assert (said.code, said.err) == (0, "")
    for part in ("momentum: done, paper", "Checks", "all 23 passed", "Order AAPL", "FILLED",
                 "Where to look further", "celery -A worker result", "key:paper"):  # fmt: skip
        assert part in said.out
    assert ACCOUNT not in said.out
    assert max(len(line) for line in said.out.splitlines()) <= 100


def test_a_run_is_found_by_a_beginning_of_its_id_and_by_last(stack: Stack, paper_run: str) -> None:
    newest = stack.services.runs.recent(1)[0].run_id
    assert read(openbell("runs", "show", "last", "--json"))["run_id"] == newest
    assert read(openbell("runs", "show", paper_run[:-3], "--json"))["run_id"] == paper_run


def test_logs_are_the_runs_own_lines_from_every_worker(stack: Stack, paper_run: str) -> None:
    said = openbell("runs", "logs", paper_run, "--json")
    assert said.code == 0
    lines = [json.loads(line) for line in said.out.splitlines()]
    assert {line["run_id"] for line in lines} == {paper_run}
    begun = [line["step"] for line in lines if line["event"] == "step_began"]
    assert list(dict.fromkeys(begun)) == [step["step"] for step in _steps(paper_run)]
    assert ACCOUNT not in said.out
    one = openbell("runs", "logs", paper_run, "--step", "place_orders")
    assert "order_sent" in one.out
    assert all(re.match(r"[\d:.]{12} UTC  ", line) for line in one.out.splitlines())
    assert "start_tracking" not in one.out


def test_lists_agree_with_the_journal(stack: Stack, paper_run: str) -> None:
    rows = read(openbell("runs", "list", "--limit", "100", "--json"))
    assert [row["run_id"] for row in rows] == [
        row.run_id for row in stack.services.runs.recent(100)
    ]
    assert read(openbell("runs", "list", "--strategy", "momentum", "--limit", "1", "--json"))
    assert read(openbell("runs", "list", "--strategy", "77", "--json")) == []
    orders = read(openbell("orders", "list", "--run", paper_run, "--json"))
    assert [order["coid"] for order in orders] == [
        order.intent.coid for order in stack.orders(paper_run)
    ]
    assert "account_id" not in orders[0]
    assert orders[0]["account"] == "DU9…01"
    assert read(openbell("orders", "list", "--open", "--json")) == []
    for command in (("runs", "list"), ("orders", "list"), ("strategies", "list")):
        said = openbell(*command)
        assert (said.code, said.err) == (0, "")
        assert max(len(line) for line in said.out.splitlines()) <= 100


def test_positions_stand_beside_the_accounts_own(stack: Stack, paper_run: str) -> None:
    found = read(openbell("positions", "--json"))
    [order] = stack.orders(paper_run)
    [owned] = [row for row in found["owned"] if row["symbol"] == "AAPL"]
    held = {row["symbol"]: row["quantity"] for row in found["held"]}
    assert owned["quantity"] == str(order.filled_quantity)
    assert held["AAPL"] == stack.sandbox.position("AAPL")
    assert ACCOUNT not in json.dumps(found)
    page = openbell("positions").out
    assert "1 momentum" in page
    assert re.search(r"AAPL +no strategy's +100 +unknown ", page)
    [ibm] = [row for row in found["held"] if row["symbol"] == "IBM"]
    cost = f"{Decimal(ibm['average_cost']):,.2f}"
    assert re.search(rf"IBM +no strategy's +50 +{cost} ", page)
    assert "unknown: the broker did not say; of a shared position it knows one" in page


def test_doctor_looks_at_every_part(stack: Stack) -> None:
    said = openbell("doctor", "--json")
    found = json.loads(said.out)
    verdicts = {finding["part"]: finding["verdict"] for finding in found["findings"]}
    assert verdicts == {
        "configuration": "ok", "strategies": "ok", "calendar": "ok", "journal": "ok",
        "store": "ok", "redis": "ok", "workers": "ok", "beat": "problem", "mlflow": "ok",
        "model": "ok", "alerts": "ok", "gateway": "ok", "certificate": "ok", "login": "ok",
        "account": "ok", "sandbox": "ok", "market data": "ok",
    }  # fmt: skip
    assert (said.code, found["ok"]) == (1, False)
    [workers] = [each for each in found["findings"] if each["part"] == "workers"]
    assert all(f"{queue}: " in workers["sentence"] for queue in every_queue())
    assert ACCOUNT not in said.out
    assert stack.valkey.password not in said.out


def test_doctor_hears_beat_and_finds_nothing_wrong(stack: Stack) -> None:
    beat = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "worker", "beat", "--pidfile="],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        stack.wait_for(lambda: bool(beats()), "Beat answers")
        said = openbell("doctor")
    finally:
        beat.terminate()
        beat.wait(20)
    assert (said.code, said.err) == (0, ""), said.out
    assert said.out.endswith("nothing is wrong\n")


def _is_success(stack: Stack, key: str) -> bool:
    """Celery keeps a step's result a moment after the journal does."""
    kept = stack.redis.get(key)
    return kept is not None and json.loads(str(kept))["status"] == "SUCCESS"


def _steps(run_id: str) -> list[dict[str, Any]]:
    return list(read(openbell("runs", "show", run_id, "--json"))["steps"])


def on_a_terminal(*arguments: str) -> str:
    """What a command writes to a terminal of 100 columns."""
    inside, outside = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "scripts.cli", *arguments],
        stdin=subprocess.DEVNULL, stdout=outside, stderr=outside,
        env=os.environ | {"COLUMNS": "100", "LINES": "40", "TERM": "xterm-256color"},
    )  # fmt: skip
    os.close(outside)
    shown, end = b"", monotonic() + PATIENCE_SECONDS
    with open(inside, "rb", buffering=0) as terminal:
        while monotonic() < end:
            if not select.select([terminal], [], [], 1.0)[0]:
                continue
            try:
                chunk = terminal.read(65536)
            except OSError:  # Linux: the other side is closed
                break
            if not chunk:
                break
            shown += chunk
    assert process.wait(PATIENCE_SECONDS) == 0, shown.decode()
    return shown.decode()
