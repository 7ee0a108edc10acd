"""What was last seen alive, or was told to a person and need not be told again."""

from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from worker.clock import Clock
from worker.journal.engine import Journal
from worker.journal.tables import beacons


class BeaconBook:
    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal, self._clock = journal, clock

    def light(self, name: str, data: Any = None) -> bool:
        """True for the one call that lit it; a later one renews it."""
        now = self._clock.wall_now()
        try:
            with self._journal.write() as connection:
                connection.execute(insert(beacons).values(name=name, at=now, data=data))
        except IntegrityError:
            with self._journal.write() as connection:
                connection.execute(
                    update(beacons).where(beacons.c.name == name).values(at=now, data=data)
                )
            return False
        return True

    def put_out(self, name: str) -> bool:
        with self._journal.write() as connection:
            gone = connection.execute(delete(beacons).where(beacons.c.name == name))
            return gone.rowcount == 1

    def is_lit(self, name: str) -> bool:
        query = select(beacons.c.name).where(beacons.c.name == name)
        with self._journal.read() as connection:
            return connection.execute(query).scalar_one_or_none() is not None

    def lit_at(self, name: str) -> datetime | None:
        """When it was lit, or last renewed."""
        query = select(beacons.c.at).where(beacons.c.name == name)
        with self._journal.read() as connection:
            return connection.execute(query).scalar_one_or_none()

    def data(self, name: str) -> Any:
        query = select(beacons.c.data).where(beacons.c.name == name)
        with self._journal.read() as connection:
            return connection.execute(query).scalar_one_or_none()
