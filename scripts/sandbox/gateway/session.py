"""Login and brokerage session: tickle, status, init, validate, logout, accounts."""

from typing import Any

from scripts.sandbox.gateway.call import (
    NO_LOGIN,
    Answer,
    Call,
    Endpoint,
    Needs,
    bad_request,
    failed,
)
from scripts.sandbox.sandbox import ACCOUNT

MAC = "02:00:00:00:00:01"
SERVER = {"serverName": "sandbox", "serverVersion": "Openbell sandbox, not a broker"}
SSO_LEFT_MS = 480_000
SUGGESTION = "Openbell sandbox: no real market, no real money"


def tickle(call: Call) -> Answer:
    login = call.sandbox.login
    if login.logged_out:
        return Answer({"error": "no session"})
    if not login.sso:
        return NO_LOGIN
    return Answer(
        {
            "session": login.token,
            "ssoExpires": SSO_LEFT_MS,
            "collission": False,
            "userId": 1,
            "hmds": {"error": "no bridge"},
            "iserver": {"authStatus": _status(call)},
        }
    )


def auth_status(call: Call) -> Answer:
    login = call.sandbox.login
    if login.logged_out:
        short = {"authenticated": False, "competing": False, "connected": False, "MAC": MAC}
        return Answer(short)
    if not login.sso:
        return NO_LOGIN
    return Answer(_status(call) | {"fail": ""})


def open_brokerage(call: Call) -> Answer:
    login = call.sandbox.login
    if login.logged_out:
        return Answer({"error": "gone", "statusCode": 410}, 410)
    if not login.sso:
        return NO_LOGIN
    if login.competing and not call.given("compete"):
        return Answer(_status(call) | {"fail": ""})
    login.competing = False
    if login.brokerage:
        return Answer(_status(call) | {"fail": ""})
    login.open_brokerage()
    return Answer(
        {
            "passed": True,
            "authenticated": True,
            "established": False,
            "competing": False,
            "connected": True,
            "hardware_info": f"5a5a5a5a|{MAC}",
        }
    )


def reauthenticate(call: Call) -> Answer:
    if not call.sandbox.login.brokerage:
        call.sandbox.login.open_brokerage()
    return Answer({"message": "triggered"})


def validate(call: Call) -> Answer:
    now_ms = round(call.sandbox.now.timestamp() * 1000)
    return Answer(
        {
            "USER_ID": 1,
            "USER_NAME": "sandbox",
            "RESULT": True,
            "AUTH_TIME": now_ms,
            "SF_ENABLED": False,
            "IS_FREE_TRIAL": False,
            "CREDENTIAL": "sandbox",
            "IP": "127.0.0.1",
            "EXPIRES": SSO_LEFT_MS,
            "QUALIFIED_FOR_MOBILE_AUTH": None,
            "LANDING_APP": "UNIVERSAL",
            "IS_MASTER": False,
            "lastAccessed": now_ms,
            "LOGIN_TYPE": 2,
            "PAPER_USER_NAME": "sandbox",
            "features": {
                "env": "SANDBOX", "wlms": True, "realtime": True, "bond": False,
                "optionChains": False, "calendar": False, "newMf": False,
            },
            "region": "SANDBOX",
        }
    )  # fmt: skip


def log_out(call: Call) -> Answer:
    call.sandbox.login.log_out()
    return Answer({"status": True})


def accounts(call: Call) -> Answer:
    """Primes orders and market data. Empty while the session is not ready, with status 200."""
    login = call.sandbox.login
    if not login.brokerage:
        return bad_request("no bridge")
    if not login.established or login.competing:
        return Answer({})
    login.inside.primed = True
    return Answer(
        {
            "accounts": [ACCOUNT],
            "acctProps": {ACCOUNT: _properties()},
            "aliases": {ACCOUNT: "Openbell sandbox"},
            "allowFeatures": {
                "showGFIS": True,
                "allowFXConv": False,
                "allowedAssetTypes": "STK",
                "snapshotRefreshTimeout": 30,
            },
            "chartPeriods": {"STK": ["*"]},
            "groups": [],
            "profiles": [],
            "selectedAccount": ACCOUNT,
            "serverInfo": SERVER,
            "sessionId": "5a5a5a5a.00000001",
            "isFT": False,
            "isPaper": True,
        }
    )


def select_account(call: Call) -> Answer:
    if call.given("acctId") is None:
        return bad_request("acctId is missing")
    if call.given("acctId") != ACCOUNT:
        return failed("Invalid account ID")
    return Answer({"success": "Account already set"})


def _status(call: Call) -> dict[str, Any]:
    login = call.sandbox.login
    established = login.established
    if login.inside.polls_until_established:
        login.inside.polls_until_established -= 1
    return {
        "authenticated": login.brokerage,
        "established": established,
        "competing": login.competing,
        "connected": True,
        "message": SUGGESTION,
        "MAC": MAC,
        "serverInfo": SERVER,
        "hardware_info": f"5a5a5a5a|{MAC}",
    }


def _properties() -> dict[str, bool]:
    return {
        "hasChildAccounts": False,
        "supportsCashQty": False,
        "liteUnderPro": False,
        "noFXConv": True,
        "isProp": False,
        "supportsFractions": False,
        "allowCustomerTime": False,
        "autoFx": False,
    }


ENDPOINTS = (
    Endpoint("GET", "/tickle", Needs.NOTHING, tickle),
    Endpoint("POST", "/tickle", Needs.NOTHING, tickle),
    Endpoint("GET", "/iserver/auth/status", Needs.NOTHING, auth_status),
    Endpoint("POST", "/iserver/auth/status", Needs.NOTHING, auth_status),
    Endpoint("POST", "/iserver/auth/ssodh/init", Needs.NOTHING, open_brokerage),
    Endpoint("POST", "/iserver/reauthenticate", Needs.LOGIN, reauthenticate),
    Endpoint("GET", "/sso/validate", Needs.LOGIN, validate),
    Endpoint("POST", "/logout", Needs.LOGIN, log_out),
    Endpoint("GET", "/iserver/accounts", Needs.LOGIN, accounts),
    Endpoint("POST", "/iserver/account", Needs.ACCOUNTS, select_account),
)
