"""Is everything there that a run needs? Each problem is a sentence with its fix."""

from collections.abc import Callable

import redis

from worker.errors import ConfigurationError, OpenbellError
from worker.journal.engine import Journal
from worker.models.run import Run
from worker.modes import still_allowed
from worker.settings import Settings


class Environment:
    def __init__(
        self,
        settings: Settings,
        journal: Journal,
        redis_client: "redis.Redis",
        probe: Callable[[], None],
    ) -> None:
        self._settings, self._journal, self._redis, self._probe = (
            settings, journal, redis_client, probe,
        )  # fmt: skip

    def problems(self, run: Run) -> list[str]:
        """What stands in the way of this run; empty when nothing does."""
        checks: list[Callable[[], str | None]] = [
            self._journal_is_ready,
            self._redis_answers,
            self._account_is_named,
            lambda: self._settings.unusable_certificate("ibkr"),
            lambda: self._model_is_proved(run),
            lambda: self._mode_agrees(run),
            lambda: self._model_is_named(run),
            self._store_works,
        ]
        return [problem for check in checks if (problem := check())]

    def _journal_is_ready(self) -> str | None:
        try:
            self._journal.require_schema()
        except ConfigurationError as error:
            return error.sentence
        return None

    def _redis_answers(self) -> str | None:
        try:
            self._redis.ping()
        except (redis.RedisError, OSError):
            return "Redis does not answer; check OPENBELL_REDIS_URL"
        return None

    def _account_is_named(self) -> str | None:
        if not self._settings.ibkr.account_id:
            return "no account is configured; set OPENBELL_IBKR__ACCOUNT_ID"
        return None

    def _mode_agrees(self, run: Run) -> str | None:
        if not still_allowed(run.mode, self._settings.mode):
            return (
                f"the run was started for {run.mode}, the configuration now says "
                f"`mode: {self._settings.mode}`"
            )
        return None

    def _model_is_named(self, run: Run) -> str | None:
        if run.strategy.signal.analyst != "model":
            return None
        if not self._settings.signal.base_url:
            return (
                "the strategy asks a language model, but none is configured; set "
                "OPENBELL_SIGNAL__BASE_URL and OPENBELL_SIGNAL__API_KEY, or `analyst: rules`"
            )
        return None

    def _model_is_proved(self, run: Run) -> str | None:
        if run.strategy.signal.analyst != "model":
            return None
        return self._settings.unusable_certificate("signal")

    def _store_works(self) -> str | None:
        try:
            self._probe()
        except OpenbellError as error:
            return error.sentence
        return None
