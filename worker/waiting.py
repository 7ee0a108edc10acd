"""What a step's body raises when it must come back later."""

from datetime import datetime, timedelta


class Wait(Exception):
    """Come back at `until` (market time); nothing failed and no attempt is counted."""

    def __init__(self, until: datetime, why: str) -> None:
        super().__init__(why)
        self.until = until
        self.why = why


class RetryStep(Exception):
    """Run the step again `after` (wall time); an attempt is counted."""

    def __init__(self, after: timedelta, why: str) -> None:
        super().__init__(why)
        self.after = after
        self.why = why
