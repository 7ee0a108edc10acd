"""The four stocks the sandbox lists, under the broker's own contract ids."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Instrument:
    conid: int
    symbol: str
    company: str
    exchange: str
    trading_class: str
    rows: str  # the ticker of its rows in data/stocks.csv.gz


INSTRUMENTS = (
    Instrument(265598, "AAPL", "APPLE INC", "NASDAQ", "NMS", "AAPL"),
    Instrument(272093, "MSFT", "MICROSOFT CORP", "NASDAQ", "NMS", "MSFT"),
    Instrument(8314, "IBM", "INTL BUSINESS MACHINES CORP", "NYSE", "IBM", "IBM"),
    Instrument(208813719, "GOOGL", "ALPHABET INC-CL A", "NASDAQ", "NMS", "GOOG"),
)
BY_SYMBOL = {instrument.symbol: instrument for instrument in INSTRUMENTS}
BY_CONID = {instrument.conid: instrument for instrument in INSTRUMENTS}
