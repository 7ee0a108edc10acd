"""The account and what it holds."""

from typing import Any

from scripts.sandbox.gateway.call import Answer, Call, Endpoint, Needs, whole_number
from scripts.sandbox.instruments import BY_CONID, BY_SYMBOL
from scripts.sandbox.sandbox import ACCOUNT
from scripts.sandbox.valuation import Holding

PAGE = 100


def accounts(call: Call) -> Answer:
    call.sandbox.login.portfolio_primed = True
    return Answer(
        [
            {
                "id": ACCOUNT,
                "PrepaidCrypto-Z": False,
                "PrepaidCrypto-P": False,
                "brokerageAccess": True,
                "accountId": ACCOUNT,
                "accountVan": ACCOUNT,
                "accountTitle": "Openbell sandbox",
                "displayName": "Openbell sandbox",
                "accountAlias": None,
                "accountStatus": 951_800_400_000,
                "currency": "USD",
                "type": "DEMO",
                "tradingType": "STKCASH",
                "businessType": "INDEPENDENT",
                "category": "",
                "ibEntity": "SANDBOX",
                "faclient": False,
                "clearingStatus": "O",
                "covestor": False,
                "noClientTrading": False,
                "trackVirtualFXPortfolio": False,
                "acctCustType": "INDIVIDUAL",
                "parent": {
                    "mmc": [],
                    "accountId": "",
                    "isMParent": False,
                    "isMChild": False,
                    "isMultiplex": False,
                },
                "desc": f"{ACCOUNT} (sandbox)",
            }
        ]
    )


def positions(call: Call) -> Answer:
    """Cached: what a fill changed appears after `positions/invalidate`."""
    cache = call.sandbox.login.positions
    if ACCOUNT not in cache:
        cache[ACCOUNT] = call.sandbox.worth().holdings
    start = (whole_number(call.params["page"]) or 0) * PAGE
    return Answer([_position(holding) for holding in cache[ACCOUNT][start : start + PAGE]])


def invalidate(call: Call) -> Answer:
    call.sandbox.login.positions.clear()
    return Answer({"message": "success"})


def position(call: Call) -> Answer:
    held = (h for h in call.sandbox.worth().holdings if str(_conid(h)) == call.params["conid"])
    return Answer([_position(holding) for holding in held])


def fresh_positions(call: Call) -> Answer:
    second = int(call.sandbox.now.timestamp())
    return Answer([_fresh(holding, second) for holding in call.sandbox.worth().holdings])


def _conid(holding: Holding) -> int:
    return BY_SYMBOL[holding.position.symbol].conid


def _position(holding: Holding) -> dict[str, Any]:
    held = holding.position
    instrument = BY_CONID[_conid(holding)]
    return {
        "acctId": ACCOUNT,
        "conid": instrument.conid,
        "contractDesc": held.symbol,
        "position": float(held.quantity),
        "mktPrice": float(holding.price),
        "mktValue": float(holding.value),
        "currency": "USD",
        "avgCost": float(held.cost),
        "avgPrice": float(held.cost),
        "realizedPnl": float(held.realized),
        "unrealizedPnl": float(holding.unrealized),
        "exchs": None,
        "expiry": None,
        "putOrCall": None,
        "multiplier": None,
        "strike": 0.0,
        "exerciseStyle": None,
        "conExchMap": [],
        "assetClass": "STK",
        "undConid": 0,
        "model": "",
        "ticker": held.symbol,
        "name": f"{instrument.company} (sandbox)",
        "listingExchange": instrument.exchange,
        "type": "COMMON",
        "hasOptions": False,
        "isUS": True,
        "pageSize": PAGE,
        "isEventContract": False,
    }


def _fresh(holding: Holding, second: int) -> dict[str, Any]:
    held = holding.position
    return {
        "position": float(held.quantity),
        "conid": str(_conid(holding)),
        "avgCost": float(held.cost),
        "avgPrice": float(held.cost),
        "currency": "USD",
        "description": held.symbol,
        "isLastToLoq": False,
        "marketPrice": float(holding.price),
        "marketValue": float(holding.value),
        "realizedPnl": float(held.realized),
        "unrealizedPnl": float(holding.unrealized),
        "secType": "STK",
        "assetClass": "STK",
        "sector": None,
        "group": None,
        "model": "",
        "timestamp": second,
    }


OWN = "/portfolio/{account}"
ENDPOINTS = (
    Endpoint("GET", "/portfolio/accounts", Needs.LOGIN, accounts),
    Endpoint("GET", "/portfolio/subaccounts", Needs.LOGIN, accounts),
    Endpoint("GET", OWN + "/positions/{page}", Needs.PORTFOLIO, positions),
    Endpoint("POST", OWN + "/positions/invalidate", Needs.PORTFOLIO, invalidate),
    Endpoint("GET", OWN + "/position/{conid}", Needs.PORTFOLIO, position),
    Endpoint("GET", "/portfolio2/{account}/positions", Needs.PORTFOLIO, fresh_positions),
)
