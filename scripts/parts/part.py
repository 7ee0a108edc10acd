"""What every embedded part has: a command, and a test that it works."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import httpx

from worker.errors import OpenbellError
from worker.http import Tls, make_client

ANSWER_SECONDS = 2.0


@dataclass(frozen=True)
class Part:
    """One program of the set.

    `ready` asks the part itself, briefly, and never raises; None: it is ready once it has stayed
    up for a while. `after` names the parts that must be ready before this one is started; `before`
    is then called. A `foundation` is stopped after the others.
    """

    name: str
    command: tuple[str, ...]
    ready: Callable[[], bool] | None
    after: tuple[str, ...] = ()
    before: Callable[[], None] | None = None
    foundation: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_seconds: int = 10


class PartFailed(OpenbellError):
    """A part did not start, or does not stay; `log` holds its last lines."""

    def __init__(self, part: str, sentence: str, log: str = "") -> None:
        super().__init__(sentence)
        self.part, self.log = part, log


class HttpProbe:
    """Whether a GET of `path` is answered by 200. Its client is made once: that takes a while."""

    def __init__(
        self,
        base_url: str,
        path: str,
        tls: Tls | None = None,
        login: tuple[str, str] | None = None,
    ) -> None:
        self._base_url, self._path, self._tls = base_url, path, tls or Tls()
        self._auth = httpx.BasicAuth(*login) if login else None
        self._client: httpx.Client | None = None

    def __call__(self) -> bool:
        try:
            if self._client is None:
                self._client = make_client(
                    self._base_url, tls=self._tls, timeout_seconds=ANSWER_SECONDS
                )
            answer = self._client.get(self._path, auth=self._auth)
        except (httpx.HTTPError, OpenbellError):
            return False
        if answer.status_code != httpx.codes.OK:
            return False
        self._client.close()
        self._client = None
        return True
