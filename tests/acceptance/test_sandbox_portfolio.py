"""The account as the sandbox's portfolio paths tell it."""

from collections.abc import Callable

from tests.support.sandbox import ACCOUNT, CONIDS, RunningSandbox

SANDBOX = {"rate": 20}
OWN = f"/portfolio/{ACCOUNT}"


def held(sandbox: RunningSandbox, path: str) -> dict[str, float]:
    rows = sandbox.get(path).json()
    return {row.get("contractDesc") or row["description"]: row["position"] for row in rows}


def test_positions_are_a_page_of_rows(sandbox: RunningSandbox) -> None:
    rows = {row["conid"]: row for row in sandbox.get(f"{OWN}/positions/0").json()}
    apple = rows[CONIDS["AAPL"]]
    assert (apple["acctId"], apple["contractDesc"], apple["position"]) == (ACCOUNT, "AAPL", 100.0)
    assert apple["mktValue"] == round(100 * apple["mktPrice"], 2)
    assert (apple["currency"], apple["assetClass"]) == ("USD", "STK")
    assert sandbox.get(f"{OWN}/positions/1").json() == []
    (same,) = sandbox.get(f"{OWN}/position/{CONIDS['AAPL']}").json()
    assert same["position"] == 100.0


def test_cached_positions_change_when_they_are_invalidated(sandbox: RunningSandbox) -> None:
    before = held(sandbox, f"{OWN}/positions/0")
    order_id = sandbox.order("MSFT", "BUY", 5).json()[0]["order_id"]
    sandbox.wait_for_status(order_id, "Filled")
    assert held(sandbox, f"{OWN}/positions/0") == before
    assert held(sandbox, f"/portfolio2/{ACCOUNT}/positions")["MSFT"] == 5.0
    assert sandbox.post(f"{OWN}/positions/invalidate").json() == {"message": "success"}
    assert held(sandbox, f"{OWN}/positions/0")["MSFT"] == 5.0


def test_fresh_positions_write_contract_ids_as_text(sandbox: RunningSandbox) -> None:
    rows = sandbox.get(f"/portfolio2/{ACCOUNT}/positions").json()
    apple = next(row for row in rows if row["description"] == "AAPL")
    assert apple["conid"] == str(CONIDS["AAPL"])
    assert {"marketPrice", "marketValue"} <= set(apple)
    assert not {"mktPrice", "mktValue"} & set(apple)


def test_summaries_and_ledger_agree_with_the_book(sandbox: RunningSandbox) -> None:
    cash = float(sandbox.book()["cash"])
    summary = sandbox.get(f"{OWN}/summary").json()
    brokerage = sandbox.get(f"/iserver/account/{ACCOUNT}/summary").json()
    ledger = sandbox.get(f"{OWN}/ledger").json()
    assert len(summary) >= 45
    assert summary["accountcode"]["value"] == ACCOUNT
    assert summary["totalcashvalue"]["amount"] == cash
    assert set(summary["netliquidation"]) == {
        "amount", "currency", "isNull", "timestamp", "value", "severity",
    }  # fmt: skip
    assert (brokerage["totalCashValue"], brokerage["cashBalances"][0]["balance"]) == (cash, cash)
    assert set(ledger) == {"USD", "BASE"}
    assert ledger["USD"]["cashbalance"] == cash
    worth = ledger["USD"]["stockmarketvalue"] + cash
    assert abs(ledger["USD"]["netliquidationvalue"] - worth) < 0.01


def test_profit_and_loss_is_empty_at_first(start_sandbox: Callable[..., RunningSandbox]) -> None:
    sandbox = start_sandbox()
    sandbox.prime()
    first, second = (sandbox.get("/iserver/account/pnl/partitioned").json() for _ in range(2))
    assert first == {"upnl": {}}
    row = second["upnl"][f"{ACCOUNT}.Core"]
    assert row["rowType"] == 1
    assert {"dpl", "nl", "upl", "el", "mv"} <= set(row)
    # AAPL fell since yesterday's close and IBM rose a little: 100 and 50 of them were held.
    assert -1000 < row["dpl"] < 0


def test_an_account_that_is_not_ours_is_401_and_empty(sandbox: RunningSandbox) -> None:
    paths = ["/portfolio/U1/positions/0", "/portfolio/U1/summary", "/portfolio/U1/ledger",
             "/portfolio2/U1/positions"]  # fmt: skip
    answers = [sandbox.get(path) for path in paths]
    assert {(answer.status_code, answer.content) for answer in answers} == {(401, b"")}
    assert sandbox.get("/iserver/auth/status").json()["authenticated"] is True
