"""The account in figures: summaries, ledger, profit and loss."""

from decimal import Decimal
from typing import Any

from scripts.sandbox.gateway.call import Answer, Call, Endpoint, Needs
from scripts.sandbox.sandbox import ACCOUNT
from scripts.sandbox.valuation import Valuation

MARGIN = Decimal("0.25")


def summary(call: Call) -> Answer:
    worth = call.sandbox.worth()
    second = int(call.sandbox.now.timestamp())
    amounts = _figures(worth) | {"cushion": worth.cash / worth.net if worth.net else Decimal(0)}
    rows = {name: _amount(amount, second) for name, amount in amounts.items()}
    rows |= {f"{name}-s": row for name, row in rows.items()}
    words = {"accountcode": ACCOUNT, "accounttype": "SANDBOX", "tradingtype-s": "STKCASH"}
    return Answer(rows | {name: _word(word, second) for name, word in words.items()})


def brokerage_summary(call: Call) -> Answer:
    worth = call.sandbox.worth()
    margin, cash = float(worth.stock * MARGIN), float(worth.cash)
    return Answer(
        {
            "accountType": "SANDBOX",
            "status": "",
            "balance": float(worth.net),
            "SMA": cash,
            "buyingPower": cash,
            "availableFunds": cash,
            "excessLiquidity": cash,
            "netLiquidationValue": float(worth.net),
            "equityWithLoanValue": float(worth.net),
            "regTLoan": 0.0,
            "securitiesGVP": float(worth.stock),
            "totalCashValue": cash,
            "accruedInterest": 0.0,
            "regTMargin": margin,
            "initialMargin": margin,
            "maintenanceMargin": margin,
            "cashBalances": [
                {"currency": "USD", "balance": cash, "settledCash": cash},
                {"currency": "Total (in USD)", "balance": cash, "settledCash": cash},
            ],
        }
    )


def ledger(call: Call) -> Answer:
    worth = call.sandbox.worth()
    second = int(call.sandbox.now.timestamp())
    return Answer({key: _ledger(worth, key, second) for key in ("USD", "BASE")})


def partitioned_pnl(call: Call) -> Answer:
    """Empty on the first call of a brokerage session."""
    inside = call.sandbox.inside
    if not inside.pnl_primed:
        inside.pnl_primed = True
        return Answer({"upnl": {}})
    worth = call.sandbox.worth()
    row = {
        "rowType": 1,
        "dpl": float(worth.daily),
        "nl": float(worth.net),
        "upl": float(worth.unrealized),
        "uel": float(worth.cash),
        "el": float(worth.cash),
        "mv": float(worth.stock),
    }
    return Answer({"upnl": {f"{ACCOUNT}.Core": row}})


def _figures(worth: Valuation) -> dict[str, Decimal]:
    margin = worth.stock * MARGIN
    return {
        "netliquidation": worth.net,
        "equitywithloanvalue": worth.net,
        "availablefunds": worth.cash,
        "buyingpower": worth.cash,
        "totalcashvalue": worth.cash,
        "settledcash": worth.cash,
        "excessliquidity": worth.cash,
        "grosspositionvalue": worth.stock,
        "initmarginreq": margin,
        "maintmarginreq": margin,
        "fullinitmarginreq": margin,
        "fullmaintmarginreq": margin,
        "fullavailablefunds": worth.cash,
        "fullexcessliquidity": worth.cash,
        "lookaheadinitmarginreq": margin,
        "lookaheadmaintmarginreq": margin,
        "lookaheadavailablefunds": worth.cash,
        "lookaheadexcessliquidity": worth.cash,
        "previousdayequitywithloanvalue": worth.net - worth.daily,
        "accruedcash": Decimal(0),
        "accrueddividend": Decimal(0),
        "pasharesvalue": Decimal(0),
        "indianstockhaircut": Decimal(0),
    }


def _amount(amount: Decimal, second: int) -> dict[str, Any]:
    return {
        "amount": float(amount),
        "currency": "USD",
        "isNull": False,
        "timestamp": second,
        "value": f"{amount:.4f}" if abs(amount) < 1 else None,
        "severity": 0,
    }


def _word(word: str, second: int) -> dict[str, Any]:
    return {
        "amount": 0.0,
        "currency": None,
        "isNull": False,
        "timestamp": second,
        "value": word,
        "severity": 0,
    }


def _ledger(worth: Valuation, key: str, second: int) -> dict[str, Any]:
    return {
        "commoditymarketvalue": 0.0,
        "futuremarketvalue": 0.0,
        "settledcash": float(worth.cash),
        "exchangerate": 1,
        "sessionid": 1,
        "cashbalance": float(worth.cash),
        "corporatebondsmarketvalue": 0.0,
        "warrantsmarketvalue": 0.0,
        "netliquidationvalue": float(worth.net),
        "interest": 0.0,
        "unrealizedpnl": float(worth.unrealized),
        "stockmarketvalue": float(worth.stock),
        "moneyfunds": 0.0,
        "currency": key,
        "realizedpnl": float(worth.realized),
        "funds": 0.0,
        "acctcode": ACCOUNT,
        "issueroptionsmarketvalue": 0.0,
        "key": "LedgerList",
        "timestamp": second,
        "severity": 0,
        "stockoptionmarketvalue": 0.0,
        "futuresonlypnl": 0.0,
        "tbondsmarketvalue": 0.0,
        "futureoptionmarketvalue": 0.0,
        "cashbalancefxsegment": 0.0,
        "secondkey": key,
        "tbillsmarketvalue": 0.0,
        "endofbundle": 1,
        "dividends": 0.0,
    }


ENDPOINTS = (
    Endpoint("GET", "/portfolio/{account}/summary", Needs.PORTFOLIO, summary),
    Endpoint("GET", "/portfolio/{account}/ledger", Needs.PORTFOLIO, ledger),
    Endpoint("GET", "/iserver/account/{account}/summary", Needs.ACCOUNTS_400, brokerage_summary),
    Endpoint("GET", "/iserver/account/pnl/partitioned", Needs.ACCOUNTS_400, partitioned_pnl),
)
