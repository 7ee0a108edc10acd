"""The sandbox's logins, in the shapes that were recorded of the broker's gateway."""

from typing import Any

import pytest

from tests.support.sandbox import ACCOUNT, RunningSandbox

STATUS = {
    "authenticated", "established", "competing", "connected", "message", "MAC", "serverInfo",
    "hardware_info",
}  # fmt: skip
NO_BRIDGE = (400, {"error": "Bad Request: no bridge", "statusCode": 400})


@pytest.fixture(autouse=True)
def _logged_in(sandbox: RunningSandbox) -> None:
    """Each test begins with a login of its own."""
    sandbox.session(sso=False)
    sandbox.session(sso=True, competing=False)
    sandbox.prime()


def healthy(status: dict[str, Any]) -> bool:
    competing = status["competing"]
    return bool(status["authenticated"] and status["connected"] and not competing)


def test_tickle_tells_both_sessions(sandbox: RunningSandbox) -> None:
    for answer in (sandbox.post("/tickle"), sandbox.get("/tickle")):
        told = answer.json()
        assert set(told) == {"session", "ssoExpires", "collission", "userId", "hmds", "iserver"}
        assert len(told["session"]) == 32
        assert set(told["iserver"]["authStatus"]) == STATUS
        assert healthy(told["iserver"]["authStatus"])


def test_status_can_be_read_by_both_methods(sandbox: RunningSandbox) -> None:
    for answer in (sandbox.post("/iserver/auth/status"), sandbox.get("/iserver/auth/status")):
        status = answer.json()
        assert set(status) == STATUS | {"fail"}
        assert healthy(status)
        assert status["established"] is True


def test_accounts_prove_a_paper_account_that_says_sandbox(sandbox: RunningSandbox) -> None:
    accounts = sandbox.get("/iserver/accounts").json()
    portfolio = sandbox.get("/portfolio/accounts").json()
    validated = sandbox.get("/sso/validate").json()
    assert (accounts["accounts"], accounts["selectedAccount"]) == ([ACCOUNT], ACCOUNT)
    assert accounts["isPaper"] is True
    assert [(row["id"], row["type"]) for row in portfolio] == [(ACCOUNT, "DEMO")]
    assert (validated["RESULT"], validated["LOGIN_TYPE"]) == (True, 2)
    assert "sandbox" in str(accounts["serverInfo"])
    assert "sandbox" in portfolio[0]["displayName"]


def test_choosing_an_account(sandbox: RunningSandbox) -> None:
    chosen = [
        (answer.status_code, answer.json())
        for answer in (
            sandbox.post("/iserver/account", {"acctId": ACCOUNT}),
            sandbox.post("/iserver/account", {"acctId": "U1"}),
            sandbox.post("/iserver/account", {}),
        )
    ]
    assert chosen == [
        (200, {"success": "Account already set"}),
        (500, {"error": "Invalid account ID"}),
        (400, {"error": "Bad Request: acctId is missing", "statusCode": 400}),
    ]


def test_without_a_login_every_path_is_401_and_empty(sandbox: RunningSandbox) -> None:
    sandbox.session(sso=False)
    paths = [
        "/tickle", "/iserver/auth/status", "/iserver/accounts", "/portfolio/accounts",
        "/sso/validate", "/trsrv/stocks", "/iserver/account/orders", "/iserver/account/trades",
        f"/portfolio/{ACCOUNT}/summary", "/iserver/marketdata/snapshot",
    ]  # fmt: skip
    answers = [sandbox.get(path) for path in paths]
    answers += [sandbox.order("AAPL", "BUY", 1), sandbox.post("/iserver/auth/ssodh/init")]
    assert {(answer.status_code, answer.content) for answer in answers} == {(401, b"")}


def test_a_lost_brokerage_session_leaves_the_login(sandbox: RunningSandbox) -> None:
    sandbox.session(brokerage=False)
    status = sandbox.get("/iserver/auth/status").json()
    assert (status["authenticated"], status["connected"]) == (False, True)
    for path in ("/iserver/accounts", "/iserver/account/orders", "/iserver/account/trades"):
        answer = sandbox.get(path)
        assert (answer.status_code, answer.json()) == NO_BRIDGE
    assert sandbox.get("/portfolio/accounts").status_code == 200


