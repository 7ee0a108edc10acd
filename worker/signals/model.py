"""The model analyst: asks a language model through an OpenAI-compatible endpoint."""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

import httpx
import structlog

from worker.clock import monotonic
from worker.errors import TemporaryError
from worker.http import retry_after_seconds
from worker.models.market import Bar, Quote
from worker.models.signal import Signal
from worker.signals.answer import RESPONSE_FORMAT, read_answer
from worker.signals.prompt import TABLE_BARS, Prompt
from worker.signals.view import Abstain, IndicatorsOf, abstained, cut, look
from worker.store import Store

MAX_ANSWER_BYTES = 1024 * 1024
_BUSY = {408, 409, 425, 429}
_KEY_LIKE = re.compile(rb"sk-[A-Za-z0-9*_.-]+")
log = structlog.get_logger(__name__)


class Attempt(Protocol):
    """Runs a call, again while it raises TemporaryError, and raises the last one."""

    def __call__(self, read: Callable[[], bytes]) -> bytes: ...


class ModelAnalyst:
    """Asks `model` of `provider`, whose endpoint `client` is set and authorised to (its base
    address ends in /v1). Question and raw answer are kept in the store; a key in neither."""

    def __init__(
        self,
        *,
        client: httpx.Client,
        provider: str,
        model: str,
        prompt: str,
        store: Store,
        attempt: Attempt,
        indicators_of: IndicatorsOf,
    ) -> None:
        self._client, self._model, self._prompt = client, model, Prompt(prompt)
        self._store, self._attempt, self._indicators_of = store, attempt, indicators_of
        self._name = f"{provider}/{model}"

    def analyse(
        self,
        *,
        symbol: str,
        quote: Quote | None,
        bars: Sequence[Bar],
        owned: Decimal,
        now: datetime,
    ) -> Signal:
        """Abstains, with the reason, whatever is wrong with the figures or the answer. Raises
        only where the store fails."""
        asked: dict[str, str] = {}
        try:
            view = look(symbol, quote, bars, owned, now, self._indicators_of)
            if len(view.bars) < TABLE_BARS:
                raise Abstain(f"only {len(view.bars)} complete bars, {TABLE_BARS} are needed")
            body = {
                "model": self._model,
                "messages": self._prompt.messages(view),
                "response_format": RESPONSE_FORMAT,
                "temperature": 0,
            }
            asked["prompt_ref"] = self._store.put_json(body)
            answer = read_answer(self._ask(body, asked))
        except (Abstain, TemporaryError) as reason:
            log.warning("signal_abstained", symbol=symbol, analyst=self._name, reason=str(reason))
            signal = abstained(symbol, quote, self._name, now, str(reason))
            return signal.evolve(**asked)
        return Signal(
            symbol=symbol,
            side=answer.signal,
            confidence=Decimal(answer.confidence_pct) / 100,
            rationale=cut(answer.rationale),
            analyst=self._name,
            as_of=now,
            price_usd=view.last,
            **asked,
        )

    def _ask(self, body: dict[str, Any], asked: dict[str, str]) -> bytes:
        """The raw answer. The last one that came is kept, good or bad."""
        kept: list[bytes] = []
        try:
            return self._attempt(lambda: self._post(body, kept))
        finally:
            if kept:
                asked["answer_ref"] = self._store.put(kept[-1])

    def _post(self, body: dict[str, Any], kept: list[bytes]) -> bytes:
        try:
            with self._client.stream("POST", "chat/completions", json=body) as response:
                raw = self._read(response)
        except httpx.TimeoutException:
            raise TemporaryError("the model did not answer in time") from None
        except httpx.TransportError as error:
            raise TemporaryError(f"the model cannot be reached ({type(error).__name__})") from None
        except httpx.HTTPError as error:
            raise Abstain(f"the answer cannot be read ({type(error).__name__})") from None
        if raw:
            kept.append(raw)
        status = response.status_code
        if status in _BUSY or status >= 500:
            raise TemporaryError(
                f"the model's endpoint answered {status}",
                retry_after_seconds=retry_after_seconds(response.headers),
            )
        if status != 200:
            raise Abstain(f"the model's endpoint answered {status}")
        if len(raw) >= MAX_ANSWER_BYTES:
            raise Abstain("the answer is too large")
        return raw

    def _read(self, response: httpx.Response) -> bytes:
        """The body without keys. The whole of it must come within the time allowed for a read:
        an endpoint that drips would otherwise never time out."""
        allowed, raw = self._client.timeout.read, b""
        end = None if allowed is None else monotonic() + allowed
        for chunk in response.iter_bytes():
            raw += chunk
            if end is not None and monotonic() > end:
                raise httpx.ReadTimeout("too slow")
            if len(raw) >= MAX_ANSWER_BYTES:
                break
        return self._without_keys(raw[:MAX_ANSWER_BYTES])

    def _without_keys(self, raw: bytes) -> bytes:
        """An endpoint may repeat the key it was given, in whole or in part."""
        for name in ("authorization", "api-key", "x-api-key"):
            key = self._client.headers.get(name, "").split(" ")[-1].encode()
            if key:
                raw = raw.replace(key, b"***")
        return _KEY_LIKE.sub(b"***", raw)
