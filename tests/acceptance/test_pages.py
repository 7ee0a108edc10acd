"""`openbell up --sandbox` in one terminal, a second one beside it, and a real browser."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.support.programs import Program
from worker.running_set import read_env_file
from worker.settings import PROJECT_ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.needs_browser, pytest.mark.timeout(400)]
STEPS = (
    "start_tracking", "validate_environment", "check_market_open", "check_ibkr_auth",
    "fetch_market_data", "generate_signal", "place_orders", "end_tracking", "cleanup",
)  # fmt: skip


class Second:
    """A second terminal: only the home is known to it."""

    def __init__(self, home: Path) -> None:
        self._environment = {**os.environ, "OPENBELL_HOME": str(home)}
        self.told = read_env_file(home / "run" / "env")

    def openbell(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return self.run(sys.executable, "-m", "scripts.cli", *arguments)

    def run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command, cwd=PROJECT_ROOT, env=self._environment, capture_output=True, text=True,
            timeout=180,
        )  # fmt: skip


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Second]:
    folder = tmp_path_factory.mktemp("up")
    up = Program(folder, "-m", "scripts.up", "--sandbox", "--at", "2013-02-27T10:00:00")
    try:
        up.wait_for(r"Ctrl-C")
        yield Second(folder / "home")
    finally:
        up.close()


def triggered(second: Second, *arguments: str) -> dict[str, Any]:
    done = second.openbell("trigger", "1", "--follow", "--json", *arguments)
    assert done.returncode == 0, done.stderr
    story: dict[str, Any] = json.loads(done.stdout)
    return story


def test_flower_lists_the_nine_tasks_of_a_chain_behind_its_login(
    second: Second, browser: "Browser"
) -> None:
    from playwright.sync_api import expect

    run_id = triggered(second, "--dry-run")["run_id"]
    url = second.told["OPENBELL_FLOWER_URL"]
    assert httpx.get(url, trust_env=False).status_code == 401
    login = ("openbell", second.told["OPENBELL_FLOWER_PASSWORD"])
    tasks = httpx.get(f"{url}/api/tasks", auth=login, trust_env=False).json().values()
    mine = {each["name"] for each in tasks if run_id in str(each["args"]) + str(each["result"])}
    assert mine == {f"tasks.{name}" for name in STEPS}
    page = browser.new_page(http_credentials={"username": login[0], "password": login[1]})
    page.goto(f"{url}/tasks")
    for name in STEPS:
        expect(page.get_by_text(f"tasks.{name}", exact=True).first).to_be_visible()
    page.close()


def test_mlflow_shows_the_run_with_metrics_and_chart(second: Second, browser: "Browser") -> None:
    from playwright.sync_api import expect

    story = triggered(second, "--no-dry-run")
    assert story["tracking"]["run_id"] in story["tracking_url"]
    page = browser.new_page()
    page.goto(story["tracking_url"])
    expect(page.get_by_text(story["run_id"]).first).to_be_visible(timeout=30_000)
    page.get_by_text("Model metrics", exact=True).click()
    expect(page.get_by_text("filled", exact=False).first).to_be_visible(timeout=30_000)
    page.goto(page.url.removesuffix("model-metrics") + "artifacts/charts/GOOGL.png")
    expect(page.locator("img[src^='blob:']").first).to_be_visible(timeout=30_000)
    page.close()


def test_celery_and_redis_show_a_readable_result(second: Second) -> None:
    story = triggered(second, "--dry-run")
    (task_id,) = [t["task_id"] for t in story["tasks"] if t["step"] == "place_orders"]
    done = second.run(sys.executable, "-m", "celery", "-A", "worker", "result", task_id)
    assert done.returncode == 0, done.stderr
    assert story["run_id"] in done.stdout
    assert str(urlsplit(second.told["OPENBELL_REDIS_URL"]).password) not in done.stdout
