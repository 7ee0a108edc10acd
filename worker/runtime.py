"""The composition root: settings become services, once a process, made after fork.

Every part is made when it is first asked for, so a step pays for what it uses and no more.
"""

import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import httpx
import redis
import structlog

from worker.alerts import Alerts, AppriseAlerts, ConsoleAlerts, Severity
from worker.checkpoints import Checkpoints, DrillCheckpoints, NoCheckpoints
from worker.clock import Clock, ReplayClock, SystemClock
from worker.errors import ConfigurationError, Unreachable
from worker.fencing import held_fence
from worker.http import OneConnection, make_client
from worker.ibkr.answers import QuestionPolicy
from worker.ibkr.client import GatewayReader
from worker.ibkr.gateway import Gateway
from worker.ibkr.orders import GatewayTrader
from worker.ibkr.pacing import RedisLimiter
from worker.ibkr.proof import prove_sandbox
from worker.ibkr.reads import OrderReader
from worker.joined.accounting import Accounting
from worker.joined.broker import Broker
from worker.joined.decisions import Decisions, Sources
from worker.joined.desks import Desk, OrderDesk, PreviewDesk, Tools
from worker.joined.environment import Environment
from worker.joined.market_reader import MarketReader
from worker.joined.reconciling import Reconciling
from worker.joined.recorder import Recorder
from worker.journal.adjustments import AdjustmentBook
from worker.journal.beacons import BeaconBook
from worker.journal.engine import Journal
from worker.journal.foreign import ForeignBook
from worker.journal.locks import LockBook
from worker.journal.orders import OrderBook
from worker.journal.runs import RunBook
from worker.journal.states import StateBook
from worker.journal.steps import StepBook
from worker.lazy import lazy
from worker.market.calendar import ExchangeCalendar
from worker.market.indicators import indicators_of
from worker.models.order import OrderRecord
from worker.models.run import Run
from worker.models.strategy import Mode, SignalRules, Strategy
from worker.modes import mode_of
from worker.orders.conversation import Conversation
from worker.orders.following import Following
from worker.orders.sending import Sending
from worker.questions import read_questions
from worker.retry import Retry, RetryPolicy
from worker.risk.figures import Limits
from worker.schedule.strategies import StrategyFiles
from worker.settings import Settings, load_settings
from worker.signals.model import ModelAnalyst
from worker.signals.rules import RulesAnalyst
from worker.store import Store, open_store
from worker.tracking import MlflowTracking, NullTracking, Tracking

PROOF_PATIENCE_SECONDS = 30.0
# Longer than an upkeep takes; whoever dies at it holds it up for so long.
UPKEEP_LEASE = timedelta(seconds=60)
log = structlog.get_logger(__name__)


