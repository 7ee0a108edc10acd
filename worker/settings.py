"""Configuration, read once: the YAML file, then environment overrides, typed and frozen."""

import os
import ssl
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, StrictBool, field_validator, model_validator

from worker.errors import ConfigurationError
from worker.http import Tls
from worker.models.base import Duration, Number, Real, Value, Whole, matching
from worker.models.strategy import Symbol
from worker.retry import RetryPolicies
from worker.running_set import running_set
from worker.yaml_file import read_yaml, validated

PROJECT_ROOT = Path(__file__).resolve().parent.parent
CERTIFIED = ("ibkr", "signal")  # what speaks TLS with a certificate of its own
Positive = Annotated[Real, Field(gt=0)]
# IBKR's letters and digits (U: live, DU: paper, F and DF: advisors, I and DI: introducing brokers).
# What is of another form would not be recognised, and hidden, in the broker's own words.
AccountId = Annotated[
    str,
    matching(
        "(?:(?:D[A-Z]{1,2}|[UFI])[0-9]{5,})?",  # empty: none, as null is
        "write the account as IBKR does, such as DU1234567",
    ),
]


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:  # such as https://[localhost
        return None


def _require_verified(tls: Tls, base_url: str) -> None:
    """Nobody vouches for a server that is not verified: only on this machine may it stand."""
    if not tls.verify and _host(base_url) not in ("localhost", "127.0.0.1", "::1"):
        raise ValueError("tls.verify: false is for loopback addresses alone; pin a certificate")


class IbkrSettings(Value):
    base_url: str = "https://localhost:5000/v1/api"
    account_id: Annotated[AccountId | None, Field(repr=False)] = None
    tls: Tls = Tls()
    timeout_seconds: Positive = 10.0
    requests_per_second: Annotated[Whole, Field(ge=1, le=10)] = 8
    quote_wait_seconds: Positive = 5.0

    @field_validator("base_url")
    @classmethod
    def _https(cls, value: str) -> str:
        if not value.startswith("https://") or not _host(value):
            raise ValueError("write an https:// address, such as https://localhost:5000/v1/api")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _verified(self) -> "IbkrSettings":
        _require_verified(self.tls, self.base_url)
        return self


class MarketSettings(Value):
    calendar: str = "XNYS"
    trading_days: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] = (
        "mon", "tue", "wed", "thu", "fri",
    )  # fmt: skip
    overrides: str = "calendar_overrides.yaml"


class MlflowSettings(Value):
    enabled: StrictBool = True
    tracking_uri: str | None = None
    experiment: str = "openbell"
    s3_endpoint_url: str | None = None


class SignalSettings(Value):
    """The model analyst's endpoint, OpenAI-compatible. The key comes from the environment."""

    base_url: str | None = None
    model: str = "gpt-4.1-mini"
    api_key: SecretStr | None = None
    timeout_seconds: Positive = 30.0
    tls: Tls = Tls()

    @model_validator(mode="after")
    def _verified(self) -> "SignalSettings":
        if self.base_url is not None:
            _require_verified(self.tls, self.base_url)
        return self


class RiskSettings(Value):
    """The account's limits. A strategy can tighten them, never widen."""

    max_order_value_usd: Annotated[Number, Field(gt=0)] = Decimal(10_000)
    max_position_value_usd: Annotated[Number, Field(gt=0)] = Decimal(25_000)
    allowed_symbols: tuple[Symbol, ...] = ()
    max_collar_bps: Annotated[Number, Field(gt=0)] = Decimal(100)
    max_spread_bps: Annotated[Number, Field(gt=0)] = Decimal(50)
    max_quote_age: Duration = timedelta(seconds=15)
    max_signal_age: Duration = timedelta(minutes=10)
    max_drift_bps: Annotated[Number, Field(gt=0)] = Decimal(150)
    min_confidence: Annotated[Number, Field(ge=0, le=1)] = Decimal("0.55")


