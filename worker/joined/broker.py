"""What the steps ask of the broker, in their own words."""

from datetime import datetime, timedelta

from worker.clock import Clock
from worker.errors import NeedsLogin, OpenbellError, TemporaryError
from worker.ibkr.client import GatewayReader
from worker.models.market import AccountFigures, AccountProof, BrokerSession, Position
from worker.models.run import Session
from worker.models.strategy import Mode

# The broker may list its hours to the minute, and a moment at the very edge belongs to neither.
TOLERANCE = timedelta(minutes=1)


class Broker:
    def __init__(self, reader: GatewayReader, account_id: str | None, clock: Clock) -> None:
        self._reader, self._account_id, self._clock = reader, account_id or "", clock

    def require_session(self) -> None:
        """Raises NeedsLogin unless the brokerage session is healthy; opens it where that is all
        that is missing. Never takes it from another user."""
        session = self._reader.session()
        if session.connected and not session.authenticated and not session.competing:
            session = self._reader.reopen_brokerage(compete=False)
        if session.competing:
            raise NeedsLogin(
                "another program holds the brokerage session (TWS or the phone); log it out"
            )
        if not session.healthy:
            raise NeedsLogin("the brokerage session is not open; log in at the gateway's page")

    def prove_account(self, mode: Mode) -> AccountProof:
        """Raises NotProved unless the configured account is there and is what the mode needs."""
        self._reader.prime()
        return self._reader.prove_account(self._account_id, None if mode == "dry" else mode)

    def hours_disagreement(
        self, symbols: tuple[str, ...], session: Session, now: datetime
    ) -> str | None:
        """Why the broker's own trading schedule does not bear out the calendar; None if it does.

        Raises NeedsLogin and TemporaryError where it may be read later.
        """
        for symbol in symbols:
            try:
                hours = self._reader.trading_hours(self._reader.contract(symbol).conid)
            except (NeedsLogin, TemporaryError):
                raise
            except OpenbellError as error:
                return (
                    f"the broker's trading schedule for {symbol} cannot be read: {error.sentence}"
                )
            agreeing = any(
                opens <= now < closes and abs(closes - session.closes_at) <= TOLERANCE
                for opens, closes in hours.sessions
            )
            if not agreeing:
                return f"the broker's trading schedule for {symbol} disagrees with the calendar"
        return None

    def positions(self) -> tuple[Position, ...]:
        return self._reader.positions()

    def figures(self) -> AccountFigures:
        return self._reader.figures()

    def tickle(self) -> BrokerSession:
        return self._reader.tickle()
