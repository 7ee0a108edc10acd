"""Reading what the broker writes: tolerant of forms, and never a number that was not there."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.ibkr import decode

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.decimals(allow_nan=True, allow_infinity=True),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (5, "5"), (0, "0"), (-1, "-1"), (181.0, "181"), (655.05, "655.05"),
        (Decimal("181.0"), "181"), (Decimal("0.1"), "0.1"), (Decimal("1E+3"), "1000"),
        ("655.05", "655.05"), ("-1", "-1"), ("+0.42", "0.42"), (".5", "0.5"), (" 5 ", "5"),
        ("1,300", "1300"), ("1,977.60", "1977.60"), ("1,234,567", "1234567"),
        ("12.3K", "12300"), ("1.3M", "1300000"), ("2B", "2000000000"), ("1.3m", "1300000"),
        ("0.25%", "0.25"), ("-0.25 %", "-0.25"), ("1 USD", "1"),
        ("1,977.60 USD (10 Shares)", "1977.60"),
        ("1.2345678E7", "12345678"), ("1.0E-4", "0.0001"),
    ],
)  # fmt: skip
def test_a_number_is_read_in_every_form_the_broker_gives_it(value: Any, number: str) -> None:
    assert decode.number(value) == Decimal(number)


@pytest.mark.parametrize(
    "value",
    [
        None, "", " ", "-", ".", "K", "%", "USD", True, False, [], {}, [5], "abc", "NaN", "nan",
        "Infinity", "-Infinity", float("nan"), float("inf"), Decimal("NaN"), Decimal("Infinity"),
        Decimal("sNaN"), Decimal("1E+999999999"), "655,05", "1,30", "1,2345", "12 apples",
        "1-1.5 USD", "1 - 2 USD", "0/5", "12 EUR", "$5", "0x10", "C655.05", "٣", "1e999",
        "21394/266616.18/1440", "5 5", "--5",
    ],
)  # fmt: skip
def test_what_is_no_number_is_none_and_never_zero(value: Any) -> None:
    assert decode.number(value) is None


@given(JSON)
def test_no_value_makes_the_decoder_raise(value: Any) -> None:
    found = decode.number(value)
    assert found is None or found.is_finite()
    price, prefix = decode.price(value)
    assert price is None or price > 0
    assert prefix in ("", "C", "H")
    assert decode.whole(value) is None or isinstance(decode.whole(value), int)
    decode.moment_ms(value)
    decode.identifier(value)
    decode.flag(value)


@given(st.decimals(min_value="0.01", max_value=10**12, places=2))
def test_a_price_survives_every_form(price: Decimal) -> None:
    for text in (str(price), f"{price:,}", f"C{price}", f"H{price:,}", f"{price} USD"):
        assert decode.price(text)[0] == price


@pytest.mark.parametrize(
    ("value", "price"),
    [
        ("655.05", (Decimal("655.05"), "")),
        ("C655.05", (Decimal("655.05"), "C")),
        ("H655.05", (Decimal("655.05"), "H")),
        ("C", (None, "C")),
        ("H", (None, "H")),
        ("0", (None, "")),
        ("-1", (None, "")),
        ("C-1", (None, "C")),
        ("C0.00", (None, "C")),
        ("X655.05", (None, "")),
        (655.05, (Decimal("655.05"), "")),
        (None, (None, "")),
        ("", (None, "")),
    ],
)
def test_a_price_is_positive_and_keeps_its_prefix(value: Any, price: Any) -> None:
    assert decode.price(value) == price


@pytest.mark.parametrize(
    ("value", "identifier"),
    [
        ("1370093239", "1370093239"), (1370093239, "1370093239"), (Decimal(5), "5"), (0, "0"),
        ("", None), (None, None), (True, None), ({}, None), ([], None), ({"a": 1}, None),
    ],
)  # fmt: skip
def test_an_id_is_text_whichever_type_it_came_in(value: Any, identifier: str | None) -> None:
    assert decode.identifier(value) == identifier


@pytest.mark.parametrize(
    ("value", "order_id"),
    [("602801486", "602801486"), (602801486, "602801486"), (-1, None), ("-1", None), (0, None),
     ("00", None), ("٣", None), ("1.0", None), ("1 or 2", None), ("", None), (None, None)],
)  # fmt: skip
def test_an_orders_id_is_digits(value: Any, order_id: str | None) -> None:
    assert decode.order_id(value) == order_id


@pytest.mark.parametrize(
    ("value", "whole"),
    [("265598", 265598), (265598, 265598), (265598.0, 265598), ("1.5", None), ("", None),
     (None, None), (True, None)],
)  # fmt: skip
def test_a_whole_number_is_not_a_rounded_one(value: Any, whole: int | None) -> None:
    assert decode.whole(value) == whole


def test_a_moment_is_milliseconds_since_the_epoch() -> None:
    assert decode.moment_ms(1775086883187) == datetime(2026, 4, 1, 23, 41, 23, 187000, tzinfo=UTC)
    assert decode.moment_ms("1775086883187") == decode.moment_ms(1775086883187)


@pytest.mark.parametrize("value", [None, 0, -1, "", "soon", 10**30, float("inf")])
def test_a_moment_that_cannot_be_is_none(value: Any) -> None:
    assert decode.moment_ms(value) is None


@pytest.mark.parametrize(
    ("value", "flag"),
    [(True, True), (False, False), ("1", True), ("0", False), (1, True), (0, False),
     ("true", True), ("False", False), (None, None), ("", None), ("yes", None), (2, None)],
)  # fmt: skip
def test_a_truth_value_is_read_or_none(value: Any, flag: bool | None) -> None:
    assert decode.flag(value) is flag


def test_the_first_spelling_that_is_there_counts() -> None:
    row = {"loginType": 2, "LOGIN_TYPE": None}
    assert decode.first(row, "LOGIN_TYPE", "loginType") == 2
    assert decode.first(row, "login_type") is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/portfolio/DU9000001/summary", "/portfolio/(account)/summary"),
        ("accountId is not valid: U1234567", "accountId is not valid: (account)"),
        ("DUO123456, DF12345 and F7654321", "(account), (account) and (account)"),
        ("BUY 10 AAPL @ 431.25, conid 265598, order U-boat", None),
    ],
)
def test_account_ids_are_left_out_of_texts(text: str, shown: str | None) -> None:
    assert decode.without_accounts(text) == (shown or text)