class LoggingSettings(Value):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["console", "json"] = "json"


class AlertSettings(Value):
    """Apprise addresses by severity, from the environment; none: the console."""

    critical: tuple[SecretStr, ...] = ()
    warning: tuple[SecretStr, ...] = ()
    info: tuple[SecretStr, ...] = ()

    @field_validator("critical", "warning", "info", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(value.split()) if isinstance(value, str) else value


class QueueSettings(Value):
    """Delivery. A message held longer than the visibility timeout is delivered again."""

    visibility_timeout: Duration = timedelta(hours=1)
    longest_hop: Duration = timedelta(minutes=15)
    lease: Duration = timedelta(seconds=30)
    step_deadline: Duration = timedelta(minutes=10)
    hard_limit_after: Duration = timedelta(seconds=30)
    attempts: Annotated[Whole, Field(ge=1, le=20)] = 5
    retry_after: Duration = timedelta(seconds=5)
    result_expires: Duration = timedelta(days=7)
    show_life_every: Duration = timedelta(seconds=60)

    @model_validator(mode="after")
    def _hop_fits(self) -> "QueueSettings":
        if self.longest_hop * 3 > self.visibility_timeout:
            raise ValueError("longest_hop is at most a third of visibility_timeout")
        if self.step_deadline * 2 > self.visibility_timeout:
            raise ValueError("step_deadline is at most half of visibility_timeout")
        return self


class ScheduleSettings(Value):
    grace: Duration = timedelta(seconds=120)


class UpkeepEntry(Value):
    """A task that Beat sends every `every`, and that expires before the next is sent."""

    task: Literal["tasks.recover_runs", "tasks.reconcile_orders", "tasks.keep_session"]
    every: Duration


class Settings(Value):
    mode: Literal["dry", "paper"] = "dry"
    home: Path = PROJECT_ROOT / "var"
    config_dir: Path = PROJECT_ROOT / "config"
    redis_url: SecretStr = SecretStr("redis://127.0.0.1:6379/0")
    database_url: SecretStr | None = None
    store_url: str | None = None
    replay_clock: Path | None = None
    checkpoints: Path | None = None
    strategies: str = "strategies"
    sandbox_secret: SecretStr | None = None
    ibkr: IbkrSettings = IbkrSettings()
    market: MarketSettings = MarketSettings()
    mlflow: MlflowSettings = MlflowSettings()
    signal: SignalSettings = SignalSettings()
    retry: RetryPolicies = RetryPolicies()
    risk: RiskSettings = RiskSettings()
    logging: LoggingSettings = LoggingSettings()
    alerts: AlertSettings = AlertSettings()
    queues: QueueSettings = QueueSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    upkeep: tuple[UpkeepEntry, ...] = ()

    @field_validator("mode", mode="before")
    @classmethod
    def _not_live_yet(cls, value: Any) -> Any:
        if value == "live":
            raise ValueError("live trading is not open in this version; write dry or paper")
        return value

    @property
    def journal_url(self) -> str:
        """SQLAlchemy's address of the journal; it may hold a password."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.home / 'state' / 'journal.db'}"

    @property
    def strategies_folder(self) -> Path:
        return self.config_dir / self.strategies

    @property
    def store_address(self) -> str:
        return self.store_url or str(self.home / "state" / "store")

    def unusable_certificate(self, section: str) -> str | None:
        """Why the certificate that proves the server of one of CERTIFIED cannot be used, with key
        and fix. Not asked while settings are read: the sandbox makes its own when it starts."""
        tls: Tls = getattr(self, section).tls
        pinned = tls.pinned_certificate is not None
        path = tls.pinned_certificate if pinned else tls.ca_file if tls.verify else None
        why = path and _why_no_certificate(path)
        if not why:
            return None
        name = f"{section}.tls.{'pinned_certificate' if pinned else 'ca_file'}"
        variable = f"OPENBELL_{name.upper().replace('.', '__')}"
        return (
            f"{path} {why}: export the server's certificate there, or correct the key {name} "
            f"({variable})"
        )

    def secret_of_sandbox(self) -> str | None:
        """The shared secret by which the sandbox proves itself; None where there is none."""
        if self.sandbox_secret is not None:
            return self.sandbox_secret.get_secret_value()
        file = self.home / "state" / "sandbox_secret"
        return file.read_text().strip() if file.exists() else None


# Variables with a name of their own; every other key is OPENBELL_ and its path joined by __.
_NAMED = {
    "MLFLOW_TRACKING_URI": ("mlflow", "tracking_uri"),
    "MLFLOW_EXPERIMENT_NAME": ("mlflow", "experiment"),
    "MLFLOW_S3_ENDPOINT_URL": ("mlflow", "s3_endpoint_url"),
}
# Variables with the prefix that are no key of the file.
_NOT_KEYS = {
    "OPENBELL_CONFIG", "OPENBELL_HOME", "OPENBELL_DEBUG",
    "OPENBELL_FLOWER_URL", "OPENBELL_FLOWER_PASSWORD",
}  # fmt: skip
_SECRETS = {("signal", "api_key"), ("sandbox_secret",), ("alerts",)}


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from OPENBELL_CONFIG (default `config/trading_workflow.yaml`), the environment,
    and, where a variable is unset, from the running set in OPENBELL_HOME.

    Raises ConfigurationError: one sentence with file, line, key and fix.
    """
    given = dict(os.environ if environ is None else environ)
    home = Path(given.get("OPENBELL_HOME") or PROJECT_ROOT / "var").expanduser().resolve()
    default = PROJECT_ROOT / "config" / "trading_workflow.yaml"
    path = Path(given.get("OPENBELL_CONFIG") or default).expanduser().resolve()
    data, node = read_yaml(path, "create it or point OPENBELL_CONFIG at your own")
    _refuse_secrets(path, data)
    variables = running_set(home, given) | given
    named = _apply(data, variables)
    data = {"config_dir": path.parent, **data, "home": home}
    return validated(Settings, data, path, node, named)


def _why_no_certificate(path: Path) -> str | None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:  # an OSError of its own
        return "is no certificate in PEM"
    except FileNotFoundError:
        return "does not exist"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return None


def _apply(data: dict[str, Any], variables: Mapping[str, str]) -> dict[tuple[str, ...], str]:
    named: dict[tuple[str, ...], str] = {}
    for name, value in variables.items():
        key: tuple[str, ...]
        if name in _NAMED:
            key = _NAMED[name]
        elif name.startswith("OPENBELL_") and name not in _NOT_KEYS:
            key = tuple(name.removeprefix("OPENBELL_").lower().split("__"))
        else:
            continue
        if value == "":
            continue
        _set(data, key, _plain(value), name)
        named[key] = f"environment variable {name}"
    return named


def _plain(value: str) -> Any:
    """An environment variable is text; only these two words are truth values."""
    return {"true": True, "false": False}.get(value, value)


def _set(data: dict[str, Any], key: tuple[str, ...], value: Any, name: str) -> None:
    for part in key[:-1]:
        child = data.setdefault(part, {})
        if not isinstance(child, dict):
            raise ConfigurationError(f"environment variable {name}: there is no such key")
        data = child
    data[key[-1]] = value


def _refuse_secrets(path: Path, data: Mapping[str, Any]) -> None:
    for key in _SECRETS:
        found: Any = data
        for part in key:
            found = found.get(part) if isinstance(found, Mapping) else None
        if found and any(found.values() if isinstance(found, Mapping) else [found]):
            raise ConfigurationError(
                f"{path}, key {'.'.join(key)}: secrets come from the environment; "
                f"set OPENBELL_{'__'.join(key).upper()} and remove the key"
            )
