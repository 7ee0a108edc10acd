"""Step 5 of 9: read quotes, bars, positions and cash, each with its as-of time."""

from datetime import timedelta

from worker.models.run import Run
from worker.runtime import services
from worker.step import step
from worker.waiting import Wait

QUOTE_PAUSE = timedelta(seconds=2)


@step("tasks.fetch_market_data", number=5)
def fetch_market_data(run: Run) -> Run:
    """The bars go to the store; the running session's bar is marked partial. A quote that is not
    there yet is read again until the run's window ends."""
    if run.ending or run.session is None:
        return run
    s = services()
    now = s.clock.market_now()
    if run.not_after is None or now > run.not_after:
        return run.ended("expired", "no fresh quote came before the run's window ended")
    market = s.market_reader.read(run.symbols, run.strategy.signal.bars, run.session)
    stale = [read.quote.symbol for read in market if not s.market_reader.is_usable(read.quote)]
    if stale:
        raise Wait(now + QUOTE_PAUSE, f"no fresh quote yet for {', '.join(stale)}")
    run = run.with_ref("market", s.market_reader.keep(market))
    run = run.with_ref("positions", s.market_reader.keep_positions(s.broker.positions()))
    return run.evolve(figures=s.broker.figures())
