"""What a person must be told. An alert that fails fails nobody, and holds nobody up."""

import logging
import threading
from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

import structlog

from worker.clock import monotonic

Severity = Literal["info", "warning", "critical"]
PATIENCE_SECONDS = 5.0
_LOWER: dict[Severity, tuple[Severity, ...]] = {
    "critical": ("critical", "warning", "info"),
    "warning": ("warning", "info"),
    "info": ("info",),
}
_APPRISE_TYPES = {"info": "info", "warning": "warning", "critical": "failure"}
log = structlog.get_logger(__name__)


class Alerts(Protocol):
    """`send` never raises, and returns within about 5 s. False: it reached nobody."""

    def send(self, severity: Severity, title: str, text: str) -> bool: ...


class ConsoleAlerts:
    """Alerts are log events."""

    def send(self, severity: Severity, title: str, text: str) -> bool:
        level = {"info": log.info, "warning": log.warning, "critical": log.error}[severity]
        level("alert", severity=severity, title=title, text=text)
        return True


class AppriseAlerts:
    """Alerts are log events, and go to the severity's apprise addresses as well.

    A severity without addresses uses those of the next lower one: what is critical must reach
    somebody. Addresses are secrets: they are in no log and in no error.
    """

    def __init__(self, addresses: Mapping[Severity, Sequence[str]]) -> None:
        self._addresses = {severity: tuple(found) for severity, found in addresses.items()}
        self._console = ConsoleAlerts()

    def send(self, severity: Severity, title: str, text: str) -> bool:
        self._console.send(severity, title, text)
        try:
            return self._send(severity, title, text)
        except Exception as error:  # noqa: BLE001 - an alert that fails fails nobody
            _not_delivered(severity, title, type(error).__name__)
            return False

    def _send(self, severity: Severity, title: str, text: str) -> bool:
        deliveries = [
            _Delivery(address, severity, title, text) for address in self._addresses_for(severity)
        ]
        for delivery in deliveries:
            delivery.start()
        end = monotonic() + PATIENCE_SECONDS
        for number, delivery in enumerate(deliveries, start=1):
            delivery.join(max(0.0, end - monotonic()))
            if delivery.problem is not None:
                _not_delivered(severity, title, f"address {number}: {delivery.problem}")
        return not deliveries or any(delivery.problem is None for delivery in deliveries)

    def _addresses_for(self, severity: Severity) -> tuple[str, ...]:
        for candidate in _LOWER[severity]:
            if found := self._addresses.get(candidate):
                return found
        return ()


class _Delivery(threading.Thread):
    """One alert to one address. A daemon: an address that hangs holds no process back."""

    def __init__(self, address: str, severity: Severity, title: str, text: str) -> None:
        super().__init__(name="alert", daemon=True)
        self._address, self._severity, self._title, self._text = address, severity, title, text
        self.problem: str | None = f"no answer in {PATIENCE_SECONDS:.0f} s"

    def run(self) -> None:
        try:
            self.problem = self._deliver()
        except Exception as error:  # noqa: BLE001 - a hundred services, each with its own errors
            self.problem = type(error).__name__

    def _deliver(self) -> str | None:
        import apprise

        _silence_libraries()
        # With a time limit of its own apprise would use a pool of threads that hold a process back.
        service = apprise.Apprise(asset=apprise.AppriseAsset(service_timeout=0))
        if not service.add(self._address):
            return "apprise cannot read it; see its documentation of addresses"
        delivered = service.notify(
            title=self._title,
            body=self._text,
            body_format=apprise.NotifyFormat.TEXT,
            notify_type=_APPRISE_TYPES[self._severity],
        )
        return None if delivered else "the other side refused it, or was not reached"


def _silence_libraries() -> None:
    """apprise and what it sends with write addresses, or their secret parts, into their logs."""
    logging.getLogger("apprise").disabled = True
    logging.getLogger("urllib3").setLevel(logging.ERROR)


def _not_delivered(severity: Severity, title: str, why: str) -> None:
    log.warning("alert_not_delivered", severity=severity, title=title, why=why)