class Services:
    """Everything that steps and commands work with."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def close(self) -> None:
        """End the connections of what was made."""
        for name in ("gateway", "_model_client", "redis", "journal"):
            if name in vars(self):
                vars(self)[name].close()

    # What the program is made of

    @lazy
    def clock(self) -> Clock:
        path = self.settings.replay_clock
        return SystemClock() if path is None else ReplayClock.from_file(path)

    @lazy
    def checkpoints(self) -> Checkpoints:
        folder = self.settings.checkpoints
        return NoCheckpoints() if folder is None else DrillCheckpoints(folder)

    @lazy
    def redis(self) -> "redis.Redis":
        url = self.settings.redis_url.get_secret_value()
        return redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5)

    @lazy
    def journal(self) -> Journal:
        return Journal(self.settings.journal_url)

    @lazy
    def store(self) -> Store:
        return open_store(self.settings.store_address, self.settings.mlflow.s3_endpoint_url)

    @lazy
    def alerts(self) -> Alerts:
        by_severity: dict[Severity, list[str]] = {
            severity: [
                secret.get_secret_value() for secret in getattr(self.settings.alerts, severity)
            ]
            for severity in ("info", "warning", "critical")
        }
        return AppriseAlerts(by_severity) if any(by_severity.values()) else ConsoleAlerts()

    @lazy
    def calendar(self) -> ExchangeCalendar:
        market = self.settings.market
        overrides = self.settings.config_dir / market.overrides
        return ExchangeCalendar(market.calendar, market.trading_days, overrides)

    @lazy
    def strategies(self) -> StrategyFiles:
        return StrategyFiles(self.settings.strategies_folder)

    # The journal's books

    @lazy
    def runs(self) -> RunBook:
        return RunBook(self.journal, self.clock)

    @lazy
    def steps(self) -> StepBook:
        return StepBook(self.journal, self.clock, self.settings.queues.lease)

    @lazy
    def orders(self) -> OrderBook:
        return OrderBook(self.journal, self.clock, self.account_id)

    @lazy
    def foreign(self) -> ForeignBook:
        return ForeignBook(self.journal, self.clock, self.account_id)

    @lazy
    def adjustments(self) -> AdjustmentBook:
        return AdjustmentBook(self.journal, self.clock, self.account_id)

    @lazy
    def beacons(self) -> BeaconBook:
        return BeaconBook(self.journal, self.clock)

    # The broker

    @property
    def account_id(self) -> str:
        return self.settings.ibkr.account_id or ""

    @lazy
    def gateway(self) -> Gateway:
        ibkr = self.settings.ibkr
        client = make_client(ibkr.base_url, tls=ibkr.tls, timeout_seconds=ibkr.timeout_seconds)
        limiter = RedisLimiter(self.redis, ibkr.requests_per_second, self.clock, ibkr.base_url)
        return Gateway(client, limiter, self.retry("broker_read", self.settings.retry.broker_read))

    @lazy
    def reader(self) -> GatewayReader:
        wait = self.settings.ibkr.quote_wait_seconds
        return GatewayReader(self.gateway, self.account_id, self.clock, wait)

    @lazy
    def order_reads(self) -> OrderReader:
        return OrderReader(self.reader, self.account_id)

    @lazy
    def trader(self) -> GatewayTrader:
        """Orders go to a server that proves to be the sandbox, and to no other."""
        ibkr = self.settings.ibkr
        return GatewayTrader(
            self.gateway,
            connect=lambda: OneConnection(
                ibkr.base_url, tls=ibkr.tls, timeout_seconds=ibkr.timeout_seconds
            ),
            prove=lambda client: prove_sandbox(client, self.settings.secret_of_sandbox()),
            questions=QuestionPolicy(read_questions(self.settings.config_dir / "questions.yaml")),
            reach=self.checkpoints.reach,
        )

    @lazy
    def broker(self) -> Broker:
        return Broker(self.reader, self.account_id, self.clock)

    @lazy
    def accounting(self) -> Accounting:
        return Accounting(
            self.foreign,
            self.orders,
            self.order_reads,
            self.reader.positions,
            self.clock,
            lambda key, title, text: self.tell_once("critical", key, title, text),
            self.forget,
        )

    @lazy
    def market_reader(self) -> MarketReader:
        return MarketReader(self.reader, self.store)

    # What the steps do their work with

    @lazy
    def environment(self) -> Environment:
        return Environment(self.settings, self.journal, self.redis, self.store.probe)

    @lazy
    def tracking(self) -> Tracking:
        mlflow = self.settings.mlflow
        if not mlflow.enabled or not mlflow.tracking_uri:
            return NullTracking()
        return MlflowTracking(
            mlflow.tracking_uri, mlflow.experiment, self.clock, mlflow.s3_endpoint_url
        )

    @lazy
    def recorder(self) -> Recorder:
        return Recorder(self.steps, self.orders, self.store)

    def analyst(self, rules: SignalRules) -> RulesAnalyst | ModelAnalyst:
        """The analyst that a strategy asks for."""
        if rules.analyst == "rules":
            return RulesAnalyst(indicators_of)
        signal = self.settings.signal
        if not signal.base_url:
            raise ConfigurationError(
                "no language model is configured; set OPENBELL_SIGNAL__BASE_URL"
            )
        prompt = self.settings.config_dir / "prompts" / f"{rules.prompt}.md"
        try:
            text = prompt.read_text(encoding="utf-8")
        except OSError:
            raise ConfigurationError(
                f"{prompt} cannot be read; check the strategy's signal.prompt"
            ) from None
        return ModelAnalyst(
            client=self._model_client,
            provider=httpx.URL(signal.base_url).host,
            model=rules.model or signal.model,
            prompt=text,
            store=self.store,
            attempt=self.retry("model", self.settings.retry.model),
            indicators_of=indicators_of,
        )

    def desk(self, run: Run) -> Desk:
        """The running step's desk: a dry run's has nothing that could send an order."""
        tools = Tools(
            held_fence(), self._decisions(), self.orders, self.store, self._conversation, self.clock
        )
        if run.mode == "dry":
            return PreviewDesk(tools, self.order_reads.preview)
        reach = self.checkpoints.reach
        sending = Sending(self.orders, self.trader, self.clock, self._alarm, reach)
        return OrderDesk(tools, sending, self._following, self._account_is_known, reach)

    def reconcile(self) -> dict[str, int]:
        """Follow every open order whose run does so no longer; what was looked at and moved."""
        return Reconciling(
            self.orders, self.runs, self.steps, self._following, self.accounting, self.clock
        ).once()

    def _account_is_known(self) -> bool:
        """After a start, and every now and then, nothing is sent before the account was looked at:
        what a run left behind is settled, what is foreign is known."""
        if not self.accounting.is_current():
            self.reconcile()
        return self.accounting.is_current()

    def cancel_order(self, order: OrderRecord, why: str) -> None:
        """Ask the broker once to cancel it, as `Following.ask_to_cancel` does and raises."""
        self._following.ask_to_cancel(order, why)

    def may_ask_to_cancel(self, order: OrderRecord) -> bool:
        """False for a moment after somebody asked."""
        return self._following.may_ask(order)

    # Small things

    def retry(self, name: str, policy: RetryPolicy) -> Retry:
        return Retry(name, policy, self.clock.sleep)

    def mode_of(self, strategy: Strategy, dry_run_wish: bool | None) -> Mode:
        return mode_of(self.settings.mode, strategy.dry_run, dry_run_wish)

    def local(self, moment: datetime) -> str:
        """A moment as the exchange's clock shows it."""
        return moment.astimezone(self.calendar.zone).strftime("%Y-%m-%d %H:%M:%S %Z")

    def tell_once(self, severity: Severity, key: str, title: str, text: str) -> None:
        """Alert a person, and not again until `forget(key)`.

        Sent before it is noted as told: whoever dies in between has a person told twice.
        """
        if not self.beacons.is_lit(f"told:{key}"):
            reached = self.alerts.send(severity, title, text)
            if reached:
                self.beacons.light(f"told:{key}", {"title": title})

    def forget(self, key: str) -> None:
        if self.beacons.is_lit(f"told:{key}"):
            self.beacons.put_out(f"told:{key}")

    @contextmanager
    def turn(self, upkeep: str, lease: timedelta = UPKEEP_LEASE) -> Iterator[bool]:
        """Is it this process's turn at an upkeep that needs to be done by one alone? False, at
        once, while another is at it."""
        locks = LockBook(self.journal, self.clock)
        name, holder = f"upkeep:{upkeep}", uuid.uuid4().hex
        held = locks.acquire(name, holder, 0, lease)
        if held is None:
            locks.give_up(name, holder)
        try:
            yield held is not None
        finally:
            if held is not None:
                locks.release(held)

    @lazy
    def _model_client(self) -> httpx.Client:
        signal = self.settings.signal
        key = signal.api_key.get_secret_value() if signal.api_key else None
        return make_client(
            signal.base_url or "",
            tls=signal.tls,
            timeout_seconds=signal.timeout_seconds,
            headers={"Authorization": f"Bearer {key}"} if key else None,
        )

    @lazy
    def _conversation(self) -> Conversation:
        return Conversation(LockBook(self.journal, self.clock), self.account_id, self.clock)

    @lazy
    def _following(self) -> Following:
        return Following(
            self.orders, self.order_reads, self.trader, self.foreign, self._conversation,
            self.clock, self._alarm,
        )  # fmt: skip

    def _decisions(self) -> Decisions:
        risk = self.settings.risk
        limits = Limits.model_validate({name: getattr(risk, name) for name in Limits.model_fields})
        sources = Sources(
            self.reader, self.order_reads.live_orders, self.orders, StateBook(self.journal),
            self.calendar, self.strategies.by_id, self.settings.mode,
            self.broker.hours_disagreement, self.foreign.expected,
        )  # fmt: skip
        return Decisions(sources, limits, self.clock)

    def _alarm(self, order: OrderRecord, why: str) -> None:
        intent = order.intent
        self.tell_once(
            "critical",
            f"unknown:{intent.coid}",
            f"What became of an order in {intent.symbol} is not known",
            f"{intent.side} {intent.quantity} {intent.symbol} at {intent.limit_price}, client "
            f"order id {intent.coid}: {why}. Nothing is sent for {intent.symbol} until it is "
            "settled. Look for the id among the broker's orders and trades; what you find settles "
            f"it: `openbell orders resolve {intent.coid} --help`.",
        )


