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
    now, window = s.clock.market_now(), run.strategy.market
    release = s.calendar.release(now, window)
    waited = now - run.due_at
    if release.open_now:
        not_after = max(run.due_at, release.at) + window.lasts
        if now > not_after:
            return run.ended("expired", f"its window ended at {s.local(not_after)}")
        s.runs.set_not_after(run.run_id, not_after)
        session = Session(
            opens_at=release.hours.opens_at,
            closes_at=release.hours.closes_at,
            release_at=release.at,
        )
        return run.evolve(session=session, not_after=min(not_after, release.hours.closes_at))
    if run.strategy.when_closed == "skip":
        return run.ended("closed", f"the market is closed; it next opens {s.local(release.at)}")
    if release.at - now + waited > window.max_wait:
        return run.ended("closed", f"the next release, {s.local(release.at)}, is beyond max_wait")
    state = "closed" if s.calendar.hours_at(now) is None else "open, but the run's window is not"
    raise Wait(release.at, f"the market is {state}; released at {s.local(release.at)}")
