"""What the journal tells of a drill's runs and orders."""

from collections.abc import Sequence
from decimal import Decimal

from scripts.drilling.count import Event, JournalOrder, Told
from worker.models.order import OrderRecord
from worker.runtime import Services

# More than any drill has.
ALL = 1_000_000


def told_by(s: Services, run_ids: Sequence[str]) -> Told:
    return Told(
        orders=tuple(_order(s, order) for order in s.orders.recent(ALL)),
        decisions=sum(len(s.orders.lines(run_id)) for run_id in run_ids),
        runs_not_ended=tuple(row.run_id for row in s.runs.unfinished()),
    )


def _order(s: Services, order: OrderRecord) -> JournalOrder:
    intent = order.intent
    return JournalOrder(
        coid=intent.coid,
        run_id=intent.run_id,
        strategy_id=intent.strategy_id,
        symbol=intent.symbol,
        side=intent.side,
        quantity=Decimal(intent.quantity),
        filled=order.filled_quantity,
        state=order.state,
        events=tuple(
            Event(at=event["at"], state=event["state"], cause=event["cause"])
            for event in s.orders.events(intent.coid)
        ),
    )
