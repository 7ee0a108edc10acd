"""The Celery object. `celery -A worker ...` finds it here; its settings are in celeryconfig.py."""

import logging
import sys
from typing import Any
from urllib.parse import urlsplit

from celery import Celery, signals
from celery.worker.request import Request

from worker.errors import OpenbellError
from worker.logs import configure_logging
from worker.runlog import RunLog
from worker.runtime import prove_replay_clock, services, settings

app = Celery("openbell")
app.config_from_object("celeryconfig")


@signals.setup_logging.connect  # type: ignore[untyped-decorator]
def _configure_logging(**_: Any) -> None:
    """Everything to stderr; what belongs to a run also to where `openbell runs logs` reads it."""
    redis_url = settings().redis_url.get_secret_value()
    run_log = RunLog(redis_url, _secrets())
    configure_logging(settings().logging.level, settings().logging.format, run_log)


@signals.worker_process_shutdown.connect  # type: ignore[untyped-decorator]
def _flush_logs(**_: Any) -> None:
    """A prefork child ends without the interpreter's own farewell."""
    for handler in logging.getLogger().handlers:
        handler.flush()


def _secrets() -> list[str]:
    """What a log line must never show, where other machines can read it."""
    s = settings()
    urls = (s.redis_url.get_secret_value(), s.journal_url)
    alerts = (*s.alerts.critical, *s.alerts.warning, *s.alerts.info)
    hidden = (*alerts, *filter(None, (s.signal.api_key, s.sandbox_secret)))
    return [
        *(password for url in urls if (password := urlsplit(url).password)),
        *(secret.get_secret_value() for secret in hidden),
        *filter(None, (s.ibkr.account_id,)),
    ]


def _prove(**_: Any) -> None:
    """A process that would run on replayed time must stand before the sandbox, or not at all."""
    try:
        prove_replay_clock()
    except OpenbellError as error:
        print(error.sentence, file=sys.stderr)
        raise SystemExit(2) from None


class WatchedRequest(Request):  # type: ignore[misc]
    """Where a drill may end a worker before or after it acknowledges a message."""

    def acknowledge(self) -> None:
        services().checkpoints.reach("ack:before")
        super().acknowledge()
        services().checkpoints.reach("ack:after")


def _publishing(**_: Any) -> None:
    services().checkpoints.reach("publish:before")


def _published(**_: Any) -> None:
    services().checkpoints.reach("publish:after")


def _watch_publications(**_: Any) -> None:
    signals.before_task_publish.connect(_publishing)
    signals.after_task_publish.connect(_published)


signals.worker_init.connect(_watch_publications)
signals.worker_init.connect(_prove)
signals.beat_init.connect(_prove)
