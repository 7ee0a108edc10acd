"""A run in MLflow: what it was, and how it ended, whichever process ends it."""

from collections.abc import Callable

from scripts.parts.ports import Ports
from tests.support.mlflow_server import MlflowServer
from tests.support.stack import BUY, STRATEGY, Stack
from worker.journal.verify import verify
from worker.models.chain import ChainHead

ONE = STRATEGY | {"symbols": ["MSFT"]}


def tracked(url: str, experiment: str) -> dict[str, str]:
    return {
        "OPENBELL_MLFLOW__ENABLED": "true",
        "OPENBELL_RETRY__BROKER_READ__ATTEMPTS": "1",
        "MLFLOW_TRACKING_URI": url,
        "MLFLOW_EXPERIMENT_NAME": experiment,
    }


def test_a_finished_and_a_failed_run_have_their_true_status_and_story(
    start_stack: Callable[..., Stack], mlflow_server: MlflowServer
) -> None:
    stack = start_stack(strategies=[ONE], environment=tracked(mlflow_server.url, "chain"))
    stack.sandbox.analyst({"MSFT": BUY})
    done = stack.run(dry_run=False)
    refusal = {"action": "answer", "status": 400, "body": "{}", "times": 100}
    stack.sandbox.faults(refusal | {"path": "/iserver/marketdata/history"})
    failed = stack.run(dry_run=False)
    runs = {run.info.run_name: run for run in mlflow_server.runs("chain")}
    assert {name: run.info.status for name, run in runs.items()} == {
        done.run_id: "FINISHED",
        failed.run_id: "FAILED",
    }
    finished = runs[done.run_id]
    assert mlflow_server.artifacts(finished) == [
        "account.json", "answers/MSFT.json", "charts/MSFT.png", "decisions.json",
        "market/MSFT.json", "orders.json", "prompts/MSFT.md", "summary.md",
    ]  # fmt: skip
    assert finished.data.metrics["orders/filled"] == 1
    tags = finished.data.tags
    noted = ChainHead(seq=int(tags["openbell.journal_seq"]), hash=tags["openbell.journal_head"])
    looked = verify(stack.services.journal, stack.services.account_id, noted)
    assert (looked.chains[0].head, looked.findings) == (noted, ())
    assert "fetch_market_data" in runs[failed.run_id].data.tags["mlflow.note.content"]


def test_a_run_trades_on_and_says_so_where_mlflow_refuses(
    start_stack: Callable[..., Stack],
) -> None:
    with Ports() as ports:
        url = f"http://127.0.0.1:{ports.take()}"
        stack = start_stack(strategies=[ONE], environment=tracked(url, "nowhere"))
        stack.sandbox.analyst({"MSFT": BUY})
        row = stack.run(dry_run=False)
    assert (row.outcome, [o.state for o in stack.orders(row.run_id)]) == ("done", ["FILLED"])
    notes = stack.services.steps.last_run(row.run_id).notes
    assert any(note.startswith("not tracked") for note in notes)
