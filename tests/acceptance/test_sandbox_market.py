"""The sandbox's contracts, quotes and bars, in the shapes that were recorded of the broker."""

from collections.abc import Callable
from datetime import datetime

import pytest

from tests.support.sandbox import CONIDS, RunningSandbox

AAPL = CONIDS["AAPL"]
FIELDS = "31,55,70,71,84,85,86,87,88,6509,7295,7741,7762"


def snapshot(sandbox: RunningSandbox, conids: str = str(AAPL), fields: str = FIELDS) -> list[dict]:
    answer = sandbox.get("/iserver/marketdata/snapshot", conids=conids, fields=fields)
    return list(answer.json())


def test_a_quote_comes_in_three_calls(sandbox: RunningSandbox) -> None:
    sandbox.get("/iserver/marketdata/unsubscribeall")
    (first,), (second,), (third,) = (snapshot(sandbox) for _ in range(3))
    assert first == {"conid": AAPL, "conidEx": str(AAPL)}
    assert set(second) - set(first) == {"server_id", "_updated", "6119", "31", "55", "6509"}
    assert set(third) >= set(FIELDS.split(","))
    assert type(third["conid"]) is type(third["_updated"]) is int
    assert all(isinstance(third[field], str) for field in FIELDS.split(","))
    assert third["6509"] == "RpB"
    assert float(third["84"]) <= float(third["31"]) <= float(third["86"])
    assert (third["7741"], third["7295"]) == ("448.97", "448.43")
    assert third["87"].endswith(("K", "M"))
    assert float(third["88"].replace(",", "")) >= 100


def test_new_fields_come_one_call_later(sandbox: RunningSandbox) -> None:
    sandbox.get("/iserver/marketdata/unsubscribeall")
    for _ in range(3):
        snapshot(sandbox, fields="31")
    (asked,), (told,) = (snapshot(sandbox, fields="31,84") for _ in range(2))
    assert ("31" in asked, "84" in asked) == (True, False)
    assert {"31", "84"} <= set(told)


def test_each_contract_of_a_call_has_its_row(sandbox: RunningSandbox) -> None:
    conids = [*CONIDS.values(), 1]
    for _ in range(3):
        rows = snapshot(sandbox, conids=",".join(map(str, conids)), fields="31")
    assert [(row["conid"], "31" in row) for row in rows] == [
        (conid, conid != 1) for conid in conids
    ]


@pytest.mark.parametrize(
    ("conids", "fields"),
    [
        ("", "31"),
        ("AAPL", "31"),
        ("265598,AAPL", "31"),
        ("²", "31"),
        ("9" * 5000, "31"),
        (",".join(map(str, range(1, 102))), "31"),
        ("265598", ",".join(map(str, range(51)))),
    ],
)
def test_a_malformed_snapshot_is_400(sandbox: RunningSandbox, conids: str, fields: str) -> None:
    answer = sandbox.get("/iserver/marketdata/snapshot", conids=conids, fields=fields)
    assert (answer.status_code, answer.json()["statusCode"]) == (400, 400)


def test_closing_a_stream_that_is_not_open_is_500(sandbox: RunningSandbox) -> None:
    snapshot(sandbox)
    path = "/iserver/marketdata/unsubscribe"
    answers = [sandbox.post(path, {"conid": AAPL}) for _ in range(2)]
    answers.append(sandbox.post(path, {"conid": ["x"]}))
    assert [(answer.status_code, answer.json()) for answer in answers] == [
        (200, {"success": True}),
        (500, {"error": "unknown"}),
        (500, {"error": "unknown"}),
    ]


def test_an_account_without_market_data_says_so_in_6509(sandbox: RunningSandbox) -> None:
    sandbox.faults(delayed_data=True)
    for _ in range(3):
        (row,) = snapshot(sandbox)
    chart = sandbox.get("/iserver/marketdata/history", conid=AAPL, period="1d", bar="1d").json()
    sandbox.faults(delayed_data=False)
    assert (row["6509"], chart["mktDataDelay"]) == ("DPB", 900)


def test_before_the_open_the_last_price_is_marked_as_a_close(
    start_sandbox: Callable[..., RunningSandbox],
) -> None:
    sandbox = start_sandbox(at="2013-02-27T08:00:00")
    sandbox.prime()
    for _ in range(3):
        (row,) = snapshot(sandbox)
    assert (row["31"], row["7741"]) == ("C448.97", "448.97")
    assert not {"84", "86", "85", "88", "87"} & set(row)


def test_the_open_is_seen_when_its_moment_comes(
    start_sandbox: Callable[..., RunningSandbox],
) -> None:
    sandbox = start_sandbox(at="2013-02-27T09:20:00", rate=120)
    sandbox.prime()
    snapshot(sandbox)
    snapshot(sandbox)
    assert snapshot(sandbox)[0]["31"] == "C448.97"
    sandbox.wait_until(lambda book: sandbox.health()["open"], "the session opens")
    (row,) = snapshot(sandbox)
    assert not row["31"].startswith("C")
    assert row["7295"] == "448.43"