_made: dict[str, Any] = {}
_making = threading.RLock()


def settings() -> Settings:
    """This process's settings, read once. Raises ConfigurationError."""
    made: Settings = _once("settings", load_settings)
    return made


def services() -> Services:
    """This process's services. Connections are made when first used, after any fork."""
    made: Services = _once("services", lambda: Services(settings()))
    return made


def reset_services() -> None:
    """Forget what was made: after a fork, and between tests."""
    with _making:
        made = _made.pop("services", None)
        if made is not None:
            made.close()
        _made.clear()


def prove_replay_clock() -> None:
    """Replayed time and a drill's checkpoints are for the sandbox alone. Raises NotProved, or
    Unreachable after 30 s. Nothing to prove without either.
    """
    s = services()
    if s.settings.replay_clock is None and s.settings.checkpoints is None:
        return
    wall, ibkr = SystemClock(), s.settings.ibkr
    end = wall.wall_now() + timedelta(seconds=PROOF_PATIENCE_SECONDS)
    while True:
        client = make_client(ibkr.base_url, tls=ibkr.tls, timeout_seconds=5)
        try:
            prove_sandbox(client, s.settings.secret_of_sandbox())
            return
        except Unreachable:
            if wall.wall_now() > end:
                raise
            wall.sleep(0.5)
        finally:
            client.close()


def _once(name: str, make: Callable[[], Any]) -> Any:
    with _making:
        if name not in _made:
            _made[name] = make()
        return _made[name]
