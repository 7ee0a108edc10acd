"""Configuration refuses to start when it is wrong, in one sentence that says what to mend."""

from pathlib import Path

import certifi
import pytest

from tests.support.sandbox import ACCOUNT
from worker.errors import ConfigurationError
from worker.settings import CERTIFIED, PROJECT_ROOT, load_settings

SHIPPED = PROJECT_ROOT / "config" / "trading_workflow.yaml"


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    return {"OPENBELL_HOME": str(tmp_path / "home")}


def refusal(environ: dict[str, str]) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(environ)
    return caught.value.sentence


def test_the_shipped_file_loads_and_is_dry(home: dict[str, str]) -> None:
    settings = load_settings(home)
    assert settings.mode == "dry"
    assert settings.journal_url == f"sqlite:///{home['OPENBELL_HOME']}/state/journal.db"


def test_the_shipped_file_names_every_key_once(home: dict[str, str]) -> None:
    import yaml

    given = yaml.safe_load(SHIPPED.read_text())
    settings = load_settings(home)
    internal = {"home", "config_dir", "sandbox_secret"}
    assert set(given) == set(type(settings).model_fields) - internal
    for name in ("ibkr", "market", "mlflow", "risk", "logging", "queues", "schedule"):
        section = getattr(settings, name)
        assert set(given[name]) == set(type(section).model_fields), name
    assert set(given["signal"]) == set(type(settings.signal).model_fields) - {"api_key"}


def test_an_environment_variable_overrides_a_nested_key(home: dict[str, str]) -> None:
    settings = load_settings(home | {"OPENBELL_IBKR__ACCOUNT_ID": "DU1234567"})
    assert settings.ibkr.account_id == "DU1234567"
    assert "DU1234567" not in repr(settings)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mode: live\n", "line 1, key mode: live trading is not open"),
        ("mode: dry\nmodes: 1\n", "line 2, key modes: this key is not known"),
        ("ibkr:\n  timeout_seconds: soon\n", "line 2, key ibkr.timeout_seconds: "),
        ("mode: dry\nmode: dry\n", "line 2, key mode: this key stands twice"),
        ("market:\n  calendar: [\n", "this is not YAML"),
        ("- 1\n", "line 1: write keys and values"),
        ("queues: {longest_hop: 40m}\n", "key queues: longest_hop is at most a third"),
        ("queues: {lease: 30}\n", "key queues.lease: write a duration as a whole number"),
        ("signal: {api_key: sk-1}\n", "secrets come from the environment"),
        ("ibkr: {base_url: 'http://example.com'}\n", "key ibkr.base_url: write an https://"),
        ("ibkr: {base_url: 'https://[bad'}\n", "key ibkr.base_url: write an https://"),
        ("mode: papr\n", "line 1, key mode: write 'dry' or 'paper'"),
        ("risk: {allowed_symbols: AAPL}\n", "key risk.allowed_symbols: write a list, such as"),
        ("queues: {attempts: true}\n", "key queues.attempts: write a number, not a truth value"),
        ("ibkr: {timeout_seconds: .inf}\n", "key ibkr.timeout_seconds: write a number"),
        ("mlflow: {enabled: off}\n", "line 1, key mlflow.enabled: YAML reads off as a truth value"),
        ("ibkr: {account_id: du1234567}\n", "write the account as IBKR does, such as DU1234567"),
        ("ibkr: {account_id: 1234567}\n", "key ibkr.account_id: write text, in quotes"),
    ],
)
def test_a_wrong_file_is_refused_with_line_key_and_fix(
    home: dict[str, str], tmp_path: Path, text: str, expected: str
) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(text)
    sentence = refusal(home | {"OPENBELL_CONFIG": str(file)})
    assert str(file) in sentence
    assert expected in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize(
    "account", [ACCOUNT, "DU1234567", "U1234567", "F12345", "DF123456", "I123456", "DI1234567"]
)
def test_an_account_of_each_kind_is_taken(home: dict[str, str], account: str) -> None:
    assert load_settings(home | {"OPENBELL_IBKR__ACCOUNT_ID": account}).ibkr.account_id == account


@pytest.mark.parametrize("account", ["U123", "DU12345678X", "X1234567", "DU1234567 ", "DU_1234567"])
def test_what_is_no_account_is_refused_and_not_repeated(home: dict[str, str], account: str) -> None:
    sentence = refusal(home | {"OPENBELL_IBKR__ACCOUNT_ID": account})
    assert sentence == (
        "environment variable OPENBELL_IBKR__ACCOUNT_ID: "
        "write the account as IBKR does, such as DU1234567"
    )


