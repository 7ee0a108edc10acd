"""The model analyst before a real server: every answer that is not one whole signal abstains."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import httpx
import pytest

from tests.support.market import NOW, bars, quote
from tests.support.store import MemoryStore
from worker.errors import ConfigurationError
from worker.market.indicators import indicators_of
from worker.models.signal import MAX_RATIONALE, Signal
from worker.retry import Retry, RetryPolicy
from worker.settings import PROJECT_ROOT
from worker.signals.model import ModelAnalyst
from worker.signals.prompt import Prompt

KEY = "sk-test-0123456789"
PROMPT = (PROJECT_ROOT / "config" / "prompts" / "default.md").read_text()
GOOD = {"signal": "BUY", "confidence_pct": 72, "rationale": "The trend is up."}


class Reply:
    def __init__(
        self,
        body: bytes | str,
        status: int = 200,
        delay: float = 0,
        drip: float = 0,
        **headers: str,
    ) -> None:
        self.body = body.encode() if isinstance(body, str) else body
        self.status, self.delay, self.drip, self.headers = status, delay, drip, headers


class Endpoint(ThreadingHTTPServer):
    """Gives its replies in turn, the last one for ever."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.replies: list[Reply] = []
        self.asked: list[dict[str, Any]] = []
        self.over = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class _Handler(BaseHTTPRequestHandler):
    server: Endpoint
    protocol_version = "HTTP/1.1"
    wbufsize: ClassVar[int] = 0

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        asked = {"path": self.path, "key": self.headers["Authorization"], "body": json.loads(body)}
        self.server.asked.append(asked)
        replies = self.server.replies
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        self.server.over.wait(reply.delay)
        try:
            self.send_response_only(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            for start in range(0, len(reply.body), 1 if reply.drip else max(1, len(reply.body))):
                self.wfile.write(reply.body[start : start + 1] if reply.drip else reply.body)
                self.server.over.wait(reply.drip)
        except OSError:
            self.close_connection = True

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.over.set()
        server.shutdown()
        thread.join()


class Asked:
    """An analyst at the endpoint, and what it did."""

    def __init__(self, url: str, attempts: int = 2, timeout: float = 5.0) -> None:
        self.store = MemoryStore()
        self.slept: list[float] = []
        policy = RetryPolicy(attempts=attempts, wait_initial_seconds=0.01, total_seconds=60)
        self.client = httpx.Client(
            base_url=url, timeout=timeout, headers={"Authorization": f"Bearer {KEY}"}
        )
        self.analyst = ModelAnalyst(
            client=self.client,
            provider="testing",
            model="small-1",
            prompt=PROMPT,
            store=self.store,
            attempt=Retry("model", policy, self.slept.append),
            indicators_of=indicators_of,
        )

    def analyse(self, **changes: Any) -> Signal:
        data: dict[str, Any] = {
            "symbol": "AAPL",
            "quote": quote(),
            "bars": bars(),
            "owned": Decimal(7),
            "now": NOW,
        }
        return self.analyst.analyse(**(data | changes))


@pytest.fixture
def asking(endpoint: Endpoint) -> Iterator[Callable[..., Asked]]:
    made: list[Asked] = []

    def make(*replies: Reply, url: str | None = None, **wishes: Any) -> Asked:
        endpoint.replies[:] = replies
        made.append(Asked(url or endpoint.url, **wishes))
        return made[-1]

    yield make
    for asked in made:
        asked.client.close()


def completion(content: Any = GOOD, finish: str | None = "stop", **message: Any) -> Reply:
    text = content if isinstance(content, str) or content is None else json.dumps(content)
    choice = {"index": 0, "finish_reason": finish, "message": {"content": text, **message}}
    return Reply(json.dumps({"id": "x", "object": "chat.completion", "choices": [choice]}))


def refused(reason: str, **changes: Any) -> Signal:
    data: dict[str, Any] = {
        "symbol": "AAPL",
        "side": "HOLD",
        "confidence": 0,
        "rationale": f"abstained: {reason}",
        "analyst": "testing/small-1",
        "as_of": NOW,
        "price_usd": "130.00",
        "abstained": reason,
    }
    return Signal.model_validate(data | changes)


def test_a_whole_answer_becomes_a_signal_and_is_kept(
    asking: Callable[..., Asked], endpoint: Endpoint
) -> None:
    reply = completion()
    asked = asking(reply)
    found = asked.analyse()
    request = endpoint.asked[0]
    assert found == Signal(
        symbol="AAPL",
        side="BUY",
        confidence=Decimal("0.72"),
        rationale="The trend is up.",
        analyst="testing/small-1",
        as_of=NOW,
        price_usd=Decimal("130.00"),
        prompt_ref=found.prompt_ref,
        answer_ref=found.answer_ref,
    )
    assert (request["path"], request["key"]) == ("/v1/chat/completions", f"Bearer {KEY}")
    assert asked.store.get_json(found.prompt_ref or "") == request["body"]
    assert asked.store.get(found.answer_ref or "") == reply.body


def test_the_question_carries_the_figures_as_one_fence(
    asking: Callable[..., Asked], endpoint: Endpoint
) -> None:
    future = bars(1)[0].evolve(time=NOW + timedelta(days=1), close=Decimal(9999))
    running = bars(1)[0].evolve(time=NOW - timedelta(minutes=2), partial=True)
    asking(completion()).analyse(bars=[*bars(60), running, future])
    body = endpoint.asked[0]["body"]
    system, user = body["messages"]
    assert (system["role"], user["role"], body["model"]) == ("system", "user", "small-1")
    assert (body["temperature"], body["response_format"]["json_schema"]["strict"]) == (0, True)
    assert "```" not in system["content"]
    fences = re.findall(r"```json\n(.*?)\n```", user["content"], re.DOTALL)
    assert len(fences) == 1
    figures = json.loads(fences[0])
    rows = figures.pop("bars")["rows"]
    known = indicators_of(bars(60))
    assert figures == {
        "symbol": "AAPL",
        "as_of": "2013-02-27T14:32:00+00:00",
        "quote_as_of": "2013-02-27T14:31:58+00:00",
        "last": 130,
        "bid": 129.99,
        "ask": 130.01,
        "previous_close": 128.5,
        "indicators_as_of": "2013-02-26T14:30:00+00:00",
        **{
            name: float(getattr(known, name))
            for name in ("sma_20", "sma_50", "rsi_14", "atr_14", "macd_histogram")
        },
        "owned_shares": 7,
    }
    assert (len(rows), rows[-1][0]) == (20, "2013-02-26T14:30:00+00:00")


def test_a_figure_that_is_not_known_is_null_in_the_question(
    asking: Callable[..., Asked], endpoint: Endpoint
) -> None:
    asking(completion()).analyse(bars=bars(20), quote=quote(bid=None))
    content = endpoint.asked[0]["body"]["messages"][1]["content"]
    assert '"sma_50": null' in content
    assert '"bid": null' in content


def test_a_long_rationale_is_cut_and_cleaned_and_kept_whole(
    asking: Callable[..., Asked],
) -> None:
    asked = asking(completion(GOOD | {"rationale": "up\n\x1b[31m " + "x" * 300}))
    found = asked.analyse()
    assert found.rationale == "up [31m " + "x" * (MAX_RATIONALE - 9) + "…"
    assert b"x" * 300 in asked.store.get(found.answer_ref or "")


NOT_ALONE = "the answer is not JSON alone"
AT_MOST, AT_LEAST = (
    f"Input should be {bound}"
    for bound in ("less than or equal to 100", "greater than or equal to 0")
)
NO_COMPLETION = "the endpoint's answer is not a chat completion"


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (completion(f"Sure! {json.dumps(GOOD)}"), NOT_ALONE),
        (completion(f"```json\n{json.dumps(GOOD)}\n```"), NOT_ALONE),
        (completion(json.dumps(GOOD) + json.dumps(GOOD)), NOT_ALONE),
        (completion("BUY"), NOT_ALONE),
        (completion(json.dumps(GOOD | {"confidence_pct": float("nan")})), NOT_ALONE),
        (completion('{"signal":"BUY","signal":"SELL","confidence_pct":1}'), NOT_ALONE),
        (completion("[" * 100_000), NOT_ALONE),
        (completion(finish="length"), "the answer is not whole (finish_reason length)"),
        (completion(finish=None), "the answer is not whole (finish_reason None)"),
        (completion(None), "the answer is empty"),
        (completion(None, refusal="I cannot\nadvise"), "the model refused: I cannot advise"),
        (completion(refusal="no"), "the model refused: no"),
        (Reply('{"choices": []}'), "the endpoint gave 0 answers, not one"),
        (Reply('{"error": {"message": "no"}}'), NO_COMPLETION),
        (Reply("<html>Bad gateway</html>"), NO_COMPLETION),
        (Reply(b"\xff\xfe"), NO_COMPLETION),
        (Reply("[" * 100_000), NO_COMPLETION),
        (Reply('{"error": "bad key"}', 401), "the model's endpoint answered 401"),
        (Reply('{"error": "temperature"}', 400), "the model's endpoint answered 400"),
        (Reply("", 302, Location="http://127.0.0.1:1/v1"), "the model's endpoint answered 302"),
        (Reply(json.dumps({"choices": ["x" * 2_000_000]})), "the answer is too large"),
    ],
)  # fmt: skip
def test_an_answer_that_is_not_one_whole_signal_abstains_and_is_kept(
    asking: Callable[..., Asked], endpoint: Endpoint, reply: Reply, reason: str
) -> None:
    asked = asking(reply)
    found = asked.analyse()
    refs = {"prompt_ref": found.prompt_ref, "answer_ref": found.answer_ref}
    assert found == refused(reason, **refs)
    assert len(endpoint.asked) == 1
    kept = asked.store.get(found.answer_ref) if found.answer_ref else b""
    assert reply.body.startswith(kept)
    assert bool(kept) == bool(reply.body)


