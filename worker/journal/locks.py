"""Locks with a lease, a fencing token and a queue in which the more urgent goes first."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, RowMapping, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from worker.clock import Clock
from worker.fencing import Held
from worker.journal.engine import Journal
from worker.journal.tables import lock_waiters, locks

# A waiter that has not asked for so long has gone elsewhere, or died.
WAITER_LIFE = timedelta(seconds=20)


class LockBook:
    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal, self._clock = journal, clock

    def acquire(self, name: str, holder: str, priority: int, lease: timedelta) -> Held | None:
        """Take the lock if it is free and nobody more urgent (a lower number) waits for it; else
        stand in the queue and get None. Ask again within 20 s to keep the place."""
        try:
            with self._journal.write() as connection:
                return self._acquire(connection, name, holder, priority, lease)
        except IntegrityError:
            return None

    def _acquire(
        self, connection: Connection, name: str, holder: str, priority: int, lease: timedelta
    ) -> Held | None:
        now = self._clock.wall_now()
        row = _row(connection, name)
        _queue_up(connection, name, holder, priority, now)
        busy = row is not None and row["holder"] is not None and row["lease_until"] > now
        if busy or _first(connection, name) != holder:
            return None
        token, until = (row["token"] + 1 if row else 1), now + lease
        values = {"holder": holder, "token": token, "lease_until": until}
        if row is None:
            connection.execute(insert(locks).values(name=name, **values))
        else:
            connection.execute(update(locks).where(locks.c.name == name).values(**values))
        _leave(connection, name, holder)
        return Held(name=name, holder=holder, token=token, lease_until=until)

    def release(self, held: Held) -> None:
        """Give it back; nothing happens where it is another's by now."""
        with self._journal.write() as connection:
            connection.execute(
                update(locks)
                .where(locks.c.name == held.name, locks.c.token == held.token)
                .values(holder=None, lease_until=None)
            )

    def waits_since(self, name: str, holder: str) -> datetime | None:
        """When the holder joined the queue; None where it does not stand in it."""
        query = select(lock_waiters.c.since).where(
            lock_waiters.c.name == name, lock_waiters.c.holder == holder
        )
        with self._journal.read() as connection:
            return connection.execute(query).scalar_one_or_none()

    def give_up(self, name: str, holder: str) -> None:
        with self._journal.write() as connection:
            _leave(connection, name, holder)


def is_held(connection: Connection, held: Held, until: datetime) -> bool:
    """Inside another's transaction: is the lock still ours, and for as long as `until`?"""
    row = _row(connection, held.name)
    if row is None or row["token"] != held.token or row["lease_until"] is None:
        return False
    return bool(row["lease_until"] >= until)


def _row(connection: Connection, name: str) -> RowMapping | None:
    query = select(locks).where(locks.c.name == name).with_for_update()
    return connection.execute(query).mappings().one_or_none()


def _queue_up(connection: Connection, name: str, holder: str, priority: int, now: datetime) -> None:
    # Who did not ask for so long has lost the place, should it come back.
    connection.execute(
        delete(lock_waiters).where(
            lock_waiters.c.name == name, lock_waiters.c.seen_at <= now - WAITER_LIFE
        )
    )
    mine = (lock_waiters.c.name == name) & (lock_waiters.c.holder == holder)
    seen = connection.execute(
        update(lock_waiters).where(mine).values(seen_at=now, priority=priority)
    )
    if seen.rowcount == 0:
        connection.execute(
            insert(lock_waiters).values(
                name=name, holder=holder, priority=priority, since=now, seen_at=now
            )
        )


def _first(connection: Connection, name: str) -> str:
    query = (
        select(lock_waiters.c.holder)
        .where(lock_waiters.c.name == name)
        .order_by(lock_waiters.c.priority, lock_waiters.c.since, lock_waiters.c.holder)
        .limit(1)
    )
    return str(connection.execute(query).scalar_one())


def _leave(connection: Connection, name: str, holder: str) -> None:
    connection.execute(
        delete(lock_waiters).where(lock_waiters.c.name == name, lock_waiters.c.holder == holder)
    )
