"""Step 3 of 9: hold the run until the exchange is open, or end it as closed."""

from worker.models.run import Run, Session
from worker.runtime import services
from worker.step import step
from worker.waiting import Wait


@step("tasks.check_market_open", number=3)
def check_market_open(run: Run) -> Run:
    """Open: fix the run's window and go on. Closed: wait for the release, or end, as the strategy
    says. The calendar is asked again at each wake."""
    s = services()
    now, window, due = s.clock.market_now(), run.strategy.market, run.due_at
    release = s.calendar.release(now, window)
    in_session = s.calendar.hours_at(now) is not None and release.hours.opens_at <= now
    if release.hours.opens_at > due:  # it came due in no session, or in one that is over
        if run.strategy.when_closed == "skip":
            words = f"is closed; it next opens {s.local(release.at)}"
            if in_session:
                words = "was closed when the run came due, or its session is over"
            return run.ended("closed", f"the market {words}")
        if release.at - due > window.max_wait:
            why = f"the next release, {s.local(release.at)}, is beyond max_wait"
            return run.ended("closed", why)
    if not release.open_now:
        state = "open, but the run's window is not" if in_session else "closed"
        raise Wait(release.at, f"the market is {state}; released at {s.local(release.at)}")
    last = release.hours.closes_at - window.before_close
    not_after = min(max(due, release.at) + window.lasts, last)
    if now > not_after:
        return run.ended("expired", f"its window ended at {s.local(not_after)}")
    s.runs.set_not_after(run.run_id, not_after)
    session = Session(
        opens_at=release.hours.opens_at, closes_at=release.hours.closes_at, release_at=release.at
    )
    return run.evolve(session=session, not_after=not_after)