@pytest.mark.parametrize(
    ("answer", "key", "what"),
    [
        ([GOOD], "answer", "Input should be a valid dictionary or instance of Answer"),
        (GOOD | {"size": 3}, "size", "Extra inputs are not permitted"),
        (GOOD | {"signal": "buy"}, "signal", "Input should be 'BUY', 'SELL' or 'HOLD'"),
        (GOOD | {"confidence_pct": "72"}, "confidence_pct", "Input should be a valid integer"),
        (GOOD | {"confidence_pct": 0.72}, "confidence_pct", "Input should be a valid integer"),
        (GOOD | {"confidence_pct": True}, "confidence_pct", "Input should be a valid integer"),
        (GOOD | {"confidence_pct": 101}, "confidence_pct", AT_MOST),
        (GOOD | {"confidence_pct": -1}, "confidence_pct", AT_LEAST),
        (GOOD | {"rationale": None}, "rationale", "Input should be a valid string"),
        (GOOD | {"rationale": ""}, "rationale", "String should have at least 1 character"),
        (GOOD | {"rationale": " "}, "rationale", r"String should match pattern '\S'"),
        ({"signal": "BUY", "rationale": "x"}, "confidence_pct", "Field required"),
    ],
)  # fmt: skip
def test_an_answer_that_does_not_fit_the_schema_abstains(
    asking: Callable[..., Asked], answer: Any, key: str, what: str
) -> None:
    found = asking(completion(answer)).analyse()
    refs = {"prompt_ref": found.prompt_ref, "answer_ref": found.answer_ref}
    assert found == refused(f"the answer does not fit: {key}: {what}", **refs)