def test_an_opened_brokerage_session_is_established_some_polls_later(
    sandbox: RunningSandbox,
) -> None:
    sandbox.session(brokerage=False)
    opened = sandbox.post("/iserver/auth/ssodh/init", {"publish": True, "compete": False}).json()
    assert opened == {
        "passed": True,
        "authenticated": True,
        "established": False,
        "competing": False,
        "connected": True,
        "hardware_info": opened["hardware_info"],
    }
    assert sandbox.get("/iserver/accounts").json() == {}
    polls = [sandbox.get("/iserver/auth/status").json()["established"] for _ in range(3)]
    assert polls == [False, False, True]


def test_priming_is_lost_with_the_brokerage_session(sandbox: RunningSandbox) -> None:
    sandbox.session(brokerage=False)
    sandbox.session(brokerage=True)
    unprimed = [
        sandbox.get("/iserver/marketdata/snapshot", conids="265598", fields="31"),
        sandbox.get("/iserver/account/orders", accountId=ACCOUNT),
        sandbox.get("/iserver/account/trades"),
        sandbox.order("AAPL", "BUY", 1),
    ]
    wanted = (500, {"error": "Please query /accounts first"})
    assert {a.status_code for a in unprimed} == {500}
    assert [(a.status_code, a.json()) for a in unprimed] == [wanted] * 4
    for path in (f"/iserver/account/{ACCOUNT}/summary", "/iserver/account/pnl/partitioned"):
        refused = sandbox.get(path)
        assert refused.status_code == 400
        assert refused.json()["error"] == "Bad Request: Please query /accounts first"
    sandbox.prime()
    assert sandbox.get("/iserver/account/trades").status_code == 200


def test_the_portfolio_wants_its_accounts_asked_first(sandbox: RunningSandbox) -> None:
    sandbox.session(sso=False)
    sandbox.session(sso=True)
    path = f"/portfolio/{ACCOUNT}/positions/0"
    assert sandbox.get(path).status_code == 400
    sandbox.get("/portfolio/accounts")
    assert sandbox.get(path).status_code == 200


def test_another_user_takes_the_session_and_can_be_thrown_off(sandbox: RunningSandbox) -> None:
    sandbox.session(competing=True)
    status = sandbox.get("/iserver/auth/status").json()
    assert (status["authenticated"], status["connected"], status["competing"]) == (True,) * 3
    assert sandbox.get("/iserver/accounts").json() == {}
    polite = sandbox.post("/iserver/auth/ssodh/init", {"publish": True, "compete": False})
    assert polite.json()["competing"] is True
    rude = sandbox.post("/iserver/auth/ssodh/init", {"publish": True, "compete": True})
    assert rude.json()["competing"] is False


def test_after_a_logout_only_a_new_login_helps(sandbox: RunningSandbox) -> None:
    assert sandbox.post("/logout").json() == {"status": True}
    assert sandbox.post("/tickle").json() == {"error": "no session"}
    status = sandbox.get("/iserver/auth/status").json()
    assert set(status) == {"authenticated", "competing", "connected", "MAC"}
    assert not any(status[name] for name in ("authenticated", "competing", "connected"))
    assert sandbox.post("/iserver/auth/ssodh/init").status_code == 410
    assert sandbox.get("/iserver/accounts").status_code == 401
    sandbox.session(sso=True)
    assert sandbox.get("/iserver/accounts").json()["accounts"] == [ACCOUNT]


def test_reauthenticate_opens_the_brokerage_session_behind_the_scenes(
    sandbox: RunningSandbox,
) -> None:
    sandbox.session(brokerage=False)
    assert sandbox.post("/iserver/reauthenticate").json() == {"message": "triggered"}
    polls = [sandbox.get("/iserver/auth/status").json() for _ in range(3)]
    assert [(p["authenticated"], p["established"]) for p in polls][-1] == (True, True)
