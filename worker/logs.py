"""Log events with fields, one line each; `run_id` and `step` come from the context."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import structlog


def configure_logging(
    level: str, format: Literal["console", "json"], *others: logging.Handler
) -> None:
    """Send structlog's and the standard library's records to stderr in `format`, and to `others` as
    JSON."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    as_json = structlog.processors.JSONRenderer()
    colours = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_formatter(shared, colours if format == "console" else as_json))
    for other in others:
        other.setFormatter(_formatter(shared, as_json))
    root = logging.getLogger()
    root.handlers[:] = [handler, *others]
    root.setLevel(level.upper())
    # Request lines would carry account ids.
    for noisy in ("httpx", "httpcore", "alembic", "matplotlib", "botocore", "mlflow"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # And those of alerts the addresses, which are secrets.
    for secretive in ("urllib3", "apprise"):
        logging.getLogger(secretive).setLevel(logging.ERROR)


def _formatter(shared: list[Any], renderer: Any) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )


@contextmanager
def log_context(**fields: Any) -> Iterator[None]:
    """Every event inside carries `fields`."""
    with structlog.contextvars.bound_contextvars(**fields):
        yield
