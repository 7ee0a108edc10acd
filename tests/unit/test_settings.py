"""Configuration refuses to start when it is wrong, in one sentence that says what to mend."""

from pathlib import Path

import pytest

from worker.errors import ConfigurationError
from worker.settings import PROJECT_ROOT, load_settings

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
