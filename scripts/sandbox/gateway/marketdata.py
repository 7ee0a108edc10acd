"""Snapshots with their pre-flight, and chart history."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from scripts.sandbox.gateway.call import (
    Answer,
    Call,
    Endpoint,
    Needs,
    bad_request,
    failed,
    whole_number,
)
from scripts.sandbox.history import LENGTHS, MINUTES, Bar, bars, price_text
from scripts.sandbox.instruments import BY_CONID, Instrument
from scripts.sandbox.market import Tick
from scripts.sandbox.prices import Day, dollars
from scripts.sandbox.state import Stream

MAX_CONIDS, MAX_FIELDS = 100, 50
DELAY_SECONDS = 900
FIRST_TO_COME = frozenset({"31", "55", "6509"})  # what the second call already has


def snapshot(call: Call) -> Answer:
    """The first call for a contract only opens its stream; new fields come one call later."""
    conids = [whole_number(text) for text in call.query.get("conids", "").split(",") if text]
    fields = [text for text in call.query.get("fields", "").split(",") if text]
    known = [conid for conid in conids if conid is not None]
    if not known or len(known) < len(conids):
        return bad_request("conids is missing")
    if len(conids) > MAX_CONIDS or len(fields) > MAX_FIELDS:
        return bad_request("too many conids or fields")
    return Answer([_row(call, conid, fields) for conid in known])


def unsubscribe(call: Call) -> Answer:
    conid = whole_number(call.given("conid"))
    if conid is None or call.sandbox.inside.streams.pop(conid, None) is None:
        return failed("unknown")
    return Answer({"success": True})


def unsubscribe_all(call: Call) -> Answer:
    call.sandbox.inside.streams.clear()
    return Answer({"unsubscribed": True})


def history(call: Call) -> Answer:
    conid = whole_number(call.query.get("conid"))
    instrument = BY_CONID.get(conid) if conid is not None else None
    bar, period = call.query.get("bar", "1min"), call.query.get("period", "1d")
    until = _until(call)
    if instrument is None or bar not in LENGTHS or until is None:
        return failed("No data.")
    found = bars(call.sandbox.market, instrument.symbol, period, bar, until)
    if not found:
        return failed("No data.")
    delay = DELAY_SECONDS if call.sandbox.switches.delayed_data else 0
    return Answer(_chart(instrument, period, bar, found, delay))


def _row(call: Call, conid: int, fields: list[str]) -> dict[str, Any]:
    row: dict[str, Any] = {"conidEx": str(conid), "conid": conid}
    stream = call.sandbox.inside.streams.setdefault(conid, Stream())
    stream.calls += 1
    wanted = set(fields) & stream.fields if fields else set(stream.fields)
    stream.fields.update(fields)
    instrument = BY_CONID.get(conid)
    if stream.calls == 1 or instrument is None:
        return row
    if stream.calls == 2:
        wanted &= FIRST_TO_COME
    now = call.sandbox.now
    values = _values(call, instrument, now)
    row |= {"server_id": "q0", "_updated": round(now.timestamp() * 1000), "6119": "q0"}
    return row | {name: values[name] for name in sorted(wanted) if name in values}


def _values(call: Call, instrument: Instrument, now: datetime) -> dict[str, str]:
    """Every field that is known now, as the text the broker would send."""
    market = call.sandbox.market
    tick = market.tick(instrument.symbol, now)
    prior = market.prior_close(instrument.symbol, now)
    last = market.last_close(instrument.symbol, now)
    values = {
        "55": instrument.symbol,
        "58": "sandbox",
        "6004": instrument.exchange,
        "6008": str(instrument.conid),
        "6070": "STK",
        "6509": "DPB" if call.sandbox.switches.delayed_data else "RpB",
        "7051": f"{instrument.company} (sandbox)",
        "7184": "1",
        "7221": instrument.exchange,
        "7768": "1",
    }
    if prior:
        values["7741"] = str(dollars(prior.close))
    if tick:
        return values | _trading(tick, prior)
    return values | _shut(last, prior) if last else values


def _trading(tick: Tick, prior: Day | None) -> dict[str, str]:
    return {
        "31": str(tick.last),
        "84": str(tick.bid),
        "86": str(tick.ask),
        "88": f"{tick.bid_size:,}",
        "85": f"{tick.ask_size:,}",
        "87": _short(tick.volume),
        "7762": str(tick.volume),
        "7295": str(tick.open),
        "70": str(tick.high),
        "71": str(tick.low),
    } | _change(tick.last, prior)


def _shut(last: Day, prior: Day | None) -> dict[str, str]:
    """Before the open and after the close: the close, marked C, and nobody to trade with."""
    close = dollars(last.close)
    return {"31": f"C{close}", "7296": str(close)} | _change(close, prior)


def _change(price: Decimal, prior: Day | None) -> dict[str, str]:
    if prior is None:
        return {}
    before = dollars(prior.close)
    change = price - before
    return {"82": f"{change:+.2f}", "83": f"{change / before * 100:.2f}%"}


def _short(volume: int) -> str:
    for size, letter in ((1_000_000, "M"), (1_000, "K")):
        if volume >= size:
            return f"{volume / size:.1f}{letter}"
    return str(volume)


def _until(call: Call) -> datetime | None:
    """The end of the chart: now, or `startTime` (UTC) where it is earlier."""
    given = call.query.get("startTime")
    if not given:
        return call.sandbox.now
    try:
        moment = datetime.strptime(given, "%Y%m%d-%H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    return min(moment, call.sandbox.now)


def _chart(
    instrument: Instrument, period: str, bar: str, found: list[Bar], delay: int
) -> dict[str, Any]:
    highest = max(found, key=lambda b: b.high)
    lowest = min(found, key=lambda b: b.low)
    minutes = MINUTES.get(bar, 1440)
    return {
        "serverId": "sandbox",
        "symbol": instrument.symbol,
        "text": f"{instrument.company} (sandbox)",
        "priceFactor": 100,
        "startTime": f"{found[0].start:%Y%m%d-%H:%M:%S}",
        "high": price_text(highest.high, highest.volume, found.index(highest) * minutes),
        "low": price_text(lowest.low, lowest.volume, found.index(lowest) * minutes),
        "timePeriod": period,
        "barLength": LENGTHS[bar],
        "mdAvailability": "S",
        "mktDataDelay": delay,
        "outsideRth": False,
        "tradingDayDuration": 390,
        "volumeFactor": 1,
        "priceDisplayRule": 1,
        "priceDisplayValue": "2",
        "chartPanStartTime": f"{found[0].start:%Y%m%d-%H:%M:%S}",
        "direction": -1,
        "negativeCapable": False,
        "messageVersion": 2,
        "data": [b.row() for b in found],
        "points": len(found) - 1,
        "travelTime": 1,
    }


ENDPOINTS = (
    Endpoint("GET", "/iserver/marketdata/snapshot", Needs.ACCOUNTS, snapshot),
    Endpoint("POST", "/iserver/marketdata/unsubscribe", Needs.ACCOUNTS, unsubscribe),
    Endpoint("GET", "/iserver/marketdata/unsubscribeall", Needs.ACCOUNTS, unsubscribe_all),
    Endpoint("GET", "/iserver/marketdata/history", Needs.ACCOUNTS, history),
)
