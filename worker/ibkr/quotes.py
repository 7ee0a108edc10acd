"""Snapshot rows: sparse, every value a text, prices with prefixes."""

from collections.abc import Mapping
from typing import Any

from worker.ibkr import decode
from worker.models.market import Contract, Quote

LAST, BID, ASK, VOLUME, PRIOR_CLOSE = "31", "84", "86", "7762", "7741"
AVAILABILITY, CAN_BE_TRADED = "6509", "7184"
FIELDS = (LAST, BID, ASK, VOLUME, PRIOR_CLOSE, AVAILABILITY, CAN_BE_TRADED)


def complete(row: Mapping[str, Any]) -> bool:
    """Has it what a trader needs? A last price that is yesterday's close will get no quote."""
    last, prefix = decode.price(row.get(LAST))
    if last is None or AVAILABILITY not in row:
        return False
    return prefix == "C" or all(row.get(name) for name in (BID, ASK, PRIOR_CLOSE, CAN_BE_TRADED))


def quote_of(contract: Contract, row: Mapping[str, Any]) -> Quote:
    last, prefix = decode.price(row.get(LAST))
    return Quote(
        symbol=contract.symbol,
        conid=contract.conid,
        as_of=decode.moment_ms(row.get("_updated")),
        bid=decode.price(row.get(BID))[0],
        ask=decode.price(row.get(ASK))[0],
        last=last,
        previous_close=decode.price(row.get(PRIOR_CLOSE))[0],
        last_is_close=prefix == "C",
        halted=prefix == "H",
        tradable=decode.flag(row.get(CAN_BE_TRADED)),
        availability=decode.identifier(row.get(AVAILABILITY)),
        volume=decode.number(row.get(VOLUME)),
    )
