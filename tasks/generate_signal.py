"""Step 6 of 9: ask the analyst for one signal a symbol."""

from worker.models.run import Run
from worker.runtime import services
from worker.step import step


@step("tasks.generate_signal", number=6)
def generate_signal(run: Run) -> Run:
    """BUY, SELL or HOLD with confidence and rationale; an unusable answer abstains and is kept."""
    if run.ending:
        return run
    s = services()
    analyst = s.analyst(run.strategy.signal)
    signals = tuple(
        analyst.analyse(
            symbol=read.quote.symbol,
            quote=read.quote,
            bars=s.market_reader.bars(read),
            owned=s.orders.owned(run.strategy.id, read.quote.symbol),
            now=s.clock.market_now(),
        )
        for read in s.market_reader.kept(run)
    )
    return run.evolve(signals=signals)
