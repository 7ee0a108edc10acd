"""The doctor's look at the way to the gateway: a connection, its certificate, its clock."""

import socket
import ssl
from collections.abc import Iterator
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from hashlib import sha256
from typing import TYPE_CHECKING

import httpx

from scripts.access import impatient_reader
from scripts.doctor_findings import Finding, ok, problem, warning
from worker.errors import ConfigurationError, PacingError
from worker.http import make_client

if TYPE_CHECKING:
    from worker.http import Tls
    from worker.runtime import Services

PATIENCE_SECONDS = 5.0
CONNECT_SECONDS = 3.0
MOST_SKEW = timedelta(seconds=5)
STATUS = "/iserver/auth/status"


class NoWayOn(Exception):
    """What comes next cannot be looked at."""


def wire(s: "Services") -> Iterator[Finding]:
    """Raises NoWayOn after the problem that stops everything else."""
    url = httpx.URL(s.settings.ibkr.base_url)
    host, port = url.host, url.port or 443
    try:
        yield from _connection(host, port)
    except NoWayOn:
        # With a connection this is told together with how to export the one that is shown.
        if unusable := s.settings.unusable_certificate("ibkr"):
            yield problem("certificate", unusable)
        raise
    shown = sha256(_shown_certificate(host, port)).hexdigest().upper()
    yield from _trust(s, shown, _how_to_pin(host, port, shown))


def _connection(host: str, port: int) -> Iterator[Finding]:
    place, fix = f"{host}:{port}", "correct ibkr.base_url (OPENBELL_IBKR__BASE_URL)"
    try:
        with socket.create_connection((host, port), CONNECT_SECONDS):
            pass
        _shown_certificate(host, port)
    except ConnectionRefusedError:
        yield problem(
            "gateway", f"nothing listens at {place} (refused)", f"start the gateway, or {fix}"
        )
    except socket.gaierror:
        yield problem("gateway", f"no machine of the name {host} is known", fix)
    except ssl.SSLError as error:
        yield problem(
            "gateway",
            f"{place} does not speak TLS ({error.reason or 'no handshake'})",
            "set listenSsl: true in the gateway's conf.yaml, or correct ibkr.base_url",
        )
    except OSError as error:
        why = "no answer" if isinstance(error, TimeoutError) else str(error)
        yield problem("gateway", f"{place} cannot be reached ({why})", fix)
    else:
        yield ok("gateway", f"something listens at {place} and speaks TLS")
        return
    raise NoWayOn


def _trust(s: "Services", shown: str, pin: tuple[str, str]) -> Iterator[Finding]:
    """Whether the configuration trusts the certificate; by the same answer, the clocks."""
    ibkr, answer = s.settings.ibkr, None
    try:
        with impatient_reader(s) as reader:
            reader.gateway.limiter.wait(f"GET {STATUS}")
        with make_client(ibkr.base_url, tls=ibkr.tls, timeout_seconds=PATIENCE_SECONDS) as client:
            answer = client.get(STATUS.lstrip("/"))
    except PacingError as error:
        yield problem("gateway", error.sentence, "ask nothing for a quarter of an hour")
        raise NoWayOn from None
    except ConfigurationError as error:
        yield problem("certificate", error.sentence, *pin)
        raise NoWayOn from None
    except httpx.ConnectError as error:
        yield problem("certificate", _distrust(str(error)), *pin)
        raise NoWayOn from None
    except httpx.HTTPError:
        pass  # the handshake was good; why there is no answer is told by who needs one
    yield _trusted(ibkr.tls, shown, pin)
    if answer is not None:
        yield from _clocks(answer, s.clock.wall_now())


def _trusted(tls: "Tls", shown: str, pin: tuple[str, str]) -> Finding:
    if tls.pinned_certificate is not None:
        return ok("certificate", f"it is the pinned one, SHA-256 {shown[:16]}…")
    if tls.verify:
        return ok("certificate", f"an authority vouches for it, SHA-256 {shown[:16]}…")
    return warning("certificate", "anybody's is taken (ibkr.tls.verify: false)", *pin)


def _distrust(words: str) -> str:
    """OpenSSL's reason without its address in the source."""
    if "not the pinned one" in words:
        return "it is not the pinned one"
    reason = words.rpartition("certificate verify failed:")[2].partition("(_ssl")[0].strip(" ]")
    return f"nothing that is trusted vouches for it ({reason or words})"


def _clocks(answer: httpx.Response, now: datetime) -> Iterator[Finding]:
    """By the Date of an answer, whatever else it says. Gateways need not send one."""
    try:
        skew = parsedate_to_datetime(answer.headers["Date"]) - now
    except (KeyError, ValueError, TypeError):
        return
    # The header knows no fractions of a second.
    if -MOST_SKEW - timedelta(seconds=1) <= skew <= MOST_SKEW:
        return
    seconds = abs(skew).total_seconds()
    way = "behind" if skew > timedelta(0) else "ahead of"
    yield problem(
        "clock",
        f"this machine's clock is {seconds:.0f} s {way} the gateway's",
        "set both by NTP: quotes and signals are judged by their age",
    )


def _shown_certificate(host: str, port: int) -> bytes:
    """The certificate that the server shows, trusted or not. Nothing is sent to it."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection((host, port), CONNECT_SECONDS) as plain,
        context.wrap_socket(plain, server_hostname=host) as wrapped,
    ):
        return wrapped.getpeercert(binary_form=True) or b""


def _how_to_pin(host: str, port: int, shown: str) -> tuple[str, str]:
    """In words, and as the command that exports the certificate."""
    grouped = ":".join(shown[start : start + 2] for start in range(0, len(shown), 2))
    words = (
        f"export it, see at the gateway that its SHA-256 is {grouped}, and set "
        "OPENBELL_IBKR__TLS__PINNED_CERTIFICATE to the file's path"
    )
    certificate = f"ssl.get_server_certificate(('{host}', {port}))"
    return words, f'python3 -c "import ssl; print({certificate})" > gateway.pem'
