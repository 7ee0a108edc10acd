"""The nine steps in order."""

import uuid
from typing import Any

from celery import chain, current_app
from celery.result import denied_join_result
from kombu.connection import Connection
from kombu.exceptions import OperationalError

from tasks.check_ibkr_auth import check_ibkr_auth
from tasks.check_market_open import check_market_open
from tasks.cleanup import cleanup
from tasks.end_tracking import end_tracking
from tasks.fetch_market_data import fetch_market_data
from tasks.generate_signal import generate_signal
from tasks.place_orders import place_orders
from tasks.start_tracking import start_tracking
from tasks.validate_environment import validate_environment
from worker.errors import TemporaryError, Unreachable
from worker.models.run import Run

STEPS = (
    start_tracking,
    validate_environment,
    check_market_open,
    check_ibkr_auth,
    fetch_market_data,
    generate_signal,
    place_orders,
    end_tracking,
    cleanup,
)
# A server that accepts and does not answer is given up within seconds; celeryconfig's patience is
# a worker's.
_IMPATIENT = {"socket_timeout": 2, "socket_connect_timeout": 2, "retry_on_timeout": False}
_NAMESPACE = uuid.UUID("8b2c3d0e-0b7e-5f0a-9c58-9a4c5d2f1e77")


def task_id(run_id: str, name: str) -> str:
    """The id of a run's step in Celery: the same however often it is published."""
    return str(uuid.uuid5(_NAMESPACE, f"{run_id}:{name}"))


def task_ids(run_id: str) -> dict[str, str]:
    return {step.name: task_id(run_id, step.name) for step in STEPS}


def publish(run: Run, *, first: int = 1, on_error: Any = None) -> None:
    """Send the steps from number `first` on their way.

    Raises, within about 5 s, Unreachable where the broker of messages was not reached and nothing
    was sent, and TemporaryError where it did not say that it took them.
    """
    links = [step.signature(task_id=task_id(run.run_id, step.name)) for step in STEPS[first - 1 :]]
    links[0] = links[0].clone(args=(run.to_json(),))
    whole = chain(*links)
    if on_error is not None:
        whole.on_error(on_error)
    with current_app.connection_for_write(transport_options=_IMPATIENT) as connection:
        _reach(connection)
        try:
            # Celery would listen for the result on a connection of its own, with a worker's
            # patience; who publishes here reads no result.
            with denied_join_result():
                whole.apply_async(connection=connection, retry=False)
        except (OperationalError, OSError, RuntimeError) as error:
            raise TemporaryError(
                f"Redis did not say that it took the run ({type(error).__name__}): it may have "
                "started"
            ) from None


def _reach(connection: Connection) -> None:
    try:
        connection.ensure_connection(max_retries=1, interval_start=0.2, timeout=3)  # type: ignore[no-untyped-call]
    except (OperationalError, OSError, RuntimeError) as error:
        raise Unreachable(
            f"Redis does not take the run ({type(error).__name__}); "
            "start it, or point OPENBELL_REDIS_URL at it"
        ) from None
