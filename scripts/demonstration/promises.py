"""What the demonstration promises, compared with what came of it."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from scripts.demonstration.book import Book
from scripts.demonstration.runs import Progress
from scripts.demonstration.story import Story
from scripts.show.words import market_of
from worker.models.base import Value
from worker.runtime import Services

NEVER_SENT = ("INTENDED", "DENIED")
A_MOMENT = timedelta(seconds=2)


class Promise(Value):
    kept: bool
    sentence: str


class Promises:
    """`must_trade`: at this moment of the data the analyst is known to buy."""

    def __init__(self, s: Services, story: Story, book: Book, *, must_trade: bool) -> None:
        self._s, self._story, self._book, self._must_trade = s, story, book, must_trade

    def of(self, progress: Sequence[Progress]) -> list[Promise]:
        runs = [self._run(one) for one in progress]
        return [*runs, self._orders(progress), self._fills(progress)]

    def _run(self, one: Progress) -> Promise:
        """One line a run; the first thing that was promised and did not happen, else all of it."""
        found = list(self._of_run(one))
        broken = [promise for promise in found if not promise.kept]
        told = broken[:1] or found
        sentence = ", ".join(promise.sentence for promise in told)
        return Promise(kept=not broken, sentence=f"{one.shown.label}: {sentence}")

    def _of_run(self, one: Progress) -> Iterator[Promise]:
        if one.row is None:
            yield Promise(kept=False, sentence="Beat did not start the run")
            return
        if one.shown.by_beat:
            due = self._clock(one.row.due_at)
            yield Promise(kept=True, sentence=f"started by Beat for {due}")
        if one.shown.waits and one.row.outcome != "failed":
            yield self._held(one)
        yield from self._ended(one)
        yield self._tracked(one)

    def _ended(self, one: Progress) -> Iterator[Promise]:
        """The run that waits past a weekend does not end here; the one that skips is closed."""
        outcome = one.row.outcome if one.row else None
        reason = one.row.reason if one.row else None
        if self._story.kind != "closed":
            fine = outcome not in (None, "failed")
        elif one.shown.waits:
            return
        else:
            fine = outcome == "closed"
        if fine:
            yield Promise(kept=True, sentence=f"ended as {outcome}")
        elif outcome:
            yield Promise(kept=False, sentence=f"ended as {outcome}: {reason}")
        else:
            at = one.steps[-1].step if one.steps else "its start"
            yield Promise(kept=False, sentence=f"it has not ended, it stands at {at}")

    def _held(self, one: Progress) -> Promise:
        """By the guard, until the release; or what was seen instead."""
        release = self._story.release
        guard = one.step("check_market_open")
        if guard is None:
            return Promise(kept=False, sentence="the guard has not looked at it")
        if guard.state == "waiting" and guard.wake_at is not None:
            wakes = market_of(self._s.clock, guard.wake_at)
            return Promise(
                kept=abs(wakes - release) <= A_MOMENT,
                sentence=f"held by the guard until {self._s.local(wakes)}",
            )
        if guard.hops:
            return Promise(kept=True, sentence=f"held by the guard until {self._clock(release)}")
        if market_of(self._s.clock, guard.started_at) + A_MOMENT >= release:
            return Promise(kept=True, sentence="not held: the bell rang while everything started")
        return Promise(kept=False, sentence="the guard did not hold it until the bell")

    def _clock(self, moment: datetime) -> str:
        """A moment of the day that everybody is in."""
        return self._s.local(moment).split(" ", 1)[1]

    def _tracked(self, one: Progress) -> Promise:
        tracking = one.run.tracking if one.run else None
        if tracking is None or tracking.run_id is None:
            why = tracking.note if tracking else "its record in MLflow was not opened"
            return Promise(kept=False, sentence=str(why))
        return Promise(kept=True, sentence="recorded in MLflow")

    def _orders(self, progress: Sequence[Progress]) -> Promise:
        """The book's orders are those that the journal's paper runs sent, and no others."""
        ours = {
            (order.intent.coid, Decimal(order.intent.quantity), order.filled_quantity)
            for one in progress
            if one.row is not None and one.row.mode != "dry"
            for order in self._s.orders.of_run(one.row.run_id)
            if order.state not in NEVER_SENT
        }
        theirs = {(order.coid or "", order.quantity, order.filled) for order in self._book.orders}
        if ours != theirs:
            return Promise(
                kept=False,
                sentence=f"the paper run has {len(ours)} orders in the journal, the sandbox's book"
                f" {len(theirs)}, and {len(ours ^ theirs)} differ",
            )
        if not ours:
            return Promise(
                kept=not self._must_trade, sentence="no order reached the sandbox's book"
            )
        return Promise(
            kept=True,
            sentence=f"the sandbox's book has the paper run's {_count(ours, 'order')}, as in the"
            " journal, and none of a dry run",
        )

    def _fills(self, progress: Sequence[Progress]) -> Promise:
        ours = {
            (fill.execution_id, fill.symbol, fill.side, fill.quantity, fill.price)
            for one in progress
            if one.row is not None
            for fill in self._s.orders.fills_of_run(one.row.run_id)
        }
        theirs = {
            (fill.execution_id, fill.symbol, fill.side, fill.quantity, fill.price)
            for fill in self._book.fills
        }
        if ours == theirs:
            same = f"its {_count(ours, 'fill')} in both" if ours else "no fill in either"
            return Promise(kept=True, sentence=f"journal and book agree: {same}")
        return Promise(
            kept=False,
            sentence=f"the journal has {_count(ours, 'fill')}, the sandbox's book {len(theirs)}, "
            f"and {len(ours ^ theirs)} differ",
        )


def _count(things: set, word: str) -> str:
    return f"{len(things)} {word}" if len(things) == 1 else f"{len(things)} {word}s"
