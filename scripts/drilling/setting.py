"""Where a drill takes place: its home, its configuration, its strategies, its parts."""

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from scripts.drilling.plan import STRATEGIES
from scripts.parts.apart import apart, become
from scripts.parts.celery_parts import POOLS, beat_part, worker_parts
from scripts.parts.embedded import EmbeddedSet
from scripts.parts.part import Part
from scripts.parts.ports import Ports
from scripts.parts.practice import Practice
from scripts.parts.sandbox_server import SandboxServer
from scripts.parts.valkey import Valkey
from worker.market.calendar import ExchangeCalendar
from worker.settings import PROJECT_ROOT, load_settings

# Eleven months of prices lie ahead: the first session of the drill is the one after this.
BEFORE_THE_FIRST = datetime(2012, 4, 1, tzinfo=UTC)
AFTER_THE_OPEN = timedelta(minutes=5)
TIMEOUT_SECONDS = 4
# A stopped process of the orders' pool must not stop the others.
DRILL_POOLS = {**POOLS, "orders": ("prefork", 3)}
SYMBOLS_OF: dict[int, tuple[str, ...]] = {
    1: ("AAPL", "GOOGL"),
    2: ("GOOGL", "MSFT"),
    3: ("AAPL", "MSFT"),
    4: ("AAPL", "GOOGL", "MSFT"),
    5: ("AAPL", "GOOGL", "MSFT"),
    6: ("GOOGL",),
    7: ("AAPL", "MSFT"),
    8: ("GOOGL", "MSFT"),
}
SYMBOLS = tuple(sorted({symbol for symbols in SYMBOLS_OF.values() for symbol in symbols}))
# What a person would wait minutes for, a drill has in seconds. The rest is as it is delivered.
CHANGES: dict[str, Any] = {
    "queues": {
        "visibility_timeout": "2m", "longest_hop": "15s", "lease": "6s", "step_deadline": "60s",
    },
    "upkeep": [
        {"task": "tasks.recover_runs", "every": "5s"},
        {"task": "tasks.reconcile_orders", "every": "6s"},
        {"task": "tasks.keep_session", "every": "20s"},
    ],
    "ibkr": {"timeout_seconds": TIMEOUT_SECONDS, "requests_per_second": 10},
    "mlflow": {"enabled": False},
}  # fmt: skip


@dataclass(frozen=True)
class Setting:
    """The parts are made anew for each day of the market; the addresses stay."""

    home: Path
    valkey: Valkey
    sandbox_port: int
    environment: dict[str, str]
    calendar: ExchangeCalendar

    @property
    def checkpoints(self) -> Path:
        return self.home / "state" / "checkpoints"

    def day_after(self, moment: datetime) -> datetime:
        """Shortly after the next open."""
        return self.calendar.next_hours(moment).opens_at + AFTER_THE_OPEN

    def parts(self, at: datetime) -> EmbeddedSet:
        """The set with its market clock at `at`; its home is as the last one left it."""
        sandbox = _sandbox(self.home, self.sandbox_port, at)
        sandbox.clock.unlink(missing_ok=True)
        valkey = Part(
            name="valkey",
            command=self.valkey.prepare(),
            ready=self.valkey.answers,
            foundation=True,
        )
        foundations = ("valkey", "sandbox")
        parts = (
            valkey,
            sandbox.part((valkey.name,)),
            *worker_parts(self.valkey.url, foundations, DRILL_POOLS),
            beat_part(foundations),
        )
        told = _told(self.valkey, sandbox)
        return EmbeddedSet(self.home, parts, told, self.environment, sandbox)


def set_the_stage(home: Path, ports: Ports) -> Setting:
    """Write the drill's own configuration and strategies into its home. From here on this process's
    environment is the drill's."""
    own = _write_configuration(home)
    given = apart(home, own)
    settings = load_settings(given)
    market = settings.market
    calendar = ExchangeCalendar(
        market.calendar, market.trading_days, settings.config_dir / market.overrides
    )
    valkey, port = Valkey(home / "state" / "valkey", ports.take()), ports.take()
    told = _told(valkey, _sandbox(home, port, BEFORE_THE_FIRST))
    environment = {**given, **told, "PYTHONUNBUFFERED": "1"}
    become(environment)
    return Setting(home, valkey, port, environment, calendar)


def _sandbox(home: Path, port: int, at: datetime) -> SandboxServer:
    return SandboxServer(home, port, Practice(at, begin=lambda: at))


def _told(valkey: Valkey, sandbox: SandboxServer) -> dict[str, str]:
    return {"OPENBELL_REDIS_URL": valkey.url, **sandbox.told()}


def _write_configuration(home: Path) -> dict[str, str]:
    """The variables that lead to it."""
    config, checkpoints = home / "config", home / "state" / "checkpoints"
    shutil.copytree(PROJECT_ROOT / "config", config)
    _change(config / "trading_workflow.yaml")
    shutil.rmtree(config / "strategies")
    (config / "strategies").mkdir()
    for strategy_id in STRATEGIES:
        path = config / "strategies" / f"{strategy_id}.yaml"
        path.write_text(yaml.safe_dump(strategy(strategy_id), sort_keys=False))
    checkpoints.mkdir(parents=True)
    return {
        "OPENBELL_CONFIG": str(config / "trading_workflow.yaml"),
        "OPENBELL_CHECKPOINTS": str(checkpoints),
    }


def strategy(strategy_id: int) -> dict[str, Any]:
    """One of several that trade the same few symbols: small, impatient, on paper."""
    return {
        "id": strategy_id,
        "name": f"drill-{strategy_id}",
        "symbols": list(SYMBOLS_OF[strategy_id]),
        "when_closed": "wait",
        "market": {"not_before_open": "0s", "max_wait": "72h"},
        "signal": {"analyst": "model"},
        "sizing": {"method": "fixed_quantity", "quantity": 4 + strategy_id},
        "order": {"good_for": "8s"},
        "dry_run": False,
    }


def _change(path: Path) -> None:
    data = yaml.safe_load(path.read_text())
    for section, values in CHANGES.items():
        data[section] = {**data[section], **values} if isinstance(values, dict) else values
    path.write_text(yaml.safe_dump(data, sort_keys=False))
