"""What the schema of Compose does not see: the whole set fits together, nothing is left open."""

import ast
import re
import subprocess
import sys
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from scripts.checks.source import ROOT
from scripts.cli import app
from scripts.up import FIRST_MOMENT
from worker.settings import load_settings

COMPOSE = ROOT / "docker-compose.yml"
Service = dict[str, Any]
PREFORK = {"orders", "upkeep", "session"}  # time limits work there alone


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
    return loaded


SERVICES: dict[str, Service] = compose()["services"]
PARTS = pytest.mark.parametrize("name", SERVICES)


def workers() -> dict[str, Service]:
    """The worker of each queue; the command says which."""
    found = {}
    for service in SERVICES.values():
        words = words_of(service)
        if "worker" in words and "-Q" in words:
            found[words[words.index("-Q") + 1]] = service
    return found


def words_of(service: Service) -> list[str]:
    command = service.get("command", "")
    return command.split() if isinstance(command, str) else list(command)


def routed_queues() -> set[str]:
    """The queues of celeryconfig.py, read without running it."""
    for node in ast.parse((ROOT / "celeryconfig.py").read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "task_routes":
            return {route["queue"] for route in ast.literal_eval(node.value).values()}
    raise AssertionError("celeryconfig.py has no task_routes")


def test_the_file_is_what_compose_understands() -> None:
    check = str(Path(sys.executable).parent / "check-jsonschema")
    command = [check, "--builtin-schema", "vendor.compose-spec", str(COMPOSE)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_each_queue_has_one_worker_with_the_right_pool() -> None:
    assert set(workers()) == routed_queues()
    for queue, service in workers().items():
        words = words_of(service)
        pool = "prefork" if queue in PREFORK else "threads"
        assert words[words.index("-P") + 1] == pool
        assert words[words.index("-n") + 1] == f"{queue}@%h"
        assert service["environment"]["QUEUE"] == queue  # whom its health check asks


def test_a_worker_that_is_told_to_stop_may_finish_its_steps() -> None:
    for service in workers().values():
        assert service["environment"]["REMAP_SIGTERM"] == "SIGQUIT"
        assert int(service["stop_grace_period"].removesuffix("s")) > 20


@PARTS
def test_what_a_service_waits_for_exists_and_can_fulfil_the_condition(name: str) -> None:
    for target, wish in SERVICES[name].get("depends_on", {}).items():
        awaited = SERVICES[target]
        if wish["condition"] == "service_healthy":
            assert "healthcheck" in awaited
        if wish["condition"] == "service_completed_successfully":
            assert awaited["restart"].startswith("on-failure")
        if awaited.get("profiles", []) != SERVICES[name].get("profiles", []):
            assert wish.get("required") is False or not awaited.get("profiles")


@pytest.mark.parametrize("name", ["migrate", "sandbox"])
def test_a_command_of_ours_that_a_service_runs_exists(name: str) -> None:
    program, *words = words_of(SERVICES[name])
    named = list(takewhile(lambda word: not word.startswith("-"), words))
    done = CliRunner().invoke(app, [*named, "--help"])
    assert (program, done.exit_code) == ("openbell", 0), done.output


def test_no_services_wait_for_each_other() -> None:
    def awaited(name: str, above: tuple[str, ...] = ()) -> None:
        assert name not in above
        for target in SERVICES[name].get("depends_on", {}):
            awaited(target, (*above, name))

    for name in SERVICES:
        awaited(name)


@PARTS
def test_a_published_port_is_on_loopback(name: str) -> None:
    assert "network_mode" not in SERVICES[name]
    for port in SERVICES[name].get("ports", []):
        assert port.startswith("127.0.0.1:")


@PARTS
def test_an_image_has_a_version_and_a_service_comes_back(name: str) -> None:
    service = SERVICES[name]
    tag = service["image"].partition(":")[2]
    assert re.match(r"\d", tag)
    # One that ends when its work is done need not come back; all others do.
    if name not in ("migrate", "openbell"):
        assert service["restart"] == "unless-stopped"


def test_the_images_version_is_the_projects() -> None:
    version = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert version is not None
    assert f"openbell:{version[1]}" in {service["image"] for service in SERVICES.values()}


@PARTS
def test_a_volume_and_a_file_that_a_service_uses_is_declared(name: str) -> None:
    whole = compose()
    for mount in SERVICES[name].get("volumes", []):
        source = mount.split(":")[0]
        assert source.startswith("./") or source in whole["volumes"]
    for used in SERVICES[name].get("configs", []):
        assert used["source"] in whole["configs"]


def test_the_sandbox_begins_where_up_lets_it() -> None:
    words = words_of(SERVICES["sandbox"])
    assert words[words.index("--at") + 1] == FIRST_MOMENT


def test_every_variable_stands_in_the_example_and_every_secret_must_be_given() -> None:
    text = COMPOSE.read_text()
    example = re.findall(r"^([A-Z]\w*)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert set(re.findall(r"(?<!\$)\$\{(\w+)", text)) == {name for name, _ in example}
    needed = set(re.findall(r"(?<!\$)\$\{(\w+):\?", text))
    secret = {name for name, _ in example if name.endswith(("_PASSWORD", "_SECRET_KEY"))}
    assert needed == secret | {"OPENBELL_IBKR__BASE_URL", "OPENBELL_IBKR__ACCOUNT_ID"}
    assert {value for name, value in example if name in secret} == {""}


EXAMPLE = (ROOT / ".env.example").read_text()
GIVEN = dict(re.findall(r"^([A-Z]\w*)=(.*)$", EXAMPLE, re.MULTILINE))
PRACTICE = GIVEN | dict(re.findall(r"^#([A-Z]\w*)=(.*)$", EXAMPLE, re.MULTILINE))


@pytest.mark.parametrize(("given", "mode"), [(GIVEN, "dry"), (PRACTICE, "paper")])
def test_the_workers_start_on_what_the_example_gives_them(given: dict[str, str], mode: str) -> None:
    def value(found: re.Match[str]) -> str:
        """As Compose fills it in; what must be given is given."""
        return given[found[1]] or ("DU1234567" if found[2] == "?" else "")

    environment = {
        name: re.sub(r"\$\{(\w+):([-?])[^}]*\}", value, text)
        for name, text in compose()["x-environment"].items()
    }
    settings = load_settings(environment)
    assert settings.mode == mode
    password = "DU1234567"  # pragma: allowlist secret
    assert settings.journal_url == f"postgresql://openbell:{password}@postgres:5432/openbell"
    assert settings.store_address == "s3://openbell/store"
    assert settings.mlflow.s3_endpoint_url == "http://objects:8333"


def test_no_password_stands_in_the_file() -> None:
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|API_KEY|AUTH", name):
                assert "${" in value


def test_flower_asks_for_a_login_and_its_api_is_never_open() -> None:
    assert SERVICES["flower"]["environment"]["FLOWER_BASIC_AUTH"].startswith("openbell:${")
    assert "UNAUTHENTICATED" not in COMPOSE.read_text()


def test_the_image_runs_as_a_user_with_a_number_from_the_hashed_lock() -> None:
    lines = (ROOT / "Dockerfile").read_text()
    assert re.search(r"^USER \d{4,}:\d{4,}$", lines, re.MULTILINE)
    assert "--require-hashes -r requirements.lock" in lines
    assert "--no-build-isolation --no-deps -e ." in lines
    copied = re.findall(r"^COPY (.+) \S+$", lines, re.MULTILINE)
    kept = set(re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE))
    assert {source for line in copied for source in line.split()} == kept