def test_history_is_a_chart_of_real_days(sandbox: RunningSandbox) -> None:
    path = "/iserver/marketdata/history"
    chart = sandbox.get(path, conid=AAPL, period="1m", bar="1d").json()
    yesterday = chart["data"][-2]
    assert {name: yesterday[name] for name in "ohlcv"} == {
        "o": 443.82, "h": 451.54, "l": 437.66, "c": 448.97, "v": 17910700,
    }  # fmt: skip
    assert yesterday["t"] == int(datetime.fromisoformat("2013-02-26T14:30:00Z").timestamp()) * 1000
    assert chart["points"] == len(chart["data"]) - 1
    expected = {
        "symbol": "AAPL", "priceFactor": 100, "volumeFactor": 1, "barLength": 86400,
        "timePeriod": "1m", "mdAvailability": "S", "mktDataDelay": 0, "negativeCapable": False,
        "messageVersion": 2,
    }  # fmt: skip
    assert {name: chart[name] for name in expected} == expected
    highest = max(chart["data"], key=lambda bar: bar["h"])
    price, volume, _minutes = chart["high"].split("/")
    assert (int(price) / 100, int(volume)) == (highest["h"], highest["v"])


def test_history_can_end_earlier_and_never_later_than_now(sandbox: RunningSandbox) -> None:
    path = "/iserver/marketdata/history"
    query = {"conid": AAPL, "period": "1d", "bar": "1d"}
    earlier = sandbox.get(path, **query, startTime="20130111-22:00:00").json()["data"]
    later = sandbox.get(path, **query, startTime="20190111-22:00:00").json()["data"]
    assert [bar["c"] for bar in earlier] == [520.3]
    assert later[-1]["t"] == int(datetime.fromisoformat("2013-02-27T14:30:00Z").timestamp()) * 1000


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"conid": "AAPL"},
        {"conid": 1, "period": "1d", "bar": "1d"},
        {"conid": AAPL, "period": "1d", "bar": "7min"},
        {"conid": AAPL, "period": "1d", "bar": "1d", "startTime": "yesterday"},
        {"conid": AAPL, "period": "1d", "bar": "1d", "startTime": "00010101-00:00:00"},
    ],
)
def test_a_chart_that_cannot_be_drawn_is_500(sandbox: RunningSandbox, query: dict) -> None:
    answer = sandbox.get("/iserver/marketdata/history", **query)
    assert (answer.status_code, answer.json()) == (500, {"error": "No data."})


def test_symbols_lead_to_contracts_and_some_to_several(sandbox: RunningSandbox) -> None:
    found = sandbox.get("/trsrv/stocks", symbols="AAPL,GOOGL,ZZZZ").json()
    apple = found["AAPL"][0]
    assert [(c["conid"], c["isUS"]) for c in apple["contracts"]] == [
        (265598, True),
        (38708077, False),
    ]
    assert found["GOOGL"][0]["contracts"][0]["conid"] == 208813719
    assert found["ZZZZ"] == []
    assert "sandbox" in apple["name"]
    assert sandbox.get("/trsrv/stocks").status_code == 400


def test_search_writes_contract_ids_as_text(sandbox: RunningSandbox) -> None:
    asked = [
        sandbox.get("/iserver/secdef/search", symbol="IBM").json(),
        sandbox.post("/iserver/secdef/search", {"symbol": "ibm"}).json(),
    ]
    assert [[row["conid"] for row in rows] for rows in asked] == [["8314"], ["8314"]]
    assert sandbox.get("/iserver/secdef/search", symbol="ZZZZ").json() == []


def test_a_contracts_details_and_rules(sandbox: RunningSandbox) -> None:
    details = sandbox.get(f"/iserver/contract/{AAPL}/info").json()
    rules = sandbox.post("/iserver/contract/rules", {"conid": AAPL, "isBuy": True}).json()
    both = sandbox.get(f"/iserver/contract/{AAPL}/info-and-rules", isBuy="true").json()
    assert (details["con_id"], details["symbol"], details["currency"]) == (AAPL, "AAPL", "USD")
    assert (rules["increment"], rules["canTradeAcctIds"]) == (0.01, [sandbox.account])
    assert both.keys() == details.keys() | {"rules"}
    assert sandbox.get("/trsrv/secdef", conids=f"{AAPL},1").json()["secdef"][0]["ticker"] == "AAPL"
    for unknown in ("1", "AAPL", "9" * 30, "-1"):
        assert sandbox.get(f"/iserver/contract/{unknown}/info").status_code == 400
    for unreadable in ({}, {"conid": None}, {"conid": [1]}, {"conid": 1e400}, [1]):
        assert (
            sandbox.client.post(
                "/iserver/contract/rules", content=str(unreadable).encode()
            ).status_code
            == 400
        )


def test_the_schedule_lists_sessions_and_leaves_other_days_out(
    start_sandbox: Callable[..., RunningSandbox],
) -> None:
    sandbox = start_sandbox(at="2012-11-21T12:00:00")  # the day before Thanksgiving
    schedule = sandbox.get("/contract/trading-schedule", conid=AAPL).json()
    assert schedule["exchange_time_zone"] == "US/Eastern"
    assert {
        day: [(h["closing"] - h["opening"]) / 3600 for h in hours["liquid_hours"]]
        for day, hours in schedule["schedules"].items()
    } == {"20121121": [6.5], "20121123": [3.5], "20121126": [6.5]}
