"""Step 7 of 9: check, write down, then send each order once, and follow it to its end."""

from worker.models.run import Run
from worker.runtime import services
from worker.step import step


@step("tasks.place_orders", number=7)
def place_orders(run: Run) -> Run:
    """Each symbol is decided once, whatever happens: sized to a target from a fresh quote,
    checked, written down, sent. A dry run has the broker's preview instead."""
    if run.ending:
        return run
    desk = services().desk(run)
    for symbol in desk.undecided(run):
        desk.decide(run, symbol)
    desk.follow(run)
    run = run.evolve(orders=desk.report(run))
    outcomes = {line.outcome for line in run.orders}
    if "placed" in outcomes or "previewed" in outcomes:
        return run
    if outcomes == {"held"}:
        return run.ended("held", "nothing to do for any symbol")
    if "not previewed" in outcomes:
        return run.ended("not previewed", "the broker gave no preview")
    return run.ended("denied", "no order passed the checks")
