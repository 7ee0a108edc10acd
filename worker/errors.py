"""Errors, named after what to do next.

OpenbellError
├── ConfigurationError     a person must change a file or a variable; the sentence says which
├── Refused                an order or request is not wanted; nothing was done
│   ├── LeaseLost            another copy has taken over: leave everything to it
│   └── RunIsOver            the run was cancelled, or has ended: nothing more is done for it
├── TemporaryError         try the same read again later (`retry_after_seconds` where known)
│   ├── PacingError          too many requests: wait, and tell everyone
│   ├── Unreachable          no connection was made: nothing was sent
│   └── JournalUnavailable   the journal cannot be written: do nothing, look again
├── NeedsLogin             a person must log in at the gateway
├── BrokerError            the broker answered with an error that a repeat will not mend
│   └── UnreadableAnswer     the answer is not what the broker's documents promise
├── NotProved              a server or an account did not prove what it must be
└── StepError              a step cannot go on; its run fails with this sentence
"""

from typing import Any


class OpenbellError(Exception):
    """Facts stand on attributes; the sentence is for a person and holds no secret."""

    def __init__(self, sentence: str, **facts: Any) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.facts = facts


class ConfigurationError(OpenbellError):
    pass


class Refused(OpenbellError):
    pass


class LeaseLost(Refused):
    pass


class RunIsOver(Refused):
    pass


class TemporaryError(OpenbellError):
    def __init__(
        self, sentence: str, *, retry_after_seconds: float | None = None, **facts: Any
    ) -> None:
        super().__init__(sentence, **facts)
        self.retry_after_seconds = retry_after_seconds


class PacingError(TemporaryError):
    pass


class Unreachable(TemporaryError):
    pass


class JournalUnavailable(TemporaryError):
    pass


class NeedsLogin(OpenbellError):
    pass


class BrokerError(OpenbellError):
    pass


class UnreadableAnswer(BrokerError):
    pass


class NotProved(OpenbellError):
    pass


class StepError(OpenbellError):
    pass