def test_a_busy_endpoint_is_asked_again_after_the_time_it_names(
    asking: Callable[..., Asked], endpoint: Endpoint
) -> None:
    asked = asking(Reply("busy", 429, Retry_After="7"), completion())
    found = asked.analyse()
    assert (found.side, found.abstained, asked.slept) == ("BUY", None, [7.0])
    assert len(endpoint.asked) == 2


def test_a_time_to_come_back_at_is_measured_from_the_answers_own_date(
    asking: Callable[..., Asked],
) -> None:
    dates: dict[str, str] = {
        "Date": "Wed, 27 Feb 2013 14:32:00 GMT",
        "Retry_After": "Wed, 27 Feb 2013 14:32:09 GMT",
    }
    asked = asking(Reply("busy", 503, 0, 0, **dates), completion())
    assert asked.analyse().side == "BUY"
    assert asked.slept == [9.0]


def test_an_endpoint_that_stays_busy_abstains_with_its_last_word_kept(
    asking: Callable[..., Asked], endpoint: Endpoint
) -> None:
    asked = asking(Reply("first", 500), Reply("second", 503))
    found = asked.analyse()
    assert found == refused(
        "the model's endpoint answered 503",
        prompt_ref=found.prompt_ref,
        answer_ref=found.answer_ref,
    )
    assert (len(endpoint.asked), asked.store.get(found.answer_ref or "")) == (2, b"second")


