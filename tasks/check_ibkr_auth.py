"""Step 4 of 9: make sure that the broker's session is healthy, and the account the meant one."""

from worker.models.run import Run
from worker.runtime import services
from worker.step import step


@step("tasks.check_ibkr_auth", number=4)
def check_ibkr_auth(run: Run) -> Run:
    """Login, account and its paper or live nature are proved; the broker's own trading schedule
    must agree that the exchange is open."""
    if run.ending or run.session is None:
        return run
    s = services()
    s.broker.require_session()
    account = s.broker.prove_account(run.mode)
    disagreement = s.broker.hours_disagreement(run.symbols, run.session, s.clock.market_now())
    run = run.evolve(account=account)
    return run.ended("denied", disagreement) if disagreement else run
