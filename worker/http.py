"""The only file that makes HTTP clients.

Every client has explicit timeouts, never retries by itself, follows no redirect, takes no proxy
from the environment, and proves the other side: by an authority, or by one pinned certificate,
compared byte for byte after the handshake (a gateway's own certificate has neither the right name
nor, often, a valid date).
"""

import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import httpcore
import httpx
from pydantic import StrictBool

from worker.errors import ConfigurationError, NotProved
from worker.models.base import Value

USER_AGENT = "openbell"
Guard = Callable[[], None]
Result = TypeVar("Result")


class Tls(Value):
    """How a server's certificate is proved; `verify: false` is for loopback addresses alone."""

    verify: StrictBool = True
    ca_file: Path | None = None
    pinned_certificate: Path | None = None


def make_client(
    base_url: str,
    *,
    tls: Tls,
    timeout_seconds: float,
    headers: Mapping[str, str] | None = None,
) -> httpx.Client:
    """A client for reads, its connections shared by the threads of one process."""
    return _client(base_url, _transport(tls, httpcore.SyncBackend()), timeout_seconds, headers)


class OneConnection:
    """A client on one connection that is never replaced, watched byte by byte.

    Once it is armed, `guard` is called directly before the first byte of a request is written, and
    may raise to prevent it; `sent` when all is written, before the answer is read. `written` then
    says whether a byte may have left.
    """

    def __init__(
        self,
        base_url: str,
        *,
        tls: Tls,
        timeout_seconds: float,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._backend = _OneConnectionBackend()
        self.client = _client(base_url, _transport(tls, self._backend), timeout_seconds, headers)

    def arm(self, guard: Guard, sent: Callable[[], None] = lambda: None) -> None:
        self._backend.guard, self._backend.written = guard, False
        self._backend.sent = sent

    @property
    def written(self) -> bool:
        return self._backend.written

    def close(self) -> None:
        self.client.close()


def peer_fingerprint(response: httpx.Response) -> str:
    """SHA-256 of the DER certificate of the connection that carried `response`, in hex."""
    stream = response.extensions.get("network_stream")
    tls = stream.get_extra_info("ssl_object") if stream is not None else None
    certificate = tls.getpeercert(True) if tls is not None else None
    if not certificate:
        raise NotProved("the connection has no certificate to prove anything by")
    return sha256(certificate).hexdigest()


def retry_after_seconds(headers: httpx.Headers) -> float | None:
    """How long the other side asks to be left alone, whichever form the header has; a date is
    measured from the answer's own."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        until, date = parsedate_to_datetime(text), parsedate_to_datetime(headers.get("date", ""))
        return max(0.0, (until - date).total_seconds())
    except (ValueError, TypeError):
        return None


def _client(
    base_url: str,
    transport: httpx.BaseTransport,
    timeout_seconds: float,
    headers: Mapping[str, str] | None,
) -> httpx.Client:
    return httpx.Client(
        base_url=base_url,
        transport=transport,
        timeout=httpx.Timeout(timeout_seconds, connect=min(timeout_seconds, 5.0)),
        headers={"User-Agent": USER_AGENT, "Accept": "*/*", **(headers or {})},
        trust_env=False,
    )


def _transport(tls: Tls, backend: httpcore.NetworkBackend) -> "_Transport":
    if tls.pinned_certificate is not None:
        backend = _PinnedBackend(backend, _der(tls.pinned_certificate))
    return _Transport(httpcore.ConnectionPool(ssl_context=_context(tls), network_backend=backend))


def _context(tls: Tls) -> ssl.SSLContext:
    if tls.pinned_certificate is None and tls.verify:
        try:
            return ssl.create_default_context(cafile=tls.ca_file)
        except (OSError, ssl.SSLError):
            raise ConfigurationError(
                f"{tls.ca_file} is no authority's certificate; check ibkr.tls.ca_file"
            ) from None
    # Without the authorities, which take longer to load than a local connection to open.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # the pin is compared after the handshake
    return context


def _der(path: Path) -> bytes:
    try:
        return ssl.PEM_cert_to_DER_cert(path.read_text())
    except (OSError, ValueError):
        raise ConfigurationError(
            f"{path} is no certificate in PEM; export the gateway's own and point "
            "ibkr.tls.pinned_certificate at it"
        ) from None


class _Transport(httpx.BaseTransport):
    """httpx's own transport, but for the network backend, which it does not let one choose."""

    def __init__(self, pool: httpcore.ConnectionPool) -> None:
        self._pool = pool

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        inner = httpcore.Request(
            method=request.method,
            url=httpcore.URL(
                scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
            ),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        response = _translating(lambda: self._pool.handle_request(inner))
        return httpx.Response(
            status_code=response.status,
            headers=response.headers,
            stream=_Body(response),
            extensions=response.extensions,
        )

    def close(self) -> None:
        self._pool.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        chunks = iter(self._response.iter_stream())
        while (chunk := _translating(lambda: next(chunks, None))) is not None:
            yield chunk

    def close(self) -> None:
        self._response.close()


def _translating(call: Callable[[], Result]) -> Result:
    """httpx's errors have the names of httpcore's."""
    try:
        return call()
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError,
            httpcore.UnsupportedProtocol, httpcore.ProxyError) as error:  # fmt: skip
        raise getattr(httpx, type(error).__name__)(str(error)) from error


class _Stream(httpcore.NetworkStream):
    """A stream that passes everything on; what it watches, its subclasses say."""

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, timeout)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, timeout)

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        return self._inner.start_tls(ssl_context, server_hostname, timeout)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _PinnedStream(_Stream):
    def __init__(self, inner: httpcore.NetworkStream, der: bytes) -> None:
        super().__init__(inner)
        self._der = der

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        stream = super().start_tls(ssl_context, server_hostname, timeout)
        if stream.get_extra_info("ssl_object").getpeercert(True) != self._der:
            stream.close()
            raise httpcore.ConnectError("the server's certificate is not the pinned one")
        return stream


class _PinnedBackend(httpcore.NetworkBackend):
    def __init__(self, inner: httpcore.NetworkBackend, der: bytes) -> None:
        self._inner, self._der = inner, der

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        stream = self._inner.connect_tcp(host, port, timeout, local_address, socket_options)
        return _PinnedStream(stream, self._der)


class _WatchedStream(_Stream):
    def __init__(self, inner: httpcore.NetworkStream, backend: "_OneConnectionBackend") -> None:
        super().__init__(inner)
        self._backend = backend

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self._backend.before_read()
        return super().read(max_bytes, timeout)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if buffer:  # the end of a request is an empty write
            self._backend.before_write()
        super().write(buffer, timeout)

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        return _WatchedStream(
            super().start_tls(ssl_context, server_hostname, timeout), self._backend
        )


class _OneConnectionBackend(httpcore.NetworkBackend):
    def __init__(self) -> None:
        self.guard: Guard | None = None
        self.sent: Callable[[], None] | None = None
        self.written = False
        self._connected = False
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        if self._connected:
            raise httpcore.ConnectError("the connection is gone and is not replaced")
        self._connected = True
        stream = self._inner.connect_tcp(host, port, timeout, local_address, socket_options)
        return _WatchedStream(stream, self)

    def before_write(self) -> None:
        # Before each write, not the first alone: head and body go out one after the other, and a
        # process that was stopped in between must not finish the request later.
        if self.guard is not None:
            self.guard()
            self.written = True

    def before_read(self) -> None:
        if self.written and self.sent is not None:
            tell, self.sent = self.sent, None
            tell()