@pytest.mark.parametrize(
    "reply",
    [
        Reply(completion().body, delay=30),
        Reply(completion().body, drip=0.05),  # each byte in time, the whole never
    ],
    ids=["silent", "dripping"],
)
def test_a_slow_endpoint_abstains_in_time(
    asking: Callable[..., Asked], endpoint: Endpoint, reply: Reply
) -> None:
    asked = asking(reply, timeout=0.3)
    found = asked.analyse()
    assert found == refused("the model did not answer in time", prompt_ref=found.prompt_ref)
    assert (len(endpoint.asked), len(asked.slept)) == (2, 1)


def test_an_endpoint_that_is_not_there_abstains(asking: Callable[..., Asked]) -> None:
    asked = asking(completion(), url="http://127.0.0.1:9/v1")
    found = asked.analyse()
    assert found == refused(
        "the model cannot be reached (ConnectError)", prompt_ref=found.prompt_ref
    )


def test_an_answer_that_is_no_http_abstains(asking: Callable[..., Asked]) -> None:
    asked = asking(Reply(b"not gzip", 200, Content_Encoding="gzip"))
    found = asked.analyse()
    assert found.abstained == "the answer cannot be read (DecodingError)"


def test_a_key_that_the_endpoint_repeats_is_kept_nowhere(asking: Callable[..., Asked]) -> None:
    said = completion(GOOD | {"rationale": f"{KEY} is wrong, as is sk-proj-abc***xyz"})
    asked = asking(said)
    found = asked.analyse()
    assert found.rationale == "*** is wrong, as is ***"
    kept = b"".join(asked.store.kept.values()) + found.model_dump_json().encode()
    assert KEY.encode() not in kept
    assert b"abc***xyz" not in kept


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"quote": quote(None)}, "the quote has no last price"),
        ({"quote": None}, "there is no quote"),
        ({"bars": bars(19)}, "only 19 complete bars, 20 are needed"),
    ],
)
def test_without_figures_nothing_is_asked(
    asking: Callable[..., Asked], endpoint: Endpoint, changes: dict[str, Any], reason: str
) -> None:
    asked = asking(completion())
    found = asked.analyse(**changes)
    price = None if "quote" in changes else "130.00"
    assert found == refused(reason, price_usd=price)
    assert (endpoint.asked, asked.store.kept) == ([], {})


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("What about {symbol}? {figures}", "needs a line `# System`"),
        ("# System\nx\n# User\n{figures} {price}\n", "the prompt says {price}; it can say {symb"),
        ("# System\n{figures}\n# User\n{symbol}\n", "user part must say {figures}"),
    ],
)  # fmt: skip
def test_a_prompt_that_cannot_be_filled_is_refused(template: str, expected: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Prompt(template)
    assert expected in caught.value.sentence


def test_braces_that_are_no_placeholders_stay() -> None:
    assert Prompt('# System\n{"signal": "BUY"} {}\n# User\n{figures}\n')
