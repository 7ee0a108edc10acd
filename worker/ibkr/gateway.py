"""One request to the Client Portal Web API, and what its failure means.

Errors are told apart by what to do next, never by the status class alone: this API answers 500 to
a client's mistake, 200 to a refusal, 401 to a foreign account.
"""

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import httpx

from worker.errors import (
    BrokerError,
    NeedsLogin,
    PacingError,
    TemporaryError,
    Unreachable,
    UnreadableAnswer,
)  # fmt: skip
from worker.http import retry_after_seconds
from worker.ibkr.decode import without_accounts
from worker.ibkr.pacing import PENALTY_SECONDS, Limiter
from worker.retry import Retry

NOT_PRIMED = "query /accounts first"
NO_BRIDGE = ("no bridge", "init session first")


class NotPrimed(BrokerError):
    """`/iserver/accounts` must be asked first; repeating without it never helps."""


class Gateway:
    """Requests in the shared pace. `get` and `read` may be repeated; nothing else is.

    Account ids are in no error's sentence.
    """

    def __init__(self, client: httpx.Client, limiter: Limiter, retry: Retry) -> None:
        self._client, self.limiter, self._retry = client, limiter, retry

    def close(self) -> None:
        self._client.close()

    def get(self, path: str, **query: str | int) -> Any:
        return self._retry(lambda: self.once("GET", path, query=query))

    def read(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """A POST that changes nothing, repeated like a GET."""
        return self._retry(lambda: self.once("POST", path, body=body))

    def once(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int] | None = None,
        body: Mapping[str, Any] | None = None,
        in_time: Callable[[], bool] | None = None,
    ) -> Any:
        """One request, decoded. Numbers with a fraction are Decimals.

        `in_time` is asked when the pace allows the request; no: TemporaryError, nothing is sent.
        """
        shown = without_accounts(path)
        self.limiter.wait(f"{method} {shown}")
        if in_time is not None and not in_time():
            raise TemporaryError(f"the turn to ask {shown} was over")
        try:
            response = self._client.request(
                method,
                path.lstrip("/"),
                params=dict(query or {}),
                # A POST without a body is answered 411: an empty object is sent.
                json=dict(body or {}) if method == "POST" else None,
            )
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise Unreachable(
                f"the gateway at {self._client.base_url} does not answer ({error})"
            ) from None
        except httpx.TimeoutException:
            raise TemporaryError(f"the gateway did not answer {shown} in time") from None
        except httpx.HTTPError as error:
            raise TemporaryError(
                f"the connection to the gateway broke ({type(error).__name__})"
            ) from None
        return self._decoded(shown, response)

    def _decoded(self, path: str, response: httpx.Response) -> Any:
        if response.status_code == 429:
            self.limiter.punished()
            raise PacingError(
                "the gateway answered 429: too many requests", retry_after_seconds=PENALTY_SECONDS
            )
        if not response.is_success:
            raise _failure(path, response)
        return decoded(path, response)


def decoded(path: str, response: httpx.Response) -> Any:
    """The JSON of an answer. Raises UnreadableAnswer for an empty body, HTML and broken JSON."""
    text = response.text.strip()
    if not text:
        raise UnreadableAnswer(f"the gateway answered {path} with nothing")
    try:
        return json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError):
        what = "a web page" if text[:1] == "<" else "something that is not JSON"
        raise UnreadableAnswer(
            f"the gateway answered {path} with {what}; is ibkr.base_url the API's address, "
            "ending in /v1/api?"
        ) from None


def error_text(response: httpx.Response) -> str:
    try:
        data = response.json()
    except (ValueError, RecursionError):
        return without_accounts(response.text.strip())[:200]
    found = data.get("error") if isinstance(data, dict) else None
    return without_accounts(str(found or ""))[:200]


def _failure(path: str, response: httpx.Response) -> Exception:
    status, text = response.status_code, error_text(response)
    lower = text.lower()
    if status == 401:
        return NeedsLogin("the gateway answers 401: nobody is logged in; log in at its page")
    if status in (403, 404) and "access denied" in lower:
        return BrokerError(
            "the gateway denies this machine's address; allow it in conf.yaml (ips.allow)"
        )
    if any(sign in lower for sign in NO_BRIDGE):
        return NeedsLogin("the brokerage session is not open (the gateway says: no bridge)")
    if NOT_PRIMED in lower:
        return NotPrimed("the gateway wants /iserver/accounts first")
    if lower.startswith("no data"):
        return BrokerError(f"the gateway has no data for {path}")
    if status >= 500 or status == 410:
        return TemporaryError(
            f"the gateway answered {path} with {status} {text}".strip(),
            retry_after_seconds=retry_after_seconds(response.headers),
        )
    return BrokerError(f"the gateway refused {path} with {status} {text}".strip())