@pytest.mark.parametrize("section", ["ibkr", "signal"])
def test_an_unverified_server_stands_on_this_machine_alone(
    home: dict[str, str], tmp_path: Path, section: str
) -> None:
    file = tmp_path / "own.yaml"
    chosen = home | {"OPENBELL_CONFIG": str(file)}
    file.write_text(f"{section}: {{base_url: 'https://localhost/v1', tls: {{verify: false}}}}\n")
    assert getattr(load_settings(chosen), section).tls.verify is False
    file.write_text(f"{section}: {{base_url: 'https://example.com/v1', tls: {{verify: false}}}}\n")
    assert refusal(chosen) == (
        f"{file}, line 1, key {section}: tls.verify: false is for loopback addresses alone; "
        "pin a certificate"
    )


@pytest.mark.parametrize("section", CERTIFIED)
@pytest.mark.parametrize("name", ["ca_file", "pinned_certificate"])
@pytest.mark.parametrize(
    ("content", "why"), [(None, "does not exist"), ("no certificate", "is no certificate in PEM")]
)
def test_a_certificate_that_cannot_be_used_is_named_with_its_key(
    home: dict[str, str], tmp_path: Path, section: str, name: str, content: str | None, why: str
) -> None:
    file = tmp_path / "gateway.pem"
    if content is not None:
        file.write_text(content)
    variable = f"OPENBELL_{section.upper()}__TLS__{name.upper()}"
    settings = load_settings(home | {variable: str(file)})
    assert {each: settings.unusable_certificate(each) for each in CERTIFIED} == {
        **dict.fromkeys(CERTIFIED),
        section: f"{file} {why}: export the server's certificate there, or correct the key "
        f"{section}.tls.{name} ({variable})",
    }


def test_a_certificate_that_can_be_used_is_no_trouble(home: dict[str, str]) -> None:
    variable = "OPENBELL_IBKR__TLS__PINNED_CERTIFICATE"
    settings = load_settings(home | {variable: certifi.where()})
    assert settings.unusable_certificate("ibkr") is None


def test_a_list_is_not_taken_from_a_variable_and_that_is_said(home: dict[str, str]) -> None:
    assert refusal(home | {"OPENBELL_RISK__ALLOWED_SYMBOLS": "AAPL"}) == (
        "environment variable OPENBELL_RISK__ALLOWED_SYMBOLS: a variable cannot hold a list or "
        "keys; unset it, and write them in the file"
    )


def test_a_missing_file_is_refused(home: dict[str, str], tmp_path: Path) -> None:
    sentence = refusal(home | {"OPENBELL_CONFIG": str(tmp_path / "none.yaml")})
    assert "does not exist" in sentence


def test_a_wrong_variable_is_refused_by_its_name(home: dict[str, str]) -> None:
    assert refusal(home | {"OPENBELL_MODE": "live"}).startswith(
        "environment variable OPENBELL_MODE"
    )


def write_running_set(home: dict[str, str], pid: int) -> None:
    run = Path(home["OPENBELL_HOME"]) / "run"
    run.mkdir(parents=True)
    (run / "env").write_text(
        f"OPENBELL_SUPERVISOR_PID={pid}\n"
        "OPENBELL_REDIS_URL=redis://127.0.0.1:7777/0\n"
        "OPENBELL_IBKR__BASE_URL=https://127.0.0.1:7778/v1/api\n"
        "OPENBELL_IBKR__ACCOUNT_ID=DU7654321\n"
        "OPENBELL_MODE=paper\n"
    )


def test_a_running_set_fills_what_is_unset(home: dict[str, str]) -> None:
    import os

    write_running_set(home, os.getpid())
    settings = load_settings(home)
    assert settings.redis_url.get_secret_value() == "redis://127.0.0.1:7777/0"
    assert (settings.mode, settings.ibkr.account_id) == ("paper", "DU7654321")


def test_one_gateway_value_set_elsewhere_drops_all_of_the_running_set(
    home: dict[str, str],
) -> None:
    import os

    write_running_set(home, os.getpid())
    settings = load_settings(home | {"OPENBELL_IBKR__BASE_URL": "https://localhost:5000/v1/api"})
    assert (settings.mode, settings.ibkr.account_id) == ("dry", None)
    assert settings.redis_url.get_secret_value() == "redis://127.0.0.1:7777/0"


def test_a_running_set_whose_process_is_gone_is_ignored(home: dict[str, str]) -> None:
    write_running_set(home, 2**22 + 1)
    assert load_settings(home).mode == "dry"
