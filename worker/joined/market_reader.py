"""Contracts, quotes and bars of a run's symbols; the bars lie in the store."""

from collections.abc import Sequence

from worker.ibkr.client import GatewayReader
from worker.market.bars import bars_from_json, bars_to_json, mark_partial
from worker.market.calendar import Hours
from worker.models.market import Bar, Position, Quote, SymbolMarket
from worker.models.run import Run, Session
from worker.store import Store


class MarketReader:
    def __init__(self, reader: GatewayReader, store: Store) -> None:
        self._reader, self._store = reader, store

    def read(self, symbols: Sequence[str], bars: int, session: Session) -> tuple[SymbolMarket, ...]:
        """One entry a symbol, in the symbols' order. Raises BrokerError for an unknown symbol."""
        contracts = [self._reader.contract(symbol) for symbol in symbols]
        hours = Hours(opens_at=session.opens_at, closes_at=session.closes_at)
        found = []
        for contract, quote in zip(contracts, self._reader.quotes(contracts), strict=True):
            series = mark_partial(self._reader.bars(contract, bars), hours)
            complete = [bar.time for bar in series if not bar.partial]
            found.append(
                SymbolMarket(
                    contract=contract,
                    quote=quote,
                    bars_ref=self._store.put_json(bars_to_json(series)),
                    bars_count=len(series),
                    last_complete_bar=complete[-1] if complete else None,
                )
            )
        return tuple(found)

    def keep(self, market: Sequence[SymbolMarket]) -> str:
        """Put what was read into the store; the reference travels as `refs["market"]`."""
        return self._store.put_json([read.to_json() for read in market])

    def kept(self, run: Run) -> tuple[SymbolMarket, ...]:
        """What step 5 read for the run; nothing where it read nothing."""
        ref = run.refs.get("market")
        rows = self._store.get_json(ref) if ref else []
        return tuple(SymbolMarket.from_json(row) for row in rows)

    def keep_positions(self, positions: Sequence[Position]) -> str:
        return self._store.put_json([position.to_json() for position in positions])

    def is_usable(self, quote: Quote) -> bool:
        """Is it a quote of the running session, with both sides?"""
        return quote.mid is not None and quote.last is not None and not quote.last_is_close

    def bars(self, read: SymbolMarket) -> tuple[Bar, ...]:
        return bars_from_json(self._store.get_json(read.bars_ref))
