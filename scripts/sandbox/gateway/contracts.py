"""Contracts: look-up, details, trading rules, trading hours."""

from datetime import timedelta
from typing import Any

from scripts.sandbox.clock import NEW_YORK
from scripts.sandbox.gateway.call import Answer, Call, Endpoint, Needs, bad_request, whole_number
from scripts.sandbox.instruments import BY_CONID, BY_SYMBOL, INSTRUMENTS, Instrument
from scripts.sandbox.sandbox import ACCOUNT

MEXICAN_APPLE = 38708077  # a second listing, so that a client has to filter
VALID_EXCHANGES = "SMART,NYSE,NASDAQ"
INCREMENTS = [{"lowerEdge": 0.0, "increment": 0.01}]


def stocks(call: Call) -> Answer:
    symbols = [symbol for symbol in call.query.get("symbols", "").split(",") if symbol]
    if not symbols:
        return bad_request("symbols is missing")
    return Answer({symbol: _listings(symbol) for symbol in symbols})


def search(call: Call) -> Answer:
    wanted = str(call.query.get("symbol") or call.given("symbol") or "").upper()
    if not wanted:
        return bad_request("symbol is missing")
    return Answer(
        [
            {
                "conid": str(instrument.conid),
                "companyHeader": f"{instrument.company} - {instrument.exchange} (sandbox)",
                "companyName": f"{instrument.company} (sandbox)",
                "symbol": instrument.symbol,
                "description": instrument.exchange,
                "restricted": None,
                "sections": [{"secType": "STK"}],
            }
            for instrument in INSTRUMENTS
            if instrument.symbol == wanted
        ]
    )


def info(call: Call) -> Answer:
    instrument = _instrument(call.params["conid"])
    return Answer(_info(instrument)) if instrument else bad_request("unknown contract")


def info_and_rules(call: Call) -> Answer:
    instrument = _instrument(call.params["conid"])
    if instrument is None:
        return bad_request("unknown contract")
    return Answer(_info(instrument) | {"rules": _rules(call, instrument)})


def rules(call: Call) -> Answer:
    instrument = _instrument(call.given("conid"))
    return Answer(_rules(call, instrument)) if instrument else bad_request("unknown contract")


def definitions(call: Call) -> Answer:
    found = (_instrument(conid) for conid in call.query.get("conids", "").split(","))
    return Answer({"secdef": [_definition(instrument) for instrument in found if instrument]})


def schedule(call: Call) -> Answer:
    """The broker's own trading hours, some days around now; days without a session are absent."""
    if _instrument(call.query.get("conid")) is None:
        return bad_request("unknown contract")
    market, today = call.sandbox.market, call.sandbox.now.astimezone(NEW_YORK).date()
    days = [today + timedelta(days=offset) for offset in range(6)]
    sessions = [session for day in days if (session := market.sessions.on(day))]
    schedules: dict[str, Any] = {}
    for session in sessions:
        opening, closing = int(session.opens.timestamp()), int(session.closes.timestamp())
        hours = {"opening": opening, "closing": closing}
        extended = hours | {"cancel_daily_orders": True}
        schedules[f"{session.day:%Y%m%d}"] = {"liquid_hours": [hours], "extended_hours": [extended]}
    return Answer({"exchange_time_zone": "US/Eastern", "schedules": schedules})


def _instrument(conid: Any) -> Instrument | None:
    number = whole_number(conid)
    return BY_CONID.get(number) if number is not None else None


def _listings(symbol: str) -> list[dict[str, Any]]:
    instrument = BY_SYMBOL.get(symbol)
    if instrument is None:
        return []
    contracts = [{"conid": instrument.conid, "exchange": instrument.exchange, "isUS": True}]
    if symbol == "AAPL":
        contracts.append({"conid": MEXICAN_APPLE, "exchange": "MEXI", "isUS": False})
    name = f"{instrument.company} (sandbox)"
    return [{"name": name, "chineseName": None, "assetClass": "STK", "contracts": contracts}]


def _info(instrument: Instrument) -> dict[str, Any]:
    return {
        "con_id": instrument.conid,
        "symbol": instrument.symbol,
        "instrument_type": "STK",
        "company_name": f"{instrument.company} (sandbox)",
        "currency": "USD",
        "exchange": "SMART",
        "valid_exchanges": VALID_EXCHANGES,
        "local_symbol": instrument.symbol,
        "trading_class": instrument.trading_class,
        "industry": "Sandbox",
        "category": "Sandbox",
        "r_t_h": True,
        "smart_available": True,
        "underlying_con_id": 0,
        "multiplier": None,
        "cusip": None,
        "expiry_full": None,
        "maturity_date": None,
        "allow_sell_long": False,
        "is_zero_commission_security": False,
        "has_related_contracts": False,
        "text": None,
        "cfi_code": "",
        "contract_month": None,
    }


def _rules(call: Call, instrument: Instrument) -> dict[str, Any]:
    price = call.sandbox.market.price(instrument.symbol, call.sandbox.now)
    return {
        "algoEligible": False,
        "allOrNoneEligible": False,
        "costReport": False,
        "canTradeAcctIds": [ACCOUNT],
        "error": None,
        "orderTypes": ["limit", "market"],
        "ibAlgoTypes": [],
        "fraqTypes": [],
        "cqtTypes": [],
        "orderTypesOutside": [],
        "forceOrderPreview": False,
        "orderDefaults": {"LMT": {"LP": str(price)}},
        "defaultSize": 100,
        "cashSize": 0.0,
        "sizeIncrement": 100,
        "tifTypes": ["DAY/o", "GTC/o", "IOC/MARKET,LIMIT"],
        "tifDefaults": {"TIF": "DAY", "SIZE": "100.00"},
        "limitPrice": str(price),
        "stopprice": str(price),
        "preview": True,
        "fraqInt": 0,
        "cashCcy": "USD",
        "cashQtyIncr": 500,
        "priceMagnifier": None,
        "negativeCapable": False,
        "incrementType": 1,
        "incrementRules": INCREMENTS,
        "increment": 0.01,
        "incrementDigits": 2,
        "hasSecondary": True,
    }


def _definition(instrument: Instrument) -> dict[str, Any]:
    return {
        "conid": instrument.conid,
        "currency": "USD",
        "name": f"{instrument.company} (sandbox)",
        "assetClass": "STK",
        "ticker": instrument.symbol,
        "listingExchange": instrument.exchange,
        "type": "COMMON",
        "hasOptions": False,
        "fullName": instrument.symbol,
        "isUS": True,
        "incrementRules": INCREMENTS,
    }


ENDPOINTS = (
    Endpoint("GET", "/trsrv/stocks", Needs.LOGIN, stocks),
    Endpoint("GET", "/trsrv/secdef", Needs.LOGIN, definitions),
    Endpoint("GET", "/iserver/secdef/search", Needs.BROKERAGE, search),
    Endpoint("POST", "/iserver/secdef/search", Needs.BROKERAGE, search),
    Endpoint("GET", "/iserver/contract/{conid}/info", Needs.BROKERAGE, info),
    Endpoint("GET", "/iserver/contract/{conid}/info-and-rules", Needs.BROKERAGE, info_and_rules),
    Endpoint("POST", "/iserver/contract/rules", Needs.BROKERAGE, rules),
    Endpoint("GET", "/contract/trading-schedule", Needs.LOGIN, schedule),
)
