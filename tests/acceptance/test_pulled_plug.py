"""The whole of `openbell up` is killed in the middle of ten paper runs, and started again."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from tests.support.programs import Program, left_of, processes_of
from tests.support.stack import BUY, STRATEGY
from worker.clock import SystemClock, monotonic
from worker.http import Tls, make_client
from worker.running_set import read_env_file
from worker.settings import PROJECT_ROOT

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]
RUNS = 10
SYMBOLS = ("AAPL", "GOOGL", "MSFT")
UP = ("-m", "scripts.up", "--sandbox", "--at", "2013-02-27T10:00:00")
PATIENCE_SECONDS = 420.0


class Home:
    """What a person at a second terminal sees of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"

    def openbell(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "scripts.cli", *arguments],
            cwd=PROJECT_ROOT, env={**os.environ, "OPENBELL_HOME": str(self.home)},
            capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
        return done.stdout

    def read(self, *arguments: str) -> Any:
        return json.loads(self.openbell(*arguments, "--json"))

    def sandbox(self, name: str, wish: Any = None) -> Any:
        told = read_env_file(self.home / "run" / "env")
        address = told["OPENBELL_IBKR__BASE_URL"].removesuffix("/v1/api")
        tls = Tls(pinned_certificate=Path(told["OPENBELL_IBKR__TLS__PINNED_CERTIFICATE"]))
        with make_client(address, tls=tls, timeout_seconds=10) as client:
            path = f"/sandbox/{name}"
            answer = client.get(path) if wish is None else client.post(path, json=wish)
            return answer.raise_for_status().json()


def wait_for(reached: Callable[[], bool], what: str) -> None:
    end = monotonic() + PATIENCE_SECONDS
    while not reached():
        assert monotonic() < end, what
        SystemClock().sleep(0.2)


@pytest.fixture
def strategies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "strategies"
    folder.mkdir()
    for number in range(1, RUNS + 1):
        chosen = STRATEGY | {
            "id": number, "name": f"plug-{number}", "symbols": [SYMBOLS[number % 3]],
            "sizing": {"method": "fixed_quantity", "quantity": 3}, "dry_run": False,
        }  # fmt: skip
        (folder / f"{number:02d}.yaml").write_text(yaml.safe_dump(chosen))
    monkeypatch.setenv("OPENBELL_STRATEGIES", str(folder))


def kill_everything(home: Path) -> None:
    """Pulled plug: all at once, and whatever was started in between as well."""
    while found := processes_of(home):
        for process in found:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(found, timeout=10)


@pytest.mark.usefixtures("strategies")
def test_the_books_are_right_after_everything_was_killed_in_the_middle(tmp_path: Path) -> None:
    home = Home(tmp_path / "up")
    up = Program(home.folder, *UP)
    try:
        up.wait_for("In a second terminal")
        home.sandbox("analyst", dict.fromkeys(SYMBOLS, BUY))
        for number in range(1, RUNS + 1):
            home.openbell("trigger", str(number), "--key", "the-one")
            if len(home.sandbox("book")["orders"]) >= 3:
                break  # so that some are over, some under way, and some still to come
        assert any(row["status"] != "closed" for row in home.read("runs", "list"))
        kill_everything(home.home)
        assert left_of(home.home) == []
        up.ended()
        again = Program(home.folder, *UP[:3])
        try:
            again.wait_for("In a second terminal")
            for number in range(1, RUNS + 1):
                home.openbell("trigger", str(number), "--key", "the-one")
            wait_for(
                lambda: all(row["status"] == "closed" for row in home.read("runs", "list")),
                "every run is over",
            )
            wait_for(lambda: home.read("orders", "list", "--open") == [], "every order is done")
            the_books_are_equal(home)
        finally:
            again.close()
            left_of(home.home)
    finally:
        up.close()


def the_books_are_equal(home: Home) -> None:
    book = home.sandbox("book")
    journal = {order["coid"]: order for order in home.read("orders", "list", "--limit", "100")}
    sent = {coid: order for coid, order in journal.items() if order["state"] != "DENIED"}
    assert Counter(order["cOID"] for order in book["orders"]) == Counter(
        coid for coid, order in sent.items() if order.get("broker_order_id")
    )
    filled = Counter[str]()
    for fill in book["fills"]:
        filled[fill["cOID"]] += int(Decimal(str(fill["quantity"])))
    assert {coid: int(order["filled_quantity"]) for coid, order in sent.items()} == {
        coid: filled[coid] for coid in sent
    }
    runs = home.read("runs", "list")
    assert len(runs) == RUNS
    assert len({(order["run_id"], order["symbol"]) for order in journal.values()}) == len(journal)
    assert home.openbell("journal", "verify").count("chain whole") == 1
